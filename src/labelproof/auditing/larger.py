"""`LargerAudit`: an audit whose findings are in a folder because they do not fit into memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, Audit, ErrorRate, Findings
from labelproof.auditing.kinds import AUDITORS
from labelproof.auditing.loading import read_summary
from labelproof.data.frames import read_parquet
from labelproof.errors import BadInput, CorruptArtifact
from labelproof.labels.classes import Classes
from labelproof.saving.folders import SUMMARY
from labelproof.validation import AnyArray, Json

MOST_IN_MEMORY = 20_000_000  # labels; above this, an audit written into a folder stays there, because it takes up to 220 bytes per label in memory
WORST = 1_000_000  # findings that reports and reviews hold


class InFiles:
    """A placeholder for an array that is not in memory; its length is known."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def refuse(self, *_: object, **__: object) -> NoReturn:
        """Raise an error that names what to read instead."""
        raise BadInput(
            f"The findings of {self._n:,} labels are in files, not in memory. Read what you need from audit.issues or audit.items, which scan the files, e.g. audit.issues.head(1000).collect()."
        )

    __array__ = __getitem__ = __iter__ = refuse


@dataclass(frozen=True, repr=False, kw_only=True)
class LargerAudit(Audit):
    """An `Audit` of more than 20 million labels, as `labelproof.audit` with ``out=`` and ``labelproof audit`` write it.

    ``issues`` and ``items`` are `polars.LazyFrame`; arrays of all sites are read on demand, or refused.

    Attributes
    ----------
    folder : Path
        The folder of the findings: ``issues.parquet`` and ``items.parquet`` are folders of parts, in order.
    verdicts : dict of str to int
        Number of labels with each verdict.
    """

    folder: Path
    verdicts: dict[str, int]

    @property
    def labelled(self) -> int:
        """Number of items with a label."""
        return self.sites

    @property
    def issues(self) -> pl.LazyFrame:  # type: ignore[override]
        """One row a label, worst first, as `Audit.issues`; scanned, not held."""
        return pl.scan_parquet(parts_of(self.folder / ISSUES_FILE))

    @property
    def items(self) -> pl.LazyFrame:  # type: ignore[override]
        """One row an item, in the order of the input, as `Audit.items`; scanned, not held."""
        return pl.scan_parquet(parts_of(self.folder / ITEMS_FILE))

    @cached_property
    def worst(self) -> pl.DataFrame:
        """The first million of the issues."""
        return self.issues.head(WORST).collect()

    @property
    def error_probability(self) -> npt.NDArray[np.float64]:
        """Probability that each given label is wrong, shape (n,), NaN where unlabelled; read again each time."""
        return np.concatenate(list(self._errors(ITEMS_FILE)))

    @property
    def suggested(self) -> NoReturn:
        """Not held: read ``issues``."""
        InFiles(self.sites).refuse()

    @property
    def counts(self) -> dict[str, int]:
        """Number of labels with each verdict."""
        return dict(self.verdicts)

    def histogram(self, bins: int) -> npt.NDArray[np.int64]:
        """Number of labels by error probability, part by part."""
        counts = np.zeros(bins, np.int64)
        for error in self._errors(ISSUES_FILE):
            counts += np.histogram(error, bins=bins, range=(0, 1))[0]
        return counts

    def join(self, frame: Any, *, ids: Any = None, prefix: str = "") -> NoReturn:
        """Not in memory: join ``items`` or ``issues`` lazily, by ``index``."""
        raise BadInput(
            f"The findings of {self.sites:,} labels are too many to join in memory. Join lazily: "
            'pl.scan_parquet(…).with_row_index("index").join(audit.items, on="index").'
        )

    def write_into(self, folder: Path) -> None:
        """Write the files of `save` into a folder that exists; those that are there already stay."""
        if folder.resolve() != self.folder.resolve():
            for name in (ISSUES_FILE, ITEMS_FILE):
                shutil.copytree(self.folder / name, folder / name)
        (folder / SUMMARY).write_text(json.dumps(self.summary, indent=1, ensure_ascii=False), encoding="utf-8")

    def _errors(self, name: str) -> Iterator[npt.NDArray[np.float64]]:
        for part in parts_of(self.folder / name):
            yield read_parquet(part, ["error_probability"])["error_probability"].to_numpy()


def parts_of(folder: Path) -> list[Path]:
    """The files of a table that was written in parts, in order."""
    return sorted(folder.glob("part-*.parquet"))


def worst_of(folder: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of the issues in an audit folder; of an audit larger than memory the first million rows."""
    if not (folder / ISSUES_FILE).is_dir():
        return pl.read_parquet(folder / ISSUES_FILE, columns=list(columns))
    return pl.scan_parquet(parts_of(folder / ISSUES_FILE)).select(columns).head(WORST).collect()


def rate_of(error: npt.NDArray[np.float64], rate: Json) -> Json:
    """The error rate among some labels, if that of all is ``rate``: the interval has the same proportions."""
    mean = float(error.mean())
    ratio = mean / max(rate["estimate"], np.finfo(float).tiny)
    return {"estimate": mean, "low": min(mean, rate["low"] * ratio), "high": float(np.clip(rate["high"] * ratio, mean, 1.0))}


def labels_in_files(n: int, sites: int, classes: Any) -> Classes:
    """Labels not in memory: only their number and their classes."""
    return Classes.of_sites(cast(AnyArray, InFiles(sites)), cast(AnyArray, InFiles(sites)), n, classes)


def findings_in_files(sites: int) -> Findings:
    """Findings not in memory: only their number."""
    return Findings(*(cast(Any, InFiles(sites)) for _ in Findings._fields))


def load_larger(folder: str | os.PathLike[str]) -> LargerAudit:
    """Open an audit whose issues are in parts; `Audit.load` calls it.

    Raises
    ------
    CorruptArtifact
        If a part is missing or damaged, or the parts do not belong to the summary.
    """
    place = Path(folder)
    summary = read_summary(place)
    try:
        rows = {name: _rows(place / name) for name in (ISSUES_FILE, ITEMS_FILE)}
        if rows != {ISSUES_FILE: summary["sites"], ITEMS_FILE: summary["n"]}:
            raise ValueError(f"the parts hold {rows} rows")
        return LargerAudit(
            labels=labels_in_files(summary["n"], summary["sites"], summary["classes"]),
            findings=findings_in_files(summary["sites"]),
            noise=AUDITORS[summary["kind"]].noise_of(summary),
            error_rate=ErrorRate(**summary["error_rate"]),
            source=summary["source"],
            doubts=[Doubt(**doubt) for doubt in summary["doubts"]],
            folder=place,
            verdicts=summary["verdicts"],
        )
    except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise CorruptArtifact(f"{str(place)!r} is not a complete audit folder ({error}). Run the audit again.") from error


def _rows(folder: Path) -> int:
    """Rows of a table in parts, split by the keys at their ends."""
    return int(pl.scan_parquet(parts_of(folder)).select(pl.len()).collect().item())
