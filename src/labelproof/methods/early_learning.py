"""Early-learning regularisation: keep the predictions from before memorising began."""

from __future__ import annotations

import torch

from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task
from labelproof.training.trainable import Batch, Step


class EarlyLearning(Method):
    """``L = -log p_z + λ log(1 - <p, t>)`` with the running targets ``t ← β t + (1 - β) p / |p|`` of each item.

    Parameters
    ----------
    strength : float
        λ.
    memory : float in [0, 1)
        β.

    References
    ----------
    Liu, Niles-Weed, Razavian and Fernandez-Granda (2020), Early-learning regularization prevents memorization of noisy labels,
    equations 6 and 9.
    """

    purpose = "noise of any kind; one network, hardly any cost"

    def __init__(self, strength: float = 3.0, memory: float = 0.7) -> None:
        super().__init__()
        self.strength, self.memory = strength, memory

    def build(self, task: Task) -> None:
        """Make the network and the targets (n, k)."""
        super().build(task)
        self.register_buffer("targets", torch.zeros(len(task.data), task.n_classes))

    def loss(self, batch: Batch) -> Step:
        """Both terms; the targets are updated first and are constants to the gradient."""
        logits = self.network(self.varied(batch.x))
        probs = logits.float().softmax(dim=1).clamp(1e-4, 1 - 1e-4)
        now = probs.detach()
        targets = self.get_buffer("targets")
        moved = self.memory * targets[batch.index] + (1 - self.memory) * now / now.sum(dim=1, keepdim=True)
        self.remember(targets, batch.index, moved)
        agreement = (moved * probs).sum(dim=1)
        regular = torch.log((1 - agreement).clamp_min(1e-4))
        return Step(cross_entropy(logits.float(), batch.given) + self.strength * regular, logits)
