"""`audit`: labels and probabilities in, findings out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing import doubts, fold
from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.findings import Audit, ErrorRate, Findings
from labelproof.auditing.out_of_sample import out_of_sample_probs
from labelproof.auditing.sources import Ordered, Source, open_source
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.noise.em import AMBIGUITY, NoiseFit, NoiseParams
from labelproof.noise.posterior import matrix_of
from labelproof.noise.transition import TransitionMatrix
from labelproof.progress import track
from labelproof.validation import (
    UNLABELLED,
    CodedLabels,
    FloatArray,
    IntArray,
    check_ids,
    check_labels,
    check_labels_for_columns,
    check_pandas_index,
)


def audit(
    labels: Any,
    pred_probs: Any = None,
    *,
    classes: Sequence[Any] | None = None,
    ids: Any = None,
    missing: Sequence[Any] | None = None,
    transition: Any = None,
    strength: float | None = None,
    ambiguity: float = AMBIGUITY,
    reviews: Any = None,
    estimator: Any = None,
    seed: int = 0,
) -> Audit:
    """Find the labels that are wrong.

    The noise ``p(z | y)`` and the prior ``p(y)`` are fitted by EM to the given labels and the predicted probabilities
    (`labelproof.noise.expectation_maximization`); a label's error probability is one minus its posterior,

        ``error_probability = 1 - p(y = z | z, x)``,  ``p(y | z, x) ∝ p(z | y, x) p(y | x)``.

    Parameters
    ----------
    labels : array-like, shape (n,), or Dataset
        Given labels, as names or integers. ``None``, NaN and "" mean unlabelled, and so do words such as "NA", with a warning;
        -1 does where the columns leave no other reading (`labelproof.validation.check_labels`).
    pred_probs : array-like or path, shape (n, k), optional
        Out-of-sample class probabilities, e.g. from cross-validation: an array, a memory-mapped one, the path of a
        ``.npy`` file, of a Parquet file or of a folder of them (a column for each class, or one of lists), a scipy sparse
        matrix with the most probable classes of each row, or a list of these from several models, which are averaged.
        Files may be larger than memory. May be left out for a `Dataset`: then `labelproof.out_of_sample_probs` makes them.
    classes : sequence of length k, optional
        The class of each column of ``pred_probs``, if not sorted order.
    ids : array-like, shape (n,), optional
        Unique names of the items; row numbers where left out.
    missing : sequence, optional
        The labels that mean unlabelled, instead of those words; ``()`` for none.
    transition : TransitionMatrix or array-like, shape (k, k), optional
        Known noise, used as it is instead of being fitted.
    strength : float, optional
        Pseudo-items a class that draw its row of the transition to the overall error rate; chosen by the evidence.
    ambiguity : float in [0, 1]
        How far an unsure prediction means that the label was given at random.
    reviews : array-like, shape (n,), or mapping of id to label, optional
        True labels that a person has verified; unreviewed items are missing as in ``labels``. Their findings are certain
        and all others are recalibrated (`labelproof.auditing.calibrate`).
    estimator : scikit-learn classifier, optional
        Makes the probabilities of a `Dataset`; a model that suits its kind where left out.
    seed : int
        Of the cross-validation.

    Returns
    -------
    Audit

    Raises
    ------
    BadInput

    Warns
    -----
    DoubtWarning
        For each of the audit's ``doubts``.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 600)
    >>> probs = np.where(np.eye(3, dtype=bool)[true], 0.9, 0.05)
    >>> noisy = lp.simulate.symmetric(true, 0.1, seed=0)
    >>> found = lp.audit(noisy.labels, probs)
    >>> bool(np.all((found.error_probability > 0.5) == noisy.changed))
    True
    """
    dataset = labels if isinstance(labels, Dataset) else None
    if dataset is not None:
        if ids is not None or classes is not None:
            raise BadInput("ids and classes come from the Dataset. Leave them out.")
        if pred_probs is None:
            pred_probs = out_of_sample_probs(dataset, estimator=estimator, seed=seed)
        labels, classes, ids, missing = dataset.given, range(len(dataset.classes)), dataset.ids, None
    elif pred_probs is None:
        raise BadInput("pred_probs is missing. Give out-of-sample probabilities, or a Dataset to have them made.")
    coded, source = matched(labels, pred_probs, classes, missing)
    names = coded.classes if dataset is None else dataset.classes
    given = coded.codes
    rows = collect(source, given)
    found = doubts.of_columns(rows, names)
    if dataset is not None:
        found += doubts.of_leaks(dataset.leaks)
    if transition is None:
        noise = fold.fit(rows, names, strength=strength, ambiguity=ambiguity)
    else:
        noise = known_noise(transition, given, names)
    findings, expected = assemble(score_all(source, given, noise), given, None if ids is None else check_ids(ids, source.n))
    rate = error_rate_of(findings.error_probability, expected)
    if reviews is not None:
        findings, rate = _reviewed(findings, names, reviews, ids, source.n)
    if dataset is not None and dataset.split is not None:
        findings = dataclasses.replace(findings, split=dataset.split[findings.index])
    return Audit(
        findings=findings,
        noise=noise.transition,
        error_rate=rate,
        n=source.n,
        skipped=[] if dataset is None else dataset.skipped,
        source={} if dataset is None else dataset.source,
        dataset=dataset,
        doubts=doubts.say(found),
    )


def matched(
    labels: Any, pred_probs: Any, classes: Sequence[Any] | None, missing: Sequence[Any] | None = None
) -> tuple[CodedLabels, Source]:
    """Coded labels, and the source of their probabilities with its columns in sorted class order."""
    check_pandas_index(labels=labels, pred_probs=pred_probs)
    source = open_source(pred_probs)
    coded, order = check_labels_for_columns(labels, source.n, source.k, classes=classes, names=source.columns, missing=missing)
    return coded, source if order is None else Ordered(source, order)


def collect(source: Source, given: IntArray) -> fold.Sample:
    """The first pass: the rows that the noise model is fitted to."""
    return fold.together(
        fold.sample(block, part, start, source.n) for start, block, part in _numbered(source, given, "sampling")
    )


def score_all(source: Source, given: IntArray, noise: NoiseFit) -> Iterator[fold.Scores]:
    """The second pass: findings block by block."""
    for start, block, part in _numbered(source, given, "scoring"):
        yield fold.score(block, part, noise, start)


def _numbered(source: Source, given: IntArray, doing: str) -> Iterator[tuple[int, FloatArray, IntArray]]:
    start = 0
    for block in track(source.blocks(), doing):
        yield start, block, given[start : start + len(block)]
        start += len(block)
    if start != source.n:
        raise BadInput(
            f"pred_probs had {source.n:,} rows at first and {start:,} when read. It changed; run again when it is at rest."
        )


def known_noise(transition: Any, given: IntArray, names: Sequence[Any]) -> NoiseFit:
    """A noise model with a transition that the caller knows, and predictions taken as they are."""
    matrix = matrix_of(transition)
    if len(matrix) != len(names):
        raise BadInput(
            f"transition is {len(matrix)} x {len(matrix)} but there are {len(names)} classes. Give one row per class."
        )
    counts = np.bincount(given[given >= 0], minlength=len(names))
    frequency = counts / counts.sum()
    prior = transition.prior if isinstance(transition, TransitionMatrix) else frequency
    given_prior = np.maximum(frequency, np.finfo(float).tiny)
    params = NoiseParams(matrix, given_prior, np.ones(len(names)), sharpness=1.0, ambiguity=0.0)
    return NoiseFit(TransitionMatrix(matrix, prior=prior, classes=names), (params,))


def assemble(scores: Iterable[fold.Scores], given: IntArray, ids: Any | None) -> tuple[Findings, npt.NDArray[np.float64]]:
    """Findings of all blocks in the order of the input, and the expected number of errors under each component."""
    parts = list(scores)
    error = _joined([part.error_probability for part in parts])
    suggested, confidence = _joined([part.suggested for part in parts]), _joined([part.confidence for part in parts])
    expected = np.sum([part.expected_errors for part in parts], axis=0)
    rows = None if given.min() >= 0 else np.flatnonzero(given >= 0)
    if rows is None:
        return Findings(np.arange(len(given)), ids, given, suggested, error, confidence), expected
    kept_ids = None if ids is None else ids[rows]
    return Findings(rows, kept_ids, given[rows], suggested[rows], error[rows], confidence[rows]), expected


def _joined(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def error_rate_of(error_probability: FloatArray, expected_errors: FloatArray) -> ErrorRate:
    """Mean error probability, with an interval that spans the readings of the classifier's sharpness.

    If the probabilities of one reading are right, the number of wrong labels has variance ``sum e (1 - e)``. The interval
    reaches from the lowest reading less 1.96 standard deviations to the highest plus as much. What no reading can see,
    a model that has learned the annotators' own mistakes, is not in it; only reviews can tell.

    Parameters
    ----------
    error_probability : ndarray, shape (n,)
    expected_errors : ndarray, shape (c,)
        Expected number of errors under each reading.
    """
    e = error_probability
    half = _half_width(e, len(e))
    readings = expected_errors / len(e)
    return ErrorRate(float(e.mean()), max(0.0, float(readings.min()) - half), min(1.0, float(readings.max()) + half))


def _half_width(error_probability: FloatArray, n: int) -> float:
    """1.96 standard deviations of the number of wrong labels among n, if each probability is right, as a share of n."""
    return 1.96 * float(np.sqrt(np.dot(error_probability, 1 - error_probability))) / n


def _reviewed(findings: Findings, names: Sequence[Any], reviews: Any, ids: Any | None, n: int) -> tuple[Findings, ErrorRate]:
    """Findings recalibrated from verified labels, and the error rate with the uncertainty of the calibration."""
    true = true_codes(reviews, names, ids, n)[findings.index]
    seen = true >= 0
    if not seen.any():
        raise BadInput("reviews has no verified label. Leave it out, or give the true label of at least one item.")
    wrong = true[seen] != findings.given[seen]
    calibration = fit_calibration(findings.error_probability[seen], wrong)
    error = calibration(findings.error_probability)
    means = calibration.sample_means(findings.error_probability[~seen]) if not seen.all() else np.zeros(1)
    share = float((~seen).mean())
    certain = float(wrong.sum()) / len(seen)
    unsure = error[~seen]
    half = _half_width(unsure, len(seen))
    low, high = (certain + share * float(q) for q in np.quantile(means, [0.025, 0.975]))
    error[seen] = wrong
    rate = ErrorRate(float(error.mean()), max(0.0, low - half), min(1.0, high + half))
    suggested, confidence = findings.suggested.copy(), findings.confidence.copy()
    suggested[seen], confidence[seen] = true[seen], 1.0
    return Findings(findings.index, findings.ids, findings.given, suggested, error, confidence), rate


def true_codes(reviews: Any, names: Sequence[Any], ids: Any | None, n: int) -> IntArray:
    """Codes of the verified labels by row, -1 where there is none."""
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
