"""COCO's instances: images, annotations with ``bbox`` (x, y, width, height) and categories."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelproof.data.box_files.base import BoxedPictures, BoxForm, Difference, boxed, difference, number_text, numbers_in
from labelproof.data.tables.coco import PARTS
from labelproof.data.tables.json_list import list_rows
from labelproof.data.tables.json_spans import Span, members, past_space, removals
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.boxes import Box
from labelproof.validation import Json


class CocoBoxes(BoxForm):
    """An annotation is a box; those with ``iscrowd`` are no labels, and are not changed.

    A copy differs only in the boxes that change, byte for byte: a changed annotation keeps its ``id`` and all fields
    besides ``bbox``, ``category_id`` and ``area``.
    """

    endings = (".json",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".json" and sketch(
            str(path), lambda outer: isinstance(outer, dict) and outer.keys() >= set(PARTS)
        )

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return cls.holds(path) and _first_is_box(JsonText.of(path))

    def read(self) -> BoxedPictures:
        self._source = JsonText.of(self.path, self.encoding)
        text = self._source.text
        try:
            lists = members(text, past_space(text, 0))
        except (ValueError, RecursionError):
            self._source.parsed()  # raises the error
            raise
        for name in PARTS:
            if text[lists[name][0]] != "[":
                raise BadInput(f"{str(self.path)!r}: its {name} are not a list. Give the file as published.")
        (images, _), (self._annotations, self._spans), (categories, _) = (
            list_rows(self._source, lists[name][0]) for name in PARTS
        )
        self._list = lists["annotations"]
        if not images:
            raise BadInput(f"{str(self.path)!r} lists no images.")
        self._names = {_of(one, "id", self.path, "category", i): str(one.get("name")) for i, one in enumerate(categories)}
        self._images = [_of(image, "id", self.path, "image", i) for i, image in enumerate(images)]
        row_of = {key: i for i, key in enumerate(self._images)}
        if len(row_of) < len(images):
            raise BadInput(f"{str(self.path)!r} has two images with the same id. Give each image its own id.")
        boxes: list[list[Box]] = [[] for _ in images]
        self._numbers: list[list[int]] = [[] for _ in images]  # of annotations, by picture
        crowds: dict[int, list[tuple[float, float, float, float]]] = {}
        for number, annotation in enumerate(self._annotations):
            if annotation.get("iscrowd"):
                edges = annotation.get("bbox")
                if annotation.get("image_id") in row_of and isinstance(edges, list) and len(edges) == 4:
                    x, y, width, height = numbers_in(edges, f"annotation {number} of {str(self.path)!r}")
                    crowds.setdefault(row_of[annotation["image_id"]], []).append((x, y, x + width, y + height))
                continue
            key = _of(annotation, "image_id", self.path, "annotation", number)
            if key not in row_of:
                raise BadInput(
                    f"annotation {number} of {str(self.path)!r} is of image {key!r}, which the file does not list. Correct the annotation or list the image."
                )
            boxes[row_of[key]].append(self._box(annotation, number))
            self._numbers[row_of[key]].append(number)
        names = [str(image.get("file_name", key)) for image, key in zip(images, self._images, strict=True)]
        sizes = [(float(image.get("width") or "nan"), float(image.get("height") or "nan")) for image in images]
        self._read = boxed(
            names,
            [self.picture_of(name, ".", "images", "../images") for name in names],
            boxes,
            sizes,
            list(self._names.values()),
            keys={str(key): i for key, i in row_of.items()},
            categories={str(key): name for key, name in self._names.items()},
            ignored=crowds,
        )
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        words: list[tuple[Span, str]] = []
        gone: set[int] = set()
        added: list[str] = []
        stale = 0
        ids = [annotation["id"] for annotation in self._annotations if isinstance(annotation.get("id"), int)]
        free = max(ids, default=0) + 1
        for row, boxes in sorted(changes.items()):
            found: Difference = difference(given[row], boxes)
            gone |= {self._numbers[row][i] for i in found.gone}
            for i, box in found.changed.items():
                number = self._numbers[row][i]
                moved = box[:4] != given[row][i][:4]
                stale += moved and bool(self._annotations[number].get("segmentation"))
                words += self._changed(number, box, moved)
            for box in found.added:
                added.append(self._new(free, self._images[row], box))
                free += 1
        words += [(span, "") for span in removals(self._spans, gone)]
        if added:
            at = self._spans[-1][1] if self._spans else past_space(self._source.text, self._list[0] + 1)
            lead = ", " if len(gone) < len(self._spans) else ""
            words.append(((at, at), lead + ", ".join(added)))
        if stale:
            warnings.warn(
                f"{stale:,} moved boxes keep their old segmentation. Draw it again where it matters.",
                LabelproofWarning,
                stacklevel=2,
            )
        self._source.write(target, words)

    def _box(self, annotation: Json, number: int) -> Box:
        key = _of(annotation, "category_id", self.path, "annotation", number)
        if key not in self._names:
            raise BadInput(
                f"annotation {number} of {str(self.path)!r} is of category {key!r}, which the file does not list. Correct the annotation or list the category."
            )
        where = f"annotation {number} of {str(self.path)!r}"
        edges = annotation.get("bbox")
        if isinstance(edges, list) and len(edges) == 4:
            x, y, width, height = numbers_in(edges, where)
            return x, y, x + width, y + height, self._names[key]
        polygons = annotation.get("segmentation")
        if not isinstance(polygons, list) or not polygons:
            raise BadInput(f"{where} has no bbox of four numbers. Give [x, y, width, height].")
        points = numbers_in([value for polygon in polygons for value in polygon], where)
        return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2]), self._names[key]

    def _changed(self, number: int, box: Box, moved: bool) -> Iterator[tuple[Span, str]]:
        """The replacements in the text of an annotation."""
        annotation = self._annotations[number]
        places = members(self._source.text, self._spans[number][0])
        if self._names[annotation["category_id"]] != box[4]:
            yield places["category_id"], json.dumps(self._category(box[4]))
        if not moved:
            return
        if "bbox" in places:
            yield places["bbox"], _bbox(box)
        if "area" in places and not annotation.get("segmentation"):
            yield places["area"], number_text((box[2] - box[0]) * (box[3] - box[1]))

    def _new(self, key: int, image: Any, box: Box) -> str:
        area = number_text((box[2] - box[0]) * (box[3] - box[1]))
        return (
            f'{{"id": {key}, "image_id": {json.dumps(image)}, "category_id": {json.dumps(self._category(box[4]))}, '
            f'"bbox": {_bbox(box)}, "area": {area}, "iscrowd": 0}}'
        )

    def _category(self, name: str) -> Any:
        return next(key for key, own in self._names.items() if own == name)


def _bbox(box: Box) -> str:
    x1, y1, x2, y2 = box[:4]
    return f"[{', '.join(number_text(value) for value in (x1, y1, x2 - x1, y2 - y1))}]"


def _of(entry: Json, name: str, path: Path, what: str, number: int) -> Any:
    if entry.get(name) is None or isinstance(entry[name], list | dict):
        raise BadInput(f"{what} {number} of {str(path)!r} has no {name!r}. Give the file as published.")
    return entry[name]


def _first_is_box(source: JsonText) -> bool:
    """Whether annotations hold boxes that are more than the whole picture, which `labelproof.data.tables.coco` reads as one class."""
    if '"bbox"' not in source.text:
        return False
    outer = json.loads(source.text)
    sizes = {
        image.get("id"): [0, 0, image.get("width"), image.get("height")] for image in outer["images"] if isinstance(image, dict)
    }
    for annotation in outer["annotations"]:
        edges = annotation.get("bbox") if isinstance(annotation, dict) else None
        if edges and edges not in ([0, 0, 0, 0], sizes.get(annotation.get("image_id"))):
            return "caption" not in annotation
    return False
