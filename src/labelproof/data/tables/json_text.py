"""The common part of formats in JSON: text that is decoded once, rows with typed columns, and copies with other values."""

from __future__ import annotations

import codecs
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from labelproof.data.compressed import Plain, compressing, compression_of, promised
from labelproof.data.delimited import BOMS
from labelproof.data.edits import Edits
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.json_spans import Span, Way, locate, members, past_space
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream, damaged, existing, first_line, stamp_of
from labelproof.validation import Json

SEPARATOR = "."  # between the names of an object and of a member of it
WHOLE, EXACT = range(-(2**63), 2**63), range(-(2**53), 2**53 + 1)  # of 64-bit integers; of those that floats hold too


@dataclass(frozen=True)
class JsonText:
    """The text of a file.

    Attributes
    ----------
    path : Path
    text : str
    encoding : str
    bom : bytes
    compression : str
    """

    path: Path
    text: str
    encoding: str = "utf-8"
    bom: bytes = b""
    compression: str = ""

    @classmethod
    def of(cls, path: Path, encoding: str | None = None) -> JsonText:
        """Read a file.

        Raises
        ------
        BadInput
            If it is missing, empty, damaged, or no text in the encoding, naming the line.
        """
        file = existing(path, "file")
        if file.is_dir():
            raise BadInput(f"{str(path)!r} is a folder. Name a file.")
        before = stamp_of(file)
        with damaged(file):
            compression = compression_of(file)
            with Plain(file, compression) as opened:
                data = opened.read()
        if stamp_of(file) != before:
            raise BadInput(f"{str(file)!r} changed while it was read. Run again when it no longer changes.")
        bom, name = next(((mark, name) for mark, name in BOMS if data.startswith(mark)), (b"", _codec(encoding or "utf-8")))
        try:
            text = data[len(bom) :].decode(name)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise BadInput(
                f"{str(path)!r} line {line} is not text in {name.upper()}. Name the encoding that it was saved in, e.g. "
                "--encoding cp1252, or save it as UTF-8."
            ) from error
        if not text.strip():
            raise BadInput(f"{str(path)!r} is empty. Give a file with items.")
        return cls(file, text, name, bom, compression)

    def line(self, at: int) -> int:
        """Number of the line, from 1, that a character is in."""
        return self.text.count("\n", 0, at) + 1

    def parsed(self, start: int = 0, end: int | None = None) -> Any:
        """The value of the whole text, or of a part.

        Raises
        ------
        BadInput
            Naming line and column.
        """
        try:
            return json.loads(self.text if end is None else self.text[start:end])
        except json.JSONDecodeError as error:
            line = self.line(start) + error.lineno - 1
            raise BadInput(
                f"{str(self.path)!r} line {line}, column {error.colno} is not JSON: {error.msg}. Check that the file is complete."
            ) from error
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{str(self.path)!r} line {self.line(start)} cannot be read ({first_line(error)}).") from error

    def write(self, target: Path, changes: Iterable[tuple[Span, str]]) -> None:
        """Write the text with other words in some places, in the encoding of the file."""
        pieces, at = [], 0
        for (start, end), words in sorted(changes):
            pieces += [self.text[at:start], words]
            at = end
        text = "".join([*pieces, self.text[at:]])
        try:
            data = self.bom + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{error.object[error.start : error.end]!r} cannot be written in {self.encoding}, the encoding of {str(self.path)!r}. "
                "Write to .parquet."
            ) from error
        with atomic_stream(target) as out, compressing(out, promised(target)) as sink:
            sink.write(data)


DEEPEST = 20  # depth of nested objects whose members become columns
LONE = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can hold and text cannot


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name.removesuffix("-sig")
    except LookupError as error:
        raise BadInput(f"--encoding {encoding!r} is unknown. Give e.g. utf-8, latin-1, cp1252 or gb18030.") from error


