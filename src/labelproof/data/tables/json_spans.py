"""The positions of values in a JSON text, so that one is changed and nothing else moves."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from json.decoder import JSONDecodeError, JSONDecoder, scanstring  # type: ignore[attr-defined]
from typing import Any

Span = tuple[int, int]  # first character of a value, and the one after its last
Way = tuple[str | int, ...]  # names of members and numbers of entries, from the outside in
_DECODER = JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


def value_end(text: str, start: int) -> int:
    """The place after the value that begins at a place."""
    return _DECODER.raw_decode(text, start)[1]


def past_space(text: str, at: int) -> int:
    """The first place from ``at`` on that is no white space."""
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def entries(text: str, start: int) -> Iterator[tuple[Span, Any]]:
    """The values of the list that begins at a position, and their positions.

    Raises
    ------
    json.JSONDecodeError
    """
    _expect(text, start, "[")
    at = past_space(text, start + 1)
    while text[at : at + 1] != "]":
        value, end = _DECODER.raw_decode(text, at)
        yield (at, end), value
        at = past_space(text, end)
        if text[at : at + 1] == ",":
            at = past_space(text, at + 1)
        else:
            _expect(text, at, "]")


def members(text: str, start: int) -> dict[str, Span]:
    """The values of the object that begins at a position, by name; of duplicate names the last one counts, as everywhere.

    Raises
    ------
    json.JSONDecodeError
    """
    _expect(text, start, "{")
    at, found = past_space(text, start + 1), dict[str, Span]()
    while text[at : at + 1] != "}":
        _expect(text, at, '"')
        name, at = scanstring(text, at + 1)
        at = past_space(text, at)
        _expect(text, at, ":")
        at = past_space(text, at + 1)
        end = value_end(text, at)
        found[name] = (at, end)
        at = past_space(text, end)
        if text[at : at + 1] == ",":
            at = past_space(text, at + 1)
        else:
            _expect(text, at, "}")
    return found


def locate(text: str, start: int, way: Sequence[str | int]) -> Span | None:
    """The position of the value at the end of a path from another value; ``None`` if there is none."""
    span = (start, -1)
    for step in way:
        mark = text[span[0]]
        if isinstance(step, str):
            inside = members(text, span[0]) if mark == "{" else {}
            if step not in inside:
                return None
            span = inside[step]
        else:
            listed = [own for own, _ in entries(text, span[0])] if mark == "[" else []
            if step >= len(listed):
                return None
            span = listed[step]
    return span if span[1] >= 0 else (start, value_end(text, start))


def removals(spans: Sequence[Span], gone: Collection[int]) -> Iterator[Span]:
    """What to remove from a list so that some of its entries are gone, commas included.

    Parameters
    ----------
    spans : sequence of spans
        Spans of all entries, in order.
    gone : collection of int
        Their numbers.
    """
    first = 0
    while first < len(spans):
        end = first
        while end < len(spans) and end in gone:
            end += 1
        if first < end < len(spans):
            yield spans[first][0], spans[end][0]
        elif first < end:
            yield spans[first - 1][1] if first else spans[0][0], spans[-1][1]
        first = end + 1


def _expect(text: str, at: int, mark: str) -> None:
    if text[at : at + 1] != mark:
        raise JSONDecodeError(f"Expecting {mark!r}", text, at)
