"""What is said of each label: obvious, possible or ok."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit, logit

VERDICTS = ("obvious", "possible", "ok")
VERDICT = pl.Enum(VERDICTS)
OBVIOUS_PRECISION = 0.95
POSSIBLE_PROBABILITY = 0.5
MOST_POINTS = 20_000  # quantiles that stand for a larger set
LEAST_RATE = 1e-9
HALVINGS, MOST_SHIFT, CLIP = 40, 60.0, 1e-12


def verdicts(sorted_error: npt.NDArray[np.float64], low: float | None = None) -> pl.Series:
    """Verdict of each item of a list sorted worst first.

    ``obvious`` is the longest head whose expected precision is at least 0.95, also if no more labels are wrong than the lower end of
    the error rate says; beyond it ``possible`` is an error probability of at least 0.5; the rest is ``ok``.

    Parameters
    ----------
    sorted_error : ndarray, shape (s,), in [0, 1]
    low : float, optional
        Lower end of the interval of the error rate; the mean of the error probabilities where left out.
    """
    likely = sorted_error if low is None else lowered(sorted_error, low)
    precision = np.cumsum(likely) / np.arange(1, len(likely) + 1)
    head = int((precision >= OBVIOUS_PRECISION).sum())  # a running mean of a falling series falls
    codes = np.where(sorted_error >= POSSIBLE_PROBABILITY, 1, 2)
    codes[:head] = 0
    return pl.Series(list(VERDICTS), dtype=VERDICT).gather(codes)


def lowered(sorted_error: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.float64]:
    """Error probabilities whose log odds are all lower by one number, so that their mean is ``rate``, if it is above that now."""
    n = len(sorted_error)
    if n == 0 or sorted_error.mean() <= rate:
        return sorted_error
    if rate < LEAST_RATE:
        return np.zeros(n)
    points = (
        sorted_error if n <= MOST_POINTS else sorted_error[((np.arange(MOST_POINTS) + 0.5) * n / MOST_POINTS).astype(np.int64)]
    )
    scores = logit(np.clip(points, CLIP, 1 - CLIP))
    least, most = 0.0, MOST_SHIFT
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if expit(scores - middle).mean() > rate else (least, middle)
    return np.asarray(expit(logit(np.clip(sorted_error, CLIP, 1 - CLIP)) - most))
