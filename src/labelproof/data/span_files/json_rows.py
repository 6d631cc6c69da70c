"""JSON objects, one per sentence, as lines or in a list: tokens with tags, or text with spans in characters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.compressed import plain_name
from labelproof.data.span_files.base import DOCUMENT, Sentences, SpanForm
from labelproof.data.tables.json_lines import line_rows
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_spans import Span as Place
from labelproof.data.tables.json_spans import entries, locate
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.spans import Spans
from labelproof.validation import Json
from labelproof.validation.span_schemes import Span, to_tags

TOKENS, TEXTS = ("tokens", "words"), ("text", "sentence", "content")
TAGS = ("ner_tags", "tags", "iob_tags", "labels", "given", "ner")
SPANS = ("entities", "spans", "labels", "label", "annotations", "ents")
REFUSED = {"reject": "it was rejected", "ignore": "it was ignored"}  # answers of Prodigy without information on spans
LINES = (".jsonl", ".ndjson")


class JsonSpans(SpanForm):
    """Objects with ``tokens`` and a list of tags; or with ``text`` and a list of spans, ``{start, end, label}`` or ``[start, end, label]``.

    Lines that Prodigy's reviewers rejected or ignored are skipped. A copy differs only in these lists, byte for byte, and in a
    list of spans only in those that change; unknown members stay.
    """

    endings = (*LINES, ".json")

    @classmethod
    def holds(cls, path: Path) -> bool:
        return plain_name(path).endswith(cls.endings)

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        lines = plain_name(path).endswith(LINES)
        return cls.holds(path) and sketch(str(path), lambda first: _has_spans(first if lines else _of_list(first)), lines=lines)

    def read(self) -> Sentences:
        self._source = JsonText.of(self.path, self.asked.encoding)
        lines = plain_name(self.path).endswith(LINES)
        rows, self._spans = line_rows(self._source) if lines else JsonList().rows(self._source)
        if not rows:
            raise BadInput(f"{str(self.path)!r} holds no objects. Give one object per sentence.")
        why = [self._refused(row, rows) for row in rows]
        kept = [i for i, reason in enumerate(why) if reason is None]
        skipped = [(self._name(rows[i], i), reason) for i, reason in enumerate(why) if reason is not None]
        if not kept:
            raise BadInput(f"{str(self.path)!r} has {len(rows)} lines but no answer, so there is nothing to audit.")
        self._rows = [rows[i] for i in kept]
        self._spans = [self._spans[i] for i in kept]
        tokens, text = self._field(self.asked.text, TOKENS, list), self._field(self.asked.text, TEXTS, str)
        if tokens is not None and (self._field(self.asked.label, TAGS, list) is not None) and not self._holds_spans(tokens):
            labels = self._tagged(tokens)
        elif text is not None:
            labels = self._of_text(text)
        else:
            raise BadInput(
                f"{str(self.path)!r} has neither a list of tokens nor a text. Name it with --text; its fields are {self._fields()}."
            )
        names = (
            None
            if self.asked.id is None and not skipped
            else [self._name(row, i) for i, row in zip(kept, self._rows, strict=True)]
        )
        return Sentences(labels, names, self._groups(), skipped)

    def _refused(self, row: Json, rows: Sequence[Json]) -> str | None:
        """Why a line has no information on spans."""
        if row.get("answer") in REFUSED:
            return REFUSED[row["answer"]]
        tags = self.asked.label or next((name for name in TAGS if name in rows[0]), None)
        tagged = isinstance(row.get("tokens") or row.get("words"), list) and tags is not None
        return "it has no tags" if tagged and tags in row and row[tags] is None else None

    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        words: list[tuple[Place, str]] = []
        for sentence, spans in changes.items():
            place = locate(self._source.text, self._spans[sentence][0], (self._label,))
            assert place is not None
            if self._as_tags:
                own = [at for at, _ in entries(self._source.text, place[0])]
                for at, tag in zip(own, to_tags(len(own), spans, self._labels.scheme), strict=True):
                    if json.loads(self._source.text[slice(*at)]) != tag:
                        words.append((at, json.dumps(tag, ensure_ascii=False)))
            else:
                words.append((place, self._list_of(sentence, spans, place)))
        self._source.write(target, words)

    def _tagged(self, tokens: str) -> Spans:
        self._label, self._as_tags = str(self._field(self.asked.label, TAGS, list)), True
        numbers = next((i for i, row in enumerate(self._rows) if any(isinstance(tag, int) for tag in row[self._label])), None)
        if numbers is not None:
            raise BadInput(
                f"{str(self.path)!r} entry {numbers}: {self._label!r} holds numbers without names. Write tags such as B-PER, or audit the "
                "datasets.Dataset, which names them."
            )
        self._labels = Spans([row[tokens] for row in self._rows], [row[self._label] for row in self._rows])
        return self._labels

    def _of_text(self, text: str) -> Spans:
        label = self._field(self.asked.label, SPANS, list)
        if label is None:
            raise BadInput(f"{str(self.path)!r} has no list of spans. Name it with --label; its fields are {self._fields()}.")
        self._label, self._as_tags = label, False
        texts = [row[text] for row in self._rows]
        spans = [[_span(one, label, self.path, i) for one in row.get(label) or ()] for i, row in enumerate(self._rows)]
        self._held = spans
        own = [row.get("tokens") for row in self._rows]
        if all(
            isinstance(some, list) and all(isinstance(t, dict) and {"start", "end"} <= t.keys() for t in some) for some in own
        ):
            offsets = [np.array([(t["start"], t["end"]) for t in some], np.int64).reshape(-1, 2) for some in own]  # type: ignore[union-attr]
            tokens = [[body[a:b] for a, b in some.tolist()] for body, some in zip(texts, offsets, strict=True)]
            inside = [
                [_in(offset, one, i) for one in some] for i, (offset, some) in enumerate(zip(offsets, spans, strict=True))
            ]
            self._labels = Spans.of_spans(tokens, inside, texts=texts, offsets=offsets)
        else:
            self._labels = Spans.of_texts(texts, spans)
        return self._labels

    def _list_of(self, sentence: int, spans: Sequence[Span], place: Place) -> str:
        """The list of spans: unchanged ones as stored, the others in the form of the first one in the file."""
        there = self._source.text[slice(*place)]
        old = (
            [] if there.strip() == "null" else [self._source.text[slice(*at)] for at, _ in entries(self._source.text, place[0])]
        )
        known = dict(zip(self._held[sentence], old, strict=True))
        made = []
        for start, end, name in spans:
            edges = self._labels.characters(sentence, start, end)
            assert edges is not None
            made.append(known.get((*edges, name)) or self._new(sentence, (*edges, name), (start, end), known))
        return f"[{', '.join(made)}]"

    def _new(self, sentence: int, span: Span, tokens: tuple[int, int], known: Mapping[Span, str]) -> str:
        """A span as the file writes them; one that it takes the place of gives it the members that are not known."""
        before = next((json.loads(words) for one, words in known.items() if one[0] < span[1] and span[0] < one[1]), None)
        example = before if before is not None else next((one for row in self._rows for one in row.get(self._label) or ()), {})
        start, end, name = span
        if isinstance(example, list):
            return json.dumps([start, end, name, *(before[3:] if before else [])], ensure_ascii=False)
        words = self._labels.texts[sentence][start:end] if self._labels.texts else ""
        values = {"start": start, "end": end, "start_offset": start, "end_offset": end, "label": name, "text": words,
                  "token_start": tokens[0], "token_end": tokens[1] - 1}  # fmt: skip
        own: Json = dict(before or {})
        own |= {member: values[member] for member in (example or ("start", "end", "label")) if member in values}
        return json.dumps(own, ensure_ascii=False)

    def _field(self, asked: str | None, usual: Sequence[str], kind: type) -> str | None:
        """The field that is named, or the first of the usual ones, if it holds such values."""
        names = usual if asked is None else (asked,)
        if asked is not None and not any(asked in row for row in self._rows):
            fields = list(self._rows[0])
            raise BadInput(f"{str(self.path)!r} has no field {asked!r}. {did_you_mean(asked, fields)}It has: {self._fields()}.")
        return next(
            (n for n in names if all(isinstance(row.get(n) or kind(), kind) for row in self._rows) and n in self._rows[0]), None
        )

    def _holds_spans(self, tokens: str) -> bool:
        """Whether the tags are in fact spans, or the tokens objects with positions."""
        label = str(self._field(self.asked.label, TAGS, list))
        inside = next((row[label][0] for row in self._rows if row.get(label)), "O")
        words = next((row[tokens][0] for row in self._rows if row.get(tokens)), "")
        return not isinstance(inside, str | int) or not isinstance(words, str)

    def _fields(self) -> str:
        return ", ".join(map(str, list(self._rows[0])[:20]))

    def _name(self, row: Json, number: int) -> str:
        if self.asked.id is None:
            return str(number)
        if row.get(self.asked.id) is None:
            raise BadInput(f"{str(self.path)!r} entry {number} has no {self.asked.id!r}. Name another field with --id.")
        return str(row[self.asked.id])

    def _groups(self) -> list[object] | None:
        name = self.asked.group or next((name for name in DOCUMENT if name in self._rows[0]), None)
        if name is None:
            return None
        if self.asked.group is not None and not any(name in row for row in self._rows):
            raise BadInput(f"--group {name!r} is not a field of {str(self.path)!r}. It has: {self._fields()}.")
        return [row.get(name) for row in self._rows]


def _of_list(first: Any) -> Any:
    return first[0] if isinstance(first, list) and first else None


def _has_spans(row: Any) -> bool:
    """Whether an object has a list of spans in characters, or tokens and tags under one of their usual names."""
    if not isinstance(row, dict):
        return False
    tokens = next((row[name] for name in TOKENS if isinstance(row.get(name), list)), None)
    tags = next((row[name] for name in TAGS if isinstance(row.get(name), list)), None)
    if tokens and tags and len(tokens) == len(tags) and all(isinstance(tag, str) for tag in tags):
        return True
    listed = [row[name] for name in SPANS if isinstance(row.get(name), list)]
    spans = [one for some in listed for one in some]
    return any(isinstance(row.get(name), str) for name in TEXTS) and bool(spans) and all(_is_span(one) for one in spans)


def _is_span(one: Any) -> bool:
    if isinstance(one, dict):
        return {"label"} < one.keys() and ({"start", "end"} <= one.keys() or {"start_offset", "end_offset"} <= one.keys())
    return isinstance(one, list) and len(one) == 3 and isinstance(one[0], int) and isinstance(one[2], str)


def _span(one: Any, label: str, path: Path, number: int) -> Span:
    if not _is_span(one):
        raise BadInput(
            f"{str(path)!r} entry {number}: {label!r} has {json.dumps(one)[:80]}, which is not a span. Give start, end and label in characters."
        )
    if isinstance(one, list):
        return one[0], one[1], one[2]
    start = one["start"] if "start" in one else one["start_offset"]
    end = one["end"] if "end" in one else one["end_offset"]
    return start, end, str(one["label"])


def _in(offsets: Any, span: Span, number: int) -> Span:
    start, end, name = span
    inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    if not len(inside):
        raise BadInput(f"Text {number} has a span from {start} to {end} without a token in it. Remove it.")
    return int(inside[0]), int(inside[-1]) + 1, name
