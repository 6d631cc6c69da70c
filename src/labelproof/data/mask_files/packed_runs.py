"""Run lengths as Label Studio packs them: the bits of thi.ng's rle-pack, whose values are the four channels of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelproof.errors import BadInput
from labelproof.validation import BoolArray

CHANNELS = 4
WORD = 8  # bits of a value
SIZES = (3, 4, 8, 16)  # bits of a length
AT_A_TIME = 512  # bytes


class Bits:
    """Bits of bytes, read from the front."""

    def __init__(self, data: Sequence[int]) -> None:
        self._data, self._at = bytes(data), 0
        self._window, self._left = 0, 0

    def read(self, bits: int) -> int:
        """The next bits as a number."""
        if bits > self._left:
            more = self._data[self._at : self._at + AT_A_TIME]
            self._at += len(more)
            kept = self._window & ((1 << self._left) - 1)
            self._window, self._left = (kept << (8 * len(more))) | int.from_bytes(more, "big"), self._left + 8 * len(more)
        if bits > self._left:
            raise BadInput("The run lengths of a brush end too early. Export again.")
        self._left -= bits
        return (self._window >> self._left) & ((1 << bits) - 1)


def unpack(data: Sequence[int], height: int, width: int) -> BoolArray:
    """The pixels of a brush: those whose last channel is not 0, shape (height, width).

    Raises
    ------
    BadInput
        If the bytes are not run lengths of such a picture.
    """
    if not isinstance(data, list) or not all(isinstance(byte, int) and 0 <= byte < 256 for byte in data):
        raise BadInput("The run lengths of a brush are not a list of bytes. Export again.")
    bits = Bits(data)
    total, word = bits.read(32), bits.read(5) + 1
    if total != height * width * CHANNELS:
        raise BadInput(
            f"The run lengths of a brush cover {total // CHANNELS:,} pixels, but the picture has {height * width:,}. Export again."
        )
    sizes = [bits.read(4) + 1 for _ in range(4)]
    out = np.empty(total, np.uint8)
    at = 0
    while at < total:
        alike = bits.read(1)
        end = min(at + 1 + bits.read(sizes[bits.read(2)]), total)
        if alike:
            out[at:end] = bits.read(word) != 0
        else:
            out[at:end] = [bits.read(word) != 0 for _ in range(at, end)]
        at = end
    return out.reshape(height, width, CHANNELS)[..., -1].astype(bool)


def pack(pixels: BoolArray) -> list[int]:
    """The input of `unpack`: 255 in all channels of the covered pixels.

    >>> import numpy as np
    >>> covered = np.array([[False, True, True]])
    >>> unpack(pack(covered), 1, 3).tolist()
    [[False, True, True]]
    """
    flat = np.repeat(pixels.ravel(), CHANNELS)
    edges = np.r_[0, np.flatnonzero(np.diff(flat)) + 1, len(flat)]
    parts = [f"{len(flat):032b}", f"{WORD - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    longest = 1 << SIZES[-1]
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        value = f"{255 if flat[start] else 0:08b}"
        for first in range(start, end, longest):
            length = min(end - first, longest) - 1
            place = next(i for i, size in enumerate(SIZES) if length < 1 << size)
            parts.append(f"1{place:02b}{length:0{SIZES[place]}b}{value}")
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]
