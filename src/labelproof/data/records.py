"""The positions of records and fields in the bytes of delimited text.

Reading and writing back share this map, so that a field is changed in place and nothing else moves. Quotes follow RFC 4180: a
field that begins with one ends at the next, and two in a row mean one. A quote elsewhere is an ordinary character, and so is
one that would swallow whole lines but is never closed properly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
QUOTE, LF, CR = 34, 10, 13
SWALLOWED = 4  # line ends in a quoted part, from which on it may be rows that a stray quote swallows


@dataclass(frozen=True)
class Records:
    """The records of a piece of UTF-8 text; positions are bytes from its beginning.

    Attributes
    ----------
    text : bytes
    starts, ends : ndarray of int64, shape (m,)
        Bounds of each record, without its line end. Empty lines are no records.
    separators : ndarray of int64
        Positions in all records, in order.
    opens, closes : ndarray of int64
        Quotes that begin and end a quoted part.
    literal : list of int
        Quotes at the beginning of a field that are ordinary characters.
    consumed : int
        Bytes up to the end of the last whole record.
    regular : bool
        Whether each quote follows RFC 4180.
    """

    text: bytes
    starts: Positions
    ends: Positions
    separators: Positions
    opens: Positions
    closes: Positions
    literal: list[int]
    consumed: int
    regular: bool

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def first(self) -> Positions:
        """Place in ``separators`` of each record's first, and the end, shape (m + 1,)."""
        return np.append(np.searchsorted(self.separators, self.starts), len(self.separators))

    @cached_property
    def widths(self) -> Positions:
        """Number of fields of each record, shape (m,)."""
        return np.asarray(np.diff(self.first) + 1)

    @property
    def spanning(self) -> bool:
        """Whether a quoted field holds a line end."""
        marks = np.flatnonzero(np.frombuffer(self.text, np.uint8) == LF)
        return bool(_inside(marks, self.opens, self.closes).any())

    def bounds(self, record: int, field: int) -> tuple[int, int]:
        """First byte of a field and the one after its last."""
        at = int(self.first[record]) + field
        start = int(self.starts[record]) if field == 0 else int(self.separators[at - 1]) + 1
        end = int(self.separators[at]) if at < self.first[record + 1] else int(self.ends[record])
        return start, end

    def value(self, record: int, field: int) -> str:
        """A field as text, unquoted."""
        start, end = self.bounds(record, field)
        at = int(np.searchsorted(self.opens, start))
        if at == len(self.opens) or self.opens[at] != start:
            return self.text[start:end].decode("utf-8")
        close = int(self.closes[at])
        while at + 1 < len(self.opens) and self.opens[at + 1] == close + 1:  # two quotes in a row: the part continues
            at += 1
            close = int(self.closes[at])
        inner = self.text[start + 1 : close].replace(b'""', b'"')
        return (inner + self.text[close + 1 : end]).decode("utf-8")

    def values(self, record: int) -> list[str]:
        """All fields of a record."""
        return [self.value(record, field) for field in range(int(self.widths[record]))]

    def line(self, position: int) -> int:
        """Number of the line, from 1, that a byte is in."""
        before = self.text[:position]
        return before.count(b"\n") + before.replace(b"\r\n", b"").count(b"\r") + 1


def scan(text: bytes, separator: str, *, final: bool, quoted_lines: bool = True, width: int = 0) -> Records:
    """Map UTF-8 text.

    Parameters
    ----------
    text : bytes
        From the beginning of a record.
    separator : str
        One ASCII character.
    final : bool
        Whether the text reaches the end of the file; otherwise the text after its last line end is left to the next call.
    quoted_lines, width : bool, int
        See `Dialect`.
    """
    data = np.frombuffer(text, np.uint8)
    separators = np.flatnonzero(data == ord(separator))
    line_starts, line_stops = _line_ends(text, data, final)
    opens = closes = np.empty(0, np.int64)
    literal: list[int] = []
    regular = True
    if b'"' in text:
        quotes = np.flatnonzero(data == QUOTE)
        border = np.zeros(256, bool)
        border[[ord(separator), LF, CR]] = True
        pairs = _pairs(data, quotes, border, final) if quoted_lines else None
        if pairs is None or _may_swallow(text, line_starts, *pairs, separator, width):
            regular = False
            pairs, literal = _lenient(text, quotes, border, final, quoted_lines, (separator, width))
        opens, closes = pairs
        if regular:  # quotes open and close by turns: an odd number before a place means that it is inside
            odd = np.cumsum(data == QUOTE, dtype=np.uint8) & 1
            separators, outside = separators[odd[separators] == 0], odd[line_starts] == 0
        else:
            separators, outside = separators[~_inside(separators, opens, closes)], ~_inside(line_starts, opens, closes)
        line_starts, line_stops = line_starts[outside], line_stops[outside]
    starts, ends, consumed = np.concatenate([[0], line_stops[:-1]]), line_starts, int(line_stops[-1]) if len(line_stops) else 0
    if len(line_stops) == 0:
        starts = ends = np.empty(0, np.int64)
    if final and consumed < len(text):
        starts, ends, consumed = np.append(starts, consumed), np.append(ends, len(text)), len(text)
    some = ends > starts
    separators = separators[: np.searchsorted(separators, consumed)]
    return Records(text, starts[some], ends[some], separators, opens, closes, literal, consumed, regular)


