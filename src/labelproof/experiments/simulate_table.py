"""Add noise to a clean table, to try an audit with known truth."""

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
from labelproof.data.label_columns.numbers import NumberColumn
from labelproof.data.raw_table import RawTable
from labelproof.data.readers.table import CLEAN_SUFFIX
from labelproof.data.schema import Schema
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.numbers import Numbers
from labelproof.noise import simulate
from labelproof.validation import IntArray

NUMBERS = "numbers"
NOISES = ("symmetric", "pair", "instance", NUMBERS)


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
    noise : {"symmetric", "pair", "instance", "numbers"}
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
    column = raw.column(label, "--label")
    if noise == NUMBERS:
        numbers = NumberColumn.of_series(column, f"label column {label!r}", missing, separator=raw.separator)
        clean = _as_text(column)
        found = simulate.numbers(numbers.labels.values, rate, random_state=seed)
        rows, changed = numbers.labels.owner, found.changed
        new = {int(rows[i]): Numbers.to_text(found.labels[i]) for i in np.flatnonzero(changed)}
        copy_table(raw, goal, numbers.edits(label, new, clean), overwrite=overwrite)
        return int(changed.sum()), len(rows)
    given = ClassColumn.of_series(column, f"label column {label!r}", missing)
    clean = _as_text(column)
    rows = np.flatnonzero(given.coded.codes >= 0)
    noisy = _noisy(given, rows, noise, rate, raw, label, seed)
    new = {int(rows[i]): str(given.coded.classes[noisy.labels[i]]) for i in np.flatnonzero(noisy.changed)}
    copy_table(raw, goal, given.edits(label, new, clean), overwrite=overwrite)
    return int(noisy.changed.sum()), len(rows)


def _as_text(column: pl.Series) -> dict[str, list[str | None]]:
    """The column with the clean labels."""
    return {column.name + CLEAN_SUFFIX: column.cast(pl.String).to_list()}


def _noisy(given: ClassColumn, rows: IntArray, noise: str, rate: float, raw: RawTable, label: str, seed: int) -> simulate.Noisy:
    """The classes of the rows that have one, made wrong."""
    codes, k = given.coded.codes[rows], len(given.coded.classes)
    if noise == "symmetric":
        return simulate.symmetric(codes, rate, n_classes=k, random_state=seed)
    if noise == "pair":
        return simulate.pair(codes, rate, n_classes=k, random_state=seed)
    if noise == "instance":
        others = raw.frame.drop(label)
        typed = Schema.infer(others, raw.separator).for_learning(others).convert(others, repr(str(raw.path)))
        numbers = typed.select(cs.numeric().fill_null(strategy="mean").cast(pl.Float64))
        if numbers.width == 0:
            raise BadInput(f"--noise instance needs numeric columns, and {str(raw.path)!r} has none. Use symmetric or pair.")
        return simulate.instance_dependent(codes, numbers.to_numpy()[rows], rate, n_classes=k, random_state=seed)
    raise BadInput(f"--noise is {noise!r}. {did_you_mean(noise, NOISES)}Choose from {', '.join(NOISES)}.")
