"""YOLO: a folder with ``data.yaml`` (or ``classes.txt``), pictures, and a text file per picture with one line per box."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labelproof.data.box_files.base import BoxedPictures, BoxForm, boxed, difference, numbers_in, size_of
from labelproof.data.box_files.folders import copy_folder, decoded, line_end
from labelproof.data.picture_files import SUFFIXES
from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.labels.boxes import Box
from labelproof.validation import Json

CONFIGURATIONS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
NAMES_FILES = ("classes.txt", "obj.names", "labels/classes.txt")
SPLITS = ("train", "val", "test")
COLUMNS = 5  # class, and centre, width and height as shares of the picture
DIGITS = 6


class Yolo(BoxForm):
    """The folder is copied with other lines for changed boxes; all other lines are unchanged.

    Coordinates are shares of the picture's width and height, so the pictures must be there. Lines with more than five numbers are
    polygons, and are refused.
    """

    @classmethod
    def holds(cls, path: Path) -> bool:
        if path.is_dir():
            return any((path / name).is_file() for name in CONFIGURATIONS) or (
                (path / "labels").is_dir() and any((path / name).is_file() for name in NAMES_FILES)
            )
        return path.suffix in (".yaml", ".yml") and path.is_file()

    def read(self) -> BoxedPictures:
        file = (
            self.path
            if self.path.is_file()
            else next((self.path / n for n in CONFIGURATIONS if (self.path / n).is_file()), None)
        )
        self._root = self.path if self.path.is_dir() else self.path.parent
        self._classes, folders = self._told(file) if file is not None else (self._listed(), [])
        pictures = list(self._pictures(folders))
        if not pictures:
            raise BadInput(
                f"{str(self.path)!r} leads to no pictures. Their sizes are needed, because YOLO writes boxes as shares of the picture. Name their folder with --images."
            )
        self._labels = [label_file(picture) for picture in pictures]
        self._sizes = [size_of(picture) for picture in pictures]
        boxes = []
        self._lines: list[list[int]] = []  # numbers of the lines that are boxes, by picture
        for picture, label, size in zip(pictures, self._labels, self._sizes, strict=True):
            if math.isnan(size[0]):
                raise BadInput(f"picture {str(picture)!r} cannot be read, and its size is needed. Repair or remove it.")
            found = list(lines_of(label, self.encoding)) if label.is_file() else []
            boxes.append([self._box(values, size, label, number) for number, values in found])
            self._lines.append([number for number, _ in found])
        names = [self._name(picture) for picture in pictures]
        self._read = boxed(
            names,
            pictures,
            boxes,
            self._sizes,
            self._classes,
            categories={str(i): name for i, name in enumerate(self._classes)},
        )
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        changed: dict[Path, bytes] = {}
        for row, boxes in changes.items():
            file = self._labels[row]
            if not file.resolve().is_relative_to(self._root.resolve()):
                raise BadInput(
                    f"{str(file)!r} is outside {str(self._root)!r}, the folder that would be copied. Name a folder that holds both."
                )
            text = decoded(file, self.encoding) if file.is_file() else ""
            found, lines, end = difference(given[row], boxes), text.splitlines(), line_end(text)
            for i, box in found.changed.items():
                number = self._lines[row][i]
                moved = box[:4] != given[row][i][:4]
                lines[number] = self._line(box, self._sizes[row]) if moved else self._renamed(lines[number], box[4])
            gone = {self._lines[row][i] for i in found.gone}
            kept = [line for number, line in enumerate(lines) if number not in gone]
            kept += [self._line(box, self._sizes[row]) for box in found.added]
            changed[file] = "".join(line + end for line in kept).encode(self.encoding or "utf-8")
        copy_folder(self._root, target, changed, overwrite=overwrite)

    def _told(self, file: Path) -> tuple[list[str], list[str]]:
        """Classes, and the folders or lists of pictures, of a ``data.yaml``."""
        with needed_by("reading YOLO's data.yaml", extra="boxes"):
            import yaml
        try:
            told = yaml.safe_load(decoded(file, self.encoding))
        except yaml.YAMLError as error:
            raise BadInput(f"{str(file)!r} is not YAML ({str(error).splitlines()[0]}).") from error
        names = told.get("names") if isinstance(told, dict) else None
        if isinstance(names, dict) and all(isinstance(key, int) and key >= 0 for key in names):
            names = [names.get(i, i) for i in range(max(names, default=-1) + 1)]
        if not isinstance(names, list) or not names:
            raise BadInput(f"{str(file)!r} names no classes. Give names: [cat, dog] or names: {{0: cat, 1: dog}}.")
        base = Path(str(told.get("path") or "."))
        entries = [entry for split in SPLITS for entry in _as_list(told.get(split))]
        return [str(name) for name in names], [str(base / entry) for entry in entries]

    def _listed(self) -> list[str]:
        file = next(self._root / name for name in NAMES_FILES if (self._root / name).is_file())
        names = [line.strip() for line in decoded(file, self.encoding).splitlines()]
        return [name for name in names if name]

    def _pictures(self, entries: Sequence[str]) -> Iterator[Path]:
        """All pictures, by path, each once."""
        found: set[Path] = set()
        roots = [Path(self.images)] if self.images is not None else []
        for entry in entries if not roots else []:
            place = next((p for p in (self._root / entry, self._root / Path(entry).name, self._root / entry.replace("../", "", 1))
                          if p.exists()), None)  # fmt: skip
            if place is not None and place.suffix == ".txt":
                lines = (line.strip() for line in decoded(place, self.encoding).splitlines())
                found |= {(place.parent / line) if line.startswith("./") else (self._root / line) for line in lines if line}
            elif place is not None:
                roots.append(place)
        if not roots and not found:
            roots = [self._root]
        for root in roots:
            found |= {file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()}
        return iter(sorted(found))

    def _name(self, picture: Path) -> str:
        inside = picture.resolve().is_relative_to(self._root.resolve())
        return picture.resolve().relative_to(self._root.resolve()).as_posix() if inside else picture.name

    def _box(self, values: Sequence[str], size: tuple[float, float], file: Path, number: int) -> Box:
        return yolo_box(values, size, self._classes, f"{str(file)!r} line {number + 1}")[0]

    def _renamed(self, line: str, name: str) -> str:
        """The line with another class, and the same digits."""
        return re.sub(r"^(\s*)\S+", rf"\g<1>{self._classes.index(name)}", line)

    def _line(self, box: Box, size: tuple[float, float]) -> str:
        (x1, y1, x2, y2), (width, height) = box[:4], size
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        return " ".join([str(self._classes.index(box[4])), *(f"{share:.{DIGITS}f}" for share in shares)])


def yolo_box(values: Sequence[str], size: tuple[float, float], classes: Sequence[str], where: str) -> tuple[Box, float | None]:
    """The box of a line, and the confidence at its end if it is a prediction."""
    if len(values) not in (COLUMNS, COLUMNS + 1):
        what = "a polygon" if len(values) > COLUMNS + 1 and len(values) % 2 else "no box"
        raise BadInput(f"{where} is {what}: {' '.join(values)[:60]!r}. Write a class and four numbers.")
    code, x, y, width, height, *score = numbers_in(values, where)
    if code != int(code) or not 0 <= code < len(classes):
        raise BadInput(f"{where} has class {values[0]}, but there are {len(classes)} classes, counted from 0. Correct it.")
    w, h = size
    box = ((x - width / 2) * w, (y - height / 2) * h, (x + width / 2) * w, (y + height / 2) * h)
    return (*(round(edge, DIGITS) for edge in box), classes[int(code)]), score[0] if score else None  # type: ignore[return-value]


def lines_of(file: Path, encoding: str | None) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file that are not empty, cut at spaces, and their numbers from 0."""
    for number, line in enumerate(decoded(file, encoding).splitlines()):
        if line.strip():
            yield number, line.split()


def label_file(picture: Path) -> Path:
    """Where YOLO keeps the boxes of a picture: in ``labels`` instead of ``images``, otherwise next to the picture."""
    parts = list(picture.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            return Path(*parts).with_suffix(".txt")
    return picture.with_suffix(".txt")


def _as_list(value: object) -> list[str]:
    found: Json | list[object] | object = value
    return [str(one) for one in found] if isinstance(found, list) else [] if found is None else [str(found)]
