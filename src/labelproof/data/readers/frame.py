"""A frame in memory, of polars or pandas: nothing is remembered of where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.data.frames import RawTable, column
from labelproof.data.readers.table import ColumnReader, TableReader
from labelproof.data.readers.text import TextReader
from labelproof.errors import BadInput

NAME = "the frame"
JOINED = "\n\n"  # between several columns of text


@dataclass(frozen=True)
class FrameReader(ColumnReader):
    """What is read of a frame is read as it would be of a Parquet file."""

    frame: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False)

    def raw(self, *, quiet: bool) -> RawTable:
        return RawTable(self.frame, None, Path(NAME))


@dataclass(frozen=True)
class FrameTableReader(FrameReader, TableReader):
    """Its columns are the features."""


@dataclass(frozen=True)
class FrameTextReader(FrameReader, TextReader):
    """A column of it is the text."""


def read_frame(
    frame: object,
    label: str,
    *,
    text: str | Sequence[str] | None = None,
    id: str | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing: Sequence[object] | None = None,
) -> Dataset:
    """Read a frame in memory; see `read_table` and `read_text`, which read files.

    Parameters
    ----------
    frame : polars.DataFrame or pandas.DataFrame
    label : str
        The column of given labels; a missing value is unlabelled.
    text : str or sequence of str, optional
        The column of text to learn from, or several, which are put one after the other; the other columns where left out.
    id : str, optional
        A column of unique names; the row number (from 0) where left out.
    features, ignore, keep : sequence of str, optional
        As in `read_table`; not with ``text``.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.

    Returns
    -------
    Dataset
        It cannot be written back: `labelproof apply` needs a file.

    Raises
    ------
    BadInput
    """
    table = _polars(frame)
    if text is None:
        options = {"features": features, "ignore": ignore, "keep": keep}
        reader: FrameReader = FrameTableReader(NAME, label, id, missing, frame=table, **options)  # type: ignore[arg-type]
    else:
        if features is not None or ignore or keep:
            raise BadInput("features, ignore and keep name columns of a table to learn from. Leave them out beside text.")
        names = [text] if isinstance(text, str) else list(text)
        columns = [column(table, name, NAME, "text") for name in names]
        if len(names) > 1:
            joined = pl.concat_str([c.cast(pl.String) for c in columns], separator=JOINED, ignore_nulls=True)
            table = table.with_columns(joined.alias(JOINED.join(names)))
        reader = FrameTextReader(NAME, label, id, missing, frame=table, text=JOINED.join(names))
    return replace(reader.read(), reader=None)


def _polars(frame: object) -> pl.DataFrame:
    if isinstance(frame, pl.DataFrame):
        return frame
    if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
        return pl.from_pandas(frame)
    raise BadInput(f"frame is a {type(frame).__name__}. Give a polars or pandas DataFrame.")
