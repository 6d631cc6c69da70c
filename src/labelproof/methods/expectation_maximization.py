"""EM: the true labels are hidden, the network is half of the model and the transition the other half."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.losses import soft_label_divergence
from labelproof.methods.base import Method, Task
from labelproof.noise.em import expectation_maximization
from labelproof.noise.posterior import posterior
from labelproof.training.trainable import Batch, Step


class ExpectationMaximization(Method):
    """E step: ``c = p(y | z, x)`` by the posterior. M step: T is fitted again, and a fresh network learns the labels ``c``.

    The first round learns the given labels. A network that continued from the last round would have memorised its own labels
    and find them right. A fresh one learns patterns first, so every round's labels are better than the last one's.

    Parameters
    ----------
    rounds : int
        Number of M steps, into which the epochs are divided.

    References
    ----------
    Bekker and Goldberger (2016), Training deep neural-networks based on unreliable labels, equations 3 to 6; the transition's
    share of the M step is `labelproof.noise.expectation_maximization`, which shrinks rare confusions.
    """

    purpose = "noise that depends only on the class; gives posterior labels"
    cost = "1"

    def __init__(self, rounds: int = 3) -> None:
        super().__init__()
        if rounds < 2:
            raise BadInput(f"rounds is {rounds}. Give 2 or more, because the first round learns the given labels.")
        self.rounds = rounds

    def build(self, task: Task) -> None:
        """Make network, soft labels and transition."""
        super().build(task)
        self.register_buffer("labels", functional.one_hot(task.data.given, task.n_classes).float())
        self.register_buffer("matrix", torch.eye(task.n_classes))

    def phases(self, epochs: int) -> list[int]:
        """The rounds."""
        ends = [round(epochs * i / min(self.rounds, epochs)) for i in range(min(self.rounds, epochs) + 1)]
        return [after - before for before, after in pairwise(ends)]

    def phase_start(self, phase: int) -> None:
        """E step, the transition's part of the M step, and a fresh network for the other part."""
        if phase == 0:
            return
        probs, given = self.training_probs(), self.given
        noise = expectation_maximization(given, probs, classes=range(self.task.n_classes)).transition
        true = torch.from_numpy(posterior(probs, given, noise)).float()
        verified = self.task.data.verified
        if verified is not None:
            true[verified] = functional.one_hot(self.task.data.given, self.task.n_classes).float()[verified]
        self.get_buffer("labels").copy_(true)
        self.get_buffer("matrix").copy_(torch.from_numpy(noise.matrix))
        self.network.load_state_dict(self.task.make_network().state_dict())

    def transition(self) -> Tensor:
        """The matrix of the last M step."""
        return self.get_buffer("matrix")

    def loss(self, batch: Batch) -> Step:
        """Divergence from the soft labels, which are the given ones in the first round."""
        logits = self.network(self.varied(batch.x))
        return Step(soft_label_divergence(logits.float(), self.get_buffer("labels")[batch.index]), logits)
