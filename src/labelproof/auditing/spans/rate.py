"""The share of wrong sentences, and error probabilities that agree with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from labelproof.auditing.findings import ErrorRate
from labelproof.auditing.spans.planted import Learned
from labelproof.auditing.spans.tokens import Tokens

SHARES = (0.7, 0.85, 0.92)  # of planted errors: at the lower end of the interval, at the estimate, at the higher end
SUREST = 0.5  # of planted errors
SLOPES = (0.4, 1.0)  # of the log odds: where errors are unlike planted ones, and where they are like them
HALVINGS, MOST_SHIFT = 60, 40.0

Matrix = npt.NDArray[np.float64]


class TokenErrors(NamedTuple):
    """The error probability of each given tag, shape (t,), and the share of sentences with an error."""

    probability: Matrix
    sentences: ErrorRate


def from_planted(learned: Learned, tokens: Tokens) -> TokenErrors:
    """The rate of planted errors at which as many sentences would look wrong as do.

    ``R(s) = share of sentences with log odds ≥ c(s) / s``, where a share s of the planted errors has log odds of at least
    c(s). If people's errors looked like planted ones and nothing else did, R would be the rate at every s. For s near one,
    merely unusual labels are counted too. For lower s, people's errors are found less often than planted ones, because people
    err where it is hard. The estimate and the ends of the interval are between these.

    The log odds are then multiplied by a slope, which is higher if R falls less from the estimate to the surest half of the
    planted errors. They are shifted so that the mean error probability of sentences equals the estimate.
    """
    worst = tokens.worst(learned.log_odds, empty=-np.inf)
    low, estimate, high, surest = (
        min(1.0, float((worst >= learned.threshold(share)).mean()) / share) for share in (*SHARES, SUREST)
    )
    sampling = 1.96 * float(np.sqrt(max(estimate, 1 / tokens.n) / tokens.n))
    rate = ErrorRate(estimate, max(0.0, min(low, estimate) - sampling), min(1.0, max(high, estimate) + sampling))
    alike = min(1.0, surest / estimate) if estimate > 0 else 0.0
    slope = SLOPES[0] + (SLOPES[1] - SLOPES[0]) * alike
    shift = _shift(slope * worst, estimate)
    return TokenErrors(expit(slope * learned.log_odds + shift), rate)


def _shift(scores: Matrix, rate: float) -> float:
    """The shift of log odds that makes their mean probability equal the rate."""
    least, most = -MOST_SHIFT, MOST_SHIFT
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if expit(scores + middle).mean() > rate else (middle, most)
    return (least + most) / 2
