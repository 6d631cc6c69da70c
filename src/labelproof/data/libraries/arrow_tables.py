"""Arrow: tables, record batches, and objects that export columns as Arrow or by the DataFrame interchange protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from labelproof.data.libraries.asked import NAME
from labelproof.data.libraries.base import Table
from labelproof.errors import BadInput


class ArrowTable(Table):
    """A table or a batch of one."""

    @classmethod
    def holds(cls, given: object) -> bool:
        return isinstance(given, pa.Table | pa.RecordBatch)

    def __len__(self) -> int:
        return int(self.given.num_rows)

    @property
    def columns(self) -> list[str]:
        return list(self.given.column_names)

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        frame = pl.from_arrow(self.given.select(list(names)))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def cell(self, name: str, row: int) -> object:
        value: object = self.given.column(name)[row].as_py()
        return value

    def joined(self, found: pl.DataFrame) -> Any:
        whole = self.given
        for series in found:
            column = series.to_arrow(compat_level=pl.CompatLevel.oldest())
            whole = whole.append_column(series.name, column)
        return whole


class ForeignTable(ArrowTable):
    """A frame of another library; the result is an Arrow table."""

    def __init__(self, given: Any) -> None:
        super().__init__(_table(given))

    @classmethod
    def holds(cls, given: object) -> bool:
        return hasattr(given, "__arrow_c_stream__") or hasattr(given, "__dataframe__")


def _table(given: Any) -> pa.Table:
    if hasattr(given, "__arrow_c_stream__"):
        try:
            return pa.table(given)
        except (pa.ArrowInvalid, TypeError, ValueError) as error:
            raise BadInput(
                f"{NAME} is a {type(given).__name__}, which is not a table ({error}). Give one with named columns."
            ) from error
    from pyarrow.interchange import from_dataframe

    return from_dataframe(given)
