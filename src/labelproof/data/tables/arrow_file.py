"""Arrow's own files: `.arrow`, `.ipc` and `.feather`, as files with an index or as streams."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc

from labelproof.data.copies import edited, edited_column
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream, damaged, existing

if TYPE_CHECKING:
    from labelproof.data.edits import Edits

FILE, FEATHER_1 = b"ARROW1", b"FEA1"  # what such files begin with; a stream begins with its first message


class ArrowFile(TableForm):
    """An Arrow table; a copy keeps its schema, its metadata and its batches."""

    suffixes = (".arrow", ".feather", ".ipc")

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = existing(place, "file")
        with opened(path) as (reader, _):
            frame = frame_of(reader.read_all(), path)
        if frame.height == 0:
            raise BadInput(f"{place!r} has no rows. Give one per item.")
        return RawTable(frame, None, path, form=self)

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        copy_arrow(raw.path, target, change)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """A reader of Arrow's files or streams, and its source: a copy in memory, because a memory map crashes if the file shrinks.

    Raises
    ------
    BadInput
        For a damaged file, inside of the block too.
    """
    with damaged(path, "Arrow file"), pa.OSFile(str(path)) as source:
        start = source.read(6)
        source.seek(0)
        if start.startswith(FEATHER_1):
            raise BadInput(f"{str(path)!r} is in version 1 of Feather. Write it again as version 2, or as .parquet.")
        with pa.ipc.open_file(source) if start == FILE else pa.ipc.open_stream(source) as reader:
            yield reader, source


def batches(path: Path) -> Iterator[tuple[int, Any]]:
    """The batches of a file, each with the position at which `batch_at` finds it again."""
    with opened(path) as (reader, source):
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            yield from ((number, _sound(reader.get_batch(number))) for number in range(reader.num_record_batches))
            return
        while True:
            place = source.tell()
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            yield place, _sound(batch)


def batch_at(path: Path, place: int) -> Any:
    """One batch: by its number in a file with an index, by its place in the bytes of a stream."""
    with opened(path) as (reader, source):
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            return _sound(reader.get_batch(place))
        source.seek(place)
        return _sound(pa.ipc.read_record_batch(pa.ipc.read_message(source), reader.schema))


def _sound(batch: Any) -> Any:
    """A batch whose offsets stay within it: others end the process when they are followed."""
    batch.validate(full=True)
    return batch


def frame_of(table: Any, path: Path) -> pl.DataFrame:
    """An Arrow table, checked, as a frame."""
    table.validate(full=True)
    twice = next((name for i, name in enumerate(table.column_names) if name in table.column_names[:i]), None)
    if twice is not None:
        raise BadInput(f"{str(path)!r} has two columns named {twice!r}. Rename one.")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def copy_arrow(path: Path, target: Path, change: Edits, *, metadata: Any = None) -> None:
    """Write a copy of a file, with new values of a column, further columns, and other metadata of the schema if given."""
    if change.nothing and metadata is None:
        with damaged(path), atomic_stream(target) as out, path.open("rb") as source:
            shutil.copyfileobj(source, out)
        return
    with opened(path) as (reader, _):
        table = reader.read_all()
        table.validate(full=True)
        schema = table.schema if metadata is None else table.schema.with_metadata(metadata)
        for name in change.added:
            schema = schema.append(pa.field(name, pa.string()))
        column = edited_column(table.column(change.column), change)
        feather = target.suffix.lower() == ".feather"
        options = pa.ipc.IpcWriteOptions(compression="lz4" if feather else None)  # as Feather is written by default
        is_file = isinstance(reader, pa.ipc.RecordBatchFileReader)
        more = {"metadata": reader.metadata} if is_file else {}
        new = pa.ipc.new_file if is_file else pa.ipc.new_stream
        groups = [pa.Table.from_batches([batch]) for batch in table.to_batches()]
        with atomic_stream(target) as out, new(out, schema, options=options, **more) as writer:
            for group in edited(groups, column, schema, change, everywhere=True):  # one dictionary for all
                writer.write_table(group, max_chunksize=max(1, group.num_rows))
