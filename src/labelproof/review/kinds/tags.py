"""Reviewing tags: an item at a time, with all of its tags, the doubtful ones first."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.review.kinds.base import SCRIPTS, ReviewPart
from labelproof.validation import Json

LISTED = 0.1  # least error probability that is shown
SEPARATOR = "; "


class ReviewOfTags(ReviewPart):
    """An answer is the list of the tags that are right."""

    kind = "tags"
    script = SCRIPTS / "tags.js"
    of_all = "of the items have a wrong tag"
    may_be_blind = True

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """One row per item, with the given tags by name."""
        items = pl.read_parquet(folder / ITEMS_FILE).with_columns(pl.col("id").cast(pl.String))
        return items.sort("error_probability", descending=True, maintain_order=True)

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The names of the tags."""
        return table["tags"].list.join("\x1f")

    def given(self, rank: int) -> str:
        """The given tags as a JSON list."""
        return json.dumps(self.candidates.table["tags"][rank].to_list(), ensure_ascii=False)

    def described(self, rank: int) -> Json:
        """All tags, the doubtful ones first."""
        given = set(self.candidates.table["tags"][rank].to_list())
        doubtful = self._doubtful.get(int(self.candidates.index[rank]), {})
        tags = [{"name": name, "given": name in given, "error": doubtful.get(name, 0.0)} for name in self.candidates.classes]
        return {"tags": sorted(tags, key=lambda tag: (-float(tag["error"]), not tag["given"]))}

    def blinded(self, rank: int) -> Json:
        """The names of all tags, none of them ticked."""
        return {"tags": [{"name": name, "given": False, "error": 0.0} for name in self.candidates.classes]}

    @cached_property
    def _doubtful(self) -> dict[int, dict[str, float]]:
        """Error probability of the doubtful tags of each item, by row number in the data."""
        listed = pl.scan_parquet(self.candidates.folder / ISSUES_FILE).filter(pl.col("error_probability") >= LISTED)
        found: dict[int, dict[str, float]] = {}
        for index, tag, error in listed.select("index", "tag", "error_probability").collect().iter_rows():
            found.setdefault(index, {})[tag] = error
        return found

    def error_rate(self) -> ErrorRate:
        """The share of items with a wrong tag; the audit's own rate is of tags."""
        error = self.candidates.error_probability
        mean, half = float(error.mean()), 1.96 * float(np.sqrt(np.dot(error, 1 - error))) / len(error)
        return ErrorRate(mean, max(0.0, mean - half), min(1.0, mean + half))

    def to_cell(self, text: str) -> str:
        """Tags one after the other; a JSON list if a name could not be read back."""
        return SEPARATOR.join(json.loads(text)) if self._plain else text

    def from_cell(self, cell: str) -> object:
        """Their list."""
        if not self._plain and cell.strip().startswith("["):
            try:
                return json.loads(cell)
            except ValueError:
                return cell  # refused as no list of tags
        return [tag.strip() for tag in cell.split(SEPARATOR.strip()) if tag.strip()]

    @cached_property
    def _plain(self) -> bool:
        """Whether every name survives being one of several in a cell."""
        return not any(name != name.strip() or SEPARATOR.strip() in name for name in map(str, self.candidates.classes))

    def said(self, text: str) -> str:
        """The tags by name."""
        return ", ".join(json.loads(text)) or "without tags"

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The tags that are more likely right than wrong, and the probability that these are the right ones."""
        tags = self.described(rank)["tags"]
        right = [tag["name"] for tag in tags if tag["given"] != (tag["error"] > 0.5)]
        return right, self._right[int(self.candidates.index[rank])]

    @cached_property
    def _right(self) -> dict[int, float]:
        """The probability that all suggested tags of an item are right, by row number in the data."""
        error = pl.col("error_probability")
        each = pl.max_horizontal(error, 1 - error).product().alias("right")
        found = pl.scan_parquet(self.candidates.folder / ISSUES_FILE).group_by("index").agg(each).collect()
        return dict(zip(found["index"].to_list(), found["right"].to_list(), strict=True))
