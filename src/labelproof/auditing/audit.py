"""`audit`: arrays in, findings out; and `Audit`, what it found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

import labelproof
from labelproof.auditing import fold
from labelproof.auditing.out_of_sample import out_of_sample_probs
from labelproof.data.dataset import Dataset
from labelproof.data.files import MARKER, atomic_folder
from labelproof.errors import BadInput, CorruptArtifact
from labelproof.noise.estimate import AMBIGUITY, NoiseFit, NoiseParams
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import AnyArray, check_ids, check_labels_and_probs, check_transition

VERDICTS = ("obvious", "possible", "ok")
OBVIOUS_PRECISION = 0.95
POSSIBLE_PROBABILITY = 0.5
ISSUES_FILE = "issues.parquet"


class ErrorRate(NamedTuple):
    """The share of labels that are wrong, with a 95 % interval, each in [0, 1]."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Audit:
    """Which labels are wrong, and how labels go wrong in this data set.

    Attributes
    ----------
    issues : polars.DataFrame
        One row per labelled item, worst first: ``index`` (row number), ``id``, ``given_label``, ``suggested_label`` (the
        posterior's argmax, which may be the given label), ``error_probability``, ``verdict`` (``obvious``, ``possible`` or ``ok``),
        ``confidence`` of the suggestion.
    noise : TransitionMatrix
        ``p(given | true)`` and, as its prior, ``p(true)``.
    error_rate : ErrorRate
    n : int
        Number of items, unlabelled ones included.
    skipped : list of (id, reason)
        Items that could not be read.
    """

    issues: pl.DataFrame
    noise: TransitionMatrix
    error_rate: ErrorRate
    n: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    dataset: Dataset | None = field(default=None, repr=False, compare=False)

    @property
    def classes(self) -> tuple[Any, ...]:
        """Class names in sorted order, as rows and columns of ``noise`` are."""
        return self.noise.classes

    @cached_property
    def error_probability(self) -> npt.NDArray[np.float64]:
        """Probability that the given label is wrong, in the order of the input, shape (n,); NaN where unlabelled."""
        out = np.full(self.n, np.nan)
        out[self.issues["index"].to_numpy()] = self.issues["error_probability"].to_numpy()
        return out

    @cached_property
    def suggested(self) -> AnyArray:
        """Suggested class in the order of the input, shape (n,) of objects; ``None`` where unlabelled."""
        out = np.full(self.n, None, dtype=object)
        out[self.issues["index"].to_numpy()] = np.array(self.issues["suggested_label"].to_list(), dtype=object)
        return out

    @property
    def counts(self) -> dict[str, int]:
        """Number of items with each verdict."""
        found = dict(self.issues["verdict"].value_counts().iter_rows())
        return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}

    @property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        return {
            "labelproof": labelproof.__version__,
            "n": self.n,
            "labelled": self.issues.height,
            "classes": list(self.classes),
            "error_rate": self.error_rate._asdict(),
            "verdicts": self.counts,
            "transition": self.noise.matrix.tolist(),
            "prior": self.noise.prior.tolist(),
            "skipped": [{"id": i, "reason": reason} for i, reason in self.skipped],
            "source": self.source,
        }

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write ``issues.parquet`` and ``summary.json`` into a folder, whole or not at all.

        Raises
        ------
        BadInput
            If the folder exists and ``overwrite`` is false, or cannot be written.
        """
        with atomic_folder(folder, overwrite=overwrite) as partial:
            self.write_into(partial)

    def write_into(self, folder: Path) -> None:
        """Write the files of `save` into a folder that exists."""
        self.issues.write_parquet(folder / ISSUES_FILE)
        (folder / MARKER).write_text(json.dumps(self.summary, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Audit:
        """Read what `save` wrote.

        Raises
        ------
        CorruptArtifact
            If a file is missing, damaged or disagrees with the other.
        """
        place = Path(folder)
        try:
            summary = json.loads((place / MARKER).read_text(encoding="utf-8"))
            issues = pl.read_parquet(place / ISSUES_FILE)
            noise = TransitionMatrix(summary["transition"], prior=summary["prior"], classes=summary["classes"])
            rate = ErrorRate(**summary["error_rate"])
            skipped = [(row["id"], row["reason"]) for row in summary["skipped"]]
            loaded = cls(issues, noise, rate, summary["n"], skipped, summary["source"])
            damaged = issues.height != summary["labelled"] or set(issues.columns) != set(ISSUE_COLUMNS)
        except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise CorruptArtifact(f"{str(place)!r} is not a whole audit folder ({error}). Run the audit again.") from error
        if damaged:
            raise CorruptArtifact(f"{str(place)!r}: {ISSUES_FILE} does not belong to {MARKER}. Run the audit again.")
        return loaded

    def to_html(self, path: str | os.PathLike[str], *, title: str = "Label audit") -> None:
        """Write the report as one self-contained HTML file."""
        labelproof.write_report(self, path, title=title)  # by its public name: the report is a floor up

    def _repr_html_(self) -> str:
        return labelproof.short_html(self)

    def __repr__(self) -> str:
        rate, counts = self.error_rate, self.counts
        return (
            f"Audit of {self.issues.height:,} labels in {len(self.classes)} classes: {rate.estimate:.1%} wrong "
            f"(95 % interval {rate.low:.1%} to {rate.high:.1%}); {counts['obvious']:,} obvious, {counts['possible']:,} possible"
        )


ISSUE_COLUMNS = ("index", "id", "given_label", "suggested_label", "error_probability", "verdict", "confidence")


def audit(
    labels: Any,
    pred_probs: Any = None,
    *,
    classes: Sequence[Any] | None = None,
    ids: Any = None,
    transition: Any = None,
    strength: float | None = None,
    ambiguity: float = AMBIGUITY,
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
        Given labels, as names or integers; ``None``, NaN, "" and -1 mean unlabelled.
    pred_probs : array-like, shape (n, k), optional
        Out-of-sample class probabilities, e.g. from cross-validation. May be left out for a `Dataset`: then
        `labelproof.out_of_sample_probs` makes them.
    classes : sequence of length k, optional
        The class of each column of ``pred_probs``, if not sorted order.
    ids : array-like, shape (n,), optional
        Unique names of the items; row numbers where left out.
    transition : TransitionMatrix or array-like, shape (k, k), optional
        Known noise, used as it is instead of being fitted.
    strength : float, optional
        Pseudo-items a class that draw its row of the transition to the overall error rate; chosen by the evidence.
    ambiguity : float in [0, 1]
        How far an unsure prediction means that the label was given at random.
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
        labels, classes, ids = dataset.given, range(len(dataset.classes)), dataset.ids
    elif pred_probs is None:
        raise BadInput("pred_probs is missing. Give out-of-sample probabilities, or a Dataset to have them made.")
    coded, probs = check_labels_and_probs(labels, pred_probs, classes=classes)
    names = coded.classes if dataset is None else dataset.classes
    item_ids = check_ids(ids, len(coded.codes))
    rows = np.flatnonzero(coded.codes >= 0)
    if len(rows) < len(probs):
        probs = probs[rows]
    given = coded.codes[rows]

    def source() -> list[fold.Block]:
        return [(probs, given)]

    counts = np.bincount(given, minlength=len(names)).astype(float)
    if transition is None:
        noise = fold.fit(source, counts, names, strength=strength, ambiguity=ambiguity)
    else:
        noise = _known_noise(transition, counts, names)
    (scores,) = fold.score(source, noise)
    issues = issue_table(rows, item_ids[rows], given, names, scores)
    return Audit(
        issues=issues,
        noise=noise.transition,
        error_rate=estimate_error_rate(scores.error_probability, scores.expected_errors),
        n=len(coded.codes),
        skipped=[] if dataset is None else dataset.skipped,
        source={} if dataset is None else dataset.source,
        dataset=dataset,
    )


def _known_noise(transition: Any, counts: npt.NDArray[np.float64], names: Sequence[Any]) -> NoiseFit:
    matrix = transition.matrix if isinstance(transition, TransitionMatrix) else check_transition(transition)
    if len(matrix) != len(names):
        raise BadInput(
            f"transition is {len(matrix)} x {len(matrix)} but there are {len(names)} classes. Give one row per class."
        )
    frequency = counts / counts.sum()
    prior = transition.prior if isinstance(transition, TransitionMatrix) else frequency
    params = NoiseParams(matrix, np.maximum(frequency, np.finfo(float).tiny), sharpness=1.0, ambiguity=0.0)
    return NoiseFit(TransitionMatrix(matrix, prior=prior, classes=names), (params,))


def issue_table(
    rows: npt.NDArray[np.int64],
    ids: AnyArray,
    given: npt.NDArray[np.int64],
    classes: Sequence[Any],
    scores: fold.Scores,
) -> pl.DataFrame:
    """The findings worst first; ties stay in the order of the input."""
    names = pl.Series(list(classes))
    order = np.argsort(-scores.error_probability, kind="stable")
    error = scores.error_probability[order]
    return pl.DataFrame(
        {
            "index": rows[order],
            "id": pl.Series(ids[order].tolist()),
            "given_label": names.gather(given[order]),
            "suggested_label": names.gather(scores.suggested[order]),
            "error_probability": error,
            "verdict": verdicts(error),
            "confidence": scores.confidence[order],
        }
    )


def verdicts(sorted_error: npt.NDArray[np.float64]) -> pl.Series:
    """Verdict of each item of a list sorted worst first.

    ``obvious`` is the longest head whose expected precision, the mean error probability, is at least 0.95; beyond it
    ``possible`` is an error probability of at least 0.5; the rest is ``ok``.
    """
    if len(sorted_error) == 0:
        return pl.Series([], dtype=pl.Enum(VERDICTS))
    precision = np.cumsum(sorted_error) / np.arange(1, len(sorted_error) + 1)
    head = int((precision >= OBVIOUS_PRECISION).sum())  # a running mean of a falling series falls
    codes = np.where(sorted_error >= POSSIBLE_PROBABILITY, 1, 2)
    codes[:head] = 0
    return pl.Series(np.array(VERDICTS, dtype=object)[codes], dtype=pl.Enum(VERDICTS))


def estimate_error_rate(error_probability: npt.NDArray[np.float64], expected_errors: npt.NDArray[np.float64]) -> ErrorRate:
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
    half = 1.96 * float(np.sqrt((e * (1 - e)).sum())) / len(e)
    readings = expected_errors / len(e)
    return ErrorRate(float(e.mean()), max(0.0, float(readings.min()) - half), min(1.0, float(readings.max()) + half))
