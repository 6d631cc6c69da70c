"""Tables from CSV, TSV and Parquet files: first as stored, then, on request, with typed columns."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from labelproof.data.compressed import compressing, promised
from labelproof.data.delimited import SEPARATORS, Dialect, detect, records
from labelproof.data.raw_table import Path_, RawTable
from labelproof.data.records import Records
from labelproof.data.schema import Schema
from labelproof.data.tables import form_of
from labelproof.data.targets import CSV_SUFFIXES, PARQUET_SUFFIXES, table_suffix
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.saving.files import atomic_stream, damaged, existing, stamp_of

if TYPE_CHECKING:
    pass

READ = (
    "Tables are read from .csv, .tsv, .jsonl, .json (all also .gz or .zst), .parquet, .arrow, .xlsx and .ods files, and from folders "
    "of .parquet files."
)
LARGEST_BLOCK = 2**31 - 1


def read_raw(path: Path_, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
    """Read a table as stored in its source.

    Parameters
    ----------
    path : path of a .csv or .tsv file, which may be compressed, of a .parquet file, or of a form in `labelproof.data.tables`
    encoding : str, optional
        Encoding of text. By default found by its byte order mark or zero bytes, otherwise UTF-8.
    part : str, optional
        A sheet of a workbook, or the query of a database.
    quiet : bool
        Do not report inferred properties.

    Raises
    ------
    BadInput
        For a missing, empty, ragged, damaged or undecodable file, with the line, and for an unknown kind of file.
    """
    form = form_of(path)
    if form is not None:
        return form.read(str(path), encoding=encoding, part=part, quiet=quiet)
    file = existing(path, "file")
    if file.is_dir():
        raise BadInput(f"{str(file)!r} is a folder, not a table. For pictures in class folders, omit --label.")
    suffix = table_suffix(file)
    if suffix is None:
        raise BadInput(f"{str(file)!r} ends in {file.suffix!r}. {READ}")
    with damaged(file):
        if file.stat().st_size == 0:
            raise BadInput(f"{str(file)!r} is empty. Give a table with a header line and one line per item.")
    if suffix in PARQUET_SUFFIXES:
        table = RawTable(read_parquet(file), None, file)
    else:
        table = _read_delimited(file, CSV_SUFFIXES[suffix], encoding, quiet)
    if table.frame.height == 0:
        raise BadInput(f"{str(file)!r} has a header but no rows. Give one line per item.")
    return table


def located(path: Path_) -> str:
    """The absolute path of a file or folder; a URL is unchanged."""
    return str(path) if "://" in str(path) else str(Path(path).resolve())


def read_frame(path: Path_, *, text_columns: Sequence[str] = ()) -> pl.DataFrame:
    """Read a table with typed columns, as `Schema.infer` types them.

    Parameters
    ----------
    path : path
    text_columns : sequence of str
        Columns of delimited text kept exactly as stored ("007" stays "007").

    Raises
    ------
    BadInput
        As `read_raw`.
    """
    raw = read_raw(path)
    if raw.dialect is None:
        return raw.frame
    others = raw.frame.select([name for name in raw.frame.columns if name not in text_columns])
    typed = Schema.infer(others, raw.separator).convert(others, str(path))
    return raw.frame.select([typed[name] if name in typed.columns else raw.frame[name] for name in raw.frame.columns])


def read_parquet(file: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file by a reader that raises an error for a flipped bit.

    Raises
    ------
    BadInput
    """
    with damaged(file, "Parquet file"), file.open("rb") as stream:
        whole = pa.parquet.ParquetFile(stream, page_checksum_verification=True)
        table = whole.read(columns=None if columns is None else list(columns))
        table.validate(full=True)
        frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _read_delimited(file: Path, promised: str, encoding: str | None, quiet: bool) -> RawTable:
    stamp = stamp_of(file)
    dialect = detect(file, promised, encoding)
    found = _survey(file, dialect)
    if found.ragged is not None and found.spanning:
        by_line = _survey(file, replace(dialect, quoted_lines=False))
        if by_line.ragged is None:
            dialect, found = replace(dialect, quoted_lines=False), by_line
    if found.ragged is not None:
        raise BadInput(f"{str(file)!r} {found.ragged}")
    if found.header is None:
        raise BadInput(f"{str(file)!r} is empty. Give a table with a header line and one line per item.")
    if not quiet:
        _say(file, dialect, promised, found.literal_line)
    names = _names(file, found.header)
    frame = _by_arrow(file, dialect, len(names), found) if found.regular else None
    if frame is None or frame.height != found.n:
        frame = _by_positions(file, dialect, len(names))
    if stamp_of(file) != stamp:
        raise BadInput(f"{str(file)!r} changed while it was read. Run again when it no longer changes.")
    frame.columns = names
    return RawTable(frame, dialect, file, np.concatenate([*found.starts, [found.end]])[1:], stamp)


