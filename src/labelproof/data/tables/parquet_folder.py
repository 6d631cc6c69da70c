"""A folder of Parquet files with the same columns."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from labelproof.data.copies import copy_parquet
from labelproof.data.edits import Edits
from labelproof.data.frames import read_parquet
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm, check_folder, names_folder
from labelproof.data.targets import PARQUET_SUFFIXES
from labelproof.errors import BadInput
from labelproof.saving.folders import MARK, atomic_folder


class ParquetFolder(TableForm):
    """The rows of the files, in the order of their names; in a copy, unchanged files are copied as files."""

    also = ", or to a folder like the input"

    @classmethod
    def fits(cls, place: str) -> bool:
        """A folder of Parquet files; folders inside of it are partitions, or hidden."""
        try:
            inside = [path for path in Path(place).iterdir() if not path.name.startswith((".", "_"))]
        except OSError:  # no folder, or one that may not be read
            return False
        folders = [path for path in inside if path.is_dir()]
        return (any(_is_parquet(path) for path in inside) and not folders) or (
            bool(folders) and all("=" in path.name for path in folders)
        )

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        root = Path(place)
        nested = next((path.name for path in sorted(root.iterdir()) if path.is_dir() and "=" in path.name), None)
        if nested is not None:
            raise BadInput(
                f"{place!r} is split into partitions ({nested!r} …), whose columns are not in the files. Write it as one table."
            )
        files = [path for path in sorted(root.iterdir()) if _is_parquet(path)]
        frames = [read_parquet(path) for path in files]
        whole = stacked(frames, [path.name for path in files], root)
        return RawTable(
            whole, None, root, form=self, held=[(path, frame.height) for path, frame in zip(files, frames, strict=True)]
        )

    def takes(self, target: Path) -> bool:
        return names_folder(target)

    def check(self, target: Path, *, overwrite: bool, source: str) -> None:
        check_folder(target, overwrite=overwrite, source=source)

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        with atomic_folder(target, overwrite=overwrite) as partial:
            for path in sorted(raw.path.rglob("*")):
                if path.is_file() and path.name != MARK and not _is_parquet(path):
                    goal = partial / path.relative_to(raw.path)
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, goal)
            done = 0
            for path, height in raw.held:
                copy_parquet(path, partial / path.name, part_of(change, raw.frame[change.column], done, done + height))
                done += height


def stacked(frames: Sequence[pl.DataFrame], names: Sequence[str], root: Path) -> pl.DataFrame:
    """Frames with the same columns, one after the other.

    Raises
    ------
    BadInput
        Naming the first two files that differ.
    """
    for name, frame in zip(names, frames, strict=True):
        odd = next((c for c in {**frames[0].schema, **frame.schema} if not _alike(frames[0].schema, frame.schema, c)), None)
        if odd is not None:
            raise BadInput(
                f"{names[0]!r} and {name!r} in {str(root)!r} differ in the column {odd!r} or its type. Write all files with the same columns."
            )
    whole = pl.concat([frame.select(frames[0].columns) for frame in frames], how="vertical_relaxed")
    if whole.height == 0:
        raise BadInput(f"{str(root)!r} has no rows. Give one per item.")
    return whole


def _alike(one: pl.Schema, other: pl.Schema, column: str) -> bool:
    """Whether a column is in both, with compatible types: numbers of any size, and a column of only nulls with anything."""
    if column not in one or column not in other:
        return False
    types = {one[column], other[column]}
    return len(types) == 1 or pl.Null in types or all(dtype.is_numeric() for dtype in types)


def part_of(change: Edits, column: pl.Series, first: int, end: int) -> Edits:
    """The edits of some rows of a table, as edits of a table that holds only these rows."""
    low, high = np.searchsorted(change.rows, [first, end])
    rows, sources = change.rows[low:high], change.sources[low:high]
    elsewhere = (sources >= 0) & ((sources < first) | (sources >= end))
    names = {int(row) - first: change.names[int(row)] for row, at in zip(rows, sources, strict=True) if at < 0}
    for row, at in zip(rows[elsewhere].tolist(), sources[elsewhere].tolist(), strict=True):
        names[row - first] = str(column[at])
    added: dict[str, Sequence[str | None]] = {name: values[first:end] for name, values in change.added.items()}
    return Edits(change.column, rows - first, np.where(elsewhere | (sources < 0), -1, sources - first), names, added)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in PARQUET_SUFFIXES and path.is_file() and not path.name.startswith((".", "_"))
