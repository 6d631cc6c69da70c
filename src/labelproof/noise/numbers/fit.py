"""Results for numbers: the probability that each is wrong, the kind of error, and the suggestion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from labelproof.noise.numbers.expected import expected
from labelproof.noise.numbers.found import copies_beyond_chance, fit_found
from labelproof.noise.numbers.hypotheses import KINDS, Numbers, exact, undone
from labelproof.noise.numbers.mixture import TAILS, Mixture, first_hypotheses, fit_mixture
from labelproof.noise.numbers.noise import NumberNoise
from labelproof.validation import FloatArray, IntArray

Floats = npt.NDArray[np.float64]
MOST_FITTED = 50_000  # numbers that the mixture is fitted to
AT_A_TIME = 200_000
BELOW, ABOVE = 2, 1  # steps of the tail of good numbers, in the readings of the rate
INTERVAL = 0.975  # quantile


class NumbersFound(NamedTuple):
    """The results for each number, and the noise model of the numbers."""

    error_probability: Floats  # (n,)
    suggested: Floats  # (n,)
    confidence: npt.NDArray[np.float32]  # (n,)
    kind: IntArray  # (n,) place in KINDS, of the most probable error
    centre: Floats  # (n,) expected value
    low: Floats  # (n,) of a 95 % interval of good numbers
    high: Floats  # (n,)
    expected_errors: Floats  # (r,) number of errors under each reading of the tail
    noise: NumberNoise


def find_wrong(given: Floats, predicted: Floats, *, owner: IntArray | None = None, x: FloatArray | None = None) -> NumbersFound:
    """Find wrong numbers.

    A good number is its expected value plus Student's t on its expected scale (`expected`). A wrong one follows the density of
    one of the common errors, which is that of a good number before the error, or a wide one::

        p(z | x) = π_0 t_ν(z; m(x), c s(x)) + Σ_h π_h p_h(z | x),    error_probability = 1 - π_0 t_ν(z; m(x), c s(x)) / p(z | x)

    Parameters
    ----------
    given, predicted : ndarray, shape (n,)
    owner : ndarray of int64, shape (n,), ascending, optional
        The row of each number in the table, if some rows have none.
    x : ndarray, shape (n, d), optional
        Features.
    """
    rows = np.arange(len(given)) if owner is None else np.asarray(owner, np.int64)
    hoped = expected(given, predicted, x)
    numbers = Numbers.in_rows(given, hoped.centre, hoped.scale, rows)
    sample = numbers if len(given) <= MOST_FITTED else numbers.of(_sample(len(given)))
    mixture = fit_found(sample, fit_mixture(sample, first_hypotheses()))
    found = [np.concatenate(part) for part in zip(*_judged(numbers, mixture), strict=True)]
    error, suggested, confidence, kind = found
    reach = student.ppf(INTERVAL, mixture.tail) * mixture.stretch * hoped.scale
    away = np.abs(given - hoped.centre)
    scale = float(np.average(away, weights=1 - error + 1e-12))
    noise = NumberNoise.of(mixture, scale, corrected=hoped.corrected, in_order=hoped.in_order)
    readings = error.sum() + len(given) * np.array(readings_of(sample, mixture))
    return NumbersFound(
        error, suggested, confidence, kind, hoped.centre, hoped.centre - reach, hoped.centre + reach, readings, noise
    )


def _sample(n: int) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).choice(n, MOST_FITTED, replace=False))


def _judged(numbers: Numbers, mixture: Mixture) -> Iterator[tuple[Floats, Floats, npt.NDArray[np.float32], IntArray]]:
    """Error probability, suggestion, its probability, and the kind of error, block by block."""
    places = np.array([KINDS.index(one.kind) for one in mixture.hypotheses])
    for start in range(0, len(numbers.given), AT_A_TIME):
        some = numbers.of(np.arange(start, min(start + AT_A_TIME, len(numbers.given))))
        posterior = mixture.posterior(some)
        error, way = 1 - posterior[0], posterior[1:].argmax(axis=0)
        suggested, confidence = some.given.copy(), posterior[0].copy()
        for place, one in enumerate(mixture.hypotheses):
            rows = np.flatnonzero((way == place) & (error >= 0.5))
            if len(rows):
                here = some.of(rows)
                suggested[rows] = undone(one, here, mixture.good) if exact(one) else here.centre
                confidence[rows] = posterior[1 + place, rows]
        yield np.clip(error, 0.0, 1.0), suggested, confidence.astype(np.float32), places[way]


def readings_of(numbers: Numbers, mixture: Mixture) -> list[float]:
    """Alternative estimates of the share of wrong numbers.

    If good ones had another tail than the best-fitting one; and if the number of copies of neighbouring rows, which few
    residuals reveal, were a standard deviation higher or lower.
    """
    rate = _rate(numbers, mixture)
    place = int(np.argmin(np.abs(np.array(TAILS) - mixture.tail)))
    tails = [0.0]
    for other in {max(place - BELOW, 0), min(place + ABOVE, len(TAILS) - 1)} - {place}:
        start = replace(mixture, tail=TAILS[other])
        tails.append(_rate(numbers, fit_mixture(numbers, mixture.hypotheses, tail=TAILS[other], start=start)) - rate)
    excess, spread = copies_beyond_chance(numbers, mixture)
    copied = sum(share for one, share in zip(mixture.hypotheses, mixture.shares[1:], strict=True) if one.kind == "copied")
    return [min(tails) - min(copied, spread), 0.0, max(tails) + max(excess + spread - copied, 0.0)]


def _rate(numbers: Numbers, mixture: Mixture) -> float:
    return float(1 - mixture.posterior(numbers)[0].mean())
