"""JSON (`.json`): a list of objects, or an object with one such list as a member."""

from __future__ import annotations

import json

from labelproof.data.tables.json_lines import JsonForm, line_rows
from labelproof.data.tables.json_spans import Span, entries, members, past_space, value_end
from labelproof.data.tables.json_text import JsonText
from labelproof.errors import BadInput
from labelproof.validation import Json


class JsonList(JsonForm):
    """The objects of a list are the rows."""

    suffixes = (".json",)

    def rows(self, source: JsonText) -> tuple[list[Json], list[Span]]:
        """The objects, and their positions; those of lines if there is one object per line."""
        start = past_space(source.text, 0)
        try:
            end = past_space(source.text, value_end(source.text, start))
        except (ValueError, RecursionError):
            source.parsed()  # raises the error
            raise
        if source.text[start] == "{" and source.text[end : end + 1] == "{":
            return line_rows(source)
        source.parsed() if end < len(source.text) else None
        return list_rows(source, _start_of_list(source, start))


def list_rows(source: JsonText, start: int) -> tuple[list[Json], list[Span]]:
    """The objects of the list that begins at a place.

    Raises
    ------
    BadInput
        Naming the first entry that is no object.
    """
    rows, spans = [], []
    for number, (span, value) in enumerate(entries(source.text, start)):
        if not isinstance(value, dict):
            raise BadInput(
                f"{str(source.path)!r} entry {number} of the list is {json.dumps(value)[:60]}, not an object such as "
                '{"text": "…", "label": "…"}.'
            )
        rows.append(value)
        spans.append(span)
    return rows, spans


def _start_of_list(source: JsonText, start: int) -> int:
    if source.text[start] == "[":
        return start
    if source.text[start] == "{":
        lists = {}
        for name, (at, _) in members(source.text, start).items():
            if source.text[at] == "[" and source.text[past_space(source.text, at + 1)] == "{":
                lists[name] = at
        if len(lists) == 1:
            return next(iter(lists.values()))
        if lists:
            raise BadInput(
                f"{str(source.path)!r} holds several lists of objects: {', '.join(lists)}. Save one of them in a file of its own."
            )
    raise BadInput(f"{str(source.path)!r} holds no list of objects. Give a list with one object per item.")
