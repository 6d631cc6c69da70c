"""Tables with mixed columns, from CSV, TSV or Parquet."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import Path_, RawTable, label_values, read_raw
from labelproof.data.leaks import find_leaks
from labelproof.data.schema import Schema
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.classes import Classes
from labelproof.validation import check_ids, check_labels
from labelproof.validation.labels import CodedLabels, Repeated

CLEAN_SUFFIX = "_clean"  # of the column in which simulated noise keeps the clean labels


def read_table(
    path: Path_,
    label: str,
    *,
    id: str | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    label_as_text: bool = False,
    missing: Sequence[Any] | None = None,
    encoding: str | None = None,
    schema: Sequence[dict[str, Any]] | None = None,
) -> Dataset:
    """Read a table whose other columns are the features.

    Parameters
    ----------
    path : path of a .csv, .tsv (also gzipped) or .parquet file
    label : str
        The column of given labels; an empty field is unlabelled.
    id : str, optional
        A column of unique names; the row number (from 0) where left out.
    features : sequence of str, optional
        The columns to learn from. Where left out, all but the label, the id, and ``<label>_clean``, in which
        ``labelproof simulate`` keeps the truth, a copy of the label, and the row number of a file that is sorted by label.
        Columns that are empty, constant, or of bytes or uneven lists are left out in any case.
    ignore : sequence of str
        Columns not to learn from.
    keep : sequence of str
        Columns to learn from although they give the label away.
    label_as_text : bool
        Keep labels such as ``1`` as text.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8, e.g. ``"latin-1"``.
    schema : list of dict, optional
        The types of the columns, as an earlier reading decided them (``source["schema"]`` of its `Dataset`).

    Returns
    -------
    Dataset
        ``x`` is a polars frame.

    Raises
    ------
    BadInput
    """
    raw = read_raw(path, encoding=encoding, quiet=schema is not None)
    coded = label_codes(raw, label, missing, as_text=label_as_text)
    ids = None if id is None else label_values(raw.column(id, "--id"), "--id")
    aside = (label, id, label + CLEAN_SUFFIX)
    for option, named in (("--features", features or ()), ("--ignore", ignore), ("--keep", keep)):
        for name in named:
            raw.column(name, option)
    chosen = [c for c in raw.frame.columns if c not in aside and c not in ignore] if features is None else list(features)
    if label in chosen:
        raise BadInput(f"the label column {label!r} is among the features. Leave it out of --features.")
    if not chosen:
        raise BadInput(f"{str(path)!r} has no column besides the label and the id: there is nothing to learn from.")
    types = _types(raw, chosen) if schema is None else Schema.from_json(schema)
    x = types.convert(raw.frame, repr(str(path)))
    leaks = [] if schema is not None else find_leaks(x, coded.codes)
    if features is None:
        apart = {leak.column for leak in leaks if leak.kind != "tells"} & set(types.names) - set(keep)
        if apart < set(x.columns):  # something is left to learn from
            leaks = [replace(leak, left_out=leak.column in apart) for leak in leaks]
            types, x = Schema(tuple(c for c in types.columns if c.name not in apart), types.left_out), x.drop(apart)
    others = [name for name in raw.frame.columns if name not in types.names and name not in aside]
    learned = [name for name in types.names if name in raw.frame.columns]
    shown = raw.frame.select([*learned, *others])  # what is learned from first, as it stands in the file
    return Dataset(
        x=x,
        labels=Classes.of_codes(coded.codes, coded.classes),
        ids=check_ids(ids, len(x)),
        show_item=lambda i: show_row(shown, i),
        kind="table",
        leaks=tuple(leaks),
        source={
            "kind": "table", "path": str(Path(path).resolve()), "label": label, "id": id, "features": types.names,
            "schema": types.to_json(), **how_read(missing, encoding),
        },
    )  # fmt: skip


def label_codes(raw: RawTable, label: str, missing: Sequence[Any] | None, *, as_text: bool = False) -> CodedLabels:
    """The labels of a table: the one way in which a column becomes classes."""
    column = raw.column(label, "--label")
    values, index = (column, None) if column.dtype.is_nested() or column.dtype.is_float() else _different(column)
    plain = values.to_numpy() if as_text else label_values(values)
    labels = plain if index is None else Repeated(plain, index)
    return check_labels(labels, name=f"label column {label!r}", missing=missing)


def _different(column: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int64] | None]:
    """The different values of a column and which one each row has, where that spares work."""
    values = column.unique(maintain_order=True)
    if len(values) > column.len() // 2:
        return column, None
    numbered = values.rename("value").to_frame().with_row_index("place")
    found = column.rename("value").to_frame().join(numbered, on="value", how="left", nulls_equal=True, maintain_order="left")
    return values, found["place"].to_numpy().astype(np.int64)


def how_read(missing: Sequence[Any] | None, encoding: str | None) -> dict[str, Any]:
    """What must be remembered to read the file the same way again."""
    said = {"missing": None if missing is None else [str(word) for word in missing], "encoding": encoding}
    return {name: value for name, value in said.items() if value is not None}


def _types(raw: RawTable, chosen: list[str]) -> Schema:
    """The types of the columns to learn from; says what is left out."""
    frame = raw.frame.select(chosen)
    types = Schema.infer(frame, raw.separator).for_learning(frame)
    if not types.columns:
        raise BadInput(f"{str(raw.path)!r} has nothing to learn from. {types.said()} Name other columns, or mend these.")
    if types.said():
        warnings.warn(f"{str(raw.path)!r}: {types.said()}", LabelproofWarning, stacklevel=3)
    return types


def show_row(frame: pl.DataFrame, i: int) -> Shown:
    """One row as names and values."""
    return Shown(fields=tuple((name, "" if value is None else str(value)) for name, value in frame.row(i, named=True).items()))
