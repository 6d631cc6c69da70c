"""KITTI: a folder of text files, one per picture. A line per box: class, truncation, occlusion, angle, box, 3-D fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from labelproof.data.box_files.base import BoxedPictures, BoxForm, boxed, difference, numbers_in, size_of
from labelproof.data.box_files.folders import copy_folder, decoded, line_end
from labelproof.data.box_files.yolo import lines_of
from labelproof.errors import BadInput
from labelproof.labels.boxes import Box

FOLDERS = ("label_2", "training/label_2", "labels", "label_02")
COLUMNS = 15  # and a score at the end, in predictions of a detector
UNKNOWN = (
    ("-1", "-1", "-10"),
    ("-1", "-1", "-1", "-1000", "-1000", "-1000", "-10"),
)  # KITTI's code for values that were not measured
NO_LABEL = "DontCare"
LOOKED_AT = 100  # files, one of which should hold a box
EDGES = slice(4, 8)


class Kitti(BoxForm):
    """The folder is copied with other lines for changed boxes. ``DontCare`` regions are no labels, and are not changed."""

    @classmethod
    def holds(cls, path: Path) -> bool:
        folder = folder_of(path)
        for file in [] if folder is None else sorted(folder.glob("*.txt"))[:LOOKED_AT]:
            try:
                lines = [values for _, values in lines_of(file, None)]
            except BadInput:
                return False
            if lines:
                return all(is_line(values) for values in lines)
        return False

    def read(self) -> BoxedPictures:
        folder = folder_of(self.path)
        assert folder is not None
        self._files = sorted(folder.glob("*.txt"))
        names = [file.stem for file in self._files]
        pictures = [self.picture_of(name, "image_2", "../image_2", "images", "../images", ".") for name in names]
        self._lines: list[list[int]] = []
        boxes: list[list[Box]] = []
        ignored: dict[int, list[tuple[float, float, float, float]]] = {}
        for file in self._files:
            lines = list(lines_of(file, self.encoding))
            found = [(number, values) for number, values in lines if values[0] != NO_LABEL]
            unlabelled = [
                kitti_box(values, f"{str(file)!r} line {number + 1}")[0][:4]
                for number, values in lines
                if values[0] == NO_LABEL
            ]
            if unlabelled:
                ignored[len(boxes)] = unlabelled
            boxes.append([kitti_box(values, f"{str(file)!r} line {number + 1}")[0] for number, values in found])
            self._lines.append([number for number, _ in found])
        classes = sorted({box[4] for own in boxes for box in own})
        self._read = boxed(names, pictures, boxes, [size_of(picture) for picture in pictures], classes, ignored=ignored)
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        changed: dict[Path, bytes] = {}
        for row, boxes in changes.items():
            text = decoded(self._files[row], self.encoding)
            found, lines, end = difference(given[row], boxes), text.splitlines(), line_end(text)
            for i, box in found.changed.items():
                number = self._lines[row][i]
                values = lines[number].split()
                moved = box[:4] != given[row][i][:4]
                lines[number] = _line(box, values[1:4], values[8:]) if moved else " ".join([box[4], *values[1:]])
            gone = {self._lines[row][i] for i in found.gone}
            kept = [line for number, line in enumerate(lines) if number not in gone]
            kept += [_line(box, *UNKNOWN) for box in found.added]
            changed[self._files[row]] = "".join(line + end for line in kept).encode(self.encoding or "utf-8")
        copy_folder(self.path, target, changed, overwrite=overwrite)


def folder_of(path: Path) -> Path | None:
    """The folder of the text files."""
    if not path.is_dir():
        return None
    return next((path / name for name in FOLDERS if (path / name).is_dir()), path)


def is_line(values: Sequence[str]) -> bool:
    """Whether a line is KITTI's."""
    if len(values) not in (COLUMNS, COLUMNS + 1):
        return False
    try:
        float(values[0])
    except ValueError:
        return True
    return False


def kitti_box(values: Sequence[str], where: str) -> tuple[Box, float | None]:
    """The box of a line, and its score, if it has one."""
    if not is_line(values):
        raise BadInput(f"{where} is not a line of KITTI: {' '.join(values)[:60]!r}. Write a class and 14 numbers.")
    x1, y1, x2, y2 = numbers_in(values[EDGES], where)
    score = numbers_in(values[COLUMNS:], where)
    return (x1, y1, x2, y2, values[0]), score[0] if score else None


def _line(box: Box, before: Sequence[str], after: Sequence[str]) -> str:
    return " ".join([box[4], *before, *(f"{edge:.2f}" for edge in box[:4]), *after])
