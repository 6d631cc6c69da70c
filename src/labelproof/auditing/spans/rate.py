"""How many sentences are wrong, and error probabilities that agree with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from labelproof.auditing.findings import ErrorRate
from labelproof.auditing.spans.planted import Learned
from labelproof.auditing.spans.tokens import Tokens

THRESHOLDS = (0.5, -1.0, -2.0)  # log odds: of the lower end of the interval, of the estimate, of the higher end
SLOPE = 1.0
HALVINGS, MOST_SHIFT = 60, 40.0

Matrix = npt.NDArray[np.float64]


class TokenErrors(NamedTuple):
    """That each given tag is wrong, shape (t,), and the share of sentences in which one is."""

    probability: Matrix
    sentences: ErrorRate


def from_planted(learned: Learned, tokens: Tokens) -> TokenErrors:
    """The rate at which planted errors would have to be there for as many sentences to look wrong as do.

    ``R(c) = share of sentences with log odds ≥ c / share of planted errors with log odds ≥ c``. If errors of people looked like
    planted ones and nothing else did, R would be the rate at every c. Where c is low, what is merely unusual is counted too; where it is
    high, errors of people, which are made where it is hard, are found more seldom than planted ones. Between them lie the estimate and,
    on either side, the ends of the interval.

    The log odds are then moved by what makes the mean error probability of sentences that rate.
    """
    worst = tokens.worst(learned.log_odds, empty=-np.inf)
    low, estimate, high = (_ratio(learned, worst, threshold) for threshold in THRESHOLDS)
    sampling = 1.96 * float(np.sqrt(max(estimate, 1 / tokens.n) / tokens.n))
    rate = ErrorRate(estimate, max(0.0, min(low, estimate) - sampling), min(1.0, max(high, estimate) + sampling))
    shift = _shift(SLOPE * worst, estimate)
    return TokenErrors(expit(SLOPE * learned.log_odds + shift), rate)


def _ratio(learned: Learned, worst: Matrix, threshold: float) -> float:
    found = learned.share_found(threshold)
    return min(1.0, float((worst >= threshold).mean()) / found) if found > 0 else 0.0


def _shift(scores: Matrix, rate: float) -> float:
    """What is added to log odds so that their mean probability is the rate."""
    least, most = -MOST_SHIFT, MOST_SHIFT
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if expit(scores + middle).mean() > rate else (middle, most)
    return (least + most) / 2
