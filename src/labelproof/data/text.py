"""One column of text, from CSV, TSV or Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.files import column, plain_values, read_frame
from labelproof.data.table import Path_
from labelproof.errors import BadInput
from labelproof.validation import check_ids, check_labels


def read_text(path: Path_, label: str, text: str, *, id: str | None = None) -> Dataset:
    """Read a table with a column of text to learn from.

    Parameters
    ----------
    path : path of a .csv, .tsv or .parquet file
    label : str
        The column of given labels; an empty field is unlabelled.
    text : str
        The column of text; an empty field is the empty text.
    id : str, optional
        A column of unique names; the row number (from 0) where left out.

    Returns
    -------
    Dataset
        ``x`` is an array of strings, shape (n,).

    Raises
    ------
    BadInput
    """
    frame = read_frame(path, text_columns=[c for c in (label, text, id) if c is not None])
    labels = column(frame, label, path, "--label")
    body = np.array(column(frame, text, path, "--text").cast(pl.String).fill_null("").to_list(), dtype=object)
    ids = None if id is None else plain_values(column(frame, id, path, "--id"))
    if text == label:
        raise BadInput(f"--text and --label are the same column {text!r}. Name the column that holds the text.")
    if not any(body):
        raise BadInput(f"--text {text!r} is empty in every row. Name the column that holds the text.")
    coded = check_labels(plain_values(labels), name=f"label column {label!r}")
    return Dataset(
        x=body,
        given=coded.codes,
        classes=coded.classes,
        ids=check_ids(ids, len(body)),
        show_item=lambda i: Shown(text=str(body[i])),
        kind="text",
        source={"kind": "text", "path": str(Path(path).resolve()), "label": label, "text": text, "id": id},
    )
