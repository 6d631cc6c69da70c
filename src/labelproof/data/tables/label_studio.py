"""Label Studio's export as JSON (not JSON-MIN): tasks with choices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from labelproof.data.tables.exports import Answer, Export, ExportForm
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_text import sketch
from labelproof.errors import BadInput
from labelproof.validation import Json

LOCAL = re.compile(r"^/data/local-files/\?d=(.*)$")
UPLOADED = re.compile(r"^/data/upload/(?:\d+/)?(.*)$")


class LabelStudio(ExportForm, JsonList):
    """A task is an item, a ``Choices`` tag a question; the latest annotation that was not cancelled counts."""

    suffixes = (".json",)
    tool = "Label Studio"

    @classmethod
    def fits(cls, place: str) -> bool:
        return super().fits(place) and sketch(place, _is_task)

    def export(self, rows: Sequence[Json], path: Path) -> Export:
        answers: dict[str, list[Answer | None]] = {}
        others: set[str] = set()
        differ = 0
        for number, task in enumerate(rows):
            own: dict[str, list[tuple[str, Answer]]] = {}
            for when, kind, question, answer in _results(task, number, path):
                if kind == "choices":
                    own.setdefault(question, []).append((when, answer))
                else:
                    others.add(kind)
            for question, given in own.items():
                held = answers.setdefault(question, [None] * len(rows))
                held[number] = max(given, key=lambda pair: pair[0])[1]
                differ += len({str(answer.value) for _, answer in given}) > 1
        if not answers:
            what = f"its annotations are {', '.join(sorted(others))}" if others else "no task is annotated"
            raise BadInput(f"{str(path)!r} is a Label Studio export without choices: {what}. Export one choice per item.")
        return Export([_fields(task) for task in rows], answers, listed=True, differ=differ)


def _is_task(first: object) -> bool:
    task = first[0] if isinstance(first, list) and first else None
    return isinstance(task, dict) and isinstance(task.get("data"), dict) and isinstance(task.get("annotations"), list)


def _fields(task: Json) -> Json:
    data = {name: local_path(value) for name, value in (task.get("data") or {}).items()}
    return data if "id" in data or task.get("id") is None else {"id": task["id"], **data}


def local_path(value: object) -> object:
    """The path of a picture that the server gives: a local file, or one that was uploaded."""
    if isinstance(value, str):
        for pattern in (LOCAL, UPLOADED):
            if found := pattern.match(value):
                return unquote(found[1])
    return value


def _results(task: Json, number: int, path: Path) -> Iterator[tuple[str, str, str, Answer]]:
    """When it was answered, the kind of annotation, the question, and the answer."""
    where = f"{str(path)!r} task {task.get('id', number)}"
    if not isinstance(task.get("data"), dict):
        raise BadInput(f"{where} has no data. Export as JSON, not as JSON-MIN.")
    for a, annotation in enumerate(task.get("annotations") or []):
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        when = f"{annotation.get('updated_at') or annotation.get('created_at') or ''} {a:09d}"
        for r, result in enumerate(annotation.get("result") or []):
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict):
                continue
            kind, question = str(result.get("type")), str(result.get("from_name"))
            choices = value.get("choices")
            if kind != "choices" or not isinstance(choices, list) or len(value) > 1:  # of a region, not of the item
                yield when, f"{kind} of regions" if kind == "choices" else kind, question, Answer(None, ())
                continue
            if len(choices) > 1:
                raise BadInput(
                    f"{where} has several choices for {question!r}: {', '.join(map(str, choices[:4]))}. Give one choice per item, or audit several as tags by --tags."
                )
            yield (
                when,
                kind,
                question,
                Answer(choices[0] if choices else None, ("annotations", a, "result", r, "value", "choices")),
            )
