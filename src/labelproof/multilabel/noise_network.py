r"""The noise modeling network (NMN): how each tag goes missing or is added, learned beside the classifier.

    q[j, i] = p(z = i | y = j, x) = softmax over i of (u_ji . h(x) + b_ji)          (equation 3; 4 without u)
    p(z = i | x) = sum over j of p(y = j | x) q[j, i]                               (equation 5)
    ρ = p(y = 1 | z, x), and the gradient of -log p(z | x) at the logit is p(y = 1 | x) - ρ   (equation 12)

Everything is kept in logarithms. Rows of q are true values, as everywhere in labelproof; the paper writes its transpose.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from labelproof.errors import BadInput


class NoiseNetwork(nn.Module):
    """``log p(z | y, x)`` of every tag.

    Parameters
    ----------
    features : int
        Length of the pooled feature vector h(x).
    tags : int
    feature_dependent : bool
        Equation 3; without it equation 4, the biases alone.
    missing, incorrect : float or Tensor, shape (tags,)
        ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` to begin with, above 0 and below 1.

    Examples
    --------
    >>> import torch
    >>> net = NoiseNetwork(8, 5, missing=0.1, incorrect=0.02)
    >>> log_noise = net(torch.randn(3, 8))
    >>> log_noise.shape, bool(torch.allclose(log_noise.exp().sum(-1), torch.ones(3, 5, 2)))
    (torch.Size([3, 5, 2, 2]), True)
    """

    def __init__(
        self,
        features: int,
        tags: int,
        *,
        feature_dependent: bool = True,
        missing: float | Tensor = 0.05,
        incorrect: float | Tensor = 0.05,
    ) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(tags, 2, 2))
        self.weight = nn.Parameter(torch.zeros(4 * tags, features)) if feature_dependent else None
        self.start(missing, incorrect)

    @torch.no_grad()
    def start(self, missing: float | Tensor, incorrect: float | Tensor) -> None:
        """Begin with these rates, whatever the features."""
        for name, rate in (("missing", missing), ("incorrect", incorrect)):
            values = torch.as_tensor(rate, dtype=self.bias.dtype)
            if not bool(((values > 0) & (values < 1)).all()):
                raise BadInput(f"{name} is {float(values.flatten()[0])!r}. Give a rate above 0 and below 1.")
        self.bias[:, 0, 1] = torch.as_tensor(incorrect).log()
        self.bias[:, 0, 0] = torch.log1p(-torch.as_tensor(incorrect))
        self.bias[:, 1, 0] = torch.as_tensor(missing).log()
        self.bias[:, 1, 1] = torch.log1p(-torch.as_tensor(missing))
        if self.weight is not None:
            self.weight.zero_()

    def forward(self, features: Tensor) -> Tensor:
        """``log q[j, i]``, shape (n, tags, 2 true, 2 given); without features (1, tags, 2, 2).

        Parameters
        ----------
        features : Tensor, shape (n, c)
        """
        if self.weight is None:
            return functional.log_softmax(self.bias, dim=-1)[None]
        scores = functional.linear(features, self.weight).reshape(-1, *self.bias.shape) + self.bias
        return functional.log_softmax(scores, dim=-1)


def log_observed(logits: Tensor, log_noise: Tensor) -> Tensor:
    """``log p(z = i | x)`` of each value i (equation 5), shape (n, k, 2).

    Parameters
    ----------
    logits : Tensor, shape (n, k)
        Of ``p(y = 1 | x)``.
    log_noise : Tensor, shape (n or 1, k, 2, 2)
    """
    log_true = torch.stack([functional.logsigmoid(-logits), functional.logsigmoid(logits)], dim=-1)  # (n, k, 2)
    return torch.logsumexp(log_true[..., None] + log_noise, dim=-2)


def noisy_cross_entropy(logits: Tensor, given: Tensor, log_noise: Tensor) -> Tensor:
    """``-log p(z | x)`` of each tag, shape (n, k): binary cross-entropy where the noise is none."""
    # of the observed value alone: half of the work of `log_observed`
    seen = log_noise.expand(*logits.shape, 2, 2).gather(-1, given.long()[..., None, None].expand(*given.shape, 2, 1))[..., 0]
    return -torch.logaddexp(functional.logsigmoid(-logits) + seen[..., 0], functional.logsigmoid(logits) + seen[..., 1])


def posterior_logits(logits: Tensor, given: Tensor, log_noise: Tensor) -> Tensor:
    """Logit of ρ, ``p(y = 1 | z, x)``, shape (n, k): `labelproof.noise.posterior.posterior` of two classes, in log odds.

    ``logit(p(y = 1 | x)) + log q[1, z] - log q[0, z]``
    """
    ratio = log_noise[..., 1, :] - log_noise[..., 0, :]  # (n or 1, k, 2 given)
    return logits + torch.where(given > 0, ratio[..., 1], ratio[..., 0])
