"""Pixels of any mode as RGB with 8 bits a channel, by blocks, so that a large picture is never converted as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

BLOCK = 512  # pixels wide and high; a picture of no more pixels is not reduced
FAINT = 24  # of 255; a picture that differs less from white is laid on black
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
Ground = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def reduced(picture: Image.Image, least: tuple[int, int]) -> tuple[Image.Image, tuple[int, int], Ground]:
    """A loaded picture as RGB or RGBA, a large one with the means of boxes of pixels instead of its pixels.

    Parameters
    ----------
    picture : PIL.Image.Image
    least : (width, height)
        The result is at least this large, if the picture is.

    Returns
    -------
    picture : PIL.Image.Image
    factors : (across, down)
        Sizes of the boxes; those at the edges may be smaller.
    ground : (red, green, blue)
        What to lay it on.
    """
    width, height = picture.size
    across, down = (1, 1) if width * height <= BLOCK**2 else (max(1, width // least[0]), max(1, height // least[1]))
    scale = _Scale(picture) if picture.mode in ("I", "F") or picture.mode.startswith("I;16") else None
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    small = Image.new(mode, (-(-width // across), -(-height // down)))
    darkest, brightest = 255, 0
    for left, top, block in _blocks(picture, across, down):
        if scale is not None:
            block = scale(block)
        elif block.mode == "La":
            block = block.convert("LA")
        block = block.convert(mode)
        if mode == "RGBA":
            darkest = min(darkest, *(low for low, _ in laid(block, WHITE).getextrema()))  # type: ignore[misc]
            brightest = max(brightest, *(high for _, high in laid(block, BLACK).getextrema()))  # type: ignore[misc]
        small.paste(block.reduce((across, down)) if across * down > 1 else block, (left // across, top // down))
    return small, (across, down), BLACK if 255 - darkest < min(FAINT, brightest) else WHITE


def laid(picture: Image.Image, ground: Ground) -> Image.Image:
    """RGB of an RGB or RGBA picture."""
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*ground, 255)), picture).convert("RGB")


def _blocks(picture: Image.Image, across: int, down: int) -> Iterator[tuple[int, int, Image.Image]]:
    wide, high = across * max(1, BLOCK // across), down * max(1, BLOCK // down)
    for top in range(0, picture.height, high):
        for left in range(0, picture.width, wide):
            yield left, top, picture.crop((left, top, min(left + wide, picture.width), min(top + high, picture.height)))


class _Scale:
    """Numbers of 16 or 32 bits, or floats, as grey; with alpha if one value means transparent."""

    def __init__(self, picture: Image.Image) -> None:
        tags: Any = getattr(picture, "tag_v2", {})
        self._unsigned = picture.mode == "I" and bool(tags) and tags.get(SAMPLE_FORMAT, (1,))[0] == 1
        self._inverted = tags.get(PHOTOMETRIC) == 0
        self._transparent = picture.info.get("transparency")
        self.low, self.high = self._range(picture, tags.get(BITS, (16,))[0])

    def _range(self, picture: Image.Image, bits: int) -> tuple[float, float]:
        if picture.mode.startswith("I;16"):
            return 0, 2 ** min(bits, 16) - 1
        lows, highs = [], []
        for _, _, block in _blocks(picture, 1, 1):
            numbers = self._numbers(block)
            numbers = numbers[np.isfinite(numbers)]
            if numbers.size:
                lows.append(float(numbers.min()))
                highs.append(float(numbers.max()))
        low, high = min(lows, default=0.0), max(highs, default=0.0)
        for most in (1, 255) if picture.mode == "F" else (65535,):
            if low >= 0 and high <= most:
                return 0, most
        return low, high

    def _numbers(self, block: Image.Image) -> npt.NDArray[np.float64]:
        array = np.asarray(block)
        return (array.view(np.uint32) if self._unsigned else array).astype(np.float64)

    def __call__(self, block: Image.Image) -> Image.Image:
        numbers = self._numbers(block)
        spread = self.high - self.low
        share = np.clip((numbers - self.low) / (spread if spread > 0 else 1), 0, 1)
        grey = np.rint(255 * np.nan_to_num(1 - share if self._inverted else share)).astype(np.uint8)
        if not isinstance(self._transparent, int):
            return Image.fromarray(grey)
        return Image.fromarray(np.stack([grey, np.where(numbers == self._transparent, 0, 255).astype(np.uint8)], axis=-1), "LA")
