"""`Audit`: what an audit found, how it is shown, saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.doubts import Doubt
from labelproof.data.dataset import Dataset
from labelproof.data.frames import read_parquet
from labelproof.errors import CorruptArtifact
from labelproof.labels.registry import Registry
from labelproof.noise.transition import TransitionMatrix
from labelproof.saving.folders import SUMMARY, atomic_folder
from labelproof.saving.version import VERSION
from labelproof.validation import AnyArray, IntArray

VERDICTS = ("obvious", "possible", "ok")
VERDICT = pl.Enum(VERDICTS)
OBVIOUS_PRECISION = 0.95
POSSIBLE_PROBABILITY = 0.5
ISSUES_FILE = "issues.parquet"
ITEMS_FILE = "items.parquet"  # of tags: one row per item
SPLIT = "split"  # a further column, of pictures in folders train, val …
# what shows an audit is a floor up: it is named here, and nothing here imports it
SHOWN: Registry[Callable[..., Any]] = Registry(
    "way to show an audit",
    {
        "report": "labelproof.report.html:write_report",
        "notebook": "labelproof.report.html:short_html",
        "tag report": "labelproof.report.tags:write_tag_report",
        "tag notebook": "labelproof.report.tags:short_tag_html",
    },
)
ISSUE_COLUMNS = ("index", "id", "given_label", "suggested_label", "error_probability", "verdict", "confidence")


class ErrorRate(NamedTuple):
    """The share of labels that are wrong, with a 95 % interval, each in [0, 1]."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Findings:
    """One entry per labelled item, in the order of the input."""

    index: npt.NDArray[np.int64]  # (m,) row numbers
    ids: AnyArray | None  # (m,), None: the row numbers
    given: IntArray  # (m,) codes
    suggested: npt.NDArray[np.int32]  # (m,) codes
    error_probability: npt.NDArray[np.float64]  # (m,)
    confidence: npt.NDArray[np.float32]  # (m,)
    split: AnyArray | None = None  # (m,), of pictures in folders train, val …

    def table(self, classes: Sequence[Any]) -> pl.DataFrame:
        """The findings worst first; ties stay in the order of the input."""
        order = np.argsort(-self.error_probability, kind="stable")
        error = self.error_probability[order]
        names = pl.Series(list(classes))
        index = self.index[order]
        return pl.DataFrame(
            {
                "index": index,
                "id": index if self.ids is None else _series(self.ids[order]),
                "given_label": names.gather(self.given[order]),
                "suggested_label": names.gather(self.suggested[order]),
                "error_probability": error,
                "verdict": verdicts(error),
                "confidence": self.confidence[order],
                **({} if self.split is None else {SPLIT: self.split[order]}),
            }
        )

    @classmethod
    def from_table(cls, table: pl.DataFrame, classes: Sequence[Any]) -> Findings:
        """What `table` was made from."""
        rows = table.sort("index")
        given, suggested = (class_codes(rows[name], classes).to_numpy() for name in ("given_label", "suggested_label"))
        numbers = (rows["index"].to_numpy(), rows["id"].to_numpy(), given.astype(np.int64), suggested)
        split = rows[SPLIT].to_numpy() if SPLIT in rows.columns else None
        return cls(*numbers, rows["error_probability"].to_numpy(), rows["confidence"].to_numpy(), split)


