"""OpenDocument's workbooks (`.ods`): cells are changed in the XML of the contents, and everything else is copied."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.workbook import Cell, Changes, Workbook, checked, escaped, place_for, scan
from labelproof.data.tables.xml_spans import ATTRIBUTE, spliced
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.data.edits import Edits

CONTENT = "content.xml"
CELLS = ("table:table-cell", "table:covered-table-cell")
COLUMNS, ROWS = "table:number-columns-repeated", "table:number-rows-repeated"
OWN = ("table:style-name", "table:content-validation-name", "table:number-columns-spanned", "table:number-rows-spanned")
MOST_REPEATED = 1 << 20  # rows that a file may have of one; more are the empty rest of a sheet


@dataclass
class Row:
    """Equal rows, which the XML holds once.

    Attributes
    ----------
    first, times : int
        Number of the first, and how many there are.
    start, inside, close, end : int
        As of a cell.
    cells : list of (number of the first column, how many, Cell)
    """

    first: int
    times: int
    start: int
    inside: int
    close: int = -1
    end: int = -1
    cells: list[tuple[int, int, Cell]] = field(default_factory=list)


class Ods(Workbook):
    """Rows and cells that the file stores once for many are split if one of them changes."""

    suffixes = (".ods",)

    def changes(self, book: zipfile.ZipFile, raw: RawTable, change: Edits) -> dict[str, bytes]:
        data = book.read(CONTENT)
        found = _Scan(str(raw.held))
        scan(data, raw, found.begin, found.finish, found.words)
        filled = [(row.first, at) for row in found.rows for at, _, cell in row.cells if cell.filled]
        top, left = min(row for row, _ in filled), min(at for _, at in filled)
        if change.added:
            raise BadInput("--explain adds columns that .ods cannot hold. Omit it, or write to .xlsx, .csv or .parquet.")
        column = left + raw.frame.columns.index(change.column)
        rows = {row.first + n: row for row in found.rows if row.times <= MOST_REPEATED for n in range(row.times)}
        cells = [_at(rows.get(top + 1 + i), column) for i in range(raw.frame.height)]
        checked(cells, raw, change.column)
        new: dict[int, bytes] = {}
        for i, source in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
            cell = place_for(cells, i, raw)
            new[top + 1 + i] = _written(data, cell, cells[source] if source >= 0 else None, change.names.get(i), change.numbers)
        return {CONTENT: spliced(data, _changed(data, rows, new, column))}


@dataclass
class _Scan:
    """The rows of one sheet."""

    sheet: str
    rows: list[Row] = field(default_factory=list)
    depth: int = 0  # of tables, from that sheet on
    row: Row | None = None
    cell: Cell | None = None
    times: int = 1
    next_row: int = 0
    next_column: int = 0
    aside: int = 0  # inside of a note to a cell

    def begin(self, name: str, attributes: dict[str, str], start: int, inside: int) -> None:
        if name == "table:table":
            self.depth += bool(self.depth) or attributes.get("table:name") == self.sheet
        elif self.depth != 1:
            return
        elif name == "table:table-row":
            self.row = Row(self.next_row, int(attributes.get(ROWS, 1)), start, inside)
            self.next_row, self.next_column = self.next_row + self.row.times, 0
        elif name in CELLS and self.row is not None:
            self.times = int(attributes.get(COLUMNS, 1))
            filled = "office:value-type" in attributes
            self.cell = Cell(start, inside, attributes, formula="table:formula" in attributes, filled=filled)
        elif name == "office:annotation":
            self.aside += 1
        elif name == "text:p" and self.cell is not None and not self.aside:
            self.cell.text = "" if self.cell.text is None else self.cell.text + "\n"
        elif name in ("text:s", "text:tab", "text:line-break") and self.cell is not None and not self.aside:
            self.cell.text = (self.cell.text or "") + {"text:tab": "\t", "text:line-break": "\n"}.get(
                name, " " * int(attributes.get("text:c", 1))
            )

    def words(self, text: str) -> None:
        if self.cell is not None and self.cell.text is not None and not self.aside:
            self.cell.text += text

    def finish(self, name: str, close: int, end: int) -> None:
        if name == "table:table" and self.depth:
            self.depth -= 1
        elif self.depth != 1:
            return
        elif name == "office:annotation":
            self.aside -= 1
        elif name in CELLS and self.cell is not None and self.row is not None:
            self.cell.close, self.cell.end = close, end
            if self.cell.attributes.get("office:value-type") != "string":
                self.cell.text = None
            self.row.cells.append((self.next_column, self.times, self.cell))
            self.next_column, self.cell = self.next_column + self.times, None
        elif name == "table:table-row" and self.row is not None:
            self.row.close, self.row.end = close, end
            self.rows.append(self.row)
            self.row = None


def _at(row: Row | None, column: int) -> Cell | None:
    return next((cell for at, times, cell in row.cells if at <= column < at + times), None) if row is not None else None


def _attributes(data: bytes, start: int, inside: int, without: tuple[str, ...] = ()) -> list[bytes]:
    return [data[a.start() : a.end()] for a in ATTRIBUTE.finditer(data, start, inside) if a[1].decode() not in without]


def _written(data: bytes, cell: Cell, source: Cell | None, name: str | None, number: bool) -> bytes:
    """A cell in its own format with what another holds, with a name or a number, or empty; once."""
    own = [part for part in _attributes(data, cell.start, cell.inside) if part.split(b"=")[0].strip().decode() in OWN]
    inner = b""
    if source is not None:
        own += _attributes(data, source.start, source.inside, (COLUMNS, "table:formula", *OWN))
        inner = data[source.inside : source.close]
    elif name is not None and number:
        own += [b'office:value-type="float"', b'office:value="' + escaped(name) + b'"']
        inner = b"<text:p>" + escaped(name) + b"</text:p>"
    elif name is not None:
        own.append(b'office:value-type="string"')
        inner = b"".join(b"<text:p>" + escaped(line) + b"</text:p>" for line in name.split("\n"))
    return b" ".join([b"<table:table-cell", *own]) + (b">" + inner + b"</table:table-cell>" if inner else b"/>")


def _changed(data: bytes, rows: dict[int, Row], new: dict[int, bytes], column: int) -> Changes:
    """The rows that change, each with a cell of its own; rows that the file stores once for many are split."""
    changes: Changes = {}
    for first in {rows[number].first for number in new}:
        row = rows[first]
        pieces, same = [], 0
        for number in range(row.first, row.first + row.times):
            if number not in new:
                same += 1
                continue
            pieces += [_rows(data, row, same), _row(data, row, column, new[number])]
            same = 0
        changes[row.start, row.end] = b"".join([*pieces, _rows(data, row, same)])
    return changes


def _rows(data: bytes, row: Row, times: int) -> bytes:
    """A row, repeated."""
    return _repeated(data, row.start, row.inside, ROWS, times) + data[row.inside : row.end] if times else b""


def _row(data: bytes, row: Row, column: int, cell: bytes) -> bytes:
    """A row, once, with another cell in one column."""
    at, count, old = next(own for own in row.cells if own[0] <= column < own[0] + own[1])

    def copies(number: int) -> bytes:
        return _repeated(data, old.start, old.inside, COLUMNS, number) + data[old.inside : old.end] if number else b""

    between = copies(column - at) + cell + copies(at + count - column - 1)
    tag = _repeated(data, row.start, row.inside, ROWS, 1)
    return tag + data[row.inside : old.start] + between + data[old.end : row.end]


def _repeated(data: bytes, start: int, inside: int, name: str, times: int) -> bytes:
    """A start tag with another number of times."""
    tag = re.sub(rb"\s" + name.encode() + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", b"", data[start:inside])
    if times == 1:
        return tag
    end = len(tag) - (2 if tag.endswith(b"/>") else 1)
    return tag[:end].rstrip() + f' {name}="{times}"'.encode() + tag[end:]
