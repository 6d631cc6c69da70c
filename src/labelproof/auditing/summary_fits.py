"""Fits to a summary of labels and probabilities: a power, and noise of one rate or of a rate per pair, under several readings
at once.

A few thousand rows in one thread: c readings are fitted side by side, so that a call of numpy does the work of all.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labelproof.noise.e_step import spread
from labelproof.validation import FloatArray, IntArray

FIRST_RATE = 0.1
PULL = 30.0  # pseudo-items that draw a class to the overall rate
LOWEST_POWER, HIGHEST_POWER = 0.125, 24.0
_TINY = 1e-300
Floats = npt.NDArray[np.float64]
Runs = list[tuple[int, int, int]]


def calibrated_power(logs: FloatArray, given: IntArray) -> tuple[float, float]:
    """The power at which the labels are most probable, from 1/8 to 24, and their mean log probability there; by Newton's method.

    ``logs`` (n, k) are log probabilities minus the highest of the row.
    """
    n = len(logs)
    own, power, likelihood = logs[np.arange(n), given], 1.0, 0.0
    for _ in range(12):
        w = np.exp(power * logs)
        total = w.sum(axis=1)
        w *= logs
        mean = w.sum(axis=1) / total
        slope = float((own - mean).sum())
        bend = float((np.einsum("ny,ny->n", w, logs) / total - mean * mean).sum())
        likelihood = float((power * own - np.log(total)).sum())
        new = min(max(power + slope / max(bend, 1e-9), power / 3), 3 * power)
        new = min(max(new, LOWEST_POWER), HIGHEST_POWER)
        if abs(new - power) < 1e-3 * power:
            break
        power = new
    return power, likelihood / n


def powered(logs: FloatArray, power: float) -> Floats:
    """Rows of probabilities from ``logs`` (n, k) raised to a power."""
    rows = np.exp(power * logs)
    rows /= rows.sum(axis=1, keepdims=True)
    return np.asarray(rows)


def one_rate(
    sharp: FloatArray, rates: FloatArray, given: IntArray, frequency: FloatArray, iterations: int
) -> tuple[Floats, Floats]:
    """EM of one error rate for all classes, towards the others in proportion to their given frequencies.

    Parameters
    ----------
    sharp : ndarray of float64, shape (c, n, k)
        ``p(y | x)`` under each reading.
    rates : ndarray of float64, shape (c, n)
        The chance that a label is random.
    given : ndarray of int, shape (n,)
    frequency : ndarray of float64, shape (k,)
        Frequencies of the given labels.
    iterations : int

    Returns
    -------
    likelihood : ndarray, shape (c,)
        Mean log likelihood.
    wrong : ndarray, shape (c,)
        Share of labels that are wrong: given with regard to another class, or at random.
    """
    own = sharp[:, np.arange(len(given)), given]  # (c, n)
    lost = 1 / np.maximum(1.0 - frequency, 1e-9)
    regard, chance = 1.0 - rates, rates * frequency[given]
    others = regard * (sharp @ lost - own * lost[given]) * frequency[given]
    kept = regard * own
    epsilon = np.full((len(sharp), 1), FIRST_RATE)
    for _ in range(iterations):
        right, other = (1.0 - epsilon) * kept, epsilon * others
        evidence = right + other + chance
        one, two = ((part / evidence).sum(axis=1, keepdims=True) + 1e-9 for part in (right, other))
        epsilon = two / (one + two)
    wrong = (other + chance * (1.0 - own)) / evidence
    return np.log(np.maximum(evidence, _TINY)).mean(axis=1), wrong.mean(axis=1)


def each_pair(
    sharp: FloatArray, rates: FloatArray, given: IntArray, frequency: FloatArray, iterations: int
) -> tuple[Floats, Floats]:
    """EM of a rate for each pair of classes, shrunk to one rate, and of class weights; takes and returns what `one_rate` does.

    ``given`` is in ascending order. The E step is that of `labelproof.noise.e_step`.
    """
    c, n, k = sharp.shape
    runs, own = _runs(given), sharp[:, np.arange(n), given]
    to_others = spread(np.asarray(frequency, np.float64)).T  # (given, true)
    lines = _lines(np.full(c, FIRST_RATE), to_others)  # p(z | y), (c, given, true)
    weights = np.ones((c, k))
    regard, chance = 1.0 - rates, rates * frequency[given]
    by_class, sums = np.empty((c, n)), np.zeros((c, k, k))
    for iteration in range(iterations):
        weighted = lines * weights[:, None]
        for z, a, b in runs:
            np.matmul(sharp[:, a:b], weighted[:, z, :, None], out=by_class[:, a:b, None])
        inverse = 1.0 / (sharp @ weights[:, :, None])[..., 0]
        evidence = np.maximum(regard * by_class * inverse + chance, _TINY)
        share = inverse / evidence
        part = regard * share
        for z, a, b in runs:
            np.matmul(part[:, None, a:b], sharp[:, a:b], out=sums[:, z : z + 1])
        counts = sums * weighted
        mass = counts.sum(axis=1)  # (c, true)
        right = np.trace(counts, axis1=1, axis2=2)
        if iteration == iterations - 1:
            break
        overall = np.clip(1.0 - right / np.maximum(mass.sum(axis=1), _TINY), 1e-9, 1.0)
        lines = (counts + PULL * _lines(overall, to_others)) / (mass + PULL)[:, None]
        if iteration >= 3 and k > 2:
            both = np.stack([chance * share, inverse], axis=1) @ sharp * weights[:, None]  # (c, 2, k)
            weights = weights * (mass + both[:, 0] + 1.0) / (both[:, 1] + 1.0)
            weights = weights / np.exp(np.log(weights).mean(axis=1, keepdims=True))
    by_chance = (chance * share * own * weights[:, given]).sum(axis=1)
    return np.log(evidence).mean(axis=1), 1.0 - (right + by_chance) / n


def _lines(rate: Floats, to_others: Floats) -> Floats:
    """``p(z | y)`` of one rate for all classes, shape (c, given, true)."""
    lines = rate[:, None, None] * to_others
    diagonal = np.arange(len(to_others))
    lines[:, diagonal, diagonal] = 1.0 - rate[:, None]
    return np.asarray(lines)


def _runs(given: IntArray) -> Runs:
    """Class, start and stop of the rows of each label."""
    starts = np.flatnonzero(np.diff(given, prepend=-1))
    return [(int(given[a]), a, b) for a, b in pairwise([*starts.tolist(), len(given)])]
