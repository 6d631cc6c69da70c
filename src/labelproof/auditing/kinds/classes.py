"""Auditing classes: a noise model by EM, then the posterior of every label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from labelproof.auditing import fold
from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.doubts.of_probabilities import of_probabilities, of_reading
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of, half_width
from labelproof.auditing.kinds.copies import with_copies
from labelproof.auditing.near import Near
from labelproof.auditing.sharpness import Sharpness, read_sharpness
from labelproof.auditing.sources import Ordered, Piece, Source, in_order, open_source
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.noise.e_step import NoiseParams
from labelproof.noise.em import NoiseFit
from labelproof.noise.posterior import matrix_of
from labelproof.noise.transition import TransitionMatrix
from labelproof.progress import track
from labelproof.threads import SMALL_CELLS, in_threads, one_thread, usable
from labelproof.validation import (
    UNLABELLED,
    AnyArray,
    FloatArray,
    IntArray,
    Json,
    check_ids,
    check_labels,
    check_labels_for_columns,
    check_pandas_index,
    check_prob_rows,
)

T = TypeVar("T")


class AuditorOfClasses(Auditor[Classes]):
    """The noise is a transition matrix."""

    def judge(
        self,
        labels: Classes,
        pred_probs: object,
        ids: AnyArray | None = None,
        *,
        transition: object = None,
        strength: float | None = None,
        ambiguity: float | None = None,
        reviews: object = None,
        near: Near | None = None,
    ) -> Judged:
        """Fit the noise to a sample of the rows, then score all of them, block by block."""
        given, source = labels.codes, open_source(pred_probs)
        k = len(labels.classes)
        if source.k != k:
            raise BadInput(f"pred_probs has {source.k} columns but there are {k} classes. Give one column per class, sorted.")
        if source.n != labels.n:
            raise BadInput(
                f"labels has {labels.n} rows but pred_probs has {source.n}. Give one row of each per item, in the same order."
            )
        with one_thread():  # of BLAS: pieces of large sources have threads of their own
            rows = collect(source, given)
            fitted = noise_from(rows, labels.classes, transition=transition, strength=strength, ambiguity=ambiguity)
            judged = judged_from(score_all(source, given, fitted.noise), labels, fitted, rows)
        if near is not None:
            judged = with_copies(judged, labels, source, fitted.noise, near)
        return judged if reviews is None else reviewed(judged, labels, reviews, ids)

    def noise_of(self, summary: Json) -> TransitionMatrix:
        """The transition matrix, in full or in factors."""
        return TransitionMatrix.from_json(summary)


AUDITOR = AuditorOfClasses()


def matched(
    labels: object, pred_probs: object, classes: Sequence[object] | None, missing: Sequence[object] | None = None
) -> tuple[Classes, Source]:
    """Checked labels, and the source of their probabilities with its columns in sorted class order."""
    check_pandas_index(labels=labels, pred_probs=pred_probs)
    source = open_source(pred_probs)
    coded, order = check_labels_for_columns(labels, source.n, source.k, classes=classes, names=source.columns, missing=missing)
    return Classes.of_codes(coded.codes, coded.classes), source if order is None else Ordered(source, order)


def collect(source: Source, given: IntArray) -> fold.Sample:
    """The first pass: the rows that the noise model is fitted to."""
    rows, labels, counts = fold.sampled_labels(given, source.k)
    probs = source.take(rows)
    try:
        check_prob_rows(probs)
    except BadInput:
        for start, load in in_order(source):
            check_prob_rows(load(), start)  # names the first bad row by its number
        raise
    return fold.Sample(rows, probs, labels, counts)


def noise_from(
    rows: fold.Sample,
    classes: Sequence[object],
    *,
    transition: object = None,
    strength: float | None = None,
    ambiguity: float | None = None,
) -> Sharpness:
    """The noise model, fitted to a sample or known."""
    if transition is None:
        return read_sharpness(rows, classes, ambiguity=ambiguity, strength=strength)
    return Sharpness(known_noise(transition, rows.given_counts, classes))


def score_all(source: Source, given: IntArray, noise: NoiseFit) -> Iterator[fold.Scores]:
    """The second pass: findings block by block, in order."""
    scorers: dict[Any, fold.Scorer] = {}

    def score(block: FloatArray, start: int) -> fold.Scores:
        if block.dtype not in scorers:
            scorers[block.dtype] = fold.Scorer(noise, block.dtype, source.n * source.k)
        return scorers[block.dtype](block, given[start : start + len(block)], start)

    return _each(source, "scoring", score)


def _each(source: Source, doing: str, function: Callable[[FloatArray, int], T]) -> Iterator[T]:
    """The function of each piece of the rows and its first row: one thread for few cells, several threads for many."""
    small = source.n * source.k <= SMALL_CELLS
    pieces = in_order(source) if small else source.pieces()
    rows = 0

    def of(piece: Piece) -> tuple[T, int]:
        block = piece[1]()
        return function(block, piece[0]), len(block)

    for found, count in track(in_threads(of, pieces, 1 if small else usable()), doing):
        rows += count
        yield found
    if rows != source.n:
        raise BadInput(
            f"pred_probs had {source.n:,} rows at first and {rows:,} when read. It changed; run again when it no longer changes."
        )


def known_noise(transition: object, counts: FloatArray, names: Sequence[object]) -> NoiseFit:
    """A noise model with a transition from the caller, and predictions used unchanged; ``counts``: labels of each class."""
    matrix = matrix_of(transition)
    if len(matrix) != len(names):
        raise BadInput(
            f"transition is {len(matrix)} x {len(matrix)} but there are {len(names)} classes. Give one row per class."
        )
    frequency = counts / counts.sum()
    prior = transition.prior if isinstance(transition, TransitionMatrix) else frequency
    given_prior = np.maximum(frequency, np.finfo(float).tiny)
    params = NoiseParams(matrix, given_prior, np.ones(len(names)), sharpness=1.0, ambiguity=0.0)
    return NoiseFit(TransitionMatrix(matrix, prior=prior, classes=names), (params,))


def judged_from(scores: Iterable[fold.Scores], labels: Classes, fitted: Sharpness, rows: fold.Sample) -> Judged:
    """Findings of all blocks in the order of the input, the error rate, and the doubts about the sample."""
    parts = list(scores)
    labelled = slice(None) if len(labels.values) == labels.n else labels.owner
    error, suggested, confidence = (
        _joined([getattr(part, name) for part in parts])[labelled] for name in ("error_probability", "suggested", "confidence")
    )
    rate = fitted.error_rate
    if rate is None:
        rate = error_rate_of(error, np.sum([part.expected_errors for part in parts], axis=0))
    found = doubts_of(rows, labels.classes, rate, fitted.unlike, len(error))
    return Judged(Findings(error, suggested, confidence), fitted.noise.transition, rate, found)


def doubts_of(rows: fold.Sample, classes: Sequence[object], rate: ErrorRate, unlike: float, n: int) -> list[Doubt]:
    """The doubts about a sample, and about a rate of n labels that was estimated from it."""
    found = of_probabilities(rows, classes)
    if not any(doubt.serious for doubt in found):  # which is informative enough
        found += of_reading(rate.low, rate.high, unlike, n)
    return found


def _joined(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def reviewed(judged: Judged, labels: Classes, reviews: object, ids: object) -> Judged:
    """Findings recalibrated from verified labels, and the error rate with the uncertainty of the calibration."""
    found = judged.findings
    true = true_codes(reviews, labels.classes, ids, labels.n)[labels.owner]
    seen = true >= 0
    if not seen.any():
        raise BadInput("reviews has no verified label. Omit it, or give the true label of at least one item.")
    wrong = true[seen] != labels.values[seen]
    calibration = fit_calibration(found.error_probability[seen], wrong)
    error = calibration(found.error_probability)
    means = calibration.sample_means(found.error_probability[~seen]) if not seen.all() else np.zeros(1)
    share, certain = float((~seen).mean()), float(wrong.sum()) / len(seen)
    half = half_width(error[~seen], len(seen))
    low, high = (certain + share * float(q) for q in np.quantile(means, [0.025, 0.975]))
    error[seen] = wrong
    rate = ErrorRate(float(error.mean()), max(0.0, low - half), min(1.0, high + half))
    suggested, confidence = found.suggested.copy(), found.confidence.copy()
    suggested[seen], confidence[seen] = true[seen], 1.0
    return Judged(Findings(error, suggested, confidence), judged.noise, rate, judged.doubts)


def true_codes(reviews: object, names: Sequence[object], ids: object | None, n: int) -> IntArray:
    """Codes of the verified labels by row; -1 for rows without one."""
    if not isinstance(reviews, Mapping):
        coded = check_labels(reviews, classes=names, name="reviews", needed=1)
        if len(coded.codes) != n:
            raise BadInput(
                f"reviews has {len(coded.codes)} rows but there are {n} items. Give one entry per item, or a mapping of ids."
            )
        return coded.codes
    places = {str(name): row for row, name in enumerate(check_ids(ids, n).tolist())}
    unknown = next((key for key in reviews if str(key) not in places), None)
    if unknown is not None:
        raise BadInput(f"reviews names the item {unknown!r}, which is not among the ids.")
    codes = np.full(n, UNLABELLED)
    if reviews:
        rows = [places[str(key)] for key in reviews]
        codes[rows] = check_labels(list(reviews.values()), classes=names, name="reviews", needed=1).codes
    return codes