@dataclass(frozen=True)
class JsonRows:
    """The rows of a text and the positions of their values.

    Attributes
    ----------
    source : JsonText
    spans : sequence of n spans
        Spans of the objects that are rows.
    ways : mapping of column to way, or to n ways
        Path to the value of a column inside each row; ``None`` if a row has none.
    listed : set of str
        Columns whose value is the only entry of a list.
    starts : mapping of column to sequence of n places
        Start of the path of a column, if not at its row.
    """

    source: JsonText
    spans: Sequence[Span]
    ways: Mapping[str, Way | Sequence[Way | None]]
    listed: frozenset[str] = frozenset()
    starts: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def way(self, column: str, row: int) -> Way | None:
        """The path to the value of a column in a row."""
        found = self.ways[column]
        return found if isinstance(found, tuple) else found[row]

    def span(self, column: str, row: int) -> Span | None:
        """The position of the value of a column in a row; ``None`` if it has none."""
        way = self.way(column, row)
        start = self.starts[column][row] if column in self.starts else self.spans[row][0]
        return None if way is None or start < 0 else locate(self.source.text, start, way)

    def copy(self, raw: RawTable, target: Path, change: Edits) -> None:
        """Write the text with other values of one column, and further members at the end of each row."""
        if change.nothing and promised(target) == self.source.compression:
            with atomic_stream(target) as out, self.source.path.open("rb") as opened:
                shutil.copyfileobj(opened, out)
            return
        try:
            changes = self.changes(raw, change)
            if change.added:
                changes |= self._added(change.added, changes)
        except RecursionError as error:
            raise BadInput(
                f"{str(self.source.path)!r} is nested too deeply to be changed. Write to .csv or .parquet."
            ) from error
        self.source.write(target, changes.items())

    def changes(self, raw: RawTable, change: Edits) -> dict[Span, str]:
        """The replacements in a text."""
        source, column = self.source, change.column
        changes: dict[Span, str] = {}
        known: dict[int, str] = {}
        for row, other in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
            if other >= 0 and other not in known:
                place = self.span(column, other)
                known[other] = "null" if place is None else source.text[slice(*place)]
            words = known[other] if other >= 0 else self._words(raw, column, change.names[row], change.numbers)
            span, words = self._put(column, row, words)
            changes[span] = words
        return changes

    def _words(self, raw: RawTable, column: str, name: str | None, number: bool) -> str:
        """A new value as the column would hold it."""
        plain = number and raw.frame.schema[column].is_numeric() and name is not None
        plain = plain or (raw.frame.schema[column].is_integer() and name is not None and name.lstrip("-").isdigit())
        words = str(name) if plain else json.dumps(name, ensure_ascii=False)
        return words if column not in self.listed else "[]" if name is None else f"[{words}]"

    def _put(self, column: str, row: int, words: str) -> tuple[Span, str]:
        """The position of a value and its new text; a missing value gets a new position."""
        found = self.span(column, row)
        if found is not None:
            return found, words
        way = self.way(column, row)
        if way is None or column in self.starts:
            raise BadInput(f"{str(self.source.path)!r} row {row} has no place for a label. Write to .csv or .parquet.")
        at = len(way) - 1
        while at > 0 and locate(self.source.text, self.spans[row][0], way[:at]) is None:
            at -= 1
        inner = locate(self.source.text, self.spans[row][0], way[:at])
        assert inner is not None
        if self.source.text[inner[0]] != "{":
            raise BadInput(f"{str(self.source.path)!r} row {row} has no place for {column!r}. Write to .csv or .parquet.")
        for name in reversed(way[at + 1 :]):
            words = f"{{{json.dumps(name)}: {words}}}"
        return self._end_of(inner, f"{json.dumps(way[at], ensure_ascii=False)}: {words}")

    def _end_of(self, span: Span, words: str) -> tuple[Span, str]:
        """Add a member at the end of an object."""
        held = members(self.source.text, span[0])
        last = max((end for _, end in held.values()), default=past_space(self.source.text, span[0]) + 1)
        return (last, last), f", {words}" if held else words

    def _added(self, added: Mapping[str, Sequence[str | None]], before: Mapping[Span, str]) -> dict[Span, str]:
        """Add members of text at the end of each row, after other additions."""
        found = {}
        for row, span in enumerate(self.spans):
            words = ", ".join(f"{json.dumps(n)}: {json.dumps(own[row], ensure_ascii=False)}" for n, own in added.items())
            place, text = self._end_of(span, words)
            found[place] = before.get(place, "") + text
        return found


