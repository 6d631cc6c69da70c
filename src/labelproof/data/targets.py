"""Paths that a table may be written to."""

from __future__ import annotations

from pathlib import Path

from labelproof.data.compressed import plain_name
from labelproof.data.raw_table import Path_
from labelproof.errors import BadInput

CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}
PARQUET_SUFFIXES = {".parquet", ".pq"}


def table_suffix(path: Path) -> str | None:
    """The ending that gives the kind of table, without ``.gz`` or ``.zst``; ``None`` for other files."""
    name = plain_name(path)
    return next((suffix for suffix in (*CSV_SUFFIXES, *PARQUET_SUFFIXES) if name.endswith(suffix)), None)


def check_table_target(path: Path_, *, overwrite: bool, source: Path_, also: str = "") -> Path:
    """Check, before any work is done, that a table can be written to a path: not the input, a known kind, not there yet."""
    goal = Path(path)
    check_target(goal, overwrite=overwrite, source=source)
    if table_suffix(goal) is None:
        raise BadInput(f"--out {str(goal)!r} ends in {goal.suffix!r}. Write to .csv, .tsv, .parquet or .pq{also}.")
    return goal


def check_target(goal: Path, *, overwrite: bool, source: Path_) -> None:
    """Check that a file can be written to a path: not the input, not there yet."""
    if goal.is_dir():
        raise BadInput(f"--out {str(goal)!r} is a folder. Name a file.")
    if goal.exists() and not overwrite:
        raise BadInput(f"{str(goal)!r} exists. Add --overwrite to replace it, or choose another --out.")
    if goal.exists() and Path(source).exists() and goal.samefile(source):
        raise BadInput(f"{str(goal)!r} is the input, which is never modified. Choose another --out.")
