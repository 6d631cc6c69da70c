"""Reading tables with errors that name the line, and writing so that a killed run leaves the old or the new, never half."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, did_you_mean

CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}


def existing(path: str | os.PathLike[str], what: str) -> Path:
    """The path, or `BadInput` with the nearest name beside it."""
    found = Path(path)
    if not found.exists():
        beside = [p.name for p in found.parent.iterdir()] if found.parent.is_dir() else []
        raise BadInput(f"{what} {str(found)!r} does not exist. {did_you_mean(found.name, beside)}Check the path.")
    return found


def read_frame(path: str | os.PathLike[str], *, text_columns: Sequence[str] = ()) -> pl.DataFrame:
    """Read a CSV, TSV or Parquet file.

    Parameters
    ----------
    path : path
    text_columns : sequence of str
        Columns kept as text exactly as they stand in the file ("007" stays "007").

    Raises
    ------
    BadInput
        For a missing, empty, ragged or non-UTF-8 file, with the line, and for an unknown kind of file.
    """
    file = existing(path, "file")
    if file.is_dir():
        raise BadInput(f"{str(file)!r} is a folder, not a table. For pictures in class folders leave out --label.")
    if file.stat().st_size == 0:
        raise BadInput(f"{str(file)!r} is empty. Give a table with a header line and one line per item.")
    if file.suffix.lower() in {".parquet", ".pq"}:
        try:
            frame = pl.read_parquet(file)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise BadInput(f"{str(file)!r} is not a readable Parquet file ({_first_line(error)}). Write it again.") from error
    elif file.suffix.lower() in CSV_SUFFIXES:
        frame = _read_csv(file, text_columns)
    else:
        raise BadInput(f"{str(file)!r} ends in {file.suffix!r}. Tables are read from .csv, .tsv, .parquet or .pq.")
    if frame.height == 0:
        raise BadInput(f"{str(file)!r} has a header but no rows. Give one line per item.")
    return frame


def _read_csv(file: Path, text_columns: Sequence[str]) -> pl.DataFrame:
    ragged: list[Any] = []

    def remember(row: Any) -> str:
        ragged.append(row)
        return "error"

    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(text_columns, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    parse = pa.csv.ParseOptions(
        delimiter=CSV_SUFFIXES[file.suffix.lower()], newlines_in_values=True, invalid_row_handler=remember
    )
    try:
        table = pa.csv.read_csv(file, parse_options=parse, convert_options=convert)
        names = table.column_names
    except UnicodeDecodeError as error:  # in the header
        raise _not_utf8(file) from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if "UTF8" in str(error) or "UTF-8" in str(error):
            raise _not_utf8(file) from error
        if ragged:
            raise _ragged(file, ragged[0]) from error
        raise BadInput(f"{str(file)!r} cannot be read as CSV: {_first_line(error)}") from error
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise BadInput(f"{str(file)!r} has two columns named {twice!r}. Rename one.")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    _check_utf8(file, frame)
    return frame


def _check_utf8(file: Path, frame: pl.DataFrame) -> None:
    """Arrow types a column with undecodable bytes as binary instead of failing."""
    if any(dtype == pl.Binary for dtype in frame.dtypes):
        raise _not_utf8(file)


def _not_utf8(file: Path) -> BadInput:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return BadInput(
                    f"{str(file)!r} line {number} is not UTF-8 text (byte 0x{line[error.start]:02x}). "
                    f"Convert it, e.g. iconv -f latin1 -t utf-8 {file.name} > utf8.csv"
                )
    return BadInput(f"{str(file)!r} is not UTF-8 text. Convert it, e.g. with iconv.")


def _ragged(file: Path, row: Any) -> BadInput:
    wanted = row.text.encode("utf-8", "surrogateescape")
    with file.open("rb") as lines:  # Arrow reads in parallel and does not know the number
        number = next((i for i, line in enumerate(lines, start=1) if line.rstrip(b"\r\n") == wanted), None)
    where = f"line {number}" if number is not None else "a line"
    text = row.text if len(row.text) < 60 else row.text[:57] + "..."
    return BadInput(
        f"{str(file)!r} {where} has {row.actual_columns} fields but the header has {row.expected_columns}: {text!r}. "
        "Quote fields that hold the separator, or fill in the missing ones."
    )


def check_table_target(path: str | os.PathLike[str], *, overwrite: bool, source: str | os.PathLike[str]) -> Path:
    """Check, before any work is done, that a table can be written to a path: not the input, a known kind, not there yet."""
    goal = Path(path)
    if goal.exists() and not overwrite:
        raise BadInput(f"{str(goal)!r} exists. Add --overwrite to replace it, or choose another --out.")
    if goal.exists() and goal.samefile(source):
        raise BadInput(f"{str(goal)!r} is the input, which is never modified. Choose another --out.")
    if goal.suffix.lower() not in {*CSV_SUFFIXES, ".parquet", ".pq"}:
        raise BadInput(f"--out {str(goal)!r} ends in {goal.suffix!r}. Write to .csv, .tsv, .parquet or .pq.")
    return goal


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a table by the ending of its name, whole or not at all."""
    buffer = io.BytesIO()
    if path.suffix.lower() in CSV_SUFFIXES:
        frame.write_csv(buffer, separator=CSV_SUFFIXES[path.suffix.lower()])
    else:
        frame.write_parquet(buffer)
    atomic_write(path, buffer.getvalue())


