"""COCO's instances as masks: what polygons and run lengths cover; 0 is the background, and a category's class its place by id."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.box_files.base import PicturePlaces
from labelproof.data.mask_files.base import MaskedPictures, MaskForm, Patches, patched
from labelproof.data.tables.coco import PARTS
from labelproof.data.tables.json_list import list_rows
from labelproof.data.tables.json_spans import Span, members, past_space, removals
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.labels.masks import Masks
from labelproof.labels.run_length import Runs
from labelproof.validation import BoolArray, IntArray, Json

BACKGROUND = "background"


class CocoMasks(MaskForm):
    """If annotations overlap, the later one counts. In a copy, annotations whose pixels change have run lengths.

    Needs pycocotools (``pip install 'labelproof[masks]'``).
    """

    endings = (".json",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".json" and sketch(
            str(path), lambda outer: isinstance(outer, dict) and outer.keys() >= set(PARTS)
        )

    def read(self) -> MaskedPictures:
        self._source = JsonText.of(self.path, self.asked.encoding)
        self._source.parsed()  # raises the error
        text = self._source.text
        lists = members(text, past_space(text, 0))
        (images, _), (self._annotations, self._spans), (categories, _) = (
            list_rows(self._source, lists[name][0]) for name in PARTS
        )
        self._list = lists["annotations"]
        self._categories = sorted((one["id"], str(one.get("name"))) for one in categories)
        self._codes = {key: code for code, (key, _) in enumerate(self._categories, start=1)}
        self._images = images
        row_of = {image["id"]: i for i, image in enumerate(images)}
        self._row_of = row_of
        self._own: list[list[int]] = [[] for _ in images]
        for number, one in enumerate(self._annotations):
            if one.get("image_id") not in row_of or one.get("category_id") not in self._codes:
                raise BadInput(
                    f"annotation {number} of {str(self.path)!r} names an image or a category that the file does not list. Correct it."
                )
            if not one.get("segmentation"):
                raise BadInput(f"annotation {number} of {str(self.path)!r} has no segmentation. For boxes, omit --kind masks.")
            self._own[row_of[one["image_id"]]].append(number)
        wrong = next((image for image in images if not image.get("width") or not image.get("height")), None)
        if wrong is not None:
            raise BadInput(f"image {wrong.get('id')!r} of {str(self.path)!r} has no width and height. Add them.")
        names = [str(image.get("file_name", image["id"])) for image in images]
        places = PicturePlaces(self.asked.images)
        files = [places.find(self.path.parent, name, (".", "images", "../images")) for name in names]
        classes = [BACKGROUND, *(name for _, name in self._categories)]
        labels = Masks(Drawn(self), classes=classes, void=list(self.asked.void) or None)
        return MaskedPictures(labels, names, [file if file.is_file() else None for file in files])

    def write(self, target: Path, changes: Mapping[int, Patches], *, overwrite: bool) -> None:
        words: list[tuple[Span, str]] = []
        gone: set[int] = set()
        added: list[str] = []
        free = max((one["id"] for one in self._annotations if isinstance(one.get("id"), int)), default=0) + 1
        for row, patches in sorted(changes.items()):
            before = self.drawn(row)
            after = patched(before, patches)
            for number in self._own[row]:
                code = self._codes[self._annotations[number]["category_id"]]
                pixels = self.pixels(number)
                lost = pixels & (before == code) & (after != code)
                if not lost.any():
                    continue
                left = pixels & ~lost
                if left.any():
                    words += self._segmented(number, left)
                else:
                    gone.add(number)
            for code in np.unique(after[after != before]).tolist():
                if code:
                    added.append(self._new(free, row, code, (after == code) & (before != code)))
                    free += 1
        words += [(span, "") for span in removals(self._spans, gone)]
        if added:
            at = self._spans[-1][1] if self._spans else past_space(self._source.text, self._list[0] + 1)
            lead = ", " if len(gone) < len(self._spans) else ""
            words.append(((at, at), lead + ", ".join(added)))
        self._source.write(target, words)

    def drawn(self, row: int) -> IntArray:
        """The mask of a picture, shape (h, w)."""
        image = self._images[row]
        codes = np.zeros((int(image["height"]), int(image["width"])), np.int64)
        for number in self._own[row]:
            codes[self.pixels(number)] = self._codes[self._annotations[number]["category_id"]]
        return codes

    def pixels(self, number: int) -> BoolArray:
        """The pixels of an annotation, shape (h, w)."""
        with needed_by("reading polygons and run lengths of COCO", extra="masks"):
            from pycocotools import mask as coco
        one = self._annotations[number]
        image = self._images[self._row_of[one["image_id"]]]
        height, width = int(image["height"]), int(image["width"])
        try:
            runs = (
                coco.frPyObjects(one["segmentation"], height, width)
                if not _is_packed(one["segmentation"])
                else one["segmentation"]
            )
            found = coco.decode(coco.merge(runs) if isinstance(runs, list) else runs)
        except Exception as error:  # it raises anything for unexpected input
            raise BadInput(
                f"annotation {number} of {str(self.path)!r} has a segmentation that cannot be read ({error}). Correct it."
            ) from error
        if found.shape != (height, width):
            raise BadInput(
                f"annotation {number} of {str(self.path)!r} is {found.shape[1]} x {found.shape[0]}, but its image is {width} x {height}. Correct the size."
            )
        return np.asarray(found, bool)

    def _segmented(self, number: int, pixels: BoolArray) -> list[tuple[Span, str]]:
        """The replacements in the text of an annotation that covers other pixels."""
        places = members(self._source.text, self._spans[number][0])
        new = _measures(pixels)
        return [(places[name], words) for name, words in new.items() if name in places]

    def _new(self, key: int, row: int, code: int, pixels: BoolArray) -> str:
        told = {
            "id": str(key),
            "image_id": json.dumps(self._images[row]["id"]),
            "category_id": json.dumps(self._categories[code - 1][0]),
        }
        told |= {**_measures(pixels), "iscrowd": "0"}
        return "{" + ", ".join(f'"{name}": {words}' for name, words in told.items()) + "}"


class Drawn(Sequence[IntArray]):
    """The masks of a file, drawn one by one."""

    def __init__(self, form: CocoMasks) -> None:
        self._drawn = lru_cache(maxsize=2)(form.drawn)
        self._n = len(form._images)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, i: int) -> IntArray:  # type: ignore[override]
        """Shape (h, w)."""
        return self._drawn(i)


def _is_packed(segmentation: Any) -> bool:
    return isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str | bytes)


def _measures(pixels: BoolArray) -> Json:
    """Segmentation, area and box of some pixels, as JSON has them."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    counts = Runs.of_places(np.flatnonzero(pixels.T.ravel()), pixels.size).text.replace(" ", ", ")
    box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
    size = f"[{pixels.shape[0]}, {pixels.shape[1]}]"
    return {
        "segmentation": f'{{"size": {size}, "counts": [{counts}]}}',
        "area": str(int(pixels.sum())),
        "bbox": json.dumps(box),
    }
