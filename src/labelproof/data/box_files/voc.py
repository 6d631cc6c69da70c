"""Pascal VOC: a folder of XML files, one per picture, with one ``object`` per box."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from labelproof.data.box_files.base import BoxedPictures, BoxForm, boxed, difference, number_text, numbers_in, size_of
from labelproof.data.box_files.folders import copy_folder
from labelproof.data.tables.xml_spans import Element, parse, spliced
from labelproof.errors import BadInput
from labelproof.labels.boxes import Box

FOLDERS = ("Annotations", "annotations")
EDGES = ("xmin", "ymin", "xmax", "ymax")
WHAT = "Pascal VOC file"
HEAD = 1 << 12


class PascalVoc(BoxForm):
    """The folder is copied with other numbers, names or objects for changed boxes; all else is unchanged, byte for byte.

    Coordinates are read unchanged: some tools count pixels from 1, as the challenge did, others from 0.
    """

    @classmethod
    def holds(cls, path: Path) -> bool:
        folder = folder_of(path)
        first = None if folder is None else next(iter(sorted(folder.glob("*.xml"))), None)
        if first is None:
            return False
        try:
            with first.open("rb") as file:
                return re.search(rb"<annotation[\s>]", file.read(HEAD)) is not None
        except OSError:
            return False

    def read(self) -> BoxedPictures:
        folder = folder_of(self.path)
        assert folder is not None
        self._files = sorted(folder.glob("*.xml"))
        self._data = [file.read_bytes() for file in self._files]
        self._outer = [parse(data, file, WHAT) for data, file in zip(self._data, self._files, strict=True)]
        names, pictures, sizes = [], [], []
        for file, outer in zip(self._files, self._outer, strict=True):
            named = _text(outer, "filename") or file.stem
            own = self.picture_of(file.stem, "JPEGImages", "../JPEGImages", "images", "../images", ".", "..")
            picture = (
                own
                if own.is_file()
                else self.picture_of(named, "JPEGImages", "../JPEGImages", "images", "../images", ".", "..")
            )
            names.append(file.stem)
            pictures.append(picture)
            sizes.append(_size(outer) or size_of(picture))
        boxes = [[_box(one, file) for one in outer.all("object")] for file, outer in zip(self._files, self._outer, strict=True)]
        classes = sorted({box[4] for own in boxes for box in own})
        self._read = boxed(names, pictures, boxes, sizes, classes)
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        whole = all(edge == int(edge) for own in given for box in own for edge in box[:4])
        changed = {}
        for row, boxes in changes.items():
            if whole:
                boxes = [(*(float(round(edge)) for edge in box[:4]), box[4]) for box in boxes]  # type: ignore[misc]
            found = difference(given[row], boxes)
            data, outer = self._data[row], self._outer[row]
            objects = outer.all("object")
            parts: dict[tuple[int, int], bytes] = {}
            for i, box in found.changed.items():
                parts |= dict(_changed(objects[i], box))
            for i in found.gone:
                parts[_with_space(data, objects[i].start), objects[i].end] = b""
            if found.added:
                at = objects[-1].end if objects else outer.close
                lead = data[_with_space(data, objects[-1].start) : objects[-1].start] if objects else b""
                parts[at, at] = b"".join(lead + _new(box) for box in found.added)
            changed[self._files[row]] = spliced(data, parts)
        copy_folder(self.path, target, changed, overwrite=overwrite)


def folder_of(path: Path) -> Path | None:
    """The folder of the XML files."""
    if not path.is_dir():
        return None
    return next((path / name for name in FOLDERS if (path / name).is_dir()), path)


def _text(outer: Element, name: str) -> str:
    found = outer.all(name)
    return found[0].text.strip() if found else ""


def _size(outer: Element) -> tuple[float, float] | None:
    found = outer.all("size")
    values = [_text(found[0], name) for name in ("width", "height")] if found else []
    if len(values) == 2 and all(value.isdigit() and int(value) for value in values):
        return float(values[0]), float(values[1])
    return None


def _box(one: Element, file: Path) -> Box:
    where = f"{str(file)!r} object {_text(one, 'name')!r}"
    inner = one.all("bndbox")
    if not inner or not _text(one, "name"):
        raise BadInput(f"{where} has no name or no bndbox. Export it again.")
    x1, y1, x2, y2 = numbers_in([_text(inner[0], name) for name in EDGES], where)
    return x1, y1, x2, y2, _text(one, "name")


def _changed(one: Element, box: Box) -> Iterator[tuple[tuple[int, int], bytes]]:
    name = one.all("name")[0]
    if name.text.strip() != box[4]:
        yield (name.inside, name.close), escape(box[4]).encode()
    inner = one.all("bndbox")[0]
    for edge, value in zip(EDGES, box[:4], strict=True):
        place = inner.all(edge)[0]
        if round(float(place.text), 3) != round(value, 3):
            yield (place.inside, place.close), number_text(value).encode()


def _new(box: Box) -> bytes:
    edges = "".join(f"<{name}>{number_text(value)}</{name}>" for name, value in zip(EDGES, box[:4], strict=True))
    return (
        f"<object><name>{escape(box[4])}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox>{edges}</bndbox></object>"
    ).encode()


def _with_space(data: bytes, start: int) -> int:
    """Start of the white space before a position."""
    while start and data[start - 1 : start].isspace():
        start -= 1
    return start
