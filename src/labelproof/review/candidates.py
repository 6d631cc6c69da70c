"""The candidates of a review: the items of an audit folder, worst first, without the data themselves."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ISSUES_FILE
from labelproof.auditing.larger import rate_of
from labelproof.auditing.loading import read_summary
from labelproof.errors import BadInput, CorruptArtifact
from labelproof.review.kinds import REVIEWS
from labelproof.saving.files import existing
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.review.kinds import ReviewPart

WITH_IDS = ("images", "cells")  # kinds of data whose items always have names
BLOCK = 100_000  # rows whose text is held at once


@dataclass(frozen=True)
class Candidates:
    """The items of an audit in order of falling error probability; a *rank* is a place in this order.

    For an audit larger than memory, they are the worst million.

    Attributes
    ----------
    folder : Path
        The audit folder.
    summary : dict
        Content of ``summary.json``; its error rate is that of these items.
    table : polars.DataFrame
        ``index`` (row number in the data), ``id`` (as text), ``error_probability``, and what its kind of label reads.
    classes : list of str
        Names of the classes, or of the tags, as text.
    fingerprint : str
        Fingerprint of ids and given labels, independent of their order in the audit. `labelproof.review.log.identity` decides
        which decisions count.
    """

    folder: Path
    summary: Json
    table: pl.DataFrame
    classes: list[str]
    fingerprint: str

    def __len__(self) -> int:
        return self.table.height

    @cached_property
    def part(self) -> ReviewPart:
        """The review of their kind of label."""
        return REVIEWS[kind_of(self.summary)](self)

    @property
    def whole(self) -> bool:
        """Whether they are all items that have a label."""
        return len(self) == self.summary.get("sites", len(self)) or self.part.labels.many_sites

    @property
    def of_all(self) -> str:
        """The base of an error rate, after "x %"."""
        return self.part.of_all if self.whole else f"of the {len(self):,} labels that look worst"

    @cached_property
    def error_probability(self) -> npt.NDArray[np.float64]:
        """Error probabilities by rank, descending, shape (n,)."""
        return self.table["error_probability"].to_numpy()

    @cached_property
    def index(self) -> npt.NDArray[np.int64]:
        """Row number in the data, by rank, shape (n,)."""
        return self.table["index"].to_numpy()

    @cached_property
    def has_ids(self) -> bool:
        """Whether ids come from the data, so that they name the same items in another audit; otherwise they are row numbers."""
        source = self.summary.get("source") or {}
        if source.get("id") or source.get("ids") or source.get("kind") in WITH_IDS:
            return True
        return bool((self.table["id"] != self.table["index"].cast(pl.String)).any())

    @cached_property
    def edition(self) -> str:
        """Fingerprint of the audit itself, with its order and figures. Ranks are only valid for one edition."""
        digest = hashlib.sha256(self.fingerprint.encode())
        digest.update(self.index.tobytes())
        digest.update(self.error_probability.tobytes())
        return digest.hexdigest()[:16]

    def ranks_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Ranks of items by id; ids that the audit does not have are skipped."""
        if not ids:
            return {}
        numbered = self.table.select("id").with_row_index("rank")
        return dict(numbered.filter(pl.col("id").is_in(list(ids))).select("id", "rank").iter_rows())


def open_candidates(folder: str | os.PathLike[str]) -> Candidates:
    """Open an audit folder for review.

    Raises
    ------
    BadInput
        If it does not exist or holds no label.
    CorruptArtifact
        If a file is missing or damaged.
    """
    place = existing(folder, "audit folder")
    summary = read_summary(place)
    try:
        classes = [str(name) for name in summary["classes"]]
        part = REVIEWS[kind_of(summary)]
        table = part.read(place, classes)
    except (OSError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise CorruptArtifact(f"{str(place)!r} is not a complete audit folder ({error}). Run the audit again.") from error
    if table.height == 0:
        raise BadInput(f"{str(place)!r} has no labels to review.")
    if (place / ISSUES_FILE).is_dir():
        summary = {**summary, "error_rate": rate_of(table["error_probability"].to_numpy(), summary["error_rate"])}
    return Candidates(place, summary, table, classes, _fingerprint(table, classes, part.codes(table)))


def kind_of(summary: Json) -> str:
    """The kind of label of an audit."""
    return str(summary.get("kind", "classes"))


def _fingerprint(table: pl.DataFrame, classes: list[str], labels: pl.Series) -> str:
    order = table["index"].arg_sort()
    digest = hashlib.sha256(json.dumps(classes).encode())
    for column in (table["id"], labels):
        for start in range(0, table.height, BLOCK):
            digest.update(("\x1e".join(column.gather(order[start : start + BLOCK])) + "\x1e").encode())
    return digest.hexdigest()[:32]
