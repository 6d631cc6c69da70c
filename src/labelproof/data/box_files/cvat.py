"""CVAT for images 1.1: an XML file of images with boxes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from labelproof.data.box_files.base import BoxedPictures, BoxForm, boxed, difference, number_text, numbers_in, size_of
from labelproof.data.tables.cvat import HEAD, WHAT
from labelproof.data.tables.xml_spans import Element, attribute_span, parse, spliced
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.boxes import Box
from labelproof.saving.files import atomic_write, damaged, existing

EDGES = ("xtl", "ytl", "xbr", "ybr")


class CvatBoxes(BoxForm):
    """A copy differs only in the boxes that change, byte for byte. Rotated boxes and other shapes are no labels."""

    endings = (".xml",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                return path.suffix == ".xml" and b"<annotations" in file.read(HEAD)
        except OSError:
            return False

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        if not cls.holds(path):
            return False
        data = path.read_bytes()
        return b"<box" in data and b"<tag" not in data  # a file of tags holds classes, whatever shapes it also has

    def read(self) -> BoxedPictures:
        path = existing(self.path, "file")
        with damaged(path):
            self._data = path.read_bytes()
        outer = parse(self._data, path, WHAT)
        self._images = outer.all("image")
        if outer.all("track"):
            raise BadInput(f"{str(path)!r} is CVAT for video. Export as CVAT for images 1.1.")
        if not self._images:
            raise BadInput(f"{str(path)!r} lists no images. Export as CVAT for images 1.1.")
        self._boxes = [[box for box in image.all("box") if not _turned(box)] for image in self._images]
        others = Counter(part.name for image in self._images for part in image.parts if part.name not in ("box", "tag"))
        others["turned box"] = sum(len(image.all("box")) for image in self._images) - sum(map(len, self._boxes))
        if +others:
            told = ", ".join(f"{count:,} of {name!r}" for name, count in (+others).most_common(4))
            warnings.warn(
                f"{str(path)!r} holds shapes that are not upright boxes, which are not audited: {told}.",
                LabelproofWarning,
                stacklevel=2,
            )
        names = [image.attributes.get("name", str(i)) for i, image in enumerate(self._images)]
        pictures = [self.picture_of(name, ".", "images") for name in names]
        sizes = [_size(image) or size_of(picture) for image, picture in zip(self._images, pictures, strict=True)]
        boxes = [[_box(one, str(path)) for one in own] for own in self._boxes]
        classes = sorted({box[4] for own in boxes for box in own} | set(_declared(outer)))
        keys = {str(image.attributes["id"]): i for i, image in enumerate(self._images) if "id" in image.attributes}
        self._read = boxed(names, pictures, boxes, sizes, classes, keys=keys)
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        given = self._read.labels.given_boxes()
        parts: dict[tuple[int, int], bytes] = {}
        for row, boxes in changes.items():
            found = difference(given[row], boxes)
            image, own = self._images[row], self._boxes[row]
            for i, box in found.changed.items():
                parts |= dict(_changed(self._data, own[i], given[row][i], box))
            parts |= {(own[i].start, own[i].end): b"" for i in found.gone}
            new = b"".join(_new(box) for box in found.added)
            if new and image.empty:
                parts[image.inside - 2, image.inside] = b">" + new + b"</image>"
            elif new:
                parts[image.close, image.close] = new
        atomic_write(target, spliced(self._data, parts))


def _turned(box: Element) -> bool:
    return box.attributes.get("rotation", "0").strip("0.") != ""


def _size(image: Element) -> tuple[float, float] | None:
    values = [image.attributes.get(name, "") for name in ("width", "height")]
    return (float(values[0]), float(values[1])) if all(value.isdigit() and int(value) for value in values) else None


def _box(one: Element, path: str) -> Box:
    where = f"box {one.attributes.get('label')!r} of {path!r}"
    x1, y1, x2, y2 = numbers_in([one.attributes.get(name) for name in EDGES], where)
    return x1, y1, x2, y2, str(one.attributes.get("label"))


def _declared(outer: Element) -> Iterator[str]:
    """Labels of the task or the project that the file describes."""
    for part in outer.parts:
        if part.name == "label" and part.all("name"):
            yield part.all("name")[0].text.strip()
        elif part.name in ("meta", "task", "project", "job", "labels"):
            yield from _declared(part)


def _changed(data: bytes, one: Element, was: Box, box: Box) -> Iterator[tuple[tuple[int, int], bytes]]:
    label = quoteattr(box[4], {"'": "&apos;"})[1:-1]
    new: list[tuple[str, object, object, str]] = [("label", was[4], box[4], label)]
    new += [(name, a, b, number_text(b)) for name, a, b in zip(EDGES, was[:4], box[:4], strict=True)]
    for name, before, after, words in new:
        span = attribute_span(data, one, name)
        if before != after and span is not None:
            yield span, words.encode()


def _new(box: Box) -> bytes:
    edges = " ".join(f'{name}="{number_text(value)}"' for name, value in zip(EDGES, box[:4], strict=True))
    return f'<box label={quoteattr(box[4])} source="manual" occluded="0" {edges} z_order="0"></box>'.encode()
