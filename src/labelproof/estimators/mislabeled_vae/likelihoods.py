"""p(x | z1): the likelihood of the data given the decoder's hidden layer, for counts, real numbers and bits."""

from __future__ import annotations

import math
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from labelproof.errors import BadInput, did_you_mean

LOG_2PI = math.log(2 * math.pi)


class Likelihood(nn.Module):
    """The last layer of a decoder.

    Parameters
    ----------
    hidden, features : int
    """

    #: Whether the data are counts, whose scale is the item's library size.
    counts: ClassVar[bool] = False

    def inputs(self, x: Tensor) -> Tensor:
        """The encoder's input for the data, shape (n, d)."""
        return x

    def log_prob(self, x: Tensor, hidden: Tensor, log_library: Tensor) -> Tensor:
        """``log p(x | z1)``, summed over features, shape (n,).

        Parameters
        ----------
        x : Tensor, shape (n, d)
        hidden : Tensor, shape (n, h)
        log_library : Tensor, shape (n, 1)
            Logarithm of the library size; of no effect unless the data are counts.
        """
        raise NotImplementedError

    def mean(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """``E[x | z1]``, shape (n, d)."""
        raise NotImplementedError

    def sample(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """A draw of ``p(x | z1)``, shape (n, d)."""
        raise NotImplementedError


class NegativeBinomial(Likelihood):
    r"""Counts of mean μ = library · softmax and variance μ + μ²/θ, with a dispersion θ for each feature.

    ``log p(x) = log Γ(x+θ) - log Γ(θ) - log x! + θ log(θ/(θ+μ)) + x log(μ/(θ+μ))``
    """

    counts = True

    def __init__(self, hidden: int, features: int) -> None:
        super().__init__()
        self.share = nn.Linear(hidden, features)
        self.log_theta = nn.Parameter(torch.zeros(features))

    def inputs(self, x: Tensor) -> Tensor:
        """``log(1 + x)``."""
        return torch.log1p(x)

    def log_prob(self, x: Tensor, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.log_prob`."""
        return nb_log_prob(x, self.log_share(hidden) + log_library, self.log_theta).sum(dim=-1)

    def mean(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.mean`."""
        return (self.log_share(hidden) + log_library).exp()

    def sample(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """Poisson counts whose rate is Gamma-distributed."""
        theta = self.log_theta.exp()
        mean = NegativeBinomial.mean(self, hidden, log_library)
        return torch.poisson(torch.distributions.Gamma(theta.expand_as(mean), theta / mean.clamp_min(1e-8)).sample())

    def log_share(self, hidden: Tensor) -> Tensor:
        """Logarithm of each feature's share of the library, shape (n, d)."""
        return functional.log_softmax(self.share(hidden), dim=-1)


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """A negative binomial in which a feature is also zero with a probability π of its own."""

    def __init__(self, hidden: int, features: int) -> None:
        super().__init__(hidden, features)
        self.dropout = nn.Linear(hidden, features)

    def log_prob(self, x: Tensor, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.log_prob`."""
        log_nb = nb_log_prob(x, self.log_share(hidden) + log_library, self.log_theta)
        logit = self.dropout(hidden)
        kept = functional.logsigmoid(-logit) + log_nb
        return torch.where(x == 0, torch.logaddexp(functional.logsigmoid(logit), kept), kept).sum(dim=-1)

    def mean(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.mean`."""
        return super().mean(hidden, log_library) * torch.sigmoid(-self.dropout(hidden))

    def sample(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `NegativeBinomial.sample`, some of them zero."""
        return super().sample(hidden, log_library) * torch.bernoulli(torch.sigmoid(-self.dropout(hidden)))


class Gaussian(Likelihood):
    """Real numbers, with a variance for each feature."""

    def __init__(self, hidden: int, features: int) -> None:
        super().__init__()
        self.centre = nn.Linear(hidden, features)
        self.log_variance = nn.Parameter(torch.zeros(features))

    def log_prob(self, x: Tensor, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.log_prob`."""
        return normal_log_prob(x, self.centre(hidden), self.log_variance.clamp_min(-7.0))

    def mean(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.mean`."""
        centre: Tensor = self.centre(hidden)
        return centre

    def sample(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.sample`."""
        centre = self.mean(hidden, log_library)
        return centre + torch.randn_like(centre) * (0.5 * self.log_variance.clamp_min(-7.0)).exp()


class Bernoulli(Likelihood):
    """Bits, or grey values in [0, 1] as probabilities of bits."""

    def __init__(self, hidden: int, features: int) -> None:
        super().__init__()
        self.logit = nn.Linear(hidden, features)

    def log_prob(self, x: Tensor, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.log_prob`."""
        logit = self.logit(hidden)
        return torch.sum(x * logit - functional.softplus(logit), dim=-1)

    def mean(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.mean`."""
        return torch.sigmoid(self.logit(hidden))

    def sample(self, hidden: Tensor, log_library: Tensor) -> Tensor:
        """As `Likelihood.sample`."""
        return torch.bernoulli(self.mean(hidden, log_library))


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "nb": NegativeBinomial,
    "zinb": ZeroInflatedNegativeBinomial,
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
}


def nb_log_prob(x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    """Logarithm of the negative binomial's probability of each count, in terms of logarithms so that no mean underflows.

    Gamma functions are computed only for counts other than zero, because most counts of most genes are zero.
    """
    together: Any = torch.broadcast_tensors
    apply: Any = _NegativeBinomialLog.apply  # both without types in torch
    return cast(Tensor, apply(*together(x, log_mean, log_theta)))


class _NegativeBinomialLog(torch.autograd.Function):
    """One node of the graph instead of fifteen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
        theta, log_sum = log_theta.exp(), torch.logaddexp(log_theta, log_mean)
        at = x.reshape(-1).nonzero()[:, 0]
        count, own = x.reshape(-1)[at], theta.reshape(-1)[at]
        found = (theta * (log_theta - log_sum) + x * (log_mean - log_sum)).contiguous()
        found.view(-1)[at] += torch.lgamma(count + own) - torch.lgamma(own) - torch.lgamma(count + 1)
        ctx.save_for_backward(x, log_mean, log_theta, theta, log_sum, at, count, own)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, Tensor]:
        x, log_mean, log_theta, theta, log_sum, at, count, own = ctx.saved_tensors
        (grad,) = grads
        total = x + theta
        of_mean = x - total * (log_mean - log_sum).exp()
        of_theta = (log_theta - log_sum + 1 - total * (-log_sum).exp()).contiguous()
        of_theta.view(-1)[at] += torch.digamma(count + own) - torch.digamma(own)
        return None, grad * of_mean, grad * theta * of_theta


def chosen_likelihood(name: str, *, cells: bool) -> str:
    """The name of a likelihood; ``"auto"`` is that of counts for cells, of real numbers for arrays.

    Raises
    ------
    BadInput
        For an unknown name, with the nearest one.
    """
    if name == "auto":
        return "nb" if cells else "gaussian"
    if name not in LIKELIHOODS:
        raise BadInput(f"likelihood is {name!r}. {did_you_mean(name, list(LIKELIHOODS))}Give auto, {', '.join(LIKELIHOODS)}.")
    return name


def normal_log_prob(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-density of a Gaussian with diagonal covariance, summed over the last axis."""
    return -0.5 * (LOG_2PI + log_variance + (x - mean).square() * (-log_variance).exp()).sum(dim=-1)


def normal_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """``KL(N(mean, variance) || N(0, 1))``, summed over the last axis."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)
