"""Rank pruning: two error rates from confident examples, and which labels of each class are dropped by them.

Northcutt, Wu and Chuang (2017), Learning with confident examples: rank pruning for robust classification with noisy labels.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from labelproof.errors import LabelproofWarning


def noise_rates(positive: npt.NDArray[np.float64], given: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Estimate ``ρ1 = p(given 0 | true 1)`` and ``ρ0 = p(given 1 | true 0)`` from confident examples.

    Parameters
    ----------
    positive : ndarray, shape (n,)
        Out-of-sample ``p(given 1 | x)``.
    given : ndarray of 0/1, shape (n,)

    Returns
    -------
    float, float
        If their sum would reach 1, the labels cannot be distinguished from random ones: both are then 0, with a warning.
    """
    high, low = positive >= positive[given == 1].mean(), positive <= positive[given == 0].mean()
    rho1 = float((given[high] == 0).mean()) if high.any() else 0.0
    rho0 = float((given[low] == 1).mean()) if low.any() else 0.0
    if rho1 + rho0 >= 1:
        warnings.warn(
            f"The estimated error rates are {rho1:.2f} and {rho0:.2f}, as for random labels, so nothing is pruned. Check that the labels are not shuffled and that the features carry information.",
            LabelproofWarning,
            stacklevel=3,
        )
        return 0.0, 0.0
    return rho1, rho0


def inverse_noise_rates(rho1: float, rho0: float, share: float) -> tuple[float, float]:
    """Compute ``π1 = p(true 0 | given 1)`` and ``π0 = p(true 1 | given 0)`` by Bayes' rule; ``share`` is ``p(given 1)``.

    ``π1 = ρ0 (1 - share - ρ1) / (share (1 - ρ1 - ρ0))``, ``π0 = ρ1 (share - ρ0) / ((1 - share) (1 - ρ1 - ρ0))``.
    """
    rest = 1 - rho1 - rho0
    pi1 = rho0 / share * (1 - share - rho1) / rest
    pi0 = rho1 / (1 - share) * (share - rho0) / rest
    return float(np.clip(pi1, 0, 1)), float(np.clip(pi0, 0, 1))


def rank_pruned(
    positive: npt.NDArray[np.float64], given: npt.NDArray[np.int64], pi1: float, pi0: float
) -> npt.NDArray[np.bool_]:
    """Keep all but the share π1 of the given positives with the lowest and π0 of the negatives with the highest probability."""
    kept = np.ones(len(given), bool)
    for label, share, sign in ((1, pi1, 1.0), (0, pi0, -1.0)):
        rows = np.flatnonzero(given == label)
        worst = rows[np.argsort(sign * positive[rows], kind="stable")]
        drop = min(int(share * len(rows)), len(rows) - 1)  # one is left of each class
        kept[worst[:drop]] = False
    return kept
