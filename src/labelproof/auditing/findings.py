"""`Audit`: what an audit found, how it is shown, saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.item_names import series
from labelproof.auditing.model_used import ModelUsed
from labelproof.auditing.near import Near, duplicates_of, outliers_of, summary_of
from labelproof.auditing.verdicts import VERDICTS, verdicts
from labelproof.data.dataset import Dataset
from labelproof.labels.base import Labels
from labelproof.labels.registry import Registry
from labelproof.saving.folders import SUMMARY, atomic_folder
from labelproof.saving.version import VERSION
from labelproof.validation import AnyArray, Json

ISSUES_FILE = "issues.parquet"
ITEMS_FILE = "items.parquet"  # for items with several sites
SITE_COLUMNS = ("index", "id", "given_label", "suggested_label", "error_probability", "verdict", "confidence")
SPLIT = "split"  # a further column, of pictures in folders train, val …
# what shows an audit is a floor up, and an audit larger than memory is one of these: they are named here, and not imported
SHOWN: Registry[Callable[..., Any]] = Registry(
    "way to show an audit",
    {"report": "labelproof.report.html:write_report", "notebook": "labelproof.report.html:short_html"},
)


LOADED: Registry[Callable[..., Audit]] = Registry(
    "form of audit",
    {"whole": "labelproof.auditing.loading:load_audit", "larger": "labelproof.auditing.larger:load_larger"},
)


class ErrorRate(NamedTuple):
    """The share of labels that are wrong, with a 95 % interval, each in [0, 1]."""

    estimate: float
    low: float
    high: float


class Findings(NamedTuple):
    """The results of the sites, in the order of the labels."""

    error_probability: npt.NDArray[np.float64]  # (s,)
    suggested: npt.NDArray[Any]  # (s,), as Labels.values
    confidence: npt.NDArray[np.float32]  # (s,)


class Noise(Protocol):
    """A noise model of the labels of an audit."""

    @property
    def classes(self) -> tuple[object, ...]: ...

    def to_frame(self) -> pl.DataFrame:
        """One row a rate, with ``true``, ``given`` and ``probability``."""
        ...

    def to_json(self) -> Json: ...


@dataclass(frozen=True, repr=False)
class Audit:
    """The wrong labels of a data set and the noise model of its labels; for any kind of label.

    Attributes
    ----------
    labels : Labels
        The given labels. A *site* is one label decision: the class of an item, one of its tags …
    findings : Findings
        Arrays in the order of the sites.
    noise : TransitionMatrix, TagRates …
        For classes ``p(given | true)`` and, as its prior, ``p(true)``; for tags two rates for each. ``to_frame()`` is a table.
    error_rate : ErrorRate
        Error rate of the sites: estimate, low and high end of a 95 % interval.
    ids : ndarray, shape (n,), optional
        Names of the items. By default row numbers.
    skipped : list of (id, reason)
        Items that could not be read.
    source : dict
        Source of the data.
    dataset : Dataset, optional
        The items, for the report's gallery.
    latent : ndarray of float32, shape (n, d), optional
        A space in which similar items are near, for the report's map.
    doubts : list of Doubt
        What makes the figures doubtful, with the evidence; serious doubts first.
    split : ndarray of str, shape (n,), optional
        For pictures in folders ``train``, ``val`` …: the folder of each.
    model : ModelUsed, optional
        The model that made the probabilities, if labelproof did.
    found_of_items : dict of str to Series of length n
        For some kinds: results of items, by column of ``items``.
    found_of_sites : dict of str to Series of length s
        For some kinds: results of sites, by column of ``issues``.
    near : Near, optional
        The neighbours of items and the results from them, if there were features.
    """

    labels: Labels
    findings: Findings
    noise: Noise
    error_rate: ErrorRate
    ids: AnyArray | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    source: Json = field(default_factory=dict)
    dataset: Dataset | None = field(default=None, compare=False)
    latent: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    doubts: list[Doubt] = field(default_factory=list)
    split: AnyArray | None = None
    model: ModelUsed | None = None
    found_of_items: dict[str, pl.Series] = field(default_factory=dict, compare=False)
    found_of_sites: dict[str, pl.Series] = field(default_factory=dict, compare=False)
    near: Near | None = field(default=None, compare=False)

    @property
    def n(self) -> int:
        """Number of items, including unlabelled ones."""
        return self.labels.n

    @property
    def labelled(self) -> int:
        """Number of items that have a label."""
        return self.labels.labelled

    @property
    def sites(self) -> int:
        """Number of label decisions, the rows of ``issues``."""
        return len(self.labels.values)

    @property
    def worst(self) -> pl.DataFrame:
        """The issues; for an audit beyond memory the first million of them."""
        return self.issues

    @property
    def classes(self) -> tuple[object, ...]:
        """Names of the classes (for tags: the tags), in the order of the noise model."""
        return self.labels.classes

    @property
    def believed(self) -> bool:
        """Whether no serious doubt remains. Otherwise ``error_rate`` is a number but no estimate."""
        return not any(doubt.serious for doubt in self.doubts)

    @cached_property
    def issues(self) -> pl.DataFrame:
        """One row per site, worst first; ties stay in the order of the input.

        ``index`` (row number), ``id``, the columns of the kind (for tags ``tag``, and ``kind``: ``missing`` or ``incorrect``),
        ``given_label``, ``suggested_label`` (the posterior's argmax, which may be the given label), ``error_probability``,
        ``verdict`` (``obvious``, ``possible`` or ``ok``), ``confidence`` of the suggestion. If neighbours were searched, for
        the item: ``duplicates`` (number of its group), ``exact_duplicate``, ``outlier`` (an outlier from 0.5 on),
        ``neighbours_disagree`` (share of its nearest items with another label), ``neighbours`` (their row numbers).
        """
        order = np.argsort(-self.findings.error_probability, kind="stable")
        error, index = self.findings.error_probability[order], self.labels.owner[order]
        return pl.DataFrame(
            {
                "index": index,
                "id": index if self.ids is None else series(self.ids[index]),
                **self.labels.own_frame(order),
                **{name: column.gather(order) for name, column in self.found_of_sites.items()},
                "given_label": self.labels.named(self.labels.values[order]),
                "suggested_label": self.labels.named(self.findings.suggested[order]),
                "error_probability": error,
                "verdict": verdicts(error, self.error_rate.low),
                "confidence": self.findings.confidence[order],
                **({} if self.split is None else {SPLIT: self.split[index]}),
                **({} if self.near is None else self.near.columns(index)),
            }
        )

    @cached_property
    def items(self) -> pl.DataFrame:
        """One row per item, in the order of the input, including items without a site.

        ``index``, ``id``, ``error_probability`` that any of its sites is wrong (NaN without one). For tags also ``tags``, the
        given ones by name. For votes ``error_probability`` of the ``consensus`` and more (`labelproof.auditing.kinds.votes`).
        """
        index = np.arange(self.n)
        return pl.DataFrame(
            {
                "index": index,
                "id": index if self.ids is None else series(self.ids),
                **self.labels.items_frame(),
                **(self.found_of_items or {"error_probability": self.labels.rollup(self.findings.error_probability)}),
            }
        )

    @property
    def duplicates(self) -> pl.DataFrame:
        """A row for each label of an item with duplicates, by ``group``; those with ``different_labels`` first."""
        return duplicates_of(self.issues)

    @property
    def outliers(self) -> pl.DataFrame:
        """A row for each label of an item that is far from all others, farthest first."""
        return outliers_of(self.issues)

    @cached_property
    def error_probability(self) -> npt.NDArray[np.float64]:
        """Probability that each given label is wrong, in the shape of the labels; NaN where unlabelled.

        For classes shape (n,), for tags (n, k).
        """
        return self.labels.as_given(self.findings.error_probability, np.nan)

    @cached_property
    def suggested(self) -> AnyArray:
        """The suggested labels by name, in the shape of the labels, of dtype object; ``None`` where unlabelled."""
        return self.labels.as_given(np.array(self.labels.named(self.findings.suggested).to_list(), dtype=object), None)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of sites with each verdict."""
        error = np.sort(self.findings.error_probability)[::-1]
        found = dict(verdicts(error, self.error_rate.low).value_counts().iter_rows())
        return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}

    def histogram(self, bins: int) -> npt.NDArray[np.int64]:
        """Number of sites by error probability, in bins of equal width from 0 to 1, shape (bins,)."""
        return np.histogram(self.findings.error_probability, bins=bins, range=(0, 1))[0]

    def join(self, frame: Any, *, ids: Any = None, prefix: str = "") -> Any:
        """Join the findings to the frame that was audited, as further columns; its library and order are kept.

        The columns are ``given_label``, ``suggested_label``, ``error_probability``, ``verdict`` and ``confidence``, missing
        for items that have no label or could not be read. If items have several sites (tags, votes …), the only column is
        ``error_probability``, that any of them is wrong, as in ``items``.

        Parameters
        ----------
        frame : pandas or polars frame, Arrow table or record batch, datasets.Dataset, or AnnData
            The audited frame, or a part of it, in any order; it is not modified. Other frames that export their columns as
            Arrow come back as Arrow tables. For an AnnData, ``obs`` gets the further columns.
        ids : str or array-like, shape (m,), optional
            Names of its rows, or the column of them. By default the column or the index that named them in the audit. Rows
            without a name are identified by their order, and must have the labels that were audited.
        prefix : str, default=""
            Prefix of the names of the further columns.

        Raises
        ------
        BadInput
            If a column of that name exists, or the frame has other rows.
        """
        from labelproof.auditing.join import join  # readers, needed only here

        return join(self, frame, ids=ids, prefix=prefix)

    def cleanlab_table(self) -> pl.DataFrame:
        """The findings in the order of the input, with cleanlab's column names.

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
    def summary(self) -> Json:
        """The content of ``summary.json``."""
        return {
            "labelproof": VERSION,
            "kind": self.labels.kind,
            "n": self.n,
            "labelled": self.labelled,
            "sites": self.sites,
            "classes": list(self.classes),
            **self.labels.to_json(),
            "error_rate": self.error_rate._asdict(),
            "verdicts": self.counts,
            **self.noise.to_json(),
            **({} if self.model is None else {"model": asdict(self.model)}),
            "skipped": [{"id": i, "reason": reason} for i, reason in self.skipped],
            **({} if self.near is None else {"neighbours": summary_of(self.near.features, self.issues)}),
            "doubts": [asdict(doubt) for doubt in self.doubts],
            "source": self.source,
        }

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write ``issues.parquet`` and ``summary.json`` into a folder, completely or not at all; for tags also
        ``items.parquet``.

        Raises
        ------
        BadInput
            If the folder exists and ``overwrite`` is false, or cannot be written.
        """
        with atomic_folder(folder, overwrite=overwrite) as partial:
            self.write_into(partial)

    def write_into(self, folder: Path) -> None:
        """Write the files of `save` into an existing folder."""
        self.issues.write_parquet(folder / ISSUES_FILE)
        if self.labels.many_sites:
            self.items.write_parquet(folder / ITEMS_FILE)
        (folder / SUMMARY).write_text(json.dumps(self.summary, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Audit:
        """Read what `save` wrote; a large audit opens as a `LargerAudit`, whose issues are scanned.

        Raises
        ------
        CorruptArtifact
            If a file is missing, damaged or does not match the others.
        """
        place = Path(folder)
        return LOADED["larger" if (place / ISSUES_FILE).is_dir() else "whole"](place)

    def to_html(
        self, path: str | os.PathLike[str], *, title: str | None = None, show: Callable[[int], Any] | None = None
    ) -> None:
        """Write the report as one self-contained HTML file; ``show`` (a `Shown`) defines how rows are shown."""
        SHOWN["report"](self, path, title=title, show=show)

    def _repr_html_(self) -> str:
        return str(SHOWN["notebook"](self))

    def __repr__(self) -> str:
        rate, counts = self.error_rate, self.counts
        wrong = f"{rate.estimate:.1%} wrong (95 % interval {rate.low:.1%} to {rate.high:.1%})"
        if not self.believed:
            wrong = f"how many are wrong cannot be estimated: {self.doubts[0].kind}"
        return f"Audit of {self.labels.described}: {wrong}; {counts['obvious']:,} obvious, {counts['possible']:,} possible"
