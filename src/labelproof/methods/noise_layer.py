"""A linear layer of noise on top of the network: initialised to the identity, or regularised by dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task
from labelproof.training.trainable import Batch, Group, Step


class NoiseLayer(Method):
    """``p(z | x) = p(y | x) @ T`` with T learned, from the identity, its rows projected to the simplex after every step.

    The trace of T is penalised, which moves the noise layer away from the identity, so that it, not the network, explains the
    noise.

    Parameters
    ----------
    trace_penalty : float
        Weight of the mean of T's diagonal in the loss.
    warm_up : float in [0, 1)
        Share of the epochs in which T is fixed.

    References
    ----------
    Sukhbaatar, Bruna, Paluri, Bourdev and Fergus (2015), Training convolutional networks with noisy labels, section 3.
    """

    purpose = "noise that depends only on the class; learns its matrix"

    def __init__(self, trace_penalty: float = 1.0, warm_up: float = 0.0) -> None:
        super().__init__()
        self.trace_penalty = trace_penalty
        self.warm_up = warm_up

    def build(self, task: Task) -> None:
        """Make the network and the matrix."""
        super().build(task)
        self.matrix = nn.Parameter(torch.eye(task.n_classes))
        self.fixed_epochs = round(self.warm_up * task.epochs)
        self.register_buffer("free", torch.tensor(False))

    def epoch_start(self, epoch: int) -> None:
        """Unfreeze the matrix after the first epochs."""
        self.get_buffer("free").fill_(epoch >= self.fixed_epochs)

    def transition(self) -> Tensor:
        """The matrix, projected."""
        return projected(self.matrix.detach())

    def loss(self, batch: Batch) -> Step:
        """``-log (p @ T)_z`` and the penalty."""
        with torch.no_grad():
            self.matrix.copy_(projected(self.matrix))
        logits = self.network(self.varied(batch.x))
        matrix = self.matrix if self.get_buffer("free") else self.matrix.detach()
        noisy = logits.float().softmax(dim=1) @ matrix
        own = noisy.gather(1, batch.given[:, None])[:, 0]
        return Step(-own.clamp_min(1e-12).log() + self.trace_penalty * matrix.diagonal().mean(), logits)

    def parameter_groups(self) -> list[Group]:
        """The matrix has no momentum and no weight decay."""
        return [{"params": list(self.network.parameters())}, {"params": [self.matrix], "weight_decay": 0.0}]


class DropoutNoiseLayer(Method):
    """``p(z | x) = softmax(W dropout(p(y | x)))`` with W learned, from a multiple of the identity.

    Dropout on the input of the noise layer keeps it from becoming the identity.

    Parameters
    ----------
    dropout : float in (0, 1)
    scale : float
        The multiple of the identity.

    References
    ----------
    Jindal, Nokleby and Chen (2016), Learning deep networks from noisy labels with dropout regularization, section III.
    """

    purpose = "like noise-layer, spread by dropout instead of a penalty"

    def __init__(self, dropout: float = 0.5, scale: float = 3.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.scale = scale

    def build(self, task: Task) -> None:
        """Make the network and the layer."""
        super().build(task)
        self.weight = nn.Parameter(self.scale * torch.eye(task.n_classes))  # [true, given]

    def transition(self) -> Tensor:
        """The output of the layer for each pure class."""
        return self.weight.detach().softmax(dim=1)

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy of the second softmax."""
        logits = self.network(self.varied(batch.x))
        seen = nn.functional.dropout(logits.float().softmax(dim=1), self.dropout, self.training)
        return Step(cross_entropy(seen @ self.weight, batch.given), logits)

    def parameter_groups(self) -> list[Group]:
        """The layer has no weight decay."""
        return [{"params": list(self.network.parameters())}, {"params": [self.weight], "weight_decay": 0.0}]


def projected(rows: Tensor) -> Tensor:
    """The nearest point of the probability simplex to each row, shape (k, k) (Duchi et al. 2008)."""
    k = rows.shape[1]
    falling = rows.sort(dim=1, descending=True).values
    excess = (falling.cumsum(dim=1) - 1) / torch.arange(1, k + 1, device=rows.device)
    support = (falling > excess).sum(dim=1, keepdim=True)
    return (rows - excess.gather(1, support - 1)).clamp_min(0)
