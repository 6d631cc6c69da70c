"""NNAQC: a nonlinear noise layer, and clustering by the network's own belief."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelproof.losses import nonlinear_noise_aware_quasi_clustering
from labelproof.methods.base import Method, Task
from labelproof.training.trainable import Batch, Group, Step


class NNAQC(Method):
    """``α L_NNA + (1 - α) L_QC``: see `labelproof.losses.nonlinear_noise_aware_quasi_clustering`.

    Parameters
    ----------
    alpha, beta : float in [0, 1]
        Share of the noise-aware term; share of the network's own prediction in the other.
    scale : float
        W starts as this multiple of the identity.

    References
    ----------
    Jindal, Pressel, Lester and Nokleby (2019), A nonlinear, noise-aware, quasi-clustering approach to learning deep CNNs from
    noisy labels.
    """

    purpose = "strong noise that depends on the class; stays unsure of wrong labels"

    def __init__(self, alpha: float = 0.9, beta: float = 0.5, scale: float = 2.0) -> None:
        super().__init__()
        self.alpha, self.beta, self.scale = alpha, beta, scale

    def build(self, task: Task) -> None:
        """Make the network and the weights W."""
        super().build(task)
        self.weight = nn.Parameter(self.scale * torch.eye(task.n_classes))  # [given, true]

    def transition(self) -> Tensor:
        """The output of W for each pure class."""
        return self.weight.detach().T.softmax(dim=1)

    def loss(self, batch: Batch) -> Step:
        """The two terms."""
        logits = self.network(self.varied(batch.x))
        terms = nonlinear_noise_aware_quasi_clustering(logits.float(), batch.given, self.weight, self.alpha, self.beta)
        return Step(terms, logits)

    def parameter_groups(self) -> list[Group]:
        """W has no weight decay."""
        return [{"params": list(self.network.parameters())}, {"params": [self.weight], "weight_decay": 0.0}]
