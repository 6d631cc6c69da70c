r"""M-VAE's networks and its bound: tensors in, the terms of equation 1 out.

    y, z2 ~ Cat(prior) N(0, 1);  z1 ~ p(z1 | z2, y);  x ~ p(x | z1);  y' ~ transition[y]

with ``q(z1 | x) q(y | z1) q(z2 | z1, y)``. The true class y is summed over exactly, for labelled items as for the others: a
label is an observation like x, not the truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS, LOG_2PI, normal_kl, normal_log_prob

LOG_VARIANCE = (-8.0, 4.0)


@dataclass(frozen=True)
class Shape:
    """Sizes of the networks.

    Attributes
    ----------
    features, classes : int
        Sizes of the data.
    batches : int
        Categories of the batch covariate; 0 for none.
    latent, class_latent : int
        Dimensions of z1 and of z2.
    hidden, layers : int
        Width and number of the hidden layers of encoder and decoder.
    class_hidden : int
        Width of the hidden layer of the networks that know the class.
    likelihood : str
        One of `labelproof.estimators.mislabeled_vae.likelihoods.LIKELIHOODS`.
    latent_library : bool
        Whether to infer the library size, with a log-normal prior for each batch, instead of using the observed total.
    label_in_encoder : bool
        ``q(z1 | x, y')`` instead of ``q(z1 | x)``.
    clamped : bool
        Whether a given label is the class (M2), not an observation of it.
    """

    features: int
    classes: int
    batches: int = 0
    latent: int = 10
    class_latent: int = 5
    hidden: int = 64
    layers: int = 1
    class_hidden: int = 32
    likelihood: str = "nb"
    latent_library: bool = False
    label_in_encoder: bool = False
    clamped: bool = False


class Elbo(NamedTuple):
    """The terms of equation 1 for each item, shape (n,); the bound is `total`."""

    z2_kl: Tensor  # E sum over y of q(y | z1) KL(q(z2 | z1, y) || p(z2))
    z1: Tensor  # E sum over y of q(y | z1) (E log p(z1 | z2, y)) - log q(z1 | x)
    reconstruction: Tensor  # E log p(x | z1)
    y_kl: Tensor  # E KL(q(y | z1) || p(y))
    label: Tensor  # Ψ: E sum over y of q(y | z1) log p(y' | y); 0 where unlabelled
    library_kl: Tensor  # KL(q(l | x) || p(l)); 0 if the library is observed

    @property
    def total(self) -> Tensor:
        """A lower bound of log p(x, y'), or of log p(x) where unlabelled."""
        return self.weighted(1.0)

    def weighted(self, beta: float) -> Tensor:
        """The bound with a weight on all that is not reconstruction."""
        return self.reconstruction + beta * (self.z1 - self.z2_kl - self.y_kl + self.label - self.library_kl)


class Inferred(NamedTuple):
    """The output of the encoder for some items."""

    mean: Tensor  # (n, latent), of z1
    log_variance: Tensor  # (n, latent)
    log_library: Tensor  # (n, 1), drawn if it is latent
    library_kl: Tensor  # (n,)

    def draw(self) -> Tensor:
        """``z1 ~ q(z1 | x)``, shape (n, latent)."""
        return _draw(self.mean, self.log_variance)


class MislabeledModule(nn.Module):
    """Networks of M-VAE.

    Parameters
    ----------
    shape : Shape
    log_transition : Tensor, shape (k, k)
        ``log p(y' | y)``; the exponentials of a row sum to one.
    prior : Tensor, shape (k,)
        ``p(y)``.

    References
    ----------
    Langevin, Mehlman, Regier, Lopez, Jordan, Yosef, A Deep Generative Model for Semi-Supervised Classification with Noisy
    Labels, sections 2 to 4. Equation 1 has a second ``q(y_k | z1)`` inside the last term, which the graph does not give and
    and which is omitted here; ``q(y | z1)`` is categorical.
    """

    log_transition: Tensor
    prior: Tensor
    library_prior: Tensor

    def __init__(self, shape: Shape, log_transition: Tensor, prior: Tensor) -> None:
        super().__init__()
        self.shape = s = shape
        extra = s.classes + 1 if s.label_in_encoder else 0
        self.encoder = _mlp(s.features + s.batches + extra, s.hidden, s.layers)
        self.z1_of_x = nn.Linear(s.hidden, 2 * s.latent)
        self.library_of_x = nn.Linear(s.hidden, 2) if s.latent_library else None
        self.classifier = nn.Sequential(_mlp(s.latent, s.class_hidden, 1, norm=False), nn.Linear(s.class_hidden, s.classes))
        self.z2_of_z1 = ByClass(s.latent, s.class_latent, s.classes, s.class_hidden)
        self.z1_of_z2 = ByClass(s.class_latent, s.latent, s.classes, s.class_hidden)
        self.decoder = _mlp(s.latent + s.batches, s.hidden, s.layers)
        self.likelihood = LIKELIHOODS[s.likelihood](s.hidden, s.features)
        self.register_buffer("log_transition", log_transition.float().clone())
        self.register_buffer("prior", prior.float().clone())
        self.register_buffer("library_prior", torch.zeros(max(1, s.batches), 2))  # mean and log variance of log library

    def take_over(self, theirs: Shape, weights: Mapping[str, Tensor]) -> None:
        """The weights of the networks of x and z1 of another module.

        Raises
        ------
        BadInput
            If there are none, or they have another shape.
        """
        own = self.shape
        if not weights:
            raise BadInput(
                "pretrained has no pre-training to reuse, because it had no epoch. Fit it again, with epochs[0] above 0."
            )
        of_class = {name: getattr(theirs, name) for name in ("classes", "class_latent", "class_hidden", "clamped")}
        if replace(own, **of_class) != theirs:
            raise BadInput(
                f"pretrained has the networks {theirs}, but these are {own}. Give both the same options and features."
            )
        self.load_state_dict(weights, strict=False)

    @torch.no_grad()
    def sample(self, classes: Tensor, log_library: float) -> Tensor:
        """Items of given true classes, drawn from the generative model (section 2), shape (n, d).

        Parameters
        ----------
        classes : Tensor of int64, shape (n,)
        log_library : float
            For counts.
        """
        z2 = torch.randn(len(classes), 1, self.shape.class_latent).expand(-1, self.shape.classes, -1)  # z2 ~ p(z2)
        mean, log_variance = (part[torch.arange(len(classes)), classes] for part in self.z1_of_z2(z2))
        z1 = _draw(mean, log_variance)  # z1 ~ p(z1 | z2, y)
        drawn: Tensor = self.likelihood.sample(self.decode(z1), torch.full((len(z1), 1), log_library))  # x ~ p(x | z1)
        return drawn

    def _z1_given_class(self, z1: Tensor, z2: Tensor) -> Tensor:
        """``log p(z1 | z2, y)`` for every y, shape (n, k)."""
        mean, log_variance = self.z1_of_z2(z2)
        return normal_log_prob(z1[:, None], mean, log_variance)

    def by_class(self, z1: Tensor) -> tuple[Tensor, Tensor]:
        """``log p(z1 | z2, y)`` at a draw of ``q(z2 | z1, y)``, and ``KL(q(z2 | z1, y) || p(z2))``, for every y; both (n, k)."""
        mean, log_variance = self.z2_of_z1(z1[:, None])  # (n, k, class_latent)
        return self._z1_given_class(z1, _draw(mean, log_variance)), normal_kl(mean, log_variance)

    def decode(self, z1: Tensor, batch: Tensor | None = None) -> Tensor:
        """The decoder's hidden layer, shape (n, h)."""
        hidden: Tensor = self.decoder(torch.cat([z1, *self._covariates(batch, len(z1), z1)], dim=1))
        return hidden

    def log_noise(self, given: Tensor) -> Tensor:
        """``log p(y' | y)`` for every y, shape (n, k); 0 where unlabelled."""
        rows = self.log_transition.T[given.clamp_min(0)]
        return rows * (given >= 0).to(rows.dtype)[:, None]

    def log_given(self, logits: Tensor, given: Tensor) -> Tensor:
        """``log p(y' | z1) = log sum over y of q(y | z1) p(y' | y)`` from the logits of q; 0 where unlabelled, shape (n,)."""
        likely = torch.logsumexp(functional.log_softmax(logits, dim=1) + self.log_noise(given), dim=1)
        return likely * (given >= 0).to(likely.dtype)

    def infer(self, x: Tensor, given: Tensor, batch: Tensor | None = None) -> Inferred:
        """``q(z1 | x)`` and the library size.

        Parameters
        ----------
        x : Tensor, shape (n, d)
        given : Tensor of int64, shape (n,)
            -1 where unlabelled.
        batch : Tensor of int64, shape (n,), optional
            Codes of the batch covariate.
        """
        seen = [self.likelihood.inputs(x), *self._covariates(batch, len(x), x)]
        if self.shape.label_in_encoder:
            seen.append(functional.one_hot(given + 1, self.shape.classes + 1).to(x.dtype))
        hidden = self.encoder(torch.cat(seen, dim=1))
        mean, log_variance = _moments(self.z1_of_x(hidden))
        observed = x.sum(dim=1, keepdim=True).clamp_min(1.0).log() if self.likelihood.counts else x.new_zeros(len(x), 1)
        if self.library_of_x is None:
            return Inferred(mean, log_variance, observed, x.new_zeros(len(x)))
        # around the observed size; the posterior is never far from it
        shift, spread = _moments(self.library_of_x(hidden))
        centre = observed + shift
        prior = self.library_prior[batch if batch is not None else torch.zeros(len(x), dtype=torch.int64, device=x.device)]
        ratio = (spread - prior[:, 1:]).exp()
        kl = 0.5 * (ratio + (centre - prior[:, :1]).square() * (-prior[:, 1:]).exp() - 1 - spread + prior[:, 1:])
        drawn = _draw(centre, spread) if self.training else centre
        return Inferred(mean, log_variance, drawn, kl[:, 0])

    def terms(self, x: Tensor, given: Tensor, batch: Tensor | None = None, classes: Tensor | None = None) -> Elbo:
        """The terms of equation 1 by one draw of z1 and z2.

        Parameters
        ----------
        x, given, batch
            As for `infer`.
        classes : Tensor, shape (n, k), optional
            Probabilities that replace ``q(y | z1)``; rows sum to one.
        """
        return self.terms_and_logits(x, given, batch, classes)[0]

    def terms_and_logits(
        self, x: Tensor, given: Tensor, batch: Tensor | None = None, classes: Tensor | None = None
    ) -> tuple[Elbo, Tensor]:
        """`terms`, and the logits of ``q(y | z1)``, shape (n, k)."""
        q = self.infer(x, given, batch)
        noise = torch.randn_like(q.mean)
        z1 = q.mean + noise * (0.5 * q.log_variance).exp()  # z1 ~ q(z1 | x), the outer expectation
        logits = self.classifier(z1)  # of q(y | z1)
        log_q_y = functional.log_softmax(logits, dim=1) if classes is None else classes.clamp_min(1e-12).log()
        q_y = log_q_y.exp() if classes is None else classes  # (n, k)
        if self.shape.clamped:
            own, labelled = functional.one_hot(given.clamp_min(0), self.shape.classes), (given >= 0)[:, None]
            q_y, log_q_y = torch.where(labelled, own, q_y), torch.where(labelled, 0.0, log_q_y)
        z1_fit, z2_kl = self.by_class(z1)
        log_q_z1 = -0.5 * (LOG_2PI + q.log_variance + noise.square()).sum(dim=1)  # at z1, its density is that of the noise
        found = Elbo(  # equation 1, line by line
            z2_kl=(q_y * z2_kl).sum(dim=1),  # (1), first line
            z1=(q_y * z1_fit).sum(dim=1) - log_q_z1,  # (1), second line
            reconstruction=self.likelihood.log_prob(x, self.decode(z1, batch), q.log_library),  # (1), third line
            y_kl=(q_y * (log_q_y - self.prior.log())).sum(dim=1),
            label=(q_y * self.log_noise(given)).sum(dim=1),  # (1), last line: Ψ, with one q(y | z1)
            library_kl=q.library_kl,  # not in the paper: the library size of counts
        )
        return found, logits

    def class_probs(self, x: Tensor, given: Tensor, batch: Tensor | None = None, *, draws: int = 0) -> Tensor:
        """``q(y | x)``: ``q(y | z1)`` at the mean of z1, or averaged over draws, shape (n, k)."""
        q = self.infer(x, given, batch)
        places = [q.mean] if not draws else [q.draw() for _ in range(draws)]
        return torch.stack([functional.softmax(self.classifier(z1), dim=1) for z1 in places]).mean(dim=0)

    def log_likelihood(self, x: Tensor, given: Tensor, batch: Tensor | None = None, *, draws: int = 100) -> Tensor:
        """Importance-sampled estimate of ``log p(x, y')``, at least the bound in expectation, shape (n,).

        ``log mean over draws of p(x | z1) / q(z1 | x) · sum over y of p(y) p(y' | y) p(z1 | z2, y) p(z2) / q(z2 | z1, y)``
        """
        found = []
        for _ in range(draws):
            q = self.infer(x, given, batch)
            z1 = q.draw()
            mean, log_variance = self.z2_of_z1(z1[:, None])
            z2 = _draw(mean, log_variance)
            zeros = torch.zeros_like(z2)
            inner = self.prior.log() + self.log_noise(given) + self._z1_given_class(z1, z2)
            inner = inner + normal_log_prob(z2, zeros, zeros) - normal_log_prob(z2, mean, log_variance)
            outer = self.likelihood.log_prob(x, self.decode(z1, batch), q.log_library) - q.library_kl
            found.append(outer - normal_log_prob(z1, q.mean, q.log_variance) + torch.logsumexp(inner, dim=1))
        return torch.logsumexp(torch.stack(found), dim=0) - math.log(draws)

    def plain(self, x: Tensor, given: Tensor, batch: Tensor | None = None, *, beta: float = 1.0) -> Tensor:
        """The bound of a variational autoencoder with ``z1 ~ N(0, 1)`` and no classes (M1), divergences weighted, shape (n,)."""
        q = self.infer(x, given, batch)
        z1 = q.draw()
        fit: Tensor = self.likelihood.log_prob(x, self.decode(z1, batch), q.log_library)
        return fit - beta * (normal_kl(q.mean, q.log_variance) + q.library_kl)

    def _covariates(self, batch: Tensor | None, n: int, like: Tensor) -> list[Tensor]:
        if not self.shape.batches:
            return []
        codes = torch.zeros(n, dtype=torch.int64, device=like.device) if batch is None else batch
        return [functional.one_hot(codes, self.shape.batches).to(like.dtype)]


class ByClass(nn.Module):
    """Mean and log-variance of a Gaussian that depends on a vector and on the class, for every class at once."""

    def __init__(self, inputs: int, outputs: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.of_class = nn.Parameter(torch.randn(classes, hidden) / math.sqrt(hidden))
        self.second = nn.Linear(hidden, 2 * outputs)
        self.centre = nn.Parameter(torch.zeros(classes, outputs))

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """From (n, k, inputs), or (n, 1, inputs) for the same vector with every class, to two of (n, k, outputs)."""
        hidden = functional.relu(self.first(vector) + self.of_class)
        mean, log_variance = _moments(self.second(hidden))
        return mean + self.centre, log_variance


def log_uniform_noise(alpha: float, classes: int) -> Tensor:
    """``log p(y' | y)`` of the ε-uniform form with ``f(ε) = α``, shape (k, k) float64, for any α without underflow."""
    right = -math.log1p((classes - 1) * math.exp(-alpha))
    matrix = torch.full((classes, classes), right - alpha, dtype=torch.float64)
    return matrix.fill_diagonal_(right)


def alpha_of_epsilon(epsilon: float, classes: int) -> float:
    """``f(ε) = log(1 - ε) - log(ε / (k - 1))``: the weight of M1+M2's penalty that corresponds to ε (section 4)."""
    return math.log1p(-epsilon) - math.log(epsilon / (classes - 1))


def epsilon_of_alpha(alpha: float, classes: int) -> float:
    """The ε for which ``f(ε) = α``: ``(k - 1) / (exp(α) + k - 1)``."""
    return (classes - 1) * math.exp(-alpha) / (1 + (classes - 1) * math.exp(-alpha))


def _mlp(inputs: int, hidden: int, layers: int, *, norm: bool = True) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts.append(nn.Linear(inputs if layer == 0 else hidden, hidden))
        if norm:
            parts.append(nn.LayerNorm(hidden))
        parts.append(nn.ReLU())
    return nn.Sequential(*parts)


def _moments(both: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = both.chunk(2, dim=-1)
    return mean, log_variance.clamp(*LOG_VARIANCE)


def _draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
