"""A clean table made dirty, for trying an audit where the truth is known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from labelproof.data.copies import check_copy_target, copy_table
from labelproof.data.frames import read_raw
from labelproof.data.label_columns.classes import ClassColumn
from labelproof.data.readers.table import CLEAN_SUFFIX
from labelproof.data.schema import Schema
from labelproof.errors import BadInput, did_you_mean
from labelproof.noise import simulate

NOISES = ("symmetric", "pair", "instance")


def simulate_table(
    path: str | os.PathLike[str],
    label: str,
    noise: str,
    rate: float,
    target: str | os.PathLike[str],
    *,
    seed: int = 0,
    missing: Sequence[str] | None = None,
    encoding: str | None = None,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write a copy of a table whose labels are noisy, with the clean ones in a column ``<label>_clean``.

    Parameters
    ----------
    path : path of a table in a form that `labelproof.data.frames.read_raw` reads
    label : str
    noise : {"symmetric", "pair", "instance"}
    rate : float in [0, 1]
    target : path of a .csv, .tsv or .parquet file, or of one like the input
    seed : int
    missing : sequence of str, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8.
    overwrite : bool

    Returns
    -------
    changed, total : int

    Raises
    ------
    BadInput
    """
    goal = Path(target)
    check_copy_target(goal, overwrite=overwrite, source=path)
    raw = read_raw(path, encoding=encoding)
    given = ClassColumn.of_series(raw.column(label, "--label"), f"label column {label!r}", missing)
    coded = given.coded
    rows = np.flatnonzero(coded.codes >= 0)
    codes, k = coded.codes[rows], len(coded.classes)
    if noise == "symmetric":
        noisy = simulate.symmetric(codes, rate, n_classes=k, random_state=seed)
    elif noise == "pair":
        noisy = simulate.pair(codes, rate, n_classes=k, random_state=seed)
    elif noise == "instance":
        others = raw.frame.drop(label)
        typed = Schema.infer(others, raw.separator).for_learning(others).convert(others, repr(str(path)))
        numbers = typed.select(cs.numeric().fill_null(strategy="mean").cast(pl.Float64))
        if numbers.width == 0:
            raise BadInput(f"--noise instance needs numeric columns, and {str(path)!r} has none. Use symmetric or pair.")
        noisy = simulate.instance_dependent(codes, numbers.to_numpy()[rows], rate, n_classes=k, random_state=seed)
    else:
        raise BadInput(f"--noise is {noise!r}. {did_you_mean(noise, NOISES)}Choose from {', '.join(NOISES)}.")
    new = {int(rows[i]): str(coded.classes[noisy.labels[i]]) for i in np.flatnonzero(noisy.changed)}
    clean = {label + CLEAN_SUFFIX: raw.frame[label].cast(pl.String).to_list()}
    copy_table(raw, goal, given.edits(label, new, clean), overwrite=overwrite)
    return int(noisy.changed.sum()), len(rows)
