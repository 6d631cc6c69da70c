"""CoNLL columns: one token per line, an empty line between sentences, ``-DOCSTART-`` before documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labelproof.data.compressed import plain_name
from labelproof.data.span_files.base import Sentences, SpanForm
from labelproof.data.tables.json_spans import Span as Place
from labelproof.data.tables.json_text import JsonText
from labelproof.errors import BadInput
from labelproof.labels.spans import Spans
from labelproof.validation.span_schemes import Span, to_tags

DOCSTART = "-DOCSTART-"
FIELD = re.compile(r"[^ \t]+")
TABBED = re.compile(r"[^\t]+")
NAMED = re.compile(r"#\s*(sent_id|id)\s*[=:]?\s*(\S+)")
NEW_DOCUMENT = re.compile(r"#\s*newdoc\b")


class Conll(SpanForm):
    """Columns separated by spaces or tabs: the first is the token, the last the tag, unless others are named by number, from 1.

    Lines that begin with ``# `` and have no tag are comments; ``# sent_id = …`` names the sentence. A copy differs only in the
    tags that change, byte for byte.
    """

    endings = (".conll", ".conll2003", ".iob", ".iob2", ".iob1", ".bio", ".bioes", ".conllu", ".conllup")

    @classmethod
    def holds(cls, path: Path) -> bool:
        return plain_name(path).endswith((*cls.endings, ".txt", ".tsv"))

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return plain_name(path).endswith(cls.endings)

    def read(self) -> Sentences:
        if self.asked.id is not None or self.asked.group is not None:
            raise BadInput(
                "--id and --group do not apply to CoNLL columns. Omit them: # sent_id names sentences, and -DOCSTART- separates documents."
            )
        self._source = JsonText.of(self.path, self.asked.encoding)
        self._places: list[list[Place]] = []
        tokens: list[list[str]] = []
        tags: list[list[str]] = []
        ids: list[object] = []
        groups: list[object] = []
        document = 0
        for name, starts_document, rows in self._sentences():
            document += starts_document
            if not rows:
                continue
            tokens.append([token for token, _, _ in rows])
            tags.append([tag for _, tag, _ in rows])
            self._places.append([place for _, _, place in rows])
            ids.append(name)
            groups.append(document)
        if not tokens:
            raise BadInput(
                f"{str(self.path)!r} has no sentence. Write one token and its tag per line, and an empty line between sentences."
            )
        self._labels = Spans(tokens, tags)
        named = None if any(name is None for name in ids) or len(set(ids)) < len(ids) else ids
        return Sentences(self._labels, named, groups if document > 1 else None)

    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        words: list[tuple[Place, str]] = []
        for sentence, spans in changes.items():
            places = self._places[sentence]
            for place, tag in zip(places, to_tags(len(places), spans, self._labels.scheme), strict=True):
                if self._source.text[slice(*place)] != tag:
                    words.append((place, tag))
        self._source.write(target, words)

    def _sentences(self) -> Iterator[tuple[str | None, bool, list[tuple[str, str, Place]]]]:
        """The name of each sentence, whether a document begins with it, and its tokens and tags with their positions."""
        rows: list[tuple[str, str, Place]] = []
        name: str | None = None
        starts = False
        columns = 0
        pattern = None
        for number, (start, line) in enumerate(_lines(self._source.text), start=1):
            if not line.strip():
                if rows:
                    yield name, starts, rows
                    rows, name, starts = [], None, False
                continue
            if line.startswith(DOCSTART):
                starts = True
                continue
            if line.startswith("#") and (found := NAMED.match(line)):
                name = found[2]
                continue
            pattern = pattern or (TABBED if "\t" in line else FIELD)
            fields = [(match.start() + start, match.end() + start) for match in pattern.finditer(line)]
            if line.startswith("# ") and not rows and len(fields) != columns:
                starts = starts or NEW_DOCUMENT.match(line) is not None
                continue
            columns = columns or len(fields)
            if len(fields) != columns or columns < 2:
                raise BadInput(
                    f"{str(self.path)!r} line {number} has {len(fields)} columns{f', and the lines before have {columns}' if columns > 1 else ''}. "
                    "Write one token and its tag per line, and an empty line between sentences."
                )
            token, tag = fields[self._column(self.asked.text, 0, columns)], fields[self._column(self.asked.label, -1, columns)]
            rows.append((self._source.text[slice(*token)], self._source.text[slice(*tag)], tag))
        if rows:
            yield name, starts, rows

    def _column(self, asked: str | None, otherwise: int, columns: int) -> int:
        if asked is None:
            return otherwise
        if not asked.isdigit() or not 1 <= int(asked) <= columns:
            raise BadInput(
                f"column {asked!r} of {str(self.path)!r} is not known. Give the number of a column, from 1 to {columns}."
            )
        return int(asked) - 1


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """First character of each line, and the line without its end."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        stop = len(text) if end < 0 else end
        yield at, text[at:stop].rstrip("\r")
        at = stop + 1
