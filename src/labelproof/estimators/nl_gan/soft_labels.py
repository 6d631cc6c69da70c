"""The output of a discriminator trained on noisy labels for clean items: the target labels of generators in NL-GAN."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.mixture import GaussianMixture

from labelproof.errors import BadInput

LEAST, MOST = 0.5, 1.0  # of a share of right labels that a mixture is read as


class Shares(NamedTuple):
    """Shares of right labels: ``p(true = positive | given = positive)``, and of the negatives."""

    positive: float  # π_P
    negative: float  # π_N


class SoftLabels(NamedTuple):
    """Output of a perfect discriminator, which was taught 0 for given positives and 1 for given negatives."""

    positive: float  # δ_P, of truly positive items
    negative: float  # δ_N


def soft_labels(shares: Shares) -> SoftLabels:
    """``δ_P = (1 - π_N) / (π_P + 1 - π_N)`` and ``δ_N = π_N / (1 - π_P + π_N)``.

    With these, cross-entropy on noisy labels is cross-entropy on clean ones up to the weights of the classes (equations 2, 3).

    Raises
    ------
    BadInput
        If a share is not in [0, 1], or both together are not above 1.

    References
    ----------
    Chiaroni, Rahal, Hueber, Dufaux (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset
    using GAN, section 2.1.

    Examples
    --------
    >>> [round(label, 2) for label in soft_labels(Shares(0.7, 0.7))]
    [0.3, 0.7]
    """
    positive, negative = check_shares(shares)
    return SoftLabels(
        (1 - negative) / (positive + 1 - negative) if positive + 1 - negative else 0.0, negative / (1 - positive + negative)
    )


def check_shares(shares: Shares) -> Shares:
    """The shares, if labels that are right this often are informative.

    Raises
    ------
    BadInput
        If a share is not in [0, 1], or both together are not above 1.
    """
    for name, share in zip(("pi_p", "pi_n"), shares, strict=True):
        if not 0 <= share <= 1:
            raise BadInput(f"{name} is {share!r}. Give the share of right labels among the given ones, a number from 0 to 1.")
    positive, negative = shares
    if positive + negative <= 1:
        raise BadInput(
            f"pi_p + pi_n is {positive:g} + {negative:g} = {positive + negative:g}. Give shares that sum to more than 1. Otherwise the labels carry no information, or are mostly reversed."
        )
    return shares


def shares_of(labels: SoftLabels) -> Shares:
    """The shares of right labels that lead to these soft labels: the inverse of `soft_labels`, clipped to [0.5, 1]."""
    odds_positive = labels.positive / (1 - labels.positive)  # (1 - π_N) / π_P
    odds_negative = (1 - labels.negative) / labels.negative  # (1 - π_P) / π_N
    determinant = 1 - odds_positive * odds_negative
    if determinant <= 0:
        return Shares(LEAST, LEAST)
    positive, negative = (1 - odds_negative) / determinant, (1 - odds_positive) / determinant
    return Shares(float(np.clip(positive, LEAST, MOST)), float(np.clip(negative, LEAST, MOST)))


def mixture_labels(outputs: npt.NDArray[np.floating], *, random_state: int = 0) -> SoftLabels:
    """Means of the two Gaussians that describe a discriminator's outputs for as many given positives as negatives (figure 1).

    Parameters
    ----------
    outputs : ndarray, shape (n,), in [0, 1]
    random_state : int, default=0
    """
    column = np.asarray(outputs, np.float64).reshape(-1, 1)
    mixture = GaussianMixture(2, means_init=np.quantile(column, [0.25, 0.75]).reshape(-1, 1), random_state=random_state).fit(
        column
    )
    low, high = np.clip(np.sort(mixture.means_.ravel()), 1e-3, 1 - 1e-3)
    return SoftLabels(float(low), float(high))
