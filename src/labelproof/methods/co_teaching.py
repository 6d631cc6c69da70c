"""Co-teaching: two networks, each learns from the items that the other finds easy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task, check_share, scaled
from labelproof.noise.em import expectation_maximization
from labelproof.training.trainable import Batch, Step


class TwoNetworks(Method):
    """The common part of methods with two networks: they predict by the mean of both."""

    second: nn.Module

    def build(self, task: Task) -> None:
        """Make two networks with different initial weights."""
        super().build(task)
        self.second = task.make_network()

    def logits(self, x: Tensor) -> Tensor:
        """Logarithm of the mean probability."""
        both = torch.stack([net(x).float().log_softmax(dim=1) for net in (self.network, self.second)])
        return both.logsumexp(dim=0)


class CoTeaching(TwoNetworks):
    """Each network learns, in each batch, the share ``R(t) = 1 - τ min(t / t_k, 1)`` with the smallest loss in the *other* one.

    Parameters
    ----------
    forget_rate : float in [0, 1), optional
        τ, the share of wrong labels. By default it is estimated once, after the warm-up, by
        `labelproof.noise.expectation_maximization`.
    warm_up : float in (0, 1)
        ``t_k`` as a share of the epochs.

    References
    ----------
    Han et al. (2018), Co-teaching: robust training of deep neural networks with extremely noisy labels, algorithm 1.
    """

    purpose = "strong noise of any kind; needs no transition"
    needs = "the noise rate, or lets it be estimated"
    cost = "2"

    def __init__(self, forget_rate: float | None = None, warm_up: float = 0.2) -> None:
        super().__init__()
        self.forget_rate = None if forget_rate is None else check_share(forget_rate, "forget_rate")
        self.warm_up = warm_up

    def build(self, task: Task) -> None:
        """Make two networks, and the share to forget."""
        super().build(task)
        self.ramp = scaled(task.epochs, self.warm_up)
        known = self.forget_rate is not None
        self.register_buffer("forgotten", torch.tensor(0.0))
        self.register_buffer("rate", torch.tensor(self.forget_rate if known else -1.0))

    def epoch_start(self, epoch: int) -> None:
        """Set the share to forget in this epoch; the rate is estimated on first use."""
        rate = self.get_buffer("rate")
        if rate < 0 and epoch == self.ramp:
            found = expectation_maximization(self.given, self.training_probs(), classes=range(self.task.n_classes))
            rate.fill_(found.transition.error_rate)
        ramp = min((epoch + 1) / self.ramp, 1.0) if self.forget_rate is not None else float(epoch >= self.ramp)
        self.get_buffer("forgotten").fill_(float(rate.clamp_min(0)) * ramp)

    def loss(self, batch: Batch) -> Step:
        """Sum of both networks' losses on the items that the other one chose; 0 for the rest."""
        first, second = self.network(self.varied(batch.x)), self.second(self.varied(batch.x))
        losses = [cross_entropy(f.float(), batch.given) for f in (first, second)]
        kept = max(1, round((1 - float(self.get_buffer("forgotten"))) * len(first)))
        chosen = [self._easiest(values.detach(), kept, batch.verified) for values in losses]
        scale = len(first) / kept
        total = scale * (losses[0] * chosen[1] + losses[1] * chosen[0])
        both = torch.stack([first.detach().float(), second.detach().float()]).log_softmax(dim=2).logsumexp(dim=0)
        return Step(total, both if batch.verified is None else (first + second) / 2)

    @staticmethod
    def _easiest(losses: Tensor, kept: int, verified: Tensor | None) -> Tensor:
        if verified is not None:
            losses = losses.masked_fill(verified, -1.0)
        return torch.zeros_like(losses).scatter(0, losses.topk(kept, largest=False).indices, 1.0)
