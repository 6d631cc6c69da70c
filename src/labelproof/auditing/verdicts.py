"""The verdict on each label: obvious, possible or ok."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit, logit

VERDICTS = ("obvious", "possible", "ok")
VERDICT = pl.Enum(VERDICTS)
OBVIOUS_PRECISION = 0.95
POSSIBLE_PROBABILITY = 0.5
MOST_POINTS = 20_000  # quantiles that represent a larger set
LEAST_RATE = 1e-9
HALVINGS, MOST_SHIFT, CLIP = 40, 60.0, 1e-12
ROUNDING = 1e-6
Floats = npt.NDArray[np.float64]


def verdicts(sorted_error: Floats, low: float | None = None) -> pl.Series:
    """Verdict of each item of a list sorted worst first.

    ``obvious`` is the longest head whose expected precision is at least 0.95, also if no more labels are wrong than the lower end of
    of the error rate; beyond it ``possible`` is an error probability of at least 0.5; the rest is ``ok``.

    Parameters
    ----------
    sorted_error : ndarray, shape (s,), in [0, 1]
    low : float, optional
        Lower end of the interval of the error rate. By default the mean of the error probabilities.
    """
    n = len(sorted_error)
    fall = 0.0 if low is None or n == 0 else fall_of(sorted_error[places(n)], float(sorted_error.mean()), low)
    return verdicts_from(sorted_error, 0, head_of([sorted_error], fall))


def verdicts_from(sorted_error: Floats, rank: int, head: int) -> pl.Series:
    """Verdicts of a piece of such a list that begins at a rank, if the first ``head`` of the whole list are obvious."""
    codes = np.where(sorted_error >= POSSIBLE_PROBABILITY, 1, 2)
    codes[: max(0, head - rank)] = 0
    return pl.Series(list(VERDICTS), dtype=VERDICT).gather(codes)


def head_of(pieces: Iterable[Floats], fall: float) -> int:
    """The number of obvious items in a list that comes piece by piece, worst first, if log odds are lower by ``fall``.

    The answer is the same to the last item for any division of the list. Pieces that cannot change it are not requested.
    """
    head, seen, total = 0, 0, 0.0
    for piece in pieces:
        if not len(piece):
            continue
        likely = lower(piece, fall)
        if seen:
            likely = np.concatenate([[total + likely[0]], likely[1:]])  # the sum continues in the same order
        sums, seen = np.cumsum(likely), seen + len(likely)
        precision = sums / np.arange(seen - len(likely) + 1, seen + 1)
        head += int((precision >= OBVIOUS_PRECISION).sum())  # a running mean of a falling series falls
        if precision[-1] < OBVIOUS_PRECISION - ROUNDING:
            break
        total = float(sums[-1])
    return head


def places(n: int) -> npt.NDArray[np.int64]:
    """Ranks of the quantiles that represent a list of n."""
    return np.arange(n) if n <= MOST_POINTS else ((np.arange(MOST_POINTS) + 0.5) * n / MOST_POINTS).astype(np.int64)


def fall_of(points: Floats, mean: float, rate: float) -> float:
    """The fall in log odds of error probabilities that makes their mean equal ``rate``; 0 if it is not higher now.

    Parameters
    ----------
    points : ndarray, shape (p,)
        The values at `places`, which represent all.
    mean : float
        Mean of all.
    rate : float
    """
    if mean <= rate:
        return 0.0
    if rate < LEAST_RATE:
        return np.inf
    scores = logit(np.clip(points, CLIP, 1 - CLIP))
    least, most = 0.0, MOST_SHIFT
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if expit(scores - middle).mean() > rate else (least, middle)
    return most


def lower(error: Floats, fall: float) -> Floats:
    """Error probabilities with log odds that are lower by ``fall``."""
    return error if fall == 0 else np.asarray(expit(logit(np.clip(error, CLIP, 1 - CLIP)) - fall))
