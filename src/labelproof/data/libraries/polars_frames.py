"""polars: a DataFrame, or a LazyFrame, which is collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from labelproof.data.libraries.base import Table


class PolarsTable(Table):
    """A polars frame."""

    def __init__(self, given: Any) -> None:
        self.lazy = isinstance(given, pl.LazyFrame)
        super().__init__(given.collect() if self.lazy else given)

    @classmethod
    def holds(cls, given: object) -> bool:
        return isinstance(given, pl.DataFrame | pl.LazyFrame)

    def __len__(self) -> int:
        return int(self.given.height)

    @property
    def columns(self) -> list[str]:
        return list(self.given.columns)

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        chosen: pl.DataFrame = self.given.select(names)
        return chosen

    def cell(self, name: str, row: int) -> object:
        value = self.given[name][row]
        return value.to_numpy() if isinstance(value, pl.Series) else value

    def joined(self, found: pl.DataFrame) -> pl.DataFrame | pl.LazyFrame:
        whole: pl.DataFrame = self.given.hstack(found)
        return whole.lazy() if self.lazy else whole
