"""Pictures: one folder per class, or a manifest of paths and labels."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelproof.data.pictures import Picture, read_picture
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.validation import AnyArray

SIZE = 32  # pixels, for a model
SHOWN_PIXELS = 192
Decoded = npt.NDArray[np.uint8]


def decode_all(
    files: Sequence[Picture], names: Sequence[object] | AnyArray, size: int, *, quiet: bool = False, smooth: bool = False
) -> tuple[Decoded, list[int], list[tuple[str, str]]]:
    """Pictures that can be read, packed to the front of (n, size, size, 3), their numbers, and the others with the reason."""
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for i, file in enumerate(files if quiet else track(files, "reading pictures")):
        try:
            pixels[len(kept)] = np.asarray(read_picture(file, size, square=True, smooth=smooth))
        except BadInput as problem:
            skipped.append((str(names[i]), str(problem)))
        else:
            kept.append(i)
    return pixels, kept, skipped


def decode_each(
    files: Sequence[Picture], names: Sequence[object] | AnyArray, size: int, *, quiet: bool = False, smooth: bool = False
) -> Decoded:
    """Pictures (n, size, size, 3), each of which must be readable.

    Raises
    ------
    BadInput
        Naming the first that is not.
    """
    pixels, _, skipped = decode_all(files, names, size, quiet=quiet, smooth=smooth)
    if skipped:
        raise BadInput(f"picture {skipped[0][0]!r} {skipped[0][1]}. Repair or remove it; {len(skipped)} in all.")
    return pixels


def thumbnail(file: Picture, pixels: int = SHOWN_PIXELS) -> bytes:
    """A picture of limited width and height, as PNG or JPEG, whichever is smaller.

    Raises
    ------
    BadInput
        If it cannot be read, with the reason alone.
    """
    return encode(read_picture(file, pixels))


def encode(picture: Image.Image) -> bytes:
    """The smaller of PNG and JPEG."""
    written = []
    for options in ({"format": "PNG", "optimize": True}, {"format": "JPEG", "quality": 85}):
        buffer = io.BytesIO()
        picture.save(buffer, **options)  # type: ignore[arg-type]
        written.append(buffer.getvalue())
    return min(written, key=len)
