"""Label Studio's export as JSON, of pictures with ``RectangleLabels``."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelproof.data.box_files.base import BoxedPictures, BoxForm, boxed, difference, numbers_in, size_of
from labelproof.data.span_files.label_studio import latest
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_spans import Span, entries, locate
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.data.tables.label_studio import local_path
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.boxes import Box
from labelproof.validation import Json

LABELS = "rectanglelabels"
EDGES = ("x", "y", "width", "height")  # in per cent of the picture
DIGITS = 6


class LabelStudioBoxes(BoxForm):
    """A task is a picture; the latest annotation that was not cancelled counts. A task without one has no boxes.

    A copy differs only in the results that change, byte for byte. Rotated rectangles are no labels, and are not changed.
    """

    endings = (".json",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".json" and sketch(str(path), is_task)

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return cls.holds(path) and f'"{LABELS}"' in JsonText.of(path).text

    def read(self) -> BoxedPictures:
        self._source = JsonText.of(self.path, self.encoding)
        self._tasks, self._places = JsonList().rows(self._source)
        self._chosen = [latest(task) for task in self._tasks]
        waiting = self._chosen.count(None)
        if waiting == len(self._tasks):
            raise BadInput(f"{str(self.path)!r} has no annotated task, so there is nothing to audit.")
        if waiting:
            warnings.warn(
                f"{waiting:,} tasks of {str(self.path)!r} have no annotation and are skipped.", LabelproofWarning, stacklevel=2
            )
        kept = [number for number, chosen in enumerate(self._chosen) if chosen is not None]
        self._tasks, self._places = [self._tasks[i] for i in kept], [self._places[i] for i in kept]
        self._chosen = [self._chosen[i] for i in kept]
        held = [self._results(row) for row in range(len(self._tasks))]
        self._numbers = [[number for number, _, _ in own] for own in held]
        names = [_name(task, row) for row, task in enumerate(self._tasks)]
        if len(set(names)) < len(names):
            names = [str(task.get("id", row)) for row, task in enumerate(self._tasks)]
        pictures = [self.picture_of(picture_path(task), ".", "images", "media") for task in self._tasks]
        sizes = [next((size for _, _, size in own), None) or size_of(file) for own, file in zip(held, pictures, strict=True)]
        boxes = [[box for _, box, _ in own] for own in held]
        classes = sorted({box[4] for own in boxes for box in own})
        keys = {str(task["id"]): row for row, task in enumerate(self._tasks) if "id" in task}
        self._read = boxed(names, pictures, boxes, sizes, classes, keys=keys)
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        words: list[tuple[Span, str]] = []
        for row, boxes in changes.items():
            found = difference(given[row], boxes)
            place = locate(self._source.text, self._places[row][0], ("annotations", self._chosen[row] or 0, "result"))
            assert place is not None
            there = [self._source.text[slice(*at)] for at, _ in entries(self._source.text, place[0])]
            for i, box in found.changed.items():
                number = self._numbers[row][i]
                before = self._annotation(row)["result"][number]
                moved = box[:4] != given[row][i][:4]
                made = self._result(row, box, before) if moved else {**before, "value": {**before["value"], LABELS: [box[4]]}}
                there[number] = json.dumps(made, ensure_ascii=False)
            gone = {self._numbers[row][i] for i in found.gone}
            kept = [own for number, own in enumerate(there) if number not in gone]
            kept += [json.dumps(self._result(row, box, None), ensure_ascii=False) for box in found.added]
            words.append((place, f"[{', '.join(kept)}]"))
        self._source.write(target, words)

    def _annotation(self, row: int) -> Json:
        found: Json = self._tasks[row]["annotations"][self._chosen[row]]
        return found

    def _results(self, row: int) -> list[tuple[int, Box, tuple[float, float]]]:
        """Number, box and size of the picture of each rectangle."""
        found = []
        where = f"{str(self.path)!r} task {self._tasks[row].get('id', row)}"
        for number, result in enumerate(self._annotation(row).get("result") or []):
            read = rectangle(result, where)
            if read is not None:
                found.append((number, *read))
        return found

    def _result(self, row: int, box: Box, before: Json | None) -> Json:
        """A result. If it replaces one, it keeps the id and the other fields of that one."""
        example: Json = before or next(
            (
                r
                for task in range(len(self._tasks))
                for r in self._annotation(task).get("result") or []
                if r.get("type") == LABELS
            ),
            {},
        )
        width, height = self._size(row)
        x1, y1, x2, y2, name = box
        shares = (100 * x1 / width, 100 * y1 / height, 100 * (x2 - x1) / width, 100 * (y2 - y1) / height)
        value = {
            **(before or {}).get("value", {}),
            **dict(zip(EDGES, (round(s, DIGITS) for s in shares), strict=True)),
            LABELS: [name],
        }
        made = {
            "id": hashlib.sha256(f"{row} {box}".encode()).hexdigest()[:10],
            "from_name": example.get("from_name", "label"),
            "to_name": example.get("to_name", "image"),
            "type": LABELS,
            "original_width": int(width),
            "original_height": int(height),
            "image_rotation": 0,
            **(before or {}),
            "value": {"rotation": 0, **value},
        }
        return made

    def _size(self, row: int) -> tuple[float, float]:
        assert self._read.labels.sizes is not None
        width, height = self._read.labels.sizes[row].tolist()
        if math.isnan(width):
            raise BadInput(
                f"The size of picture {self._read.names[row]!r} is unknown, so no box can be added. Name the folder of pictures with --images."
            )
        return width, height


def rectangle(result: Any, where: str) -> tuple[Box, tuple[float, float]] | None:
    """The box of a result and the size of its picture; ``None`` unless it is an upright rectangle with a label."""
    value = result.get("value") if isinstance(result, dict) else None
    if not isinstance(value, dict) or result.get("type") != LABELS or value.get("rotation"):
        return None
    names = value.get(LABELS) or []
    if len(names) != 1:
        raise BadInput(f"{where}: a rectangle has {len(names)} labels. Give each one label.")
    width, height = numbers_in([result.get("original_width"), result.get("original_height")], where)
    x, y, w, h = numbers_in([value.get(edge) for edge in EDGES], where)
    edges = (x * width / 100, y * height / 100, (x + w) * width / 100, (y + h) * height / 100)
    return (*(round(edge, DIGITS) for edge in edges), str(names[0])), (width, height)  # type: ignore[return-value]


def is_task(first: Any) -> bool:
    """Whether the first entry of a list is a task."""
    task = first[0] if isinstance(first, list) and first else None
    return isinstance(task, dict) and isinstance(task.get("data"), dict) and isinstance(task.get("annotations"), list)


def picture_path(task: Json) -> str:
    """The path of the picture: the first text among the data."""
    found = next((value for value in (task.get("data") or {}).values() if isinstance(value, str)), "")
    return str(local_path(found))


def _name(task: Json, row: int) -> str:
    return Path(picture_path(task)).name or str(task.get("id", row))
