"""CVAT for images 1.1: an XML file of images with one tag each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import polars as pl

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.xml_spans import Element, attribute_span, parse, spliced
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_write, damaged, existing

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions

LABEL, IMAGE, ID = "tag", "name", "id"
HEAD = 1 << 12
WHAT = "CVAT file"


@dataclass(frozen=True)
class Held:
    """The bytes of a file, its images, and the tag of each."""

    data: bytes
    images: list[Element]
    tags: list[Element | None]


class Cvat(TableForm):
    """An image is an item, and its tag the label; shapes stay unchanged."""

    suffixes = (".xml",)

    @classmethod
    def fits(cls, place: str) -> bool:
        try:
            with Path(place).open("rb") as file:
                return super().fits(place) and b"<annotations" in file.read(HEAD)
        except OSError:  # reading it raises the error
            return False

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """Pictures are next to the file, or in ``images`` next to it, as CVAT packs them."""
        return replace(options, label=options.label or LABEL, image=options.image or IMAGE)

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = existing(place, "file")
        with damaged(path):
            data = path.read_bytes()
        outer = parse(data, path, WHAT)
        images = outer.all("image")
        if outer.all("track"):
            raise BadInput(f"{place!r} is CVAT for video. Export as CVAT for images 1.1.")
        if not images:
            raise BadInput(f"{place!r} lists no images. Export as CVAT for images 1.1.")
        tags = [_tag(image, place) for image in images]
        if not any(tags):
            shapes = Counter(part.name for image in images for part in image.parts)
            what = ", ".join(f"{count:,} of {name!r}" for name, count in shapes.most_common(4)) or "nothing"
            raise BadInput(f"{place!r} holds {what} but no tags of images. Give one tag per image.")
        columns = {
            ID: [image.attributes.get("id") for image in images],
            IMAGE: [image.attributes.get("name") for image in images],
            LABEL: [None if tag is None else tag.attributes.get("label") for tag in tags],
        }
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        return RawTable(frame, None, path, form=self, held=Held(data, images, tags), beside=(".", "images"))

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        if change.added:
            raise BadInput("--explain adds columns that CVAT's format cannot hold. Omit it, or write to .csv or .parquet.")
        if change.nothing:
            atomic_write(target, raw.held.data)
            return
        held: Held = raw.held
        texts = raw.frame[change.column]
        changes: dict[tuple[int, int], bytes] = {}
        for row, source in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
            name = texts[source] if source >= 0 else change.names[row]
            changes |= _changed(held.data, held.images[row], held.tags[row], name)
        atomic_write(target, spliced(held.data, changes))


def _tag(image: Element, place: str) -> Element | None:
    tags = image.all("tag")
    if len(tags) > 1:
        names = ", ".join(str(tag.attributes.get("label")) for tag in tags[:4])
        raise BadInput(
            f"image {image.attributes.get('name')!r} of {place!r} has several tags: {names}. Give one tag per image, or audit several by --tags."
        )
    return tags[0] if tags else None


def _changed(data: bytes, image: Element, tag: Element | None, name: str | None) -> dict[tuple[int, int], bytes]:
    """Replace the label of a tag, add a tag if there was none, or remove it if there is no label any more."""
    label = b"" if name is None else escape(name, {'"': "&quot;", "'": "&apos;", "\n": "&#10;"}).encode()
    if tag is not None:
        span = attribute_span(data, tag, "label")
        return {(tag.start, tag.end): b""} if name is None else {} if span is None else {span: label}
    new = b'<tag label="' + label + b'" source="manual"></tag>'
    if not image.empty:
        return {(image.inside, image.inside): new}
    return {(image.inside - 2, image.inside): b">" + new + b"</image>"}
