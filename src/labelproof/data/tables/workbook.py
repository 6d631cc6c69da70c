"""Workbooks (extra `sheets`): a sheet is a table, and in a copy only cells of it differ."""

from __future__ import annotations

import logging
import zipfile
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat
from xml.sax.saxutils import escape

import polars as pl

from labelproof.data.compressed import ALWAYS, MOST_TIMES
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.xml_spans import START
from labelproof.errors import BadInput, did_you_mean
from labelproof.extras import needed_by
from labelproof.saving.files import atomic_stream, damaged, existing, stamp_of

if TYPE_CHECKING:
    from labelproof.data.edits import Edits

EXACT = 2**53  # whole numbers up to here are floats as well
Changes = dict[tuple[int, int], bytes]
QUOTES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


@dataclass
class Cell:
    """A cell in the XML of a sheet.

    Attributes
    ----------
    start, inside, close, end : int
        First byte; the first after the start tag; the first of the end tag; the first after it.
    attributes : dict of str
    text : str or None
        The text that a person reads there, if the XML has it; ``None`` for numbers and the like.
    formula : bool
    """

    start: int
    inside: int
    attributes: dict[str, str]
    close: int = -1
    end: int = -1
    text: str | None = None
    formula: bool = False
    filled: bool = False


class Workbook(TableForm):
    """Reads a sheet; subclasses know the XML of each kind of workbook."""

    part = "--sheet"

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = existing(place, "file")
        stamp = stamp_of(path)
        _check_size(path)
        with damaged(path, "workbook"):
            reader = _fastexcel().read_excel(str(path))
            sheet = _chosen(reader, part, place)
            frame = reader.load_sheet(sheet, schema_sample_rows=None).to_polars()
        if stamp_of(path) != stamp:
            raise BadInput(f"{place!r} changed while it was read. Run again when it no longer changes.")
        if frame.height == 0:
            raise BadInput(f"Sheet {sheet!r} of {place!r} has no rows below its header. Give one row per item.")
        columns = [_whole(column) for column in frame.iter_columns()]
        return RawTable(pl.DataFrame(columns), None, path, stamp=stamp, form=self, held=sheet)

    @abstractmethod
    def changes(self, book: zipfile.ZipFile, raw: RawTable, change: Edits) -> dict[str, bytes]:
        """The parts of the file that differ, by name.

        Raises
        ------
        BadInput
            If the cells cannot be found, or one that changes is a formula.
        """

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        with damaged(raw.path, "workbook"), zipfile.ZipFile(raw.path) as book:
            new = {} if change.nothing else self.changes(book, raw, change)
            with atomic_stream(target) as out, zipfile.ZipFile(out, "w") as written:
                for info in book.infolist():
                    written.writestr(info, new.get(info.filename, book.read(info)))
                if stamp_of(raw.path) != raw.stamp:
                    raise BadInput(f"{str(raw.path)!r} changed while it was copied. Run again when it no longer changes.")


def _fastexcel() -> Any:
    with needed_by("a workbook"):
        import fastexcel
    logging.getLogger("fastexcel").setLevel(logging.ERROR)  # do not warn of empty columns that are read as text
    return fastexcel


def _check_size(path: Path) -> None:
    """Refuse what would become beyond measure, before it is decompressed."""
    with damaged(path, "workbook"), zipfile.ZipFile(path) as book:
        size = sum(info.file_size for info in book.infolist())
    if size > max(ALWAYS * 4, MOST_TIMES * path.stat().st_size):
        raise BadInput(f"{str(path)!r} grows over {MOST_TIMES} times when it is decompressed. Save the sheet as .csv.")


def _chosen(reader: Any, wanted: str | None, place: str) -> str:
    names = list(reader.sheet_names)
    if wanted is not None:
        if wanted not in names:
            raise BadInput(f"{place!r} has no sheet {wanted!r}. {did_you_mean(wanted, names)}It has: {', '.join(names)}.")
        return wanted
    filled = names if len(names) == 1 else [name for name in names if reader.load_sheet(name, header_row=None).height]
    if len(filled) != 1:
        raise BadInput(f"{place!r} has the sheets {', '.join(filled or names)}. Name one with --sheet.")
    return str(filled[0])


def _whole(column: pl.Series) -> pl.Series:
    """Whole numbers as integers: a workbook has only floats."""
    if column.dtype == pl.Float64 and column.is_finite().fill_null(True).all():
        whole = (column == column.round()) & (column.abs() <= EXACT)
        return column.cast(pl.Int64) if whole.fill_null(True).all() and column.null_count() < len(column) else column
    return column


def checked(cells: list[Cell | None], raw: RawTable, column: str) -> list[Cell | None]:
    """The cells of a column by row, if they hold the values that were read.

    Raises
    ------
    BadInput
    """
    values = raw.frame[column].to_list()
    for row, (cell, value) in enumerate(zip(cells, values, strict=True)):
        text = None if cell is None else cell.text
        here = cell is not None and cell.filled
        if here != (value is not None) or (text is not None and isinstance(value, str) and text.strip() != value.strip()):
            raise BadInput(
                f"row {row} of sheet {raw.held!r} of {str(raw.path)!r} is {value!r}, but its cell differs. "
                "Write to .csv or .parquet."
            )
    return cells


def place_for(cells: list[Cell | None], row: int, raw: RawTable) -> Cell:
    """The cell of a row, which must exist and not be a formula."""
    cell = cells[row]
    if cell is None or cell.formula:
        what = "no cell for a label" if cell is None else "a formula where its label is"
        raise BadInput(f"row {row} of sheet {raw.held!r} of {str(raw.path)!r} has {what}. Write to .csv or .parquet.")
    return cell


def scan(
    data: bytes, raw: RawTable, begin: Callable[[str, dict[str, str], int, int], None], finish: Callable[[str, int, int], None],
    words: Callable[[str], None],
) -> None:  # fmt: skip
    """Go through XML, element by element.

    Parameters
    ----------
    data : bytes
    raw : RawTable
        For messages.
    begin : callable
        Takes name, attributes, and first byte and end of a start tag.
    finish : callable
        Takes name, and first byte and end of an end tag: an empty part at the end of the start tag if the two are one.
    words : callable
        Takes text.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    tags: list[int] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        found = START.match(data, parser.CurrentByteIndex)
        if found is None:
            raise BadInput(f"{str(raw.path)!r} cannot be changed in its own format. Write to .csv or .parquet.")
        tags.append(found.end())
        begin(name, attributes, found.start(), found.end())

    def end(name: str) -> None:
        inside, at = tags.pop(), parser.CurrentByteIndex
        joined = data[inside - 2 : inside] == b"/>"
        finish(name, inside if joined else at, inside if joined else data.index(b">", at) + 1)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, words
    parser.Parse(data, True)


def escaped(text: str) -> bytes:
    """Text as XML stores it."""
    return escape(text, QUOTES).encode()
