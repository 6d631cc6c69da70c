"""Excel's workbooks (`.xlsx`): cells are changed in the XML of their sheet, and everything else is copied."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.workbook import Cell, Changes, Workbook, checked, escaped, place_for, scan
from labelproof.data.tables.xml_spans import ATTRIBUTE, attribute_span, parse, spliced
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.data.edits import Edits

BOOK, RELATIONS, STRINGS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"


class Xlsx(Workbook):
    """A sheet is a separate part; formats, formulas and other sheets are unchanged, and formulas are recalculated."""

    suffixes = (".xlsx",)

    def changes(self, book: zipfile.ZipFile, raw: RawTable, change: Edits) -> dict[str, bytes]:
        name = _sheet(book, raw)
        data = book.read(name)
        shared = _strings(book, raw)
        bounds = _Bounds(shared)
        scan(data, raw, bounds.begin, bounds.finish, bounds.words)
        wanted = bounds.left + raw.frame.columns.index(change.column)
        found = _Bounds(shared, wanted)
        scan(data, raw, found.begin, found.finish, found.words)
        first = bounds.top + 1  # below the header
        cells = checked([found.cells.get(first + row) for row in range(raw.frame.height)], raw, change.column)
        changes: Changes = {}
        for row, source in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
            cell = place_for(cells, row, raw)
            changes[cell.start, cell.end] = _written(
                data, cell, cells[source] if source >= 0 else None, change.names.get(row), change.numbers
            )
        for number, (label, values) in enumerate(change.added.items(), start=1):
            _add(changes, bounds, bounds.right + number, bounds.top, [label, *values])
        new = {name: spliced(data, changes)}
        anew = _worked_out_anew(book.read(BOOK), raw)
        return new if anew is None else {**new, BOOK: anew}


@dataclass
class _Bounds:
    """The contents of a sheet: the position of its filled cells, and the cells of one column."""

    shared: list[str]
    column: int | None = None
    top: int = 2**31
    left: int = 2**31
    right: int = -1
    cells: dict[int, Cell] = field(default_factory=dict)
    row_ends: dict[int, tuple[int, int]] = field(default_factory=dict)  # the end tag of each row, or its position
    row: int = -1
    at: int = -1
    cell: Cell | None = None
    name: str = ""

    def begin(self, name: str, attributes: dict[str, str], start: int, inside: int) -> None:
        self.name = name = name.rpartition(":")[2]
        if name == "row":
            self.row, self.at = int(attributes.get("r", self.row + 2)) - 1, -1
        elif name == "c":
            letters = attributes.get("r", "").rstrip("0123456789")
            self.at = _number(letters) if letters else self.at + 1
            self.cell = Cell(start, inside, attributes)
        elif self.cell is not None and name == "f":
            self.cell.formula = True
        elif self.cell is not None and name == "t":
            self.cell.text, self.cell.filled = self.cell.text or "", True

    def words(self, text: str) -> None:
        if self.cell is None or self.name not in ("v", "t"):
            return
        self.cell.filled = True
        self.cell.text = (self.cell.text or "") + text

    def finish(self, name: str, close: int, end: int) -> None:
        name, self.name = name.rpartition(":")[2], ""
        if name == "row":
            self.row_ends[self.row] = close, end
        if name != "c" or self.cell is None:
            return
        cell, self.cell = self.cell, None
        cell.close, cell.end = close, end
        kind = cell.attributes.get("t", "n")
        if kind == "s" and cell.text is not None:
            cell.text = self.shared[int(cell.text)]
        elif kind not in ("str", "inlineStr"):
            cell.text = None
        if cell.filled:
            self.top, self.left = min(self.top, self.row), min(self.left, self.at)
            self.right = max(self.right, self.at)
        if self.at == self.column:
            self.cells[self.row] = cell


def _number(letters: str) -> int:
    """The number, from 0, of a column called ``A``, ``Z``, ``AA`` …"""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter.upper()) - 64
    return number - 1


def _letters(number: int) -> str:
    letters, rest = "", number + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def _written(data: bytes, cell: Cell, source: Cell | None, name: str | None, number: bool) -> bytes:
    """A cell in its own format with what another holds, with a name or a number, or empty."""
    own = [data[a.start() : a.end()] for a in ATTRIBUTE.finditer(data, cell.start, cell.inside) if a[1] != b"t"]
    inner = b""
    if source is not None:
        kind = source.attributes.get("t")
        if source.formula or kind == "str":  # a formula's text is not in the list of strings
            kind, inner = "inlineStr", b'<is><t xml:space="preserve">' + escaped(source.text or "") + b"</t></is>"
        else:
            inner = data[source.inside : source.close]
        own += [f't="{kind}"'.encode()] if kind else []
    elif name is not None and number:
        inner = b"<v>" + escaped(name) + b"</v>"
    elif name is not None:
        own.append(b't="inlineStr"')
        inner = b'<is><t xml:space="preserve">' + escaped(name) + b"</t></is>"
    tag = data[cell.start + 1 : cell.inside].split(maxsplit=1)[0].rstrip(b"/>")  # with its prefix, if it has one
    return b" ".join([b"<" + tag, *own]) + (b">" + inner + b"</" + tag + b">" if inner else b"/>")


def _add(changes: Changes, bounds: _Bounds, column: int, top: int, values: list[str | None]) -> None:
    """A column of text at the end of the rows."""
    for row, value in enumerate(values, start=top):
        if value and row in bounds.row_ends:
            close, end = bounds.row_ends[row]
            if close == end:
                raise BadInput("--explain cannot add columns to a sheet with empty rows. Omit it, or write to .csv.")
            cell = f'<c r="{_letters(column)}{row + 1}" t="inlineStr"><is><t xml:space="preserve">'.encode()
            changes[close, close] = changes.get((close, close), b"") + cell + escaped(value) + b"</t></is></c>"


def _sheet(book: zipfile.ZipFile, raw: RawTable) -> str:
    """The part of the file that is the sheet."""
    sheets = parse(book.read(BOOK), raw.path, "the list of sheets of").all("sheets")
    relation = next(
        (value for sheet in sheets for one in sheet.all("sheet") if one.attributes.get("name") == raw.held
         for key, value in one.attributes.items() if key.rpartition(":")[2] == "id" and ":" in key),
        None,
    )  # fmt: skip
    for one in parse(book.read(RELATIONS), raw.path, "the list of parts of").all("Relationship"):
        if relation is not None and one.attributes.get("Id") == relation:
            target = one.attributes["Target"]
            return target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(posixpath.dirname(BOOK), target))
    raise BadInput(f"Sheet {raw.held!r} of {str(raw.path)!r} was not found. Write to .csv or .parquet.")


def _strings(book: zipfile.ZipFile, raw: RawTable) -> list[str]:
    """The texts that cells name by number, without readings of them."""
    if STRINGS not in book.namelist():
        return []
    found: list[str] = []
    inside: list[str] = []

    def begin(name: str, attributes: dict[str, str], start: int, end: int) -> None:
        inside.append(name.rpartition(":")[2])
        if inside[-1] == "si":
            found.append("")

    def words(text: str) -> None:
        if inside[-1] == "t" and "rPh" not in inside:
            found[-1] += text

    def finish(name: str, close: int, end: int) -> None:
        inside.pop()

    scan(book.read(STRINGS), raw, begin, finish, words)
    return found


def _worked_out_anew(data: bytes, raw: RawTable) -> bytes | None:
    """The list of sheets, set to recalculate formulas when the file is opened; ``None`` if it already is."""
    for element in parse(data, raw.path, "the list of sheets of").all("calcPr"):
        span = attribute_span(data, element, "fullCalcOnLoad")
        if span is not None:
            return None if data[slice(*span)] == b"1" else spliced(data, {span: b"1"})
        at = element.start + len("<calcPr")
        return spliced(data, {(at, at): b' fullCalcOnLoad="1"'})
    return None
