"""The expected number of each item and the spread of good ones, learned from predictions, neighbouring rows and features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.validation import FloatArray

Floats = npt.NDArray[np.float64]
FEWEST_LEARNED = 300  # numbers from which on a model of residuals is learned
MOST_LEARNED = 20_000  # numbers that one fold's model is learned from
FOLDS = 3
BETTER = 0.98  # of the mean absolute residual that a correction must reach
CLEAR = 5.0  # standard errors by which neighbouring rows must be similar
BESIDE = 3  # rows before and after
LEAST_BIN, MOST_BINS = 60, 200
FLOOR = 0.05  # of the median scale


class Expected(NamedTuple):
    """The expected value of each number."""

    centre: Floats  #: (n,)
    scale: Floats  #: (n,) median distance of good numbers from it
    corrected: bool  #: whether the centre differs from the prediction
    in_order: bool  #: whether neighbouring rows are similar


def expected(given: Floats, predicted: Floats, x: FloatArray | None = None, *, seed: int = 0) -> Expected:
    """Correct predictions by trends in their residuals, and learn the scale of what remains.

    The median of the residual, then that of its distance from it, are learned by boosting with absolute loss from the prediction,
    the features and, if residuals of neighbouring rows are similar, the median residuals of rows before and after; out of
    fold, so that no number supports itself. The centre is corrected, or learned again if predictions follow wrong numbers,
    only if that lowers the mean absolute residual, with large residuals capped at ten times the median.

    Parameters
    ----------
    given, predicted : ndarray, shape (n,)
    x : ndarray, shape (n, d), optional
        Features, NaN where missing.
    seed : int, default=0
        Seed of the folds.
    """
    unit = _unit(given, predicted)
    residual = (given - predicted) / unit
    in_order = rows_alike(residual)
    if len(given) < FEWEST_LEARNED:
        middle = np.median(residual) if np.abs(np.median(residual)) > _typical(residual) else 0.0
        flat = np.full(len(given), max(_typical(residual - middle), 1e-12))
        return Expected(predicted + unit * middle, unit * flat, bool(middle), False)
    level = predicted / unit
    if x is None and not in_order:
        tried = [np.zeros(len(given)), running_median(level, residual)]
    else:
        beside_it = [beside(residual), beside((given - np.median(given)) / unit)] if in_order else []
        features = np.column_stack([level[:, None], *([] if x is None else [x]), *beside_it])
        shift = learned(features, residual, seed)
        tried = [np.zeros(len(given)), shift, learned(features, given / unit, seed) - level]
    bound = 10 * min(_typical(residual - one) for one in tried)
    loss = np.array([np.mean(np.minimum(np.abs(residual - one), bound)) for one in tried])
    loss[0] *= BETTER
    best = int(np.argmin(loss))
    corrected, left, centre = best > 0, residual - tried[best], predicted + unit * tried[best]
    if x is None and not in_order:
        scale = running_median(centre / unit, np.abs(left))
    else:
        scale = learned(np.column_stack([features, centre / unit]), np.abs(left), seed + 1)
    usual = _typical(left)
    return Expected(centre, unit * np.maximum(scale, max(FLOOR * usual, 1e-12)), corrected, in_order)


def _unit(given: Floats, predicted: Floats) -> float:
    """A scale of the numbers, above 0."""
    spread = float(np.median(np.abs(given - np.median(given))))
    return spread or float(np.median(np.abs(given - predicted))) or float(np.abs(given).max()) or 1.0


def _typical(residual: Floats) -> float:
    return float(np.median(np.abs(residual)))


def rows_alike(residual: Floats) -> bool:
    """Whether residuals of neighbouring rows are correlated: their signs about the median agree more often than by chance."""
    sign = np.sign(residual - np.median(residual))
    if len(sign) < FEWEST_LEARNED:
        return False
    agree = sign[1:] * sign[:-1]
    return float(agree.sum()) > CLEAR * float(np.sqrt(len(agree)))


def beside(values: Floats) -> Floats:
    """Value of the row before, the row after, and medians of two and three rows on either side, shape (n, 4)."""
    padded = np.pad(values, BESIDE, constant_values=np.nan)
    n = len(values)
    around = [padded[BESIDE + lag : BESIDE + lag + n] for lag in (-1, 1, -2, 2, -3, 3)]
    four, six = np.stack(around[:4]), np.stack(around)
    return np.column_stack([around[0], around[1], np.nanmedian(four, axis=0), np.nanmedian(six, axis=0)])


def running_median(level: Floats, target: Floats) -> Floats:
    """The median of a target among numbers with about the same level, between bins on a line, shape (n,)."""
    bins = int(np.clip(len(level) // LEAST_BIN, 1, MOST_BINS))
    order = np.argsort(level, kind="stable")
    parts = np.array_split(order, bins)
    places, medians = (np.array([np.median(values[part]) for part in parts]) for values in (level, target))
    return np.asarray(np.interp(level, places, medians))


def learned(features: Floats, target: Floats, seed: int) -> Floats:
    """The conditional median of a target by boosting with absolute loss, out of fold, shape (n,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(target)) % FOLDS
    found = np.empty(len(target))
    for number in range(FOLDS):
        train = np.flatnonzero(fold != number)
        if len(train) > MOST_LEARNED:
            train = rng.choice(train, MOST_LEARNED, replace=False)
        model = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=80, learning_rate=0.12, max_leaf_nodes=15, min_samples_leaf=30, random_state=0
        )
        found[fold == number] = model.fit(features[train], target[train]).predict(features[fold == number])
    return found
