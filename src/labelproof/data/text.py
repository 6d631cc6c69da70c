"""One column of text, from CSV, TSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import Path_, label_values, read_raw
from labelproof.data.table import how_read, label_codes
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.validation import AnyArray, check_ids


def read_text(
    path: Path_,
    label: str,
    text: str,
    *,
    id: str | None = None,
    missing: Sequence[Any] | None = None,
    encoding: str | None = None,
    quiet: bool = False,
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
        A column of unique names; the row number (from 0) where left out.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8, e.g. ``"latin-1"``.
    quiet : bool
        Do not say what was inferred of the file's form.

    Returns
    -------
    Dataset
        ``x`` is an array of strings, shape (n,).

    Raises
    ------
    BadInput
    """
    raw = read_raw(path, encoding=encoding, quiet=quiet)
    column = raw.column(text, "--text")
    if text == label:
        raise BadInput(f"--text and --label are the same column {text!r}. Name the column that holds the text.")
    body = texts_of(column)
    if not any(body):
        raise BadInput(f"--text {text!r} is empty in every row. Name the column that holds the text.")
    coded = label_codes(raw, label, missing)
    ids = None if id is None else label_values(raw.column(id, "--id"), "--id")
    return Dataset(
        x=body,
        labels=Classes.of_codes(coded.codes, coded.classes),
        ids=check_ids(ids, len(body)),
        show_item=lambda i: Shown(text=str(body[i])),
        kind="text",
        source={
            "kind": "text", "path": str(Path(path).resolve()), "label": label, "text": text, "id": id,
            **how_read(missing, encoding),
        },
    )  # fmt: skip


def texts_of(column: pl.Series) -> AnyArray:
    """A column as an array of strings, the empty one where it is empty.

    Raises
    ------
    BadInput
        For a column of lists, bytes or structures.
    """
    if column.dtype == pl.Binary or column.dtype.is_nested() or column.dtype == pl.Object:
        raise BadInput(f"--text {column.name!r} holds {column.dtype}, not text. Name the column that holds the text.")
    return np.array(column.cast(pl.String).fill_null("").to_list(), dtype=object)
