"""A table as stored in its source, and the types of its columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.delimited import Dialect
from labelproof.errors import BadInput, did_you_mean
from labelproof.validation import AnyArray

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.pictures import Picture

Path_ = str | os.PathLike[str]


class Form(Protocol):
    """The form of table, which writes it back: a `labelproof.data.tables.base.TableForm`."""

    def takes(self, target: Path) -> bool: ...

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None: ...


@dataclass(frozen=True)
class RawTable:
    """A table as stored in its file.

    Attributes
    ----------
    frame : polars.DataFrame
        For delimited text all columns as text, null for an empty field; for other formats with the types there.
    dialect : Dialect or None
        Dialect of delimited text.
    path : Path
    starts : ndarray of int64, shape (n + 1,), optional
        For delimited text: the byte of the file's UTF-8 text, after its byte order mark, at which each row begins, and its end.
    stamp : tuple
        Size and time of the file when it was read.
    form : TableForm, optional
        Format, unless it is delimited text or a Parquet file.
    held : object
        What its form needs to write it back.
    pictures : mapping of column to sequence of n pictures
        Columns that hold pictures themselves.
    beside : tuple of str
        Folders next to the file that may hold the pictures it names.
    """

    frame: pl.DataFrame
    dialect: Dialect | None
    path: Path
    starts: npt.NDArray[np.int64] | None = None
    stamp: tuple[int, int] = (0, 0)
    form: Form | None = None
    held: Any = None
    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    beside: tuple[str, ...] = (".",)

    @property
    def separator(self) -> str | None:
        """The separator of delimited text."""
        return None if self.dialect is None else self.dialect.separator

    def column(self, name: str, option: str) -> pl.Series:
        """A column by name; see `column`."""
        return column(self.frame, name, self.path, option)


def column(frame: pl.DataFrame, name: str, file: Path_, option: str) -> pl.Series:
    """A column by name, or `BadInput` that suggests the nearest name."""
    if name not in frame.columns:
        raise BadInput(
            f"{option} {name!r} is not a column of {str(file)!r}. {did_you_mean(name, frame.columns)}"
            f"Its columns are: {', '.join(frame.columns[:30])}{', …' if frame.width > 30 else ''}."
        )
    return frame[name]


def label_values(series: pl.Series, option: str = "--label") -> AnyArray:
    """Labels or ids by name: whole numbers as integers if nothing is lost, otherwise text.

    Raises
    ------
    BadInput
        For a column of lists, of bytes or of structures.
    """
    dtype = series.dtype
    if dtype.is_nested() or dtype == pl.Binary or dtype == pl.Object:
        kind = "bytes" if dtype == pl.Binary else "lists" if isinstance(dtype, pl.List | pl.Array) else "structures"
        raise BadInput(
            f"{option} {series.name!r} holds {kind}, but a label is one name or number. "
            + ("Audit tags by --tags with a 0/1 matrix." if kind == "lists" else "Name the column of labels.")
        )
    if dtype.is_integer():
        return series.to_numpy() if series.null_count() == 0 else np.array(series.to_list(), dtype=object)
    if dtype == pl.Boolean or dtype.is_float():
        return np.array(series.to_list(), dtype=object)
    text = series.cast(pl.String)
    numbers = text.cast(pl.Int64, strict=False)
    if numbers.null_count() == text.null_count() and bool((numbers.cast(pl.String) == text).fill_null(True).all()):
        return label_values(numbers, option)
    return np.array(text.to_list(), dtype=object)
