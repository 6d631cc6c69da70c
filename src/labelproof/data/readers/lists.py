"""Labels written as a table of ids, where their own source holds much besides them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from labelproof.data.frames import write_frame
from labelproof.data.readers.base import Audited
from labelproof.validation import IntArray
from labelproof.validation.labels import CodedLabels


def write_list(
    target: Path, coded: CodedLabels, key: str, ids: Sequence[object], label: str, rows: IntArray, audited: Audited
) -> None:
    """Write ids and labels, with what each label was and why it changed.

    Parameters
    ----------
    target : path of a .csv, .tsv or .parquet file
    coded : CodedLabels
        By row of the source.
    key, ids : str and sequence
        The column of ids and what it holds.
    label : str
        The column of labels.
    rows : ndarray, shape (n,)
        The row of each item.
    audited : Audited
    """
    names = [*map(str, coded.classes), None]
    given = [names[code] for code in coded.codes.tolist()]
    now, why = list(given), [""] * len(given)
    for item, change in audited.changes.items():
        now[rows[item]], why[rows[item]] = change
    typed: dict[str | None, Any] = {**dict(zip(names, [*coded.classes, None], strict=True)), None: None}
    columns = {
        key: list(ids),
        label: [typed.get(name, name) for name in now],
        f"{label}_given": [typed[name] for name in given],
        f"{label}_change": why,
    }
    write_frame(pl.DataFrame(columns, strict=False), target)
