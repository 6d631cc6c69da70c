"""One column of text, from CSV, TSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import located
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Items, ReadOptions, words
from labelproof.data.readers.table import ColumnReader
from labelproof.errors import BadInput
from labelproof.validation import AnyArray


@dataclass(frozen=True)
class TextReader(ColumnReader):
    """A table with a column of text to learn from; see `read_text` for its fields."""

    kind = "text"

    text: str = "text"

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """A column of text is named."""
        return options.text is not None

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        label = options.label_of(path)
        return cls(
            str(path),
            label,
            options.id,
            options.missing,
            options.encoding,
            options.group,
            options.part,
            options.label_kind,
            text=str(options.text),
        )

    def read(self) -> Dataset:
        return self._read(quiet=False)

    def reopen(self, skipped: Sequence[str] = ()) -> Items:
        """The texts again, with the default format of the file."""
        dataset = self._read(quiet=True)
        return Items(dataset.kind, len(dataset), dataset.show, lambda rows: dataset.x[rows])

    def _read(self, quiet: bool) -> Dataset:
        raw = self.raw(quiet=quiet)
        column = raw.column(self.text, "--text")
        if self.text == self.label:
            raise BadInput(f"--text and --label are the same column {self.text!r}. Name the column that holds the text.")
        body = texts_of(column)
        if not any(body):
            raise BadInput(f"--text {self.text!r} is empty in every row. Name the column that holds the text.")
        return Dataset(
            x=body,
            labels=self.labels(raw).labels,
            ids=self.ids(raw),
            show_item=lambda i: Shown(text=str(body[i])),
            kind="text",
            groups=self.groups(raw),
            reader=replace(self, path=located(self.path), missing=words(self.missing)),
        )

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[list[str], AnyArray]:
        """Texts of the same column of another file."""
        raw, ids = self.new_rows(path, encoding)
        return texts_of(raw.column(self.text, "the text column")).tolist(), ids


def read_text(
    path: Path_,
    label: str,
    text: str,
    *,
    id: str | None = None,
    missing: Sequence[object] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read a table with a column of text to learn from.

    Parameters
    ----------
    path : path of a .csv, .tsv (also gzipped) or .parquet file
    label : str
        The column of given labels; an empty field is unlabelled.
    text : str
        The column of text; an empty field is the empty text.
    id : str, optional
        A column of unique names. By default the row number (from 0).
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8, e.g. ``"latin-1"``.

    Returns
    -------
    Dataset
        ``x`` is an array of strings, shape (n,).

    Raises
    ------
    BadInput
    """
    return TextReader(str(path), label, id, missing, encoding, text=text).read()


def texts_of(column: pl.Series) -> AnyArray:
    """A column as an array of strings; an empty cell is the empty string.

    Raises
    ------
    BadInput
        For a column of lists, bytes or structures.
    """
    if column.dtype == pl.Binary or column.dtype.is_nested() or column.dtype == pl.Object:
        raise BadInput(
            f'--text {column.name!r} holds {column.dtype}, not text. Name the column that holds the text. For tokens with tags, give --kind spans (kind="spans").'
        )
    return np.array(column.cast(pl.String).fill_null("").to_list(), dtype=object)