@dataclass
class _Survey:
    """The properties of all records of a file."""

    header: list[str] | None = None
    n: int = -1  # records besides the header
    longest: int = 0  # bytes of the longest record
    regular: bool = True
    spanning: bool = False
    ragged: str | None = None
    literal_line: int | None = None
    starts: list[npt.NDArray[np.int64]] = field(default_factory=list)
    end: int = 0


def _survey(file: Path, dialect: Dialect) -> _Survey:
    found, lines = _Survey(), 0
    for part in records(file, dialect):
        if len(part) == 0:  # only empty lines
            lines += part.text.count(b"\n")
            found.end += len(part.text)
            continue
        if found.header is None:
            found.header = part.values(0)
        found.n += len(part)
        found.starts.append(part.starts + found.end)
        found.end += len(part.text)
        found.longest = max(found.longest, int((part.ends - part.starts).max()))
        found.regular &= part.regular
        found.spanning |= not part.regular or part.spanning
        if part.literal and found.literal_line is None:
            found.literal_line = lines + part.line(part.literal[0])
        wrong = np.flatnonzero(part.widths != len(found.header))
        if len(wrong):
            found.ragged = _ragged(part, int(wrong[0]), len(found.header), lines, dialect.separator)
            return found
        lines += part.text.count(b"\n")
    return found


def _ragged(part: Records, record: int, wanted: int, lines: int, separator: str) -> str:
    start, end = int(part.starts[record]), int(part.ends[record])
    text = part.text[start:end].decode("utf-8", "replace")
    short = text if len(text) < 60 else text[:57] + "..."
    return (
        f"line {lines + part.line(start)} has {part.widths[record]} fields but the header has {wanted}: {short!r}. "
        f"Quote fields that hold the separator {separator!r}, or fill in the missing ones."
    )


def _say(file: Path, dialect: Dialect, promised: str, literal_line: int | None) -> None:
    """Report inferred properties that differ from the file name."""
    if not dialect.is_utf8 or dialect.separator != promised:
        separator = f"{dialect.separator!r} ({SEPARATORS[dialect.separator]})"
        encoding = dialect.encoding.upper().removesuffix("-LE").removesuffix("-BE")
        warnings.warn(
            f"{str(file)!r} was read as {encoding}, fields separated by {separator}.", LabelproofWarning, stacklevel=2
        )
    if literal_line is not None:
        warnings.warn(
            f"{str(file)!r} line {literal_line} has a quote that is never closed. It was read as a character, so that every line stays a row. If that is wrong, double the quote, or quote the whole field.",
            LabelproofWarning,
            stacklevel=2,
        )


def _names(file: Path, header: list[str]) -> list[str]:
    unnamed = [i for i, name in enumerate(header) if name == ""]
    names = [f"column {i + 1}" if name == "" and len(unnamed) > 1 else name for i, name in enumerate(header)]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise BadInput(f"{str(file)!r} has two columns named {twice!r}. Rename one.")
    return names


def _by_arrow(file: Path, dialect: Dialect, width: int, found: _Survey) -> pl.DataFrame | None:
    """All columns as text, by a multi-threaded reader; ``None`` if it reads the file differently from us."""
    names = [f"f{i}" for i in range(width)]
    read = pa.csv.ReadOptions(
        autogenerate_column_names=True, block_size=min(LARGEST_BLOCK, max(1 << 20, 2 * found.longest + 1024))
    )
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=True, null_values=[""]
    )
    parse = pa.csv.ParseOptions(delimiter=dialect.separator, newlines_in_values=found.spanning)
    plain = dialect.is_utf8 and not dialect.compression
    source: object = pa.OSFile(str(file)) if plain else io.BytesIO(b"".join(part.text for part in records(file, dialect)))
    try:
        table = pa.csv.read_csv(source, read_options=read, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError):
        return None
    frame = pl.from_arrow(table.slice(1))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _by_positions(file: Path, dialect: Dialect, width: int) -> pl.DataFrame:
    """All columns as text, field by field."""
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for part in records(file, dialect):
        for record in range(len(part)):
            for held, value in zip(columns, part.values(record), strict=True):
                held.append(value or None)
    return pl.DataFrame({f"f{i}": pl.Series(held[1:], dtype=pl.String) for i, held in enumerate(columns)})


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a table in the format of its ending, completely or not at all."""
    buffer = io.BytesIO()
    suffix = table_suffix(path)
    if suffix in CSV_SUFFIXES:
        frame.write_csv(buffer, separator=CSV_SUFFIXES[suffix])
    else:
        frame.write_parquet(buffer)
    with atomic_stream(path) as out, compressing(out, promised(path)) as sink:
        sink.write(buffer.getvalue())
