"""Parts of pictures as a page shows them."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image

from labelproof.data.dataset import data_url
from labelproof.data.images import encode
from labelproof.errors import LabelproofError
from labelproof.report.kinds.base import Show

PIXELS = 420  # most of a side
MARGIN, LEAST = 0.6, 48  # around what is shown: of its size, and in pixels of the picture
SHAPE = 4 / 3  # width of a part to its height, where the picture allows


class View(NamedTuple):
    """A part of a picture, in its pixels."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def around(cls, edges: list[tuple[float, float, float, float]], size: tuple[float, float] | None) -> View:
        """What surrounds some boxes ``x1, y1, x2, y2``, inside of the picture where its size is known."""
        x1, y1 = min(edge[0] for edge in edges), min(edge[1] for edge in edges)
        x2, y2 = max(edge[2] for edge in edges), max(edge[3] for edge in edges)
        around = max(MARGIN * (x2 - x1), MARGIN * (y2 - y1), LEAST)
        width, height = x2 - x1 + 2 * around, y2 - y1 + 2 * around
        width, height = max(width, height * SHAPE), max(height, width / SHAPE)
        left, right = _stretch((x1 + x2) / 2, width, None if size is None else size[0])
        top, bottom = _stretch((y1 + y2) / 2, height, None if size is None else size[1])
        return cls(left, top, max(1.0, right - left), max(1.0, bottom - top))


def _stretch(middle: float, length: float, most: float | None) -> tuple[float, float]:
    """From where to where, inside of the picture, whatever lies outside."""
    if most is None:
        return middle - length / 2, middle + length / 2
    length = min(length, most)
    start = min(max(0.0, middle - length / 2), most - length)
    return start, start + length


def shown_picture(show: Show | None, row: int) -> Image.Image | None:
    """The picture of an item; ``None`` where it cannot be shown."""
    try:
        image = b"" if show is None else show(row).image
    except LabelproofError:
        return None
    return Image.open(io.BytesIO(image)).convert("RGB") if image else None


def part_of(picture: Image.Image, view: View, size: tuple[float, float]) -> Image.Image:
    """A part of a picture that may be shown smaller than it is, at most 420 pixels wide and high."""
    scale = picture.width / size[0], picture.height / size[1]
    box = (view.x * scale[0], view.y * scale[1], (view.x + view.width) * scale[0], (view.y + view.height) * scale[1])
    inside = (max(0, int(box[0])), max(0, int(box[1])), min(picture.width, round(box[2])), min(picture.height, round(box[3])))
    part = picture.crop((*inside[:2], max(inside[0] + 1, inside[2]), max(inside[1] + 1, inside[3])))
    shrink = min(1.0, PIXELS / max(part.size))
    return part.resize((max(1, round(part.width * shrink)), max(1, round(part.height * shrink)))) if shrink < 1 else part


def as_url(picture: Image.Image) -> str:
    """The picture as a ``data:`` URL."""
    return data_url(encode(picture))
