"""A clean table made dirty, for trying an audit where the truth is known."""

from __future__ import annotations

import os

import numpy as np
import polars as pl
import polars.selectors as cs

from labelproof.data.frames import check_table_target, column, label_values, read_frame, write_frame
from labelproof.data.table import CLEAN_SUFFIX
from labelproof.errors import BadInput
from labelproof.noise import simulate
from labelproof.validation import check_labels, did_you_mean

NOISES = ("symmetric", "pair", "instance")


def simulate_table(
    path: str | os.PathLike[str],
    label: str,
    noise: str,
    rate: float,
    target: str | os.PathLike[str],
    *,
    seed: int = 0,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write a copy of a table whose labels are noisy, with the clean ones in a column ``<label>_clean``.

    Parameters
    ----------
    path : path of a .csv, .tsv or .parquet file
    label : str
    noise : {"symmetric", "pair", "instance"}
    rate : float in [0, 1]
    target : path of a .csv, .tsv or .parquet file
    seed : int
    overwrite : bool

    Returns
    -------
    changed, total : int

    Raises
    ------
    BadInput
    """
    goal = check_table_target(target, overwrite=overwrite, source=path)
    frame = read_frame(path, text_columns=[label])
    coded = check_labels(label_values(column(frame, label, path, "--label")), name=f"label column {label!r}")
    rows = np.flatnonzero(coded.codes >= 0)
    codes, k = coded.codes[rows], len(coded.classes)
    if noise == "symmetric":
        noisy = simulate.symmetric(codes, rate, n_classes=k, seed=seed)
    elif noise == "pair":
        noisy = simulate.pair(codes, rate, n_classes=k, seed=seed)
    elif noise == "instance":
        numbers = frame.drop(label).select(cs.numeric().fill_null(strategy="mean").cast(pl.Float64))
        if numbers.width == 0:
            raise BadInput(f"--noise instance needs numeric columns, and {str(path)!r} has none. Use symmetric or pair.")
        noisy = simulate.instance_dependent(codes, numbers.to_numpy()[rows], rate, n_classes=k, seed=seed)
    else:
        raise BadInput(f"--noise is {noise!r}. {did_you_mean(noise, NOISES)}Choose from {', '.join(NOISES)}.")
    old = frame[label].to_list()
    new = list(old)
    for row, code in zip(rows.tolist(), noisy.labels.tolist(), strict=True):
        new[row] = str(coded.classes[code])
    clean_name = label + CLEAN_SUFFIX
    if clean_name in frame.columns:
        raise BadInput(f"{str(path)!r} already has a column {clean_name!r}. Rename it first.")
    dirty = frame.with_columns(pl.Series(label, new, dtype=pl.String), pl.Series(clean_name, old, dtype=pl.String))
    write_frame(dirty, goal)
    return int(noisy.changed.sum()), len(rows)