def flattened(rows: Sequence[Json], path: Path) -> tuple[pl.DataFrame, dict[str, Way]]:
    """Objects as a frame: members of a nested object are columns ``outer.inner``; and the path to each column.

    Raises
    ------
    BadInput
        If two members would have one name.
    """
    ways: dict[str, Way] = {}
    columns: dict[Way, list[Any]] = {}
    for number, row in enumerate(rows):
        for way, value in _leaves(row, ()):
            if way not in columns:
                name = LONE.sub("\ufffd", SEPARATOR.join(map(str, way)))
                if name in ways:
                    raise BadInput(f"{str(path)!r} has two members named {name!r}, one inside the other. Rename one.")
                ways[name] = way
                columns[way] = []
            held = columns[way]
            held.extend([None] * (number - len(held)))
            held.append(value)
    for held in columns.values():
        held.extend([None] * (len(rows) - len(held)))
    outer = {way[:size] for way in columns for size in range(1, len(way))}
    empty = {way for way in outer & set(columns) if all(value is None or value == {} for value in columns[way])}
    kept = {name: way for name, way in ways.items() if way not in empty}
    return pl.DataFrame([typed(name, columns[way]) for name, way in kept.items()]), kept


def _leaves(value: Json, outer: Way) -> Iterable[tuple[Way, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner and len(outer) < DEEPEST:
            yield from _leaves(inner, (*outer, name))
        else:
            yield (*outer, name), inner


def typed(name: str, values: Sequence[Any]) -> pl.Series:
    """Values of JSON as a column: true/false, whole numbers, numbers, lists of numbers, or text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, dtype=pl.Boolean if kinds else pl.String)
    if kinds <= {int} and all(value is None or value in WHOLE for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if (kinds == {int, float} and all(value in EXACT for value in values if isinstance(value, int))) or kinds == {float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds == {list}:
        inside = {type(entry) for value in values for entry in value or ()}
        if inside <= {int, float} and all(entry in EXACT for v in values for entry in v or () if isinstance(entry, int)):
            lists = [None if value is None else [float(entry) for entry in value] for value in values]
            return pl.Series(name, lists, dtype=pl.List(pl.Float64))
        texts = [None if value is None else [_text(entry) for entry in value] for value in values]
        return pl.Series(name, texts, dtype=pl.List(pl.String))
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise BadInput("The file holds values that are nested too deeply. Save it without them.") from error
    return text if text.isascii() else LONE.sub("\ufffd", text)


def sketch(place: str, look: Callable[[Any], bool], *, lines: bool = False) -> bool:
    """Whether a file is JSON with some property of its first object in a list or line, or of its outer members.

    ``False`` for a file that cannot be read, or is no JSON: reading it raises the error.
    """
    path = Path(place)
    try:
        return look(_first(place, stamp_of(path), lines)) if path.is_file() else False
    except (OSError, BadInput):
        return False


@lru_cache(maxsize=8)
def _first(place: str, stamp: tuple[int, int], lines: bool) -> Any:
    source = JsonText.of(Path(place))
    start = past_space(source.text, 0)
    if lines:
        end = source.text.find("\n", start)
        return source.parsed(start, len(source.text) if end < 0 else end)
    if source.text[start : start + 1] != "[":
        whole = source.parsed()
        return dict.fromkeys(whole) if isinstance(whole, dict) else None
    try:
        inside = past_space(source.text, start + 1)
        return [json.JSONDecoder().raw_decode(source.text, inside)[0]]
    except (ValueError, RecursionError):
        return None
