"""The items nearest to an item, as the audit found them by its features, whatever their labels."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ISSUES_FILE
from labelproof.review.candidates import Candidates

SHOWN = 4
COLUMNS = ["neighbours", "duplicates"]


class Neighbour(NamedTuple):
    """One of the nearest items."""

    rank: int
    duplicate: bool


class NearestItems:
    """Reads what the audit wrote when it is first asked for; an audit without evidence has none.

    Parameters
    ----------
    candidates : Candidates
        With one label per item, so that ranks are rows of the issues.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._file = candidates.folder / ISSUES_FILE
        self._there = "neighbours" in candidates.summary

    def of(self, rank: int) -> list[Neighbour]:
        """Other members of its group of duplicates first, then the nearest items, as far as they have a label."""
        if not self._there:
            return []
        group = self._found["duplicates"][rank]
        near = self._found["neighbours"][rank]
        copies = (
            [] if group is None else np.flatnonzero((self._found["duplicates"] == group).fill_null(False).to_numpy()).tolist()
        )
        others = [] if near is None else [int(self._rank_of[row]) for row in near.to_list()]
        found = [Neighbour(int(other), other in copies) for other in dict.fromkeys([*copies, *others])]
        return [one for one in found if one.rank not in (rank, -1)][:SHOWN]

    @cached_property
    def _found(self) -> pl.DataFrame:
        return pl.read_parquet(self._file, columns=COLUMNS)

    @cached_property
    def _rank_of(self) -> npt.NDArray[np.int64]:
        """Rank by row number in the data, -1 for an item without a label."""
        ranks = np.full(int(self._candidates.summary["n"]), -1)
        ranks[self._candidates.index] = np.arange(len(self._candidates))
        return ranks
