"""Tables with mixed columns, from CSV, TSV or Parquet."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from labelproof.data.copies import check_copy_target, copy_table
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import located, read_raw
from labelproof.data.label_columns import LABEL_COLUMNS
from labelproof.data.label_columns.base import LabelColumn
from labelproof.data.leaks import unique_names
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_, RawTable, label_values
from labelproof.data.readers.base import Audited, Reader, ReadOptions, check_same, check_same_ids, words
from labelproof.data.schema import Schema
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.classes import Classes
from labelproof.validation import AnyArray, IntArray, Json, check_ids

CLEAN_SUFFIX = "_clean"  # of the column in which simulated noise keeps the clean labels


@dataclass(frozen=True)
class ColumnReader(Reader):
    """The common part of readers of a column of labels in a delimited file or Parquet: ids, and writing it back."""

    path: str
    label: str
    id: str | None = None
    missing: Sequence[object] | None = None
    encoding: str | None = None
    group: str | None = None
    part: str | None = None  # a sheet of a workbook, or the query of a database
    label_kind: str | None = None  # the kind of labels; classes by default
    label_kinds = tuple(LABEL_COLUMNS)

    def raw(self, *, quiet: bool) -> RawTable:
        """The table as stored."""
        return read_raw(self.path, encoding=self.encoding, part=self.part, quiet=quiet)

    def labels(self, raw: RawTable) -> LabelColumn:
        """The one way in which the column becomes labels."""
        return self.column_labels(raw)

    def column_labels(self, raw: RawTable, *, as_text: bool = False) -> LabelColumn:
        """The labels of the column."""
        kind, column = LABEL_COLUMNS[self.label_kind or Classes.kind], raw.column(self.label, "--label")
        what = f"label column {self.label!r}"
        return kind.of_series(column, what, self.missing, as_text=as_text, separator=raw.separator)

    def ids(self, raw: RawTable) -> AnyArray:
        """Names of the rows; by default their numbers."""
        return check_ids(None if self.id is None else label_values(raw.column(self.id, "--id"), "--id"), raw.frame.height)

    def groups(self, raw: RawTable) -> AnyArray | None:
        """The group of each row, if a column names it."""
        return None if self.group is None else label_values(raw.column(self.group, "--group"), "--group")

    def new_rows(self, path: Path_, encoding: str | None) -> tuple[RawTable, AnyArray]:
        """New rows and their ids."""
        raw = read_raw(path, encoding=encoding or self.encoding, part=self.part)
        known = self.id if self.id in raw.frame.columns else None
        return raw, check_ids(None if known is None else label_values(raw.frame[known], "the id"), raw.frame.height)

    def of_part(self, part: str) -> Self:
        return replace(self, part=part)

    def rows(self, raw: RawTable, audited: Audited) -> IntArray:
        """The row of each item."""
        return np.arange(raw.frame.height)

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A copy that differs only in these labels: delimited text byte for byte, Parquet with schema and row groups."""
        check_copy_target(target, overwrite=overwrite, source=self.path)
        raw = self.raw(quiet=True)
        given = self.labels(raw)
        rows = self.rows(raw, audited)
        check_same(given.texts, rows, audited)
        if self.id is not None:
            check_same_ids(self.ids(raw), rows, audited)
        changes = {int(rows[item]): change for item, change in audited.changes.items()}
        added: dict[str, Sequence[str | None]] = {}
        if audited.explain:
            why = [changes[row].why if row in changes else "" for row in range(raw.frame.height)]
            added = {f"{self.label}_given": raw.frame[self.label].cast(pl.String).to_list(), f"{self.label}_change": why}
        names = {row: change.label for row, change in changes.items()}
        copy_table(raw, target, given.edits(self.label, names, added), overwrite=overwrite)