@dataclass(frozen=True)
class Audit:
    """Which labels are wrong, and how labels go wrong in this data set.

    Attributes
    ----------
    findings : Findings
        Arrays in the order of the input.
    noise : TransitionMatrix
        ``p(given | true)`` and, as its prior, ``p(true)``.
    error_rate : ErrorRate
        Estimate, low and high end of a 95 % interval.
    n : int
        Number of items, unlabelled ones included.
    skipped : list of (id, reason)
        Items that could not be read.
    source : dict
        Where the data came from.
    dataset : Dataset, optional
        The items, for the report's gallery.
    latent : ndarray of float32, shape (n, d), optional
        A space in which like items are near, for the report's map.
    doubts : list of Doubt
        What makes the figures doubtful, with the evidence.
    """

    findings: Findings
    noise: TransitionMatrix
    error_rate: ErrorRate
    n: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    dataset: Dataset | None = field(default=None, repr=False, compare=False)
    latent: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def classes(self) -> tuple[Any, ...]:
        """Class names in sorted order, as rows and columns of ``noise`` are."""
        return self.noise.classes

    @cached_property
    def issues(self) -> pl.DataFrame:
        """One row per labelled item, worst first.

        ``index`` (row number), ``id``, ``given_label``, ``suggested_label`` (the posterior's argmax, which may be the given
        label), ``error_probability``, ``verdict`` (``obvious``, ``possible`` or ``ok``), ``confidence`` of the suggestion.
        """
        return self.findings.table(self.classes)

    @cached_property
    def error_probability(self) -> npt.NDArray[np.float64]:
        """Probability that the given label is wrong, in the order of the input, shape (n,); NaN where unlabelled."""
        if len(self.findings.index) == self.n:
            return self.findings.error_probability
        out = np.full(self.n, np.nan)
        out[self.findings.index] = self.findings.error_probability
        return out

    @cached_property
    def suggested(self) -> AnyArray:
        """Suggested class in the order of the input, shape (n,) of objects; ``None`` where unlabelled."""
        names = np.array([*self.classes, None], dtype=object)[:-1]
        out = np.full(self.n, None, dtype=object)
        out[self.findings.index] = names[self.findings.suggested]
        return out

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of items with each verdict."""
        error = np.sort(self.findings.error_probability)[::-1]
        found = dict(verdicts(error).value_counts().iter_rows())
        return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}

    def cleanlab_table(self) -> pl.DataFrame:
        """The findings in the order of the input under cleanlab's names.

        ``is_label_issue`` (the verdict is not ``ok``), ``label_quality`` (one minus the error probability), ``given_label``,
        ``predicted_label`` (the suggestion).
        """
        names = {"given_label": "given_label", "suggested_label": "predicted_label"}
        return self.issues.sort("index").select(
            (pl.col("verdict") != "ok").alias("is_label_issue"),
            (1 - pl.col("error_probability")).alias("label_quality"),
            *(pl.col(ours).alias(theirs) for ours, theirs in names.items()),
        )

    @property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds. Noise of very many classes is kept in factors: ``error_rates`` and ``given_prior``."""
        factors = self.noise.factors
        if factors is None:
            noise = {"transition": self.noise.matrix.tolist()}
        else:
            noise = {"transition": None, "error_rates": factors[0].tolist(), "given_prior": factors[1].tolist()}
        return {
            "labelproof": VERSION,
            "n": self.n,
            "labelled": len(self.findings.index),
            "classes": list(self.classes),
            "error_rate": self.error_rate._asdict(),
            "verdicts": self.counts,
            **noise,
            "prior": self.noise.prior.tolist(),
            "skipped": [{"id": i, "reason": reason} for i, reason in self.skipped],
            "doubts": [asdict(doubt) for doubt in self.doubts],
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
        write_findings(folder, self.issues, self.summary)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Audit:
        """Read what `save` wrote.

        Raises
        ------
        CorruptArtifact
            If a file is missing, damaged or disagrees with the other.
        """
        place = Path(folder)
        summary = read_summary(place)
        try:
            issues = read_parquet(place / ISSUES_FILE)
            known = {"prior": summary["prior"], "classes": summary["classes"]}
            if summary["transition"] is None:
                noise = TransitionMatrix.pooled(summary["error_rates"], summary["given_prior"], **known)
            else:
                noise = TransitionMatrix(summary["transition"], **known)
            findings = Findings.from_table(issues, noise.classes)
            skipped = [(row["id"], row["reason"]) for row in summary["skipped"]]
            rate = ErrorRate(**summary["error_rate"])
            doubts = [Doubt(**doubt) for doubt in summary.get("doubts", [])]
            loaded = cls(findings, noise, rate, summary["n"], skipped, summary["source"], doubts=doubts)
            damaged = issues.height != summary["labelled"] or set(issues.columns) - {SPLIT} != set(ISSUE_COLUMNS)
        except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise CorruptArtifact(f"{str(place)!r} is not a whole audit folder ({error}). Run the audit again.") from error
        if damaged:
            raise CorruptArtifact(f"{str(place)!r}: {ISSUES_FILE} does not belong to {SUMMARY}. Run the audit again.")
        return loaded

    def to_html(self, path: str | os.PathLike[str], *, title: str = "Label audit") -> None:
        """Write the report as one self-contained HTML file."""
        SHOWN["report"](self, path, title=title)

    def _repr_html_(self) -> str:
        return str(SHOWN["notebook"](self))

    def __repr__(self) -> str:
        rate, counts = self.error_rate, self.counts
        return (
            f"Audit of {len(self.findings.index):,} labels in {len(self.classes)} classes: {rate.estimate:.1%} wrong "
            f"(95 % interval {rate.low:.1%} to {rate.high:.1%}); {counts['obvious']:,} obvious, {counts['possible']:,} possible"
        )


def write_findings(folder: Path, issues: pl.DataFrame, summary: dict[str, Any]) -> None:
    """Write the two files of an audit, of classes or of tags, into a folder that exists."""
    issues.write_parquet(folder / ISSUES_FILE)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")


def class_codes(labels: pl.Series, classes: Sequence[Any]) -> pl.Series:
    """Codes of a column of class names, int32."""
    names = labels.cast(pl.String)
    if labels.dtype == pl.Boolean:
        names = names.str.to_titlecase()  # as Python writes it
    return names.cast(pl.Enum([str(name) for name in classes])).to_physical().cast(pl.Int32)


def read_summary(folder: Path) -> dict[str, Any]:
    """What ``summary.json`` of an audit folder holds.

    Raises
    ------
    CorruptArtifact
        If it is missing or damaged.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        if not isinstance(summary, dict) or "classes" not in summary:
            raise ValueError(f"{SUMMARY} is not that of an audit")
    except (OSError, ValueError) as error:
        raise CorruptArtifact(f"{str(folder)!r} is not a whole audit folder ({error}). Run the audit again.") from error
    return summary


def verdicts(sorted_error: npt.NDArray[np.float64]) -> pl.Series:
    """Verdict of each item of a list sorted worst first.

    ``obvious`` is the longest head whose expected precision, the mean error probability, is at least 0.95; beyond it
    ``possible`` is an error probability of at least 0.5; the rest is ``ok``.
    """
    precision = np.cumsum(sorted_error) / np.arange(1, len(sorted_error) + 1)
    head = int((precision >= OBVIOUS_PRECISION).sum())  # a running mean of a falling series falls
    codes = np.where(sorted_error >= POSSIBLE_PROBABILITY, 1, 2)
    codes[:head] = 0
    return pl.Series(list(VERDICTS), dtype=VERDICT).gather(codes)


def _series(values: AnyArray) -> pl.Series:
    return pl.Series(values.tolist() if values.dtype.kind == "O" else values)