def _line_ends(text: bytes, data: npt.NDArray[np.uint8], final: bool) -> tuple[Positions, Positions]:
    """First byte of each line end, and the byte after it."""
    feeds = np.flatnonzero(data == LF)
    if b"\r" not in text:
        return feeds, feeds + 1
    returns = np.flatnonzero(data == CR)
    if not final and len(returns) and returns[-1] == len(data) - 1:
        returns = returns[:-1]  # a line feed may follow
    following = np.append(data, 0)[returns + 1]
    before = np.concatenate([[0], data])[feeds]  # the byte before each feed
    starts = np.concatenate([feeds - (before == CR), returns[following != LF]])
    stops = np.concatenate([feeds + 1, returns[following != LF] + 1])
    order = np.argsort(stops, kind="stable")
    return starts[order], stops[order]


def _inside(positions: Positions, opens: Positions, closes: Positions) -> npt.NDArray[np.bool_]:
    if len(opens) == 0:
        return np.zeros(len(positions), bool)
    place = np.searchsorted(opens, positions, side="right") - 1
    return np.asarray((place >= 0) & (positions < closes[place]))


def _pairs(
    data: npt.NDArray[np.uint8], quotes: Positions, border: npt.NDArray[np.bool_], final: bool
) -> tuple[Positions, Positions] | None:
    """Opening and closing quotes by turns, or ``None`` if one is not next to a separator, a line end or another quote."""
    opens, closes = quotes[0::2], quotes[1::2]
    if len(opens) > len(closes):
        if final:
            return None
        closes = np.append(closes, len(data))
    before, after = data[np.maximum(opens - 1, 0)], data[np.minimum(closes + 1, len(data) - 1)]
    doubled = np.append(opens[1:] == closes[:-1] + 1, False)
    begins = border[before] | (opens == 0) | np.concatenate([[False], doubled[:-1]])
    ends = border[after] | (closes >= len(data) - 1) | doubled
    return (opens, closes) if bool(begins.all() and ends.all()) else None


def _may_swallow(text: bytes, line_starts: Positions, opens: Positions, closes: Positions, separator: str, width: int) -> bool:
    """Whether a quoted part holds whole rows."""
    if width < 2:
        return False
    lines = np.searchsorted(line_starts, closes) - np.searchsorted(line_starts, opens)
    several = np.flatnonzero((lines >= SWALLOWED) & (closes < len(text)))
    return any(_swallows(text, int(opens[i]), int(closes[i]), separator, width) for i in several)


def _swallows(text: bytes, start: int, close: int, separator: str, width: int) -> bool:
    """Whether all lines within a quoted part, taken by themselves, have as many fields as the header."""
    first = max(text.rfind(b"\n", 0, start), text.rfind(b"\r", 0, start)) + 1
    ends = [end for end in (text.find(b"\n", close), text.find(b"\r", close)) if end >= 0]
    lines = text[first : min(ends, default=len(text))].splitlines()
    wanted, mark = width - 1, separator.encode()
    return len(lines) > SWALLOWED and all(line.count(mark) == wanted for line in lines)


def _lenient(
    text: bytes,
    quotes: Positions,
    border: npt.NDArray[np.bool_],
    final: bool,
    quoted_lines: bool,
    shape: tuple[str, int],
) -> tuple[tuple[Positions, Positions], list[int]]:
    """Quoted parts if quotes are irregular, and the quotes that are ordinary characters."""
    marks, opens, closes, literal = quotes.tolist(), [], [], []
    i, n, end = 0, len(quotes), len(text)
    while i < n:
        start = marks[i]
        if start > 0 and not border[text[start - 1]]:
            i += 1
            continue
        j = i + 1
        while j + 1 < n and marks[j + 1] == marks[j] + 1:
            j += 2
        if j >= n or (not final and marks[j] + 1 == end):  # not closed, so far
            if not final:
                opens.append(start)
                closes.append(end)
                break
            literal.append(start)
            i += 1
            continue
        close = marks[j]
        proper = close + 1 == end or border[text[close + 1]]
        spans = text.find(b"\n", start, close) >= 0 or text.find(b"\r", start, close) >= 0
        if spans and not (proper and quoted_lines and not (shape[1] > 1 and _swallows(text, start, close, *shape))):
            literal.append(start)
            i += 1
            continue
        opens.append(start)
        closes.append(close)
        i = j + 1
    return (np.array(opens, np.int64), np.array(closes, np.int64)), literal
