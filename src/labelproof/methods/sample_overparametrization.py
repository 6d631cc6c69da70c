"""Sample over-parametrisation: each item has parameters of its own that explain its noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.methods.base import Method, Task
from labelproof.training.trainable import Batch, Step


class SampleOverparametrization(Method):
    """``p(z | x_i) ∝ f(x_i) + u_i² e_z - v_i² (1 - e_z)``; the implicit bias of gradient descent keeps u and v sparse.

    The network and u are trained by cross-entropy, v by the squared error between the network's predicted class and the given
    label.

    Parameters
    ----------
    rate_u, rate_v : float
        Learning rates of u and v, by plain gradient descent.
    first : float
        Standard deviation of their initial values.

    References
    ----------
    Liu, Zhu, Qu and You (2022), Robust training under label noise by over-parameterization, equations 5 to 8.
    """

    purpose = "noise of any kind; one network, hardly any cost"

    def __init__(self, rate_u: float = 10.0, rate_v: float = 10.0, first: float = 1e-4) -> None:
        super().__init__()
        self.rate_u, self.rate_v, self.first = rate_u, rate_v, first

    def build(self, task: Task) -> None:
        """Make the network, u (n, 1) and v (n, k)."""
        super().build(task)
        n, k = len(task.data), task.n_classes
        self.register_buffer("u", self.first * torch.randn(n, 1))
        self.register_buffer("v", self.first * torch.randn(n, k))

    def loss(self, batch: Batch) -> Step:
        """One step of u and v on the items of the batch, and the network's loss."""
        logits = self.network(self.varied(batch.x))
        u, v = self.get_buffer("u"), self.get_buffer("v")
        own_u, own_v = u[batch.index].requires_grad_(), v[batch.index].requires_grad_()
        given = functional.one_hot(batch.given, logits.shape[1]).float()
        probs = logits.float().softmax(dim=1)
        with torch.enable_grad():
            at_rest = self._fitting(probs.detach(), own_u, own_v, given).mean() + self._deciding(
                probs.detach(), own_u, own_v, given
            )
            slope_u, slope_v = torch.autograd.grad(at_rest, (own_u, own_v))
        self.remember(u, batch.index, own_u - self.rate_u * slope_u)
        self.remember(v, batch.index, own_v - self.rate_v * slope_v)
        return Step(self._fitting(probs, own_u.detach(), own_v.detach(), given), logits)

    @staticmethod
    def _fitting(probs: Tensor, u: Tensor, v: Tensor, given: Tensor) -> Tensor:
        """Cross-entropy of the corrected prediction, shape (b,); v is a constant to it."""
        corrected = probs + (u**2 * given).clamp(0, 1) - (v.detach() ** 2 * (1 - given)).clamp(0, 1)
        corrected = functional.normalize(corrected.clamp_min(1e-4), p=1, dim=1)
        return -(given * corrected.log()).sum(dim=1)

    @staticmethod
    def _deciding(probs: Tensor, u: Tensor, v: Tensor, given: Tensor) -> Tensor:
        """Mean squared distance of the corrected decision from the given label."""
        decision = functional.one_hot(probs.argmax(dim=1), probs.shape[1]).float()
        corrected = decision + (u.detach() ** 2 * given).clamp(0, 1) - (v**2 * (1 - given)).clamp(0, 1)
        return ((corrected - given) ** 2).sum(dim=1).mean()
