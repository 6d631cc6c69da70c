"""Write labels as a table of ids, for sources that hold much more than labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from labelproof.data.frames import write_frame
from labelproof.data.label_columns.base import LabelColumn
from labelproof.data.readers.base import Audited
from labelproof.validation import IntArray


def write_list(
    target: Path, labels: LabelColumn, key: str, ids: Sequence[object], label: str, rows: IntArray, audited: Audited
) -> None:
    """Write ids and labels, with the old label and the reason of each change.

    Parameters
    ----------
    target : path of a .csv, .tsv or .parquet file
    labels : LabelColumn
        Labels by row of the source.
    key, ids : str and sequence
        The column of ids and its values.
    label : str
        The column of labels.
    rows : ndarray, shape (n,)
        The row of each item.
    audited : Audited
    """
    given = labels.texts.tolist()
    now, why = list(given), [""] * len(given)
    for item, change in audited.changes.items():
        now[rows[item]], why[rows[item]] = change
    columns = {
        key: list(ids),
        label: [labels.typed(text) for text in now],
        f"{label}_given": [labels.typed(text) for text in given],
        f"{label}_change": why,
    }
    write_frame(pl.DataFrame(columns, strict=False), target)
