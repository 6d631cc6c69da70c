"""Label Studio's export as JSON, of pictures with ``BrushLabels``; 0 is the background, and labels follow in sorted order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.box_files.base import PicturePlaces, numbers_in
from labelproof.data.box_files.label_studio import is_task, picture_path
from labelproof.data.mask_files.base import MaskedPictures, MaskForm, Patches, patched
from labelproof.data.mask_files.coco import BACKGROUND
from labelproof.data.mask_files.packed_runs import pack, unpack
from labelproof.data.span_files.label_studio import latest
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_spans import Span, entries, locate
from labelproof.data.tables.json_text import JsonText, sketch
from labelproof.errors import BadInput
from labelproof.labels.masks import Masks
from labelproof.validation import BoolArray, IntArray, Json

LABELS = "brushlabels"


class LabelStudioMasks(MaskForm):
    """If brushes overlap, the later one counts. A copy differs only in the results that change, byte for byte."""

    endings = (".json",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".json" and sketch(str(path), is_task)

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return cls.holds(path) and f'"{LABELS}"' in JsonText.of(path).text

    def read(self) -> MaskedPictures:
        self._source = JsonText.of(self.path, self.asked.encoding)
        tasks, places = JsonList().rows(self._source)
        kept = [
            (task, place, chosen) for task, place in zip(tasks, places, strict=True) if (chosen := latest(task)) is not None
        ]
        if not kept:
            raise BadInput(f"{str(self.path)!r} has no annotated task, so there is nothing to audit.")
        self._tasks, self._places, self._chosen = [list(own) for own in zip(*kept, strict=True)]
        found = sorted({name for row in range(len(self._tasks)) for _, name in self._brushes(row)})
        self._classes = [BACKGROUND, *(name for name in found if name != BACKGROUND)]
        names = [Path(picture_path(task)).name or str(task.get("id", row)) for row, task in enumerate(self._tasks)]
        if len(set(names)) < len(names):
            names = [str(task.get("id", row)) for row, task in enumerate(self._tasks)]
        pictures = PicturePlaces(self.asked.images)
        files = [pictures.find(self.path.parent, picture_path(task), (".", "images", "media")) for task in self._tasks]
        labels = Masks(Painted(self), classes=self._classes, void=list(self.asked.void) or None)
        return MaskedPictures(labels, names, [file if file.is_file() else None for file in files])

    def write(self, target: Path, changes: Mapping[int, Patches], *, overwrite: bool) -> None:
        words: list[tuple[Span, str]] = []
        for row, patches in changes.items():
            before = self.painted(row)
            after = patched(before, patches)
            place = locate(self._source.text, self._places[row][0], ("annotations", self._chosen[row], "result"))
            assert place is not None
            there = [self._source.text[slice(*at)] for at, _ in entries(self._source.text, place[0])]
            gone = set()
            for number, name in self._brushes(row):
                code = self._classes.index(name)
                pixels = self.pixels(row, number)
                lost = pixels & (before == code) & (after != code)
                if lost.any() and (pixels & ~lost).any():
                    there[number] = json.dumps(self._with(self._results(row)[number], pixels & ~lost), ensure_ascii=False)
                elif lost.any():
                    gone.add(number)
            kept = [own for number, own in enumerate(there) if number not in gone]
            new = [code for code in np.unique(after[after != before]).tolist() if code]
            made = (self._new(row, code, (after == code) & (before != code)) for code in new)
            kept += [json.dumps(one, ensure_ascii=False) for one in made]
            words.append((place, f"[{', '.join(kept)}]"))
        self._source.write(target, words)

    def painted(self, row: int) -> IntArray:
        """The mask of a picture, shape (h, w)."""
        width, height = self._size(row)
        codes = np.zeros((height, width), np.int64)
        for number, name in self._brushes(row):
            codes[self.pixels(row, number)] = self._classes.index(name)
        return codes

    def pixels(self, row: int, number: int) -> BoolArray:
        """The pixels of a brush, shape (h, w)."""
        width, height = self._size(row)
        try:
            return unpack(self._results(row)[number]["value"]["rle"], height, width)
        except BadInput as error:
            raise BadInput(f"{str(self.path)!r} task {self._tasks[row].get('id', row)}: {error}") from error

    def _results(self, row: int) -> list[Json]:
        return self._tasks[row]["annotations"][self._chosen[row]].get("result") or []

    def _brushes(self, row: int) -> list[tuple[int, str]]:
        """Number and label of each brush."""
        found = []
        for number, result in enumerate(self._results(row)):
            value: Any = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict) or result.get("type") != LABELS or value.get("format") != "rle":
                continue
            names = value.get(LABELS) or []
            if len(names) != 1:
                raise BadInput(
                    f"{str(self.path)!r} task {self._tasks[row].get('id', row)}: a brush has {len(names)} labels. Give each brush one label."
                )
            found.append((number, str(names[0])))
        return found

    def _size(self, row: int) -> tuple[int, int]:
        sized = next(
            (result for result in self._results(row) if isinstance(result, dict) and result.get("original_width")), None
        )
        if sized is None:
            raise BadInput(
                f"{str(self.path)!r} task {self._tasks[row].get('id', row)} does not state the size of its picture. Annotate it first."
            )
        width, height = numbers_in([sized["original_width"], sized.get("original_height")], f"{str(self.path)!r}")
        return int(width), int(height)

    def _with(self, result: Json, pixels: BoolArray) -> Json:
        return {**result, "value": {**result["value"], "rle": pack(pixels)}}

    def _new(self, row: int, code: int, pixels: BoolArray) -> Json:
        example = next((r for r in self._results(row) if isinstance(r, dict) and r.get("type") == LABELS), {})
        width, height = self._size(row)
        return {
            "id": hashlib.sha256(f"{row} {code} {pixels.sum()}".encode()).hexdigest()[:10],
            "from_name": example.get("from_name", "tag"),
            "to_name": example.get("to_name", "image"),
            "type": LABELS,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": pack(pixels), LABELS: [self._classes[code]]},
        }


class Painted(Sequence[IntArray]):
    """The masks of a file, painted one by one."""

    def __init__(self, form: LabelStudioMasks) -> None:
        self._form = form

    def __len__(self) -> int:
        return len(self._form._tasks)

    def __getitem__(self, i: int) -> IntArray:  # type: ignore[override]
        """Shape (h, w)."""
        return self._form.painted(i)
