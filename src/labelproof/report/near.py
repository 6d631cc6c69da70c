"""The report on neighbours: duplicates with different labels, outliers, and items that all neighbours disagree with."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.report.kinds.base import Show, exhibit_of
from labelproof.report.page import Exhibit
from labelproof.validation import Json

GROUPS, MEMBERS, OUTLIERS, LISTED = 12, 6, 12, 20
BYTES = 900_000  # keeps the file under 5 MB, with the gallery


@dataclass(frozen=True)
class Member:
    """One label of an item that is shown."""

    id: str
    given: str
    error: float
    verdict: str
    exhibit: Exhibit


@dataclass(frozen=True)
class Group:
    """Duplicates of one another."""

    members: list[Member]
    more: int
    exact: bool
    splits: str


@dataclass(frozen=True)
class NearPart:
    """What the template shows.

    Attributes
    ----------
    summary : dict
        As in ``summary.json``.
    groups : list of Group
        With different labels, or across splits, the worst first.
    outliers : list of Member
    disagreeing : list of dict
        Rows of issues whose nearest items all have another label although the verdict is ``ok``.
    disagree, blind : int
        How many labels all nearest items disagree with, and how many of them have the verdict ``ok``.
    """

    summary: Json
    groups: list[Group]
    outliers: list[Member]
    disagreeing: list[Json]
    disagree: int
    blind: int


def near_part(audit: Audit, show: Show | None) -> NearPart | None:
    """The part on neighbours; ``None`` where none were sought."""
    if audit.near is None:
        return None
    left = [BYTES]
    duplicates = audit.duplicates
    listed = duplicates.filter(pl.col("different_labels") | pl.col("across_splits"))
    first = listed["group"].unique(maintain_order=True).head(GROUPS)
    groups = [_group(listed.filter(pl.col("group") == number), show, left) for number in first]
    outliers = [_member(row, show, left) for row in audit.outliers.head(OUTLIERS).iter_rows(named=True)]
    against = audit.issues.filter(pl.col("neighbours_disagree") == 1)
    blind = against.filter(pl.col("verdict") == VERDICTS[2])
    return NearPart(
        audit.summary["neighbours"],
        groups,
        outliers,
        list(blind.head(LISTED).iter_rows(named=True)),
        against.height,
        blind.height,
    )


def _group(own: pl.DataFrame, show: Show | None, left: list[int]) -> Group:
    rows = list(own.iter_rows(named=True))
    members = [_member(row, show, left) for row in rows[:MEMBERS]]
    splits = ", ".join(map(str, own["split"].unique(maintain_order=True))) if rows[0]["across_splits"] else ""
    return Group(members, len(rows) - len(members), all(row["exact_duplicate"] for row in rows), splits)


def _member(row: Json, show: Show | None, left: list[int]) -> Member:
    """With its exhibit as long as there is room."""
    exhibit = exhibit_of(show, int(row["index"])) if left[0] > 0 else Exhibit()
    left[0] -= exhibit.size
    return Member(str(row["id"]), str(row["given_label"]), row["error_probability"], row["verdict"], exhibit)
