"""JSON lines (`.jsonl`, `.ndjson`): one object per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.json_spans import Span, past_space
from labelproof.data.tables.json_text import JsonRows, JsonText, flattened
from labelproof.errors import BadInput
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.edits import Edits


class JsonForm(TableForm):
    """Objects as rows; a copy differs only in the bytes of changed values."""

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = Path(place)
        source = JsonText.of(path, encoding)
        rows, spans = self.rows(source)
        if not rows:
            raise BadInput(f"{str(path)!r} holds no objects. Give one object per item.")
        frame, ways = flattened(rows, path)
        return RawTable(frame, None, path, form=self, held=JsonRows(source, spans, ways))

    def rows(self, source: JsonText) -> tuple[list[Json], list[Span]]:
        """The objects, and their positions."""
        return line_rows(source)

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        raw.held.copy(raw, target, change)


class JsonLines(JsonForm):
    """One object per line; members of a nested object are columns ``outer.inner``."""

    suffixes = (".jsonl", ".ndjson")


def line_rows(source: JsonText) -> tuple[list[Json], list[Span]]:
    """The objects of the lines, and their positions; empty lines are skipped.

    Raises
    ------
    BadInput
        Naming the first line that is not an object.
    """
    rows, spans = [], []
    for start, end in _lines(source.text):
        value = source.parsed(start, end)
        if not isinstance(value, dict):
            raise BadInput(
                f"{str(source.path)!r} line {source.line(start)} holds a {type(value).__name__}, not an object such as "
                '{"text": "…", "label": "…"}.'
            )
        rows.append(value)
        spans.append((start, end))
    return rows, spans


def _lines(text: str) -> Iterator[Span]:
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        stop = len(text) if end < 0 else end
        start = past_space(text, at)
        if start < stop:
            yield start, start + len(text[start:stop].rstrip(" \t\r"))
        at = stop + 1
