"""pandas: the index names the items."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from labelproof.data.libraries.base import Table, is_of
from labelproof.validation import AnyArray, is_missing

WORDED = ("period", "interval")  # types of column that are read by their printed values


class PandasTable(Table):
    """A frame whose columns may hold anything."""

    @classmethod
    def holds(cls, given: object) -> bool:
        return is_of(given, "pandas", "DataFrame")

    def __len__(self) -> int:
        return len(self.given)

    @property
    def columns(self) -> list[str]:
        return [str(name) for name in self.given.columns]

    @property
    def names(self) -> AnyArray:
        return names_of(self.given.index)

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame([self.series(name) for name in names])

    def series(self, name: str) -> pl.Series:
        """A column, converted."""
        return to_polars(self.given.iloc[:, self.columns.index(name)]).alias(name)

    def column(self, name: str, option: str) -> pl.Series:
        """A column, or the index by its name."""
        if name not in self.columns and name == self.given.index.name:
            return to_polars(self.given.index.to_series()).alias(name)
        return super().column(name, option)

    def cell(self, name: str, row: int) -> object:
        value: object = self.given.iloc[row, self.columns.index(name)]
        return value

    def joined(self, found: pl.DataFrame) -> Any:
        return with_columns(self.given.copy(), found)


def names_of(index: Any) -> AnyArray:
    """Names of the rows of a frame, shape (n,): integers unchanged, everything else as text, levels joined by a comma."""
    if index.nlevels > 1:
        return np.array([", ".join(map(str, name)) for name in index], dtype=object)
    values = index.to_numpy()
    return values if values.dtype.kind in "iu" else np.array([str(name) for name in index], dtype=object)


def to_polars(column: Any) -> pl.Series:
    """A pandas series, with whatever means missing in pandas as null."""
    kind = str(column.dtype).lower()
    if kind.startswith("sparse"):
        column = column.sparse.to_dense()
    elif not kind.startswith(WORDED):
        try:
            return pl.Series(pl.from_pandas(column))
        except (TypeError, ValueError, NotImplementedError):  # of Arrow, for values of several types
            pass
    values = [None if is_missing(value) else value for value in column.tolist()]
    if kind.startswith(WORDED) or all(isinstance(value, str | numbers.Real | None) for value in values):
        return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)
    return pl.Series(values, dtype=pl.Object)


def with_columns(frame: Any, found: pl.DataFrame) -> Any:
    """A pandas frame with further columns, whole numbers and truth values with gaps in pandas' nullable types."""
    for series in found:
        column = series.to_pandas()
        if series.null_count() and (series.dtype.is_integer() or series.dtype == pl.Boolean):
            column = column.astype(object).astype("boolean" if series.dtype == pl.Boolean else "Int64")
        frame[series.name] = column.array
    return frame