def column(frame: pl.DataFrame, name: str, file: str | os.PathLike[str], option: str) -> pl.Series:
    """A column by name, or `BadInput` that suggests the nearest name."""
    if name not in frame.columns:
        raise BadInput(
            f"{option} {name!r} is not a column of {str(file)!r}. {did_you_mean(name, frame.columns)}"
            f"Its columns are: {', '.join(frame.columns[:30])}{', …' if frame.width > 30 else ''}."
        )
    return frame[name]


def plain_values(series: pl.Series) -> AnyArray:
    """Labels or ids as they should be named: whole numbers as integers where nothing is lost, text otherwise."""
    if series.dtype.is_integer():
        return series.to_numpy() if series.null_count() == 0 else np.array(series.to_list(), dtype=object)
    if series.dtype == pl.Boolean or series.dtype.is_float():
        return np.array(series.to_list(), dtype=object)
    text = series.cast(pl.String)
    numbers = text.cast(pl.Int64, strict=False)
    if numbers.null_count() == text.null_count() and bool((numbers.cast(pl.String) == text).fill_null(True).all()):
        return plain_values(numbers)
    return np.array(text.to_list(), dtype=object)


def load_array(path: str | os.PathLike[str], what: str, *, key: str | None = None, mmap: bool = True) -> AnyArray:
    """Read one array from ``.npy`` (memory-mapped) or ``.npz``, never running pickled code.

    Raises
    ------
    BadInput
        For a missing, truncated or pickled file, or an ``.npz`` whose array cannot be told.
    """
    file = existing(path, what)
    try:
        loaded = np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(
            f"{what} {str(file)!r} cannot be read ({_first_line(error)}). "
            "It may be truncated or hold Python objects; save it again with numpy.save and a numeric or string dtype."
        ) from error
    if isinstance(loaded, np.ndarray):
        return loaded
    names = loaded.files
    if key is None and len(names) == 1:
        key = names[0]
    if key is None or key not in names:
        raise BadInput(f"{what} {str(file)!r} holds the arrays {', '.join(names)}. Name one as FILE.npz:NAME.")
    return np.asarray(loaded[key])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and rename it into place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise BadInput(f"output {str(path)!r} cannot be written ({error.strerror}). Choose another path.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(permissions(0o666))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def permissions(most: int) -> int:
    """``most``, less what the user's umask takes away."""
    mask = os.umask(0)
    os.umask(mask)
    return most & ~mask
