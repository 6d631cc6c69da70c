"""Copies of a file that differ only in the decided cells, with further columns at the end on request.

Delimited text is copied byte for byte: separator, quotes, line ends, byte order mark, encoding and a missing last line end are
kept. Parquet keeps its schema, metadata, dictionaries, compression and row groups.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from labelproof.data.compressed import compressing, promised
from labelproof.data.delimited import Dialect, reading, records
from labelproof.data.edits import Edits
from labelproof.data.frames import write_frame
from labelproof.data.raw_table import Path_, RawTable
from labelproof.data.records import Records, scan
from labelproof.data.tables import form_of
from labelproof.data.targets import CSV_SUFFIXES, PARQUET_SUFFIXES, check_table_target, table_suffix
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream, damaged, stamp_of
from labelproof.validation import Json

PIECE = 1 << 22  # bytes copied at once


def check_copy_target(target: Path, *, overwrite: bool, source: Path_) -> None:
    """Check, before any work is done, that a copy of a table can be written to a path.

    Raises
    ------
    BadInput
    """
    form = form_of(source)
    if form is not None and form.takes(target):
        form.check(target, overwrite=overwrite, source=str(source))
    else:
        check_table_target(target, overwrite=overwrite, source=source, also="" if form is None else form.also)


def copy_table(raw: RawTable, target: Path, change: Edits, *, overwrite: bool = False) -> None:
    """Write a copy of a table; into another kind of file with the same values as far as that kind can hold them.

    Raises
    ------
    BadInput
        If an added column is there already, or the target cannot be written.
    """
    for name in change.added:
        if name in raw.frame.columns:
            raise BadInput(f"{str(raw.path)!r} already has a column {name!r}, which labelproof would write. Rename it first.")
    kind, goal = table_suffix(raw.path), table_suffix(target)
    if raw.form is not None and raw.form.takes(target):
        raw.form.copy(raw, target, change, overwrite=overwrite)
    elif raw.form is None and kind in PARQUET_SUFFIXES and goal in PARQUET_SUFFIXES:
        copy_parquet(raw.path, target, change)
    elif raw.dialect is not None and kind == goal:
        _copy_delimited(raw, raw.dialect, target, change)
    else:
        _convert(raw, target, change)


def _copy_delimited(raw: RawTable, dialect: Dialect, target: Path, change: Edits) -> None:
    compression = promised(target)
    if change.nothing and compression == dialect.compression:
        with atomic_stream(target) as out, raw.path.open("rb") as source:
            shutil.copyfileobj(source, out, PIECE)
        return
    field_number = raw.frame.columns.index(change.column)
    texts = raw.frame[change.column].gather(np.maximum(change.sources, 0)).to_list()
    values = [
        text if at >= 0 else change.names[row]
        for row, at, text in zip(change.rows.tolist(), change.sources, texts, strict=True)
    ]
    added = [(name, [*column]) for name, column in change.added.items()]
    if raw.starts is not None and dialect.is_utf8 and not dialect.compression and not compression and not added:
        _patch(raw, dialect, target, field_number, list(zip(change.rows.tolist(), values, strict=True)))
        return
    with atomic_stream(target) as out, compressing(out, compression) as sink:
        sink.write(dialect.bom)
        done = -1  # rows written; the header comes first
        for part in records(raw.path, dialect):
            first, last = np.searchsorted(change.rows, [done, done + len(part)])
            cells = [
                (part.bounds(int(row) - done, field_number), value)
                for row, value in zip(change.rows[first:last], values[first:last], strict=True)
            ]
            sink.write(_encoded(_edited(part, dialect, cells, added, done), dialect, raw.path))
            done += len(part)


def _patch(raw: RawTable, dialect: Dialect, target: Path, field_number: int, cells: Sequence[tuple[int, str | None]]) -> None:
    """Copy a file; only the records that change are parsed."""
    assert raw.starts is not None
    before = len(dialect.bom)
    with reading(raw.path), raw.path.open("rb") as source, atomic_stream(target) as out:
        at = 0
        for row, value in cells:
            start, stop = int(raw.starts[row]) + before, int(raw.starts[row + 1]) + before
            _copy_bytes(source, out, start - at)
            record = source.read(stop - start)
            first, last = _bounds(record, dialect, field_number)
            text = _field(value, dialect.separator.encode(), quoted=record[first : first + 1] == b'"')
            out.write(record[:first] + text + record[last:])
            at = stop
        shutil.copyfileobj(source, out, PIECE)
        if stamp_of(raw.path) != raw.stamp:
            raise BadInput(f"{str(raw.path)!r} changed while it was copied. Run again when it no longer changes.")


def _bounds(record: bytes, dialect: Dialect, field_number: int) -> tuple[int, int]:
    """First byte of a field of one record, and the one after its last."""
    found = _plain_bounds(record, dialect.separator.encode(), field_number)
    if found is None:
        mapped = scan(record, dialect.separator, final=True, quoted_lines=dialect.quoted_lines, width=dialect.width)
        found = mapped.bounds(0, field_number)
    return found


def _plain_bounds(record: bytes, separator: bytes, field_number: int) -> tuple[int, int] | None:
    """The same for a record of one line with regular quotes, ten times as fast; ``None`` for others."""
    limit = len(record.rstrip(b"\r\n"))
    if record.find(b"\n", 0, limit) >= 0 or record.find(b"\r", 0, limit) >= 0:
        return None
    start = end = -1
    for _ in range(field_number + 1):
        start = end + 1
        if record[start : start + 1] == b'"':
            close = record.find(b'"', start + 1, limit)
            while close >= 0 and record[close + 1 : close + 2] == b'"':
                close = record.find(b'"', close + 2, limit)
            end = close + 1
            if close < 0 or (end < limit and record[end : end + 1] != separator):
                return None
        else:
            end = record.find(separator, start, limit)
            end = limit if end < 0 else end
    return start, end


def _copy_bytes(source: IO[bytes], out: IO[bytes], count: int) -> None:
    while count > 0:
        data = source.read(min(count, PIECE))
        if not data:
            return
        out.write(data)
        count -= len(data)


def _edited(
    part: Records,
    dialect: Dialect,
    cells: Sequence[tuple[tuple[int, int], str | None]],
    added: Sequence[tuple[str, Sequence[str | None]]],
    done: int,
) -> bytes:
    """The text of some records with cells changed and columns added."""
    separator = dialect.separator.encode()
    changes: list[tuple[int, int, bytes]] = [
        (start, end, _field(value, separator, quoted=part.text[start : start + 1] == b'"')) for (start, end), value in cells
    ]
    if added:
        for record, end in enumerate(part.ends.tolist()):
            row = done + record
            values = [name if row < 0 else column[row] for name, column in added]
            changes.append((end, end, b"".join(separator + _field(value, separator) for value in values)))
        changes.sort(key=lambda change: change[:2])
    pieces, at = [], 0
    for start, end, text in changes:
        pieces += [part.text[at:start], text]
        at = end
    return b"".join([*pieces, part.text[at:]])


def _field(value: str | None, separator: bytes, quoted: bool = False) -> bytes:
    """A field for writing, quoted if the old one was or the value needs it."""
    text = ("" if value is None else str(value)).encode("utf-8")
    if quoted or any(mark in text for mark in (separator, b'"', b"\n", b"\r")):
        return b'"' + text.replace(b'"', b'""') + b'"'
    return text


def _encoded(text: bytes, dialect: Dialect, path: Path) -> bytes:
    if dialect.is_utf8:
        return text
    try:
        return text.decode("utf-8").encode(dialect.encoding)
    except UnicodeEncodeError as error:
        raise BadInput(
            f"{error.object[error.start : error.end]!r} cannot be written in {dialect.encoding}, the encoding of {str(path)!r}. Write to .parquet."
        ) from error


def copy_parquet(path: Path, target: Path, change: Edits) -> None:
    with damaged(path, "Parquet file"), path.open("rb") as source:
        if change.nothing:
            with atomic_stream(target) as out:
                shutil.copyfileobj(source, out, PIECE)
            return
        file = pa.parquet.ParquetFile(source)
        schema = file.schema_arrow
        for name in change.added:
            schema = schema.append(pa.field(name, pa.string()))
        column = edited_column(file.read(columns=[change.column]).column(0), change)
        groups = (file.read_row_group(number) for number in range(file.num_row_groups))
        with atomic_stream(target) as out, pa.parquet.ParquetWriter(out, schema, **_as_written(file)) as writer:
            for group in edited(groups, column, schema, change):
                writer.write_table(group, row_group_size=max(1, group.num_rows))


def edited(groups: Iterable[Any], column: Any, schema: Any, change: Edits, *, everywhere: bool = False) -> Iterator[Any]:
    """Parts of an Arrow table with the new column (where it differs, or everywhere) and further columns."""
    place, done = schema.get_field_index(change.column), 0
    for group in groups:
        end = done + group.num_rows
        first, last = np.searchsorted(change.rows, [done, end])
        if last > first or everywhere:
            group = group.set_column(place, schema.field(place), column.slice(done, group.num_rows))
        for name, more in change.added.items():
            group = group.append_column(schema.field(name), pa.array(list(more[done:end]), pa.string()))
        done = end
        yield group.cast(schema) if group.schema != schema else group


def edited_column(column: Any, change: Edits) -> Any:
    """A whole Arrow column with new values, in its own type, as one array."""
    whole = _decoded(column).combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], whole.type)
    mask = np.zeros(len(whole), bool)
    mask[change.rows] = True
    return _like(pa.compute.replace_with_mask(whole, pa.array(mask), _new_values(whole, change)), column.type)


def _decoded(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _like(array: Any, wanted: Any) -> Any:
    if pa.types.is_dictionary(wanted):
        encoded = array.dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            encoded.indices.cast(wanted.index_type), encoded.dictionary.cast(wanted.value_type)
        )
    return array.cast(wanted)


def _new_values(column: Any, change: Edits) -> Any:
    """The new values in the type of the column, in the order of ``change.rows``."""
    index = pa.array([int(s) if s >= 0 else None for s in change.sources], pa.int64())
    found = column.take(index)
    if not change.names or all(name is None for name in change.names.values()):
        return found
    typed = found.to_pylist()
    for place, row in enumerate(change.rows.tolist()):
        if row in change.names:
            name = change.names[row]
            typed[place] = None if name is None else pa.scalar(name).cast(column.type).as_py()
    return pa.array(typed, column.type)


def _as_written(file: Any) -> Json:
    """Options that write a file as this one was: version, compression and dictionaries of each column."""
    meta = file.metadata
    options: Json = {"version": "1.0" if meta.format_version == "1.0" else "2.6", "store_schema": True}
    if meta.num_row_groups:
        columns = [meta.row_group(0).column(i) for i in range(meta.num_columns)]
        options["compression"] = {c.path_in_schema: c.compression.replace("UNCOMPRESSED", "NONE") for c in columns}
        options["use_dictionary"] = [c.path_in_schema for c in columns if c.dictionary_page_offset is not None]
        options["write_statistics"] = [c.path_in_schema for c in columns if c.statistics is not None]
    return options


def _convert(raw: RawTable, target: Path, change: Edits) -> None:
    """The same values in another kind of file."""
    frame = raw.frame
    held = frame[change.column].to_list()
    for row, source in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
        held[row] = frame[change.column][source] if source >= 0 else change.names[row]
    new = pl.Series(change.column, held, dtype=frame.schema[change.column], strict=False)
    frame = frame.with_columns(new, *(pl.Series(name, list(column), dtype=pl.String) for name, column in change.added.items()))
    if raw.dialect is not None and table_suffix(target) in PARQUET_SUFFIXES:
        frame = pl.DataFrame([lossless(series) for series in frame.get_columns()])
    nested = next((s.name for s in frame.get_columns() if s.dtype.is_nested() or s.dtype == pl.Binary), None)
    if nested is not None and table_suffix(target) in CSV_SUFFIXES:
        raise BadInput(f"Column {nested!r} holds {frame.schema[nested]}, which delimited text cannot hold. Write to .parquet.")
    write_frame(frame, target)


def lossless(text: pl.Series) -> pl.Series:
    """A column of text as whole numbers or floats if converting them back gives the same text, otherwise unchanged."""
    if text.dtype != pl.String:
        return text
    for dtype in (pl.Int64, pl.Float64):
        numbers = text.cast(dtype, strict=False)
        if numbers.null_count() == text.null_count() and bool((numbers.cast(pl.String) == text).fill_null(True).all()):
            return numbers
    return text
