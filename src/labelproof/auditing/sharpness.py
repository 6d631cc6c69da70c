"""Estimate the sharpness of a classifier, the kind of noise, and the number of wrong labels, without any clean label.

A classifier that was trained on the noisy labels explains them without any error, so the likelihood alone cannot say how many are
wrong. Other statistics (how often labels and predictions differ where the classifier is sure, how well noise models of several
kinds explain the labels …) are informative, because data sets in which they are similar have similar rates of wrong labels. So
thousands of data sets with noise of many kinds were simulated (``benchmarks/worlds.py``), and a quantile forest was fitted to
them (``benchmarks/sharpness_fit.py``): from a `summary` to the distribution of the rate, as a multiple of the share of labels
that differ from the most probable class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing import fold
from labelproof.auditing.doubts.of_probabilities import MOST_UNLIKE
from labelproof.auditing.findings import ErrorRate
from labelproof.auditing.forest import QuantileForest, quantiles
from labelproof.auditing.summary_fits import HIGHEST_POWER, calibrated_power, each_pair, one_rate, powered
from labelproof.noise.em import DENSE_CLASSES, NoiseFit, Reading, Runs, em_of, joined, quarter
from labelproof.threads import one_thread
from labelproof.validation import FloatArray, IntArray

FOREST_FILE = Path(__file__).with_name("sharpness.npz")
SUMMARY_CELLS, MOST_ROWS = 60_000, 4_000
SIDE_BY_SIDE_CELLS = 200_000
FEWEST_ROWS, MANY_CLASSES = {False: 800, True: 400}, 150  # of many classes fewer: the rows are long
OTHER_ROWS = 2**40  # added to the row numbers of a sample that was drawn by them already
ITERATIONS = 15
LEVELS = (0.025, 0.975)
PAIRS = ((0.0, 1.5), (0.0, 2.5), (0.0, 4.0), (0.0, 6.0), (1.0, 1.5), (1.0, 4.0))  # ambiguity, power over the calibrated one
SINGLES = ((0.0, 1.0), (0.0, 2.5), (0.0, 6.0), (1.0, 1.0), (1.0, 2.5), (1.0, 6.0))
TENTHS = 10
POWERS = (1.5, 2.5, 4.0, 6.0)  # relative to the calibrated power: readings of a classifier
HARD = 1.0  # ambiguity of noise that grows where items are hard
REGARDED = 0.6  # nats per disagreement: noise by class that explains the labels so much better than none is the only noise
LEAST_SHARE = 0.1  # that a kind of noise needs to be considered
LEAST_DIFFERENCE = 2e-3
LEAST_TOLD = 4e-3  # share of labels that differ, from which on a data set was learned from
Vector = npt.NDArray[np.float64]
Fits = dict[tuple[float, float], tuple[float, float]]  # by ambiguity and power


@dataclass(frozen=True)
class Summary:
    """Statistics of labels and probabilities that need no clean label.

    Attributes
    ----------
    vector : ndarray, shape (f,)
        For the forest.
    power : float
        At which the classifier is calibrated for the given labels.
    differ : float
        Share of the labels that differ from the most probable class.
    by_class : float
        Gain in nats per disagreement, over no noise, of noise that depends only on the class.
    rates : dict
        For each of `PAIRS`, the share of labels that would be wrong.
    """

    vector: Vector
    power: float
    differ: float
    by_class: float
    rates: dict[tuple[float, float], float]


@dataclass(frozen=True)
class Sharpness:
    """The noise model, and the number of wrong labels according to it and to similar ones.

    Attributes
    ----------
    noise : NoiseFit
    error_rate : ErrorRate, optional
        With a 95 % interval.
    unlike : float, default=0
        Share of the summary that is outside the simulations.
    """

    noise: NoiseFit
    error_rate: ErrorRate | None = None
    unlike: float = 0.0


def summary(rows: fold.Sample) -> Summary:
    """The statistics of a sample, on at most 4,000 of its rows."""
    probs, given = _thinned(rows)
    n, k = probs.shape
    frequency = np.bincount(given, minlength=k) / n
    entropy = -float((frequency[frequency > 0] * np.log(frequency[frequency > 0])).sum())
    logs = np.log(np.maximum(probs, 1e-9))
    logs -= logs.max(axis=1, keepdims=True)
    power, likelihood = calibrated_power(logs, given)
    calibrated, best = powered(logs, power), probs.argmax(axis=1)
    differs, sure = best != given, calibrated.max(axis=1)
    scale = max(float(differs.mean()), LEAST_DIFFERENCE)
    unsure = 1.0 - np.minimum(probs.max(axis=1), 1.0)
    fits, singles = _fits(logs, power, unsure, given, frequency)
    fits_in_order = [*(fits[key] for key in PAIRS), *(singles[key] for key in SINGLES)]
    reference = fits[PAIRS[0]][0]
    by_class = (max(fits[key][0] for key in PAIRS if key[0] == 0) - likelihood) / scale
    tenths = np.array_split(np.argsort(sure, kind="stable"), TENTHS)
    vector = [
        np.log(scale),
        np.log(k),
        np.log(n),
        np.log(power),
        (1 - sure.mean()) / scale,
        -float((calibrated * np.log(calibrated + 1e-12)).sum(axis=1).mean()) / max(entropy, 1e-9),
        *_of_differing(calibrated, best, given, differs),
        (likelihood + entropy) / max(entropy, 1e-9),
        (reference - likelihood) / scale,
        _concentration(best, given, k),
        *(part for fit in fits_in_order for part in ((fit[0] - reference) / scale, fit[1] / scale)),
        *(min(differs[rows].mean() / scale, 6.0) if len(rows) else 0.0 for rows in tenths),
        *(min((1 - sure[rows]).mean() / scale, 6.0) if len(rows) else 0.0 for rows in tenths),
    ]
    differ = float((rows.probs.argmax(axis=1) != rows.given).mean())
    rates = {key: float(rate) for key, (_, rate) in fits.items()}
    return Summary(np.clip(np.array(vector, np.float64), -20.0, 20.0), float(power), differ, float(by_class), rates)


def _fits(logs: FloatArray, power: float, unsure: FloatArray, given: IntArray, frequency: FloatArray) -> tuple[Fits, Fits]:
    """Mean log likelihood and share of wrong labels under each of `PAIRS` and of `SINGLES`."""
    order = np.argsort(given, kind="stable")
    logs, unsure, given = logs[order], unsure[order], given[order]
    at = {factor: powered(logs, min(power * factor, HIGHEST_POWER)) for factor in sorted({f for _, f in PAIRS + SINGLES})}

    def fits(fit: Any, readings: Sequence[tuple[float, float]]) -> Fits:
        found: Fits = {}
        for some in _batches(readings, logs.size):
            sharp, rates = np.stack([at[factor] for _, factor in some]), np.stack([kind * unsure for kind, _ in some])
            each = zip(*fit(sharp, rates, given, frequency, ITERATIONS), strict=True)
            found |= {key: (float(likelihood), float(wrong)) for key, (likelihood, wrong) in zip(some, each, strict=True)}
        return found

    with one_thread():
        return fits(each_pair if logs.shape[1] <= DENSE_CLASSES else one_rate, PAIRS), fits(one_rate, SINGLES)


def _batches(readings: Sequence[tuple[float, float]], cells: int) -> Iterator[Sequence[tuple[float, float]]]:
    """Readings that are fitted together: all, or for long rows one by one, which saves memory and loses nothing."""
    step = len(readings) if cells <= SIDE_BY_SIDE_CELLS else 1
    for start in range(0, len(readings), step):
        yield readings[start : start + step]


def _thinned(rows: fold.Sample) -> tuple[FloatArray, IntArray]:
    """Some of the rows, by their number alone, scaled to sum to one."""
    n, k = rows.probs.shape
    size = min(MOST_ROWS, max(SUMMARY_CELLS // k, FEWEST_ROWS[k > MANY_CLASSES]))
    index = rows.index + (OTHER_ROWS if n < rows.given_counts.sum() else 0)
    chosen = slice(None) if n <= size else np.flatnonzero(fold.in_sample(index, n, size))
    probs = np.maximum(np.asarray(rows.probs[chosen], np.float64), 0.0)
    return probs / probs.sum(axis=1, keepdims=True), np.ascontiguousarray(rows.given[chosen], np.int64)


def _of_differing(
    calibrated: FloatArray, best: IntArray, given: IntArray, differs: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """For labels that differ from the most probable class: how often they are second, and their share of the rest."""
    if not differs.any():
        return 1.0, 0.0
    others = calibrated[differs]
    place = np.arange(len(others))
    others[place, best[differs]] = 0.0
    own = others[place, given[differs]]
    share = np.log(np.maximum(own / np.maximum(others.sum(axis=1), 1e-300), 1e-6)).mean()
    chance = max(np.log(max(calibrated.shape[1] - 1, 1.5)), 0.4)
    return float((own >= others.max(axis=1)).mean()), float(share / chance)


def _concentration(best: IntArray, given: IntArray, k: int) -> float:
    """Share of the disagreements that fall on the k commonest pairs of classes."""
    pairs = np.unique((given * k + best)[best != given], return_counts=True)[1]
    return float(np.sort(pairs)[::-1][:k].sum() / max(pairs.sum(), 1))


@dataclass(frozen=True)
class Fitted:
    """The result of the simulations: the forest, and the range of each part of a summary."""

    forest: QuantileForest
    lowest: Vector
    highest: Vector

    def rates(self, found: Summary) -> ErrorRate:
        """The distribution of the rate of wrong labels: mean, and the ends of a 95 % interval."""
        weights = self.forest.weights(found.vector)
        ratio = self.forest.targets[:, 0]
        low, high = quantiles(ratio, weights, LEVELS)
        return ErrorRate(float(weights @ ratio), float(low), float(high))

    def unlike(self, found: Summary) -> float:
        """Share of the summary that is outside the simulations; zero if labels and predictions hardly differ."""
        if found.differ < LEAST_TOLD:
            return 0.0
        return float(((found.vector < self.lowest) | (found.vector > self.highest)).mean())


@cache
def fitted() -> Fitted:
    """The fitted one that the package contains."""
    with np.load(FOREST_FILE, allow_pickle=False) as data:
        forest = QuantileForest(**{name: data[name] for name in QuantileForest.__dataclass_fields__})
        return Fitted(forest, data["lowest"].astype(float), data["highest"].astype(float))


def read_sharpness(
    rows: fold.Sample, classes: Sequence[Any], *, ambiguity: float | None = None, strength: float | None = None
) -> Sharpness:
    """Fit the noise under the readings of the classifier that agree with the rate of wrong labels.

    Noise is of two kinds: it depends on the class alone (ambiguity 0), or on how hard an item is as well (ambiguity `HARD`). They weigh by how
    much better the first explains the labels than no noise does. Of each kind those powers are taken that give the rate.

    Parameters
    ----------
    rows : Sample
    classes : sequence of length k
    ambiguity : float in [0, 1], optional
        The kind of noise, instead of both.
    strength : float, optional
        As in `labelproof.noise.expectation_maximization`.
    """
    found, known = summary(rows), fitted()
    ratio = known.rates(found)
    estimate = ratio.estimate * found.differ
    by_class = float(np.clip(found.by_class / REGARDED, 0.0, 1.0))
    kinds = {ambiguity: 1.0} if ambiguity is not None else {0.0: by_class, HARD: 1 - by_class}
    kinds = {kind: share for kind, share in kinds.items() if share >= LEAST_SHARE}
    readings = [one for kind, share in kinds.items() for one in _readings(found, kind, share, estimate, both=len(kinds) > 1)]
    runs = em_of(rows.probs, rows.given, rows.given_counts, readings, strength)
    shares = [reading.share for reading in readings] if len(kinds) > 1 else _between(runs, estimate)
    used = [i for i, share in enumerate(shares) if share > 0]
    noise = joined([runs[i] for i in used], [shares[i] for i in used], classes)
    differ = max(found.differ, 1 / len(rows.given))  # no difference among n labels does not mean none at all
    low, high, unlike = ratio.low * found.differ, ratio.high * differ, known.unlike(found)
    if unlike > MOST_UNLIKE:
        low, high = max(0.0, 2 * low - estimate), 2 * high - estimate
    return Sharpness(noise, ErrorRate(estimate, low, min(1.0, high)), unlike)


def _between(runs: Runs, estimate: float) -> list[float]:
    """Shares of two powers under which the mean error probability is the rate."""
    first, second = (1 - found.right / found.n for _, found in runs)
    share = float(np.clip((estimate - first) / (second - first), 0.0, 1.0)) if abs(second - first) > 1e-6 else 0.5
    return [1 - share, share]


def _readings(found: Summary, kind: float, share: float, estimate: float, *, both: bool) -> list[Reading]:
    """The powers of one kind of noise that give the rate: the two around it, or the one between for both kinds."""
    measured = {factor: rate for (ambiguity, factor), rate in found.rates.items() if (ambiguity > 0) == (kind > 0.25)}
    factors = np.array(sorted(measured))
    rates = np.maximum.accumulate(np.array([measured[factor] for factor in factors]))
    grid = np.array(POWERS)
    at = np.exp(np.interp(estimate, rates, np.log(factors)))
    if both:
        return [Reading(_power(found, at), kind, share)]
    after = int(np.clip(np.searchsorted(grid, at), 1, len(grid) - 1))
    return [Reading(_power(found, factor), kind, share) for factor in grid[after - 1 : after + 1]]


def _power(found: Summary, factor: float) -> float:
    return quarter(min(found.power * factor, HIGHEST_POWER))