@dataclass(frozen=True)
class TableReader(ColumnReader):
    """A table whose other columns are the features; see `read_table` for its fields."""

    kind = "table"

    features: Sequence[str] | None = None
    schema: Sequence[Json] | None = None  # the types of the features, as a first reading decided them
    label_as_text: bool = False
    ignore: Sequence[str] | None = None
    keep: Sequence[str] | None = None

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        """Any path that no other reader takes is a table."""
        label = options.label_of(path)
        return cls(
            str(path), label, options.id, options.missing, options.encoding, options.group, options.part, options.label_kind,
            ignore=options.ignore, keep=options.keep,
        )  # fmt: skip

    def labels(self, raw: RawTable) -> LabelColumn:
        return self.column_labels(raw, as_text=self.label_as_text)

    def read(self) -> Dataset:
        raw = self.raw(quiet=self.schema is not None)
        given = self.labels(raw)
        ids = self.ids(raw)
        aside = (self.label, self.id, self.group, self.label + CLEAN_SUFFIX)
        chosen = self._chosen(raw, aside)
        types = _types(raw, chosen) if self.schema is None else Schema.from_json(self.schema)
        x = types.convert(raw.frame, repr(self.path))
        leaks = [] if self.schema is not None else given.leaks(x)
        if self.features is None:
            apart = {leak.column for leak in leaks if leak.kind != "tells"} & set(types.names) - set(self.keep or ())
            if apart < set(x.columns):  # something is left to learn from
                leaks = [replace(leak, excluded=leak.column in apart) for leak in leaks]
                types, x = Schema(tuple(c for c in types.columns if c.name not in apart), types.left_out), x.drop(apart)
        names = unique_names(x) if self.schema is None and self.id is None and self.features is None else None
        if names is not None:
            warnings.warn(
                f"No two rows have the same value of the column {names!r}. If it names the items, give it as the id: --id {names} (id=, or ids= "
                "of a frame). Then findings have names, and a model does not learn from it.",
                LabelproofWarning,
                stacklevel=2,
            )
        others = [name for name in raw.frame.columns if name not in types.names and name not in aside]
        learned = [name for name in types.names if name in raw.frame.columns]
        shown = raw.frame.select([*learned, *others])  # the first column to learn from, as stored
        reader = replace(
            self, path=located(self.path), features=types.names, schema=types.to_json(), ignore=None, keep=None,
            missing=words(self.missing),
        )  # fmt: skip
        return Dataset(
            x=x,
            labels=given.labels,
            ids=ids,
            show_item=lambda i: show_row(shown, i),
            kind="table",
            leaks=tuple(leaks),
            groups=self.groups(raw),
            reader=reader,
        )

    def _chosen(self, raw: RawTable, aside: Sequence[str | None]) -> list[str]:
        """The columns to learn from."""
        ignore, keep, features = self.ignore or (), self.keep or (), self.features
        for option, named in (("--features", features or ()), ("--ignore", ignore), ("--keep", keep)):
            for name in named:
                raw.column(name, option) if self.schema is None else None
        chosen = [c for c in raw.frame.columns if c not in aside and c not in ignore] if features is None else list(features)
        if self.label in chosen:
            raise BadInput(f"The label column {self.label!r} is among the features. Remove it from --features.")
        if not chosen:
            raise BadInput(
                f"{self.path!r} has no column except the label and the id, so there is nothing to learn from. Add columns, or give pred_probs."
            )
        return chosen

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[pl.DataFrame, AnyArray]:
        """Rows of another table with the same columns, converted to the types that were learned."""
        if self.schema is None:
            raise BadInput(
                "The model was saved by a version of labelproof that did not record the types of its columns. Train again."
            )
        raw, ids = self.new_rows(path, encoding)
        return Schema.from_json(self.schema).convert(raw.frame, repr(str(path))), ids


def read_table(
    path: Path_,
    label: str,
    *,
    id: str | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    label_as_text: bool = False,
    missing: Sequence[object] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read a table whose other columns are the features.

    Parameters
    ----------
    path : path of a .csv, .tsv (also gzipped) or .parquet file
    label : str
        The column of given labels; an empty field is unlabelled.
    id : str, optional
        A column of unique names. By default the row number (from 0).
    features : sequence of str, optional
        The columns to learn from. By default all but the label, the id, and ``<label>_clean``, in which
        ``labelproof simulate`` keeps the truth, a copy of the label, and the row number of a file that is sorted by label.
        Columns that are empty, constant, or of bytes or uneven lists are always excluded.
    ignore : sequence of str
        Columns to exclude from learning.
    keep : sequence of str
        Columns to learn from although they give the label away.
    label_as_text : bool
        Keep labels such as ``1`` as text.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8, e.g. ``"latin-1"``.

    Returns
    -------
    Dataset
        ``x`` is a polars frame.

    Raises
    ------
    BadInput
    """
    return TableReader(
        str(path), label, id, missing, encoding, features=features, label_as_text=label_as_text, ignore=ignore, keep=keep
    ).read()


def _types(raw: RawTable, chosen: list[str]) -> Schema:
    """The types of the columns to learn from; warns of excluded ones."""
    frame = raw.frame.select(chosen)
    types = Schema.infer(frame, raw.separator).for_learning(frame)
    if not types.columns:
        raise BadInput(f"{str(raw.path)!r} has nothing to learn from. {types.said()} Name other columns, or correct these.")
    if types.said():
        warnings.warn(f"{str(raw.path)!r}: {types.said()}", LabelproofWarning, stacklevel=4)
    return types


def show_row(frame: pl.DataFrame, i: int) -> Shown:
    """One row as names and values."""
    return Shown(fields=tuple((name, "" if value is None else str(value)) for name, value in frame.row(i, named=True).items()))
