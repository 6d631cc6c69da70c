"""Label Studio's export as JSON, of texts with ``Labels``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelproof.data.span_files.base import Sentences, SpanForm
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_spans import Span as Place
from labelproof.data.tables.json_spans import entries, locate
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.errors import BadInput
from labelproof.labels.spans import Spans
from labelproof.validation import Json
from labelproof.validation.span_schemes import Span

LABELS = "labels"


class LabelStudioSpans(SpanForm):
    """A task is a sentence; the latest annotation that was not cancelled counts. A task without one is skipped.

    A copy differs only in the results that change, byte for byte.
    """

    endings = (".json",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".json" and sketch(str(path), _is_task)

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return cls.holds(path) and sketch(str(path), _labels_regions)

    def read(self) -> Sentences:
        self._source = JsonText.of(self.path, self.asked.encoding)
        tasks, places = JsonList().rows(self._source)
        self._tasks: list[Json] = []
        self._places: list[Place] = []
        self._chosen: list[int] = []
        ids: list[object] = []
        skipped: list[tuple[str, str]] = []
        for number, (task, place) in enumerate(zip(tasks, places, strict=True)):
            name = str(task.get("id", number))
            annotation = latest(task)
            if annotation is None:
                skipped.append((name, "it has no annotation"))
                continue
            self._tasks.append(task)
            self._places.append(place)
            self._chosen.append(annotation)
            ids.append(name)
        if not self._tasks:
            raise BadInput(f"{str(self.path)!r} has no annotated task, so there is nothing to audit.")
        self._field = self.asked.text or _shown(self._tasks, self.path)
        texts = [str((task.get("data") or {}).get(self._field, "")) for task in self._tasks]
        self._labels = Spans.of_texts(texts, [[span for span, _ in self._spans(i)] for i in range(len(texts))])
        groups = None if self.asked.group is None else [task["data"].get(self.asked.group) for task in self._tasks]
        return Sentences(self._labels, ids, groups, skipped)

    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        words: list[tuple[Place, str]] = []
        for sentence, spans in changes.items():
            way = ("annotations", self._chosen[sentence], "result")
            place = locate(self._source.text, self._places[sentence][0], way)
            assert place is not None
            there = [self._source.text[slice(*at)] for at, _ in entries(self._source.text, place[0])]
            words.append((place, self._results(sentence, spans, there)))
        self._source.write(target, words)

    def _spans(self, sentence: int) -> list[tuple[Span, int]]:
        """Spans in characters, and the number of the result of each."""
        found = []
        for number, result in enumerate(self._annotation(sentence).get("result") or []):
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict) or result.get("type") != LABELS:
                continue
            names = value.get(LABELS) or []
            if len(names) != 1:
                raise BadInput(
                    f"{str(self.path)!r} task {self._tasks[sentence].get('id')}: a region has {len(names)} labels. Give each one label."
                )
            found.append(((int(value["start"]), int(value["end"]), str(names[0])), number))
        return found

    def _results(self, sentence: int, spans: Sequence[Span], there: Sequence[str]) -> str:
        """The list of results: those of other questions and unchanged ones, then new ones."""
        held = dict(self._spans(sentence))
        wanted = []
        for start, end, name in spans:
            edges = self._labels.characters(sentence, start, end)
            assert edges is not None
            wanted.append((*edges, name))
        gone = {number for span, number in held.items() if span not in wanted}
        kept = [words for number, words in enumerate(there) if number not in gone]
        new = [self._new(sentence, span, held, gone) for span in wanted if span not in held]
        return f"[{', '.join([*kept, *new])}]"

    def _new(self, sentence: int, span: Span, held: Mapping[Span, int], gone: set[int]) -> str:
        """A result. If it replaces one, it keeps the id and the other fields of that one."""
        start, end, name = span
        results = self._annotation(sentence).get("result") or []
        before = next((results[i] for one, i in held.items() if i in gone and one[0] < end and start < one[1]), None)
        example: Json = before or next(
            (
                r
                for task in range(len(self._tasks))
                for r in self._annotation(task).get("result") or []
                if r.get("type") == LABELS
            ),
            {},
        )
        text = str(self._tasks[sentence]["data"].get(self._field, ""))
        value = {**(before or {}).get("value", {}), "start": start, "end": end, "text": text[start:end], LABELS: [name]}
        made = {
            "id": hashlib.sha256(f"{sentence} {span}".encode()).hexdigest()[:10],
            "from_name": example.get("from_name", "label"),
            "to_name": example.get("to_name", "text"),
            "type": LABELS,
            **(before or {}),
            "value": value,
        }
        return json.dumps(made, ensure_ascii=False)

    def _annotation(self, sentence: int) -> Json:
        found: Json = self._tasks[sentence]["annotations"][self._chosen[sentence]]
        return found


def _is_task(first: Any) -> bool:
    task = first[0] if isinstance(first, list) and first else None
    return isinstance(task, dict) and isinstance(task.get("data"), dict) and isinstance(task.get("annotations"), list)


def _labels_regions(first: Any) -> bool:
    annotations = first[0]["annotations"]
    results = [r for a in annotations if isinstance(a, dict) for r in a.get("result") or [] if isinstance(r, dict)]
    return any(r.get("type") == LABELS and "start" in (r.get("value") or {}) for r in results)


def latest(task: Json) -> int | None:
    """Number of the annotation that counts."""
    found = [
        (str(annotation.get("updated_at") or annotation.get("created_at") or ""), number)
        for number, annotation in enumerate(task.get("annotations") or [])
        if isinstance(annotation, dict) and not annotation.get("was_cancelled")
    ]
    return max(found)[1] if found else None


def _shown(tasks: Sequence[Json], path: Path) -> str:
    """The field that holds the text."""
    names = [name for name, value in (tasks[0].get("data") or {}).items() if isinstance(value, str)]
    if "text" in names or len(names) == 1:
        return "text" if "text" in names else names[0]
    raise BadInput(f"{str(path)!r} has the fields {', '.join(names) or 'of no text'}. Name the text with --text.")
