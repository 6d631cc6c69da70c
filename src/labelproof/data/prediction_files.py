"""Predictions in files: arrays, or the columns of numbers of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from labelproof.data.array_files import from_file, path_of
from labelproof.data.frames import read_frame
from labelproof.data.targets import table_suffix
from labelproof.errors import BadInput


def predictions_from(value: object, what: str) -> Any:
    """The contents of a path, or the value itself if it is no path.

    Parameters
    ----------
    value : path of a .npy, .npz, .csv, .tsv or .parquet file, or anything else
    what : str
        For messages.

    Returns
    -------
    ndarray, shape (n, ...)
        For a table its columns of numbers, shape (n,) if there is one.

    Raises
    ------
    BadInput
        If the table has another column.
    """
    path = path_of(value)
    if path is None or table_suffix(Path(path)) is None:
        return from_file(value, what)
    frame = read_frame(path)
    numbers = frame.select(cs.numeric().cast(pl.Float64))
    if numbers.width < frame.width or not numbers.width:
        others = [name for name in frame.columns if name not in numbers.columns]
        raise BadInput(
            f"{what} {path!r} has columns without numbers: {', '.join(others)[:200]}. Keep the predictions alone, in the order of the items."
        )
    array = numbers.to_numpy()
    return array[:, 0] if array.shape[1] == 1 else array
