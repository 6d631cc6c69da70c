"""Pictures of a data set in their original size, decoded on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelproof.data.images import decode_each
from labelproof.data.pictures import Picture
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, IntArray


class PictureSource(Protocol):
    """n pictures."""

    def __len__(self) -> int: ...

    def content(self, i: int) -> bytes:
        """Identifies picture ``i``: its file's bytes, or its pixels."""
        ...

    def decoded(self, rows: IntArray, size: int) -> npt.NDArray[np.uint8]:
        """Shape (m, size, size, 3)."""
        ...

    def part(self, rows: IntArray) -> PictureSource:
        """Some of them, to be decoded by another process."""
        ...


class FileSource:
    """Pictures in files.

    Parameters
    ----------
    files : sequence of Picture
    names : sequence
        For messages.
    """

    def __init__(self, files: Sequence[Picture], names: Sequence[object] | AnyArray) -> None:
        self.files, self.names = files, names

    def __len__(self) -> int:
        return len(self.files)

    def content(self, i: int) -> bytes:
        """The file, or the pixels of an opened picture."""
        file = self.files[i]
        found = file() if callable(file) else file
        if isinstance(found, bytes):
            return found
        if isinstance(found, Image.Image):
            return f"{found.mode} {found.size} ".encode() + found.tobytes()
        try:
            return found.read_bytes()
        except OSError as error:
            raise BadInput(f"picture {str(self.names[i])!r} can no longer be read ({error.strerror}).") from error

    def decoded(self, rows: IntArray, size: int) -> npt.NDArray[np.uint8]:
        """Each scaled to ``size`` x ``size``, as everyone sees it."""
        return decode_each([self.files[i] for i in rows], [self.names[i] for i in rows], size, quiet=True, smooth=True)

    def part(self, rows: IntArray) -> FileSource:
        """The same files, which must be readable on the machine that decodes them."""
        return FileSource([self.files[i] for i in rows], [self.names[i] for i in rows])


class ArraySource:
    """Pictures in an array.

    Parameters
    ----------
    pixels : ndarray, shape (n, h, w) or (n, h, w, c) with c of 1, 3 or 4
        uint8 from 0 to 255; any other type is scaled from its own least to its own largest value.
    """

    def __init__(self, pixels: AnyArray) -> None:
        self.pixels = pixels
        self.low, self.high = (0.0, 255.0) if pixels.dtype == np.uint8 else (float(pixels.min()), float(pixels.max()))

    def __len__(self) -> int:
        return len(self.pixels)

    def content(self, i: int) -> bytes:
        """Shape, type, range and pixels."""
        one = np.ascontiguousarray(self.pixels[i])
        return f"{one.shape} {one.dtype} {self.low} {self.high} ".encode() + one.tobytes()

    def decoded(self, rows: IntArray, size: int) -> npt.NDArray[np.uint8]:
        """Bicubic, grey as three equal channels."""
        scale = 255.0 / max(self.high - self.low, 1e-12)
        return np.stack([self._one(self.pixels[i], size, scale) for i in rows])

    def part(self, rows: IntArray) -> ArraySource:
        """Their pixels, in the range of all."""
        some = ArraySource(self.pixels[rows])
        some.low, some.high = self.low, self.high
        return some

    def _one(self, picture: AnyArray, size: int, scale: float) -> npt.NDArray[np.uint8]:
        pixels = picture if picture.dtype == np.uint8 else ((picture - self.low) * scale).round().astype(np.uint8)
        image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
