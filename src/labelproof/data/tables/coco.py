"""COCO's JSON with one category per image: images, annotations and categories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.json_list import list_rows
from labelproof.data.tables.json_spans import Span, members, past_space, removals
from labelproof.data.tables.json_text import JsonRows, JsonText, sketch, typed
from labelproof.errors import BadInput
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions

PARTS = ("images", "annotations", "categories")
LABEL, IMAGE, ID = "category", "file_name", "id"


class Coco(TableForm):
    """An image is an item, and the category of its one annotation its label; without an annotation it has none."""

    suffixes = (".json",)

    @classmethod
    def fits(cls, place: str) -> bool:
        return super().fits(place) and sketch(place, lambda outer: isinstance(outer, dict) and outer.keys() >= set(PARTS))

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """Pictures are next to the file, or in ``images`` next to it."""
        return replace(options, label=options.label or LABEL, image=options.image or IMAGE)

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = Path(place)
        source = JsonText.of(path, encoding)
        source.parsed()
        lists = members(source.text, past_space(source.text, 0))
        wrong = next((name for name in PARTS if source.text[lists[name][0]] != "["), None)
        if wrong is not None:
            raise BadInput(f"{place!r}: its {wrong} are not a list. Give the file as published.")
        (images, spans), (annotations, own), (categories, _) = (list_rows(source, lists[name][0]) for name in PARTS)
        names = {_of(c, "id", path, "category", i): str(c.get("name")) for i, c in enumerate(categories)}
        place_of = {_of(image, "id", path, "image", i): i for i, image in enumerate(images)}
        labels: list[str | None] = [None] * len(images)
        starts = [-1] * len(images)
        for i, (annotation, span) in enumerate(zip(annotations, own, strict=True)):
            row = place_of.get(_of(annotation, "image_id", path, "annotation", i), -1)
            if row < 0:
                raise BadInput(
                    f"annotation {i} of {place!r} is of image {annotation['image_id']!r}, which the file does not list. Correct the annotation or list the image."
                )
            _check_one(annotation, images[row], path, taken=starts[row] >= 0)
            labels[row], starts[row] = _category(annotation, names, path, i), span[0]
        if not images:
            raise BadInput(f"{place!r} lists no images.")
        files = [str(_of(image, IMAGE, path, "image", i)) for i, image in enumerate(images)]
        frame = pl.DataFrame([typed(ID, list(place_of)), pl.Series(IMAGE, files), pl.Series(LABEL, labels, dtype=pl.String)])
        held = CocoRows(source, spans, {LABEL: ("category_id",)}, starts={LABEL: starts}, annotations=own, categories=names)
        return RawTable(frame, None, path, form=self, held=held, beside=(".", "images"))

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        raw.held.copy(raw, target, change)


@dataclass(frozen=True)
class CocoRows(JsonRows):
    """Labels are in annotations; an image that loses its label loses its annotation.

    Attributes
    ----------
    annotations : sequence of spans
    categories : mapping of id to name
    """

    annotations: Sequence[Span] = ()
    categories: Mapping[Any, str] = field(default_factory=dict)

    def changes(self, raw: RawTable, change: Edits) -> dict[Span, str]:
        gone = {self.starts[LABEL][row] for row, name in change.names.items() if name is None}
        kept = [change.names.get(int(row), "") is not None for row in change.rows]
        rest = replace(change, rows=change.rows[kept], sources=change.sources[kept])
        numbers = {number for number, span in enumerate(self.annotations) if span[0] in gone}
        return {**super().changes(raw, rest), **dict.fromkeys(removals(self.annotations, numbers), "")}

    def _words(self, raw: RawTable, column: str, name: str | None, number: bool) -> str:
        return json.dumps(next(key for key, own in self.categories.items() if own == name))


def _of(entry: Json, name: str, path: Path, what: str, number: int) -> Any:
    if entry.get(name) is None or isinstance(entry[name], list | dict):
        raise BadInput(f"{what} {number} of {str(path)!r} has no {name!r}. Give the file as published.")
    return entry[name]


def _check_one(annotation: Json, image: Json, path: Path, *, taken: bool) -> None:
    """Check that there is one category per image, and nothing else."""
    whole = ([0, 0, image.get("width"), image.get("height")], [0, 0, 0, 0])
    if "caption" in annotation:
        raise BadInput(
            f"{str(path)!r} holds captions. Read them by labelproof.read_captions; here each image has one category."
        )
    if "keypoints" in annotation or annotation.get("segmentation") or annotation.get("bbox") not in (None, [], *whole):
        raise BadInput(
            f"{str(path)!r} holds boxes, masks or key points. Give annotations without bbox, one category per image."
        )
    if taken:
        raise BadInput(
            f"image {image['id']!r} of {str(path)!r} has several annotations. Give one category per image. Audit several as tags by --tags, and boxes by annotations with bbox."
        )


def _category(annotation: Json, names: Mapping[Any, str], path: Path, number: int) -> str:
    key = _of(annotation, "category_id", path, "annotation", number)
    if key not in names:
        raise BadInput(
            f"annotation {number} of {str(path)!r} is of category {key!r}, which the file does not list. Correct the annotation or list the category."
        )
    return names[key]
