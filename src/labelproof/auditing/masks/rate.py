"""How many regions are wrong, and error probabilities that agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from labelproof.auditing.masks.planted import LEAST_LOG_ODDS, Learned

SHARES = (0.2, 0.35, 0.5, 0.65)  # of the planted errors that are seen
SEEN = LEAST_LOG_ODDS + 1e-6
SHARPNESS = 4  # with which probabilities bend towards one
HALVINGS, MOST_SHIFT = 60, 40.0
FIRST_RATE, MOST_STEPS = 0.05, 50

Matrix = npt.NDArray[np.float64]


class Expected(NamedTuple):
    """Error probabilities of the candidates of each picture, and how many of these are wrong."""

    probability: list[Matrix]
    wrong: float
    low: float
    high: float


def from_planted(learned: Learned) -> Expected:
    """The number of planted errors that would have to be there for as many candidates to look wrong as do.

    ``R(s) = number of candidates with log odds ≥ c(s) / s``, where a share s of the planted errors that are seen has log odds of at least c(s).
    What is merely unusual adds to R more and more where c is low, so the least R is the estimate; the greatest one, and sampling, give the
    interval. By Bayes' rule the error probability is ``κ exp(log odds)``, bent so that it stays below one, with the κ that makes its sum the
    estimate.
    """
    odds = np.concatenate([*learned.log_odds, np.zeros(0)])
    seen = learned.planted[learned.planted > SEEN]
    cuts = np.quantile(seen, [1 - share for share in SHARES])
    counts = (odds >= cuts[:, None]).sum(axis=1)
    shares = np.array(SHARES)
    wrong = float(min((counts / shares).min(), len(odds)))
    sampling = 1.96 * np.sqrt(np.maximum(counts, 1)) / shares
    low, high = float((counts / shares - sampling).min()), float((counts / shares + sampling).max())
    scale = _scale(odds, wrong)
    return Expected([_bent(one + scale) for one in learned.log_odds], wrong, max(low, 0.0), max(min(high, len(odds)), wrong))


def from_likelihood(log_ratios: Sequence[Matrix]) -> Expected:
    """Where too little can be planted: Bayes' rule with the share of candidates that are wrong, by EM.

    Parameters
    ----------
    log_ratios : sequence of ndarray
        Of the candidates of each picture: for wrong against as given, witnesses that say the same counted as one.
    """
    ratios = np.concatenate([*log_ratios, np.zeros(0)])
    rate = FIRST_RATE
    for _ in range(MOST_STEPS if len(ratios) else 0):
        rate = float(np.clip(expit(ratios + np.log(rate / (1 - rate))).mean(), 1e-6, 1 - 1e-6))
    prior = np.log(rate / (1 - rate))
    probability = [expit(one + prior) for one in log_ratios]
    wrong = float(sum(one.sum() for one in probability))
    half = 1.96 * np.sqrt(max(wrong, 1.0))
    return Expected(probability, wrong, max(0.0, wrong - half), min(len(ratios), wrong + half))


def _bent(log_odds: Matrix) -> Matrix:
    """``x / (1 + x^4)^(1/4)`` of ``x = exp(log odds)``: x where it is small, below one where it is large."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -SHARPNESS * log_odds) / SHARPNESS))


def _scale(log_odds: Matrix, wrong: float) -> float:
    """What is added to log odds so that probabilities sum to a number."""
    least, most = -MOST_SHIFT, MOST_SHIFT
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if float(_bent(log_odds + middle).sum()) > wrong else (middle, most)
    return (least + most) / 2
