"""Calibrate the log likelihood ratio of a region, and turn it into error probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

LEAST_BIN, MOST_BINS = 20, 8  # regions that are compared
UPPER = 0.9  # quantile that estimates the spread of right regions: errors are above
NORMAL_UPPER = 1.2816  # of a standard normal distribution
LEAST_WORTH = 0.1
FIRST_RATE, STEPS = 0.01, 200
HALF_AN_ERROR = 0.5  # seeing none does not mean that there is none; otherwise a few errors in a small set would give the rate 0
UNEXPLAINED, STANDS_OUT = (
    0.1,
    4.0,
)  # highest probability that a picture is wrong in a way that no change explains; standard deviations
MOST_CERTAIN = 1 - 1e-9
READINGS = (0.5, 2.0)  # of the evidence, which may be worth less or more

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Worth:
    """Number of pixels per independent observation, by the distance between the expectations under two masks.

    For right regions, ``r = (ratio + apart / 2) / √apart`` has mean m and standard deviation τ^(1/2); these would be 0 and 1
    if pixels were independent and the response exact. For wrong ones all is mirrored, so that the log likelihood ratio is
    worth ``ratio (1 - 2 m / √apart) / τ``, the factor at most one.

    Attributes
    ----------
    at : ndarray, shape (b,), ascending
        Logarithms of ``apart``.
    centre, spread : ndarray, shape (b,)
        m, and √τ, which is at least one.
    """

    at: Matrix
    centre: Matrix
    spread: Matrix

    @classmethod
    def fit(cls, ratio: Matrix, apart: Matrix) -> Worth:
        """Fit from given regions, nearly all of which are right.

        Parameters
        ----------
        ratio, apart : ndarray, shape (r,)
            For each region, the log likelihood ratio for its most likely other class, and the distance between the two.
        """
        if not len(ratio):
            return cls(np.zeros(1), np.zeros(1), np.ones(1))
        apart = np.maximum(apart, 1e-3)
        z = (ratio + apart / 2) / np.sqrt(apart)
        bins = int(np.clip(len(ratio) // LEAST_BIN, 1, MOST_BINS))
        parts = np.array_split(np.lexsort((z, apart)), bins)
        centre = np.array([np.median(z[part]) for part in parts])
        upper = np.array([np.quantile(z[part], UPPER) for part in parts])
        at = np.array([np.log(apart[part]).mean() for part in parts])
        return cls(at, centre, np.maximum((upper - centre) / NORMAL_UPPER, 1.0))

    def evidence(self, ratio: Matrix, apart: Matrix) -> Matrix:
        """Log likelihood ratios of regions; pixels with the same information count once."""
        apart = np.maximum(apart, 1e-3)
        centre, spread = (np.interp(np.log(apart), self.at, values) for values in (self.centre, self.spread))
        worth = np.clip(1 - 2 * centre / np.sqrt(apart), LEAST_WORTH, 1.0)
        return np.asarray(ratio * worth / spread**2)


class Expected(NamedTuple):
    """Error probabilities of the candidates of each picture, and how many of these are wrong."""

    probability: list[Matrix]
    wrong: float
    low: float
    high: float


def expected(evidence: Sequence[Matrix], tried: int, k: int) -> Expected:
    """Bayes' rule, with the share of wrong regions by EM: it is the mean of the error probabilities, and of half an error more (Jeffreys' prior).

    Parameters
    ----------
    evidence : sequence of ndarray
        Evidence of the candidates of each picture.
    tried : int
        Number of regions of all pictures that might have been candidates.
    k : int
        Number of classes: a wrong region may be of any other.
    """
    each = np.concatenate([*evidence, np.zeros(0)])
    others, rate = np.log(max(k - 1, 1)), FIRST_RATE
    for _ in range(STEPS):
        found = expit(each + np.log(rate / (1 - rate)) - others).sum()
        rate = float(np.clip((found + HALF_AN_ERROR) / (max(tried, 1) + 1), 1e-9, 0.5))
    prior = np.log(rate / (1 - rate)) - others
    probability = [expit(one + prior) for one in evidence]
    certain = expit(each + prior)
    wrong = float(certain.sum())
    half = 1.96 * float(np.sqrt((certain * (1 - certain)).sum() + wrong))
    low, high = (float(expit(factor * each + prior).sum()) for factor in READINGS)
    return Expected(probability, wrong, max(0.0, min(low, wrong) - half), max(high, wrong) + half)


def of_pictures(probability: Sequence[Matrix], highest: Matrix) -> Matrix:
    """The probability of any error in each picture, shape (n,): by its candidates, or by what no candidate explains.

    The last is at most 0.1, and orders pictures by their highest score for a share of another class.
    """
    regions = np.array([-np.expm1(np.log1p(-np.minimum(one, MOST_CERTAIN)).sum()) for one in probability])
    middle = np.median(highest)
    scale = max(1.4826 * float(np.median(np.abs(highest - middle))), 1e-3)
    rest = UNEXPLAINED * expit((highest - middle) / scale - STANDS_OUT)
    return np.asarray(1 - (1 - regions) * (1 - rest))
