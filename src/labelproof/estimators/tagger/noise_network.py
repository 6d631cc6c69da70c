r"""The noise modeling network (NMN): how each tag goes missing or is added, learned together with the classifier.

    q[j, i] = p(z = i | y = j, x) = softmax over i of (u_ji . h(x) + b_ji)          (equation 3; 4 without u)
    p(z = i | x) = sum over j of p(y = j | x) q[j, i]                               (equation 5)
    -log p(z | x), the loss                                                         (equation 2; 7 of the appendix)
    ρ = p(y = 1 | z, x), and the gradient of the loss at the logit is p(y = 1 | x) - ρ   (equations 2 and 12 of the appendix)

In addition to the pooled features h(x), equation 3 may use evidence for each tag, such as the size of the thing: ``d_j`` gains
``v_j . (e_tag(x) - centre)``.

A softmax over two values depends only on the difference of its scores, ``d_j = log q[j, 1] - log q[j, 0] = (u_j1 - u_j0) .
h(x) + b_j1 - b_j0``. So two differences are learned instead of the paper's four maps of each tag, at half the cost and without
under- or overflow. Rows of q are true values, as everywhere in labelproof; the paper writes its transpose.

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
    """The noise of each tag: log-odds ``d_j`` of being given, for each true value j.

    Parameters
    ----------
    features : int
        Length of the pooled feature vector h(x).
    tags : int
    feature_dependent : bool
        Equation 3; without it equation 4, the biases alone.
    missing, incorrect : float or Tensor, shape (tags,)
        ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` to begin with, above 0 and below 1.
    evidence : int, default=0
        Columns of evidence for each tag.

    Examples
    --------
    >>> import torch
    >>> net = NoiseNetwork(8, 5, missing=0.1, incorrect=0.02)
    >>> net(torch.randn(3, 8)).shape
    torch.Size([3, 5, 2])
    >>> transition_of(net(torch.randn(3, 8)))[0, 0].detach().numpy().round(3).tolist()
    [[0.9800000190734863, 0.019999999552965164], [0.10000000149011612, 0.8999999761581421]]
    """

    centre: Tensor

    def __init__(
        self,
        features: int,
        tags: int,
        *,
        feature_dependent: bool = True,
        missing: float | Tensor = 0.05,
        incorrect: float | Tensor = 0.05,
        evidence: int = 0,
    ) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(tags, 2))  # of each true value
        self.weight = nn.Parameter(torch.zeros(2 * tags, features)) if feature_dependent else None
        self.slope = nn.Parameter(torch.zeros(2, evidence)) if evidence else None  # of each true value, the same for all tags
        self.register_buffer("centre", torch.zeros(evidence) if evidence else None)
        self.start(missing, incorrect)

    @torch.no_grad()
    def start(self, missing: float | Tensor, incorrect: float | Tensor) -> None:
        """Begin with these rates, whatever the features."""
        for name, rate, true in (("missing", missing, 1), ("incorrect", incorrect, 0)):
            values = torch.as_tensor(rate, dtype=self.bias.dtype)
            if not bool(((values > 0) & (values < 1)).all()):
                raise BadInput(f"{name} is {float(values.flatten()[0])!r}. Give a rate above 0 and below 1.")
            self.bias[:, true] = -torch.logit(values) if true else torch.logit(values)
        if self.weight is not None:
            self.weight.zero_()

    @torch.no_grad()
    def start_evidence(self, slopes: Tensor, centre: Tensor) -> None:
        """Begin with these log-odds of not giving a tag that is true, for each unit of its evidence above ``centre``, each (e,)."""
        assert self.slope is not None
        self.slope.zero_()
        self.slope[1] = -slopes
        self.centre.copy_(centre)

    def forward(self, features: Tensor, evidence: Tensor | None = None) -> Tensor:
        """``d``, shape (n, tags, 2 true); without features and evidence (1, tags, 2).

        Parameters
        ----------
        features : Tensor, shape (n, c)
        evidence : Tensor, shape (n, tags, e), optional
            For a network that uses evidence.
        """
        odds = self.bias[None]  # (4)
        if self.weight is not None:
            odds = functional.linear(features, self.weight, self.bias.flatten()).reshape(-1, *self.bias.shape)  # (3)
        if self.slope is None or evidence is None:
            return odds
        return odds + functional.linear(evidence - self.centre, self.slope)


def transition_of(odds: Tensor) -> Tensor:
    """``q``, the transition of each tag, shape (n, k, 2 true, 2 given); rows sum to one (equation 3)."""
    return torch.stack([torch.sigmoid(-odds), torch.sigmoid(odds)], dim=-1)


def log_observed(logits: Tensor, odds: Tensor) -> Tensor:
    """``log p(z = i | x)`` of each value i, shape (n, k, 2) (equation 5).

    Parameters
    ----------
    logits : Tensor, shape (n, k)
        Logits of ``p(y = 1 | x)``.
    odds : Tensor, shape (n or 1, k, 2)
        Odds of a `NoiseNetwork`.
    """
    return torch.stack([-noisy_cross_entropy(logits, torch.full_like(logits, i), odds) for i in (0, 1)], dim=-1)


def noisy_cross_entropy(logits: Tensor, given: Tensor, odds: Tensor) -> Tensor:
    """``-log p(z | x)`` of each tag, shape (n, k): binary cross-entropy without noise (equation 2; 7 of the appendix).

    ``log p(z | x) = log sum over j of p(y = j | x) q[j, z]``, in logarithms.
    """
    seen = functional.logsigmoid(_signs(given, odds)[..., None] * odds)  # log q[j, z], (n, k, 2)
    # (5) at the given z
    return -torch.logaddexp(functional.logsigmoid(-logits) + seen[..., 0], functional.logsigmoid(logits) + seen[..., 1])


def posterior_logits(logits: Tensor, given: Tensor, odds: Tensor) -> Tensor:
    """Logit of ρ, ``p(y = 1 | z, x)``, shape (n, k): `labelproof.noise.posterior.posterior` of two classes, in log odds.

    By Bayes' rule (equation 2 of the appendix),

    ``logit(p(y = 1 | x)) + log q[1, z] - log q[0, z]``
    """
    seen = functional.logsigmoid(_signs(given, odds)[..., None] * odds)
    return logits + seen[..., 1] - seen[..., 0]


def _signs(given: Tensor, like: Tensor) -> Tensor:
    """1 for a given tag, otherwise -1."""
    return 2 * given.clamp_min(0).to(like.dtype) - 1
