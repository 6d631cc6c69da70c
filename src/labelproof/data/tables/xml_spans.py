"""The positions of elements in the bytes of an XML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from labelproof.errors import BadInput

ATTRIBUTE = re.compile(rb"([\w:.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
START = re.compile(rb"<[\w:.-]+(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")


@dataclass
class Element:
    """An element.

    Attributes
    ----------
    name : str
        With its prefix, if it has one.
    start, inside, close, end : int
        Its first byte; the first after its start tag; the first of its end tag; the first after it.
    attributes : dict of str
    parts : list of Element
    text : str
        Right inside of it.
    """

    name: str
    attributes: dict[str, str]
    start: int
    inside: int
    close: int = -1
    end: int = -1
    parts: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def empty(self) -> bool:
        """Whether start tag and end tag are one."""
        return self.close == self.start

    def all(self, *names: str) -> list[Element]:
        """Elements right inside of it, by name."""
        return [part for part in self.parts if part.name in names]


def parse(data: bytes, path: Path, what: str) -> Element:
    """The outermost element of an XML file.

    Raises
    ------
    BadInput
        For text that is not XML, naming the line; for an encoding other than UTF-8; and for a document type, which may hold
        anything.
    """
    parser = expat.ParserCreate()
    held: list[Element] = []
    outer: list[Element] = []

    def declared(version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
            raise BadInput(f"{what} {str(path)!r} is in {encoding}. Save it as UTF-8.")

    def doctype(*of: object) -> None:
        raise BadInput(f"{what} {str(path)!r} has a document type, which is not read. Export it again.")

    def begin(name: str, attributes: dict[str, str]) -> None:
        at = parser.CurrentByteIndex
        tag = START.match(data, at)
        if tag is None:
            raise BadInput(f"{what} {str(path)!r} line {parser.CurrentLineNumber} cannot be read. Export it again.")
        element = Element(name, attributes, at, tag.end())
        (held[-1].parts if held else outer).append(element)
        held.append(element)

    def finish(name: str) -> None:
        element = held.pop()
        element.close = parser.CurrentByteIndex if data[element.inside - 2 : element.inside] != b"/>" else element.start
        element.end = element.inside if element.empty else data.index(b">", element.close) + 1

    def words(text: str) -> None:
        if held:
            held[-1].text += text

    parser.XmlDeclHandler, parser.StartDoctypeDeclHandler = declared, doctype
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, finish, words
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BadInput(f"{what} {str(path)!r} line {error.lineno} is not XML ({error}). Export it again.") from error
    return outer[0]


def attribute_span(data: bytes, element: Element, name: str) -> tuple[int, int] | None:
    """The position of the value of an attribute, without its quotes."""
    for found in ATTRIBUTE.finditer(data, element.start, element.inside):
        if found[1].decode() == name:
            return found.start(2) + 1, found.end(2) - 1
    return None


def spliced(data: bytes, changes: dict[tuple[int, int], bytes]) -> bytes:
    """Bytes with others in some places."""
    pieces, at = [], 0
    for (start, end), new in sorted(changes.items()):
        pieces += [data[at:start], new]
        at = end
    return b"".join([*pieces, data[at:]])
