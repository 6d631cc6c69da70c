"""Tables with mixed columns, from CSV, TSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.files import column, plain_values, read_frame
from labelproof.errors import BadInput
from labelproof.validation import check_ids, check_labels

CLEAN_SUFFIX = "_clean"  # of the column in which simulated noise keeps the clean labels
Path_ = str | os.PathLike[str]


def read_table(
    path: Path_,
    label: str,
    *,
    id: str | None = None,
    features: Sequence[str] | None = None,
    label_as_text: bool = False,
) -> Dataset:
    """Read a table whose other columns are the features.

    Parameters
    ----------
    path : path of a .csv, .tsv or .parquet file
    label : str
        The column of given labels; an empty field is unlabelled.
    id : str, optional
        A column of unique names; the row number (from 0) where left out.
    features : sequence of str, optional
        The columns to learn from. Where left out, all but the label, the id, and ``<label>_clean``, in which
        ``labelproof simulate`` keeps the truth.
    label_as_text : bool
        Keep labels such as ``1`` as text.

    Returns
    -------
    Dataset
        ``x`` is a polars frame.

    Raises
    ------
    BadInput
    """
    frame = read_frame(path, text_columns=[c for c in (label, id) if c is not None])
    labels = column(frame, label, path, "--label")
    ids = None if id is None else plain_values(column(frame, id, path, "--id"))
    aside = (label, id, label + CLEAN_SUFFIX)
    chosen = [c for c in frame.columns if c not in aside] if features is None else list(features)
    for name in chosen:
        column(frame, name, path, "--features")
    if label in chosen:
        raise BadInput(f"the label column {label!r} is among the features. Leave it out of --features.")
    if not chosen:
        raise BadInput(f"{str(path)!r} has no column besides the label and the id: there is nothing to learn from.")
    x = frame.select(chosen)
    coded = check_labels(labels.to_numpy() if label_as_text else plain_values(labels), name=f"label column {label!r}")
    return Dataset(
        x=x,
        given=coded.codes,
        classes=coded.classes,
        ids=check_ids(ids, len(x)),
        show_item=lambda i: show_row(x, i),
        kind="table",
        source={"kind": "table", "path": str(Path(path).resolve()), "label": label, "id": id, "features": chosen},
    )


def show_row(frame: pl.DataFrame, i: int) -> Shown:
    """One row as names and values."""
    return Shown(fields=tuple((name, "" if value is None else str(value)) for name, value in frame.row(i, named=True).items()))
