"""The audit as a fold over blocks, in two passes; in memory there is one block.

1. ``sample(block)`` takes the rows that the noise model is fitted to; samples add up: ``Sample + Sample``; ``fit(Sample)``
   is the noise model.
2. ``score(block, noise)`` is the findings of the block's rows.

A row belongs to the sample by its number alone, so the answer is the same however the rows are cut into blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.scoring import Rows, ScoreParams, score_rows
from labelproof.errors import BadInput
from labelproof.extras import is_installed
from labelproof.noise.e_step import EStep
from labelproof.noise.em import NoiseFit, Reading, fit_noise, two_readings
from labelproof.validation import BoolArray, FloatArray, IntArray, check_prob_rows

SAMPLE_CELLS = 2_000_000  # probabilities that the noise model is fitted to
ROWS_AT_A_TIME = 2**20
FEWEST_ROWS, MOST_ROWS = 5_000, 100_000
COMPILED_CELLS = 50_000_000  # from here on compiled loops save more than it takes to load them


@dataclass(frozen=True)
class Sample:
    """Rows for the fit. Adding two samples is the sample of both sets of rows."""

    index: npt.NDArray[np.int64]  # (m,), ascending
    probs: FloatArray  # (m, k)
    given: IntArray  # (m,)
    given_counts: npt.NDArray[np.float64]  # (k,), of all rows

    def __add__(self, other: Sample) -> Sample:
        return together([self, other])


def together(samples: Iterable[Sample]) -> Sample:
    """The sum of any number of samples: one copy in all, whereas adding pairs would make one for each block."""
    parts = list(samples)
    if len(parts) == 1:
        return parts[0]
    index = np.concatenate([part.index for part in parts])
    order = np.argsort(index)
    return Sample(
        index[order],
        np.concatenate([part.probs for part in parts])[order],
        np.concatenate([part.given for part in parts])[order],
        np.sum([part.given_counts for part in parts], axis=0),
    )


@dataclass(frozen=True)
class Scores:
    """The results of the last pass for the rows of a block."""

    error_probability: npt.NDArray[np.float64]  # (m,), NaN where unlabelled
    suggested: npt.NDArray[np.int32]  # (m,) codes, -1 where unlabelled
    confidence: npt.NDArray[np.float32]  # (m,)
    expected_errors: npt.NDArray[np.float64]  # (c,), under each component of the noise model


def sample_size(n: int, k: int) -> int:
    """Number of the n rows that the noise model is fitted to."""
    return min(n, MOST_ROWS, max(SAMPLE_CELLS // k, min(FEWEST_ROWS, 10 * SAMPLE_CELLS // k)))


def in_sample(index: IntArray, n: int, size: int) -> BoolArray:
    """Whether rows belong to the sample: a hash of the row number, so periodic data do no harm."""
    if size >= n:
        return np.ones(len(index), bool)
    mixed = np.asarray(index).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(32)) < np.uint64(int(size / n * 2**32)))


def sampled_labels(given: IntArray, k: int) -> tuple[npt.NDArray[np.int64], IntArray, npt.NDArray[np.float64]]:
    """The labelled rows that the noise model is fitted to, by number, ascending; their labels; and the total count of each
    label.

    ``given`` need only have a length and slices, as labels in a file have.
    """
    n = len(given)
    size, counts = sample_size(n, k), np.zeros(k)
    rows, labels = [], []
    for start in range(0, n, ROWS_AT_A_TIME):
        part = given[start : start + ROWS_AT_A_TIME]
        counts += np.bincount(part + 1, minlength=k + 1)[1:]  # those without a label come first
        chosen = np.flatnonzero(in_sample(np.arange(start, start + len(part)), n, size) & (part >= 0))
        rows.append(start + chosen)
        labels.append(part[chosen])
    return np.concatenate(rows), np.concatenate(labels), counts


def sample(block: FloatArray, given: IntArray, start: int, n: int) -> Sample:
    """The rows of a block, numbered from ``start`` of ``n``, that belong to the sample."""
    k = block.shape[1]
    size = sample_size(n, k)
    labelled = given >= 0
    complete = bool(labelled.all())
    counts = np.bincount(given if complete else given[labelled], minlength=k).astype(float)
    if len(block) == n <= size and complete:  # everything, without a copy
        check_prob_rows(block)
        return Sample(np.arange(n), block, given, counts)
    rows = np.flatnonzero(in_sample(np.arange(start, start + len(given)), n, size) & labelled)
    chosen = np.asarray(block[rows])  # a copy: the source may fill its buffer again
    try:
        check_prob_rows(chosen)
    except BadInput:
        check_prob_rows(block, start)  # names the first bad row of the block by its number
        raise
    return Sample(start + rows, chosen, given[rows], counts)


def fit(
    rows: Sample, classes: Sequence[Any], readings: Sequence[Reading] | None = None, *, strength: float | None = None
) -> NoiseFit:
    """Fit the noise model to a sample; without given readings, under a soft and a sharp one."""
    e_step = EStep(rows.probs, rows.given)
    return fit_noise(e_step, rows.given_counts, classes, readings or two_readings(e_step, rows.given_counts), strength=strength)


def score(block: FloatArray, given: IntArray, noise: NoiseFit, start: int = 0, *, cells: int | None = None) -> Scores:
    """The findings of a block's rows.

    Parameters
    ----------
    block : ndarray of float, shape (m, k)
    given : ndarray of int, shape (m,)
        Codes, -1 where unlabelled.
    noise : NoiseFit
    start : int, default=0
        Number of the first row.
    cells : int, optional
        Number of probabilities in all blocks, which decides whether compiled loops are used.

    Raises
    ------
    BadInput
        At the first row that is no distribution, by its number from ``start``.
    """
    return Scorer(noise, block.dtype, block.size if cells is None else cells)(block, given, start)


class Scorer:
    """`score` of one noise model, for many blocks; may be called in several threads at once."""

    def __init__(self, noise: NoiseFit, dtype: Any, cells: int) -> None:
        self._dtype = np.dtype(np.float32 if dtype == np.float32 else np.float64)
        self._params = ScoreParams.of(noise, self._dtype)
        self._rows = _way(cells, self._dtype, self._params)

    def __call__(self, block: FloatArray, given: IntArray, start: int = 0) -> Scores:
        found = self._rows(np.asarray(block, self._dtype), given, self._params)
        if found.first_bad < len(block):
            check_prob_rows(block[found.first_bad : found.first_bad + 1], start + found.first_bad)
        return Scores(found.error, found.suggested, found.confidence, found.expected_errors)


def _way(cells: int, dtype: np.dtype[Any], params: ScoreParams) -> Callable[[FloatArray, IntArray, ScoreParams], Rows]:
    """The function that scores rows: compiled if that is faster and numba is installed (the extra ``fast``)."""
    if cells < COMPILED_CELLS or not is_installed("numba"):
        return score_rows
    from labelproof.auditing import scoring_compiled

    if not scoring_compiled.can_score(params):
        return score_rows
    scoring_compiled.compiled(dtype.str)  # here, before several threads ask for it
    return scoring_compiled.score_rows
