"""Pictures as values of columns and items of data sets: paths, bytes, arrays, tensors, opened ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from labelproof.data.pictures import Opened
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, is_missing, to_numpy

URL = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
CHANNELS = (1, 3, 4)


def is_picture(value: object) -> bool:
    """Whether a value is an opened picture, or an array of the shape of one."""
    return isinstance(value, Image.Image) or len(getattr(value, "shape", ())) in (2, 3)


def picture_of(value: object) -> Opened:
    """The source that a picture is opened from.

    Parameters
    ----------
    value : path, bytes, PIL.Image.Image, array or tensor, or a mapping with ``bytes`` or ``path``
        Arrays are of shape (h, w), (h, w, c) or (c, h, w) with one, three or four channels.

    Raises
    ------
    BadInput
        With only the reason, "is empty", to follow the picture's name.
    """
    if isinstance(value, Mapping):
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if isinstance(value, str | Path) and str(value):
        if URL.match(str(value)):
            raise BadInput("is a URL, and nothing is downloaded. Give the path of a file")
        return Path(value)
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if hasattr(value, "__len__") and not isinstance(value, str):
        return picture_of_array(to_numpy(value, "picture"), channels_first=hasattr(value, "detach"))
    raise BadInput(
        "is empty" if is_missing(value) else f"is a {type(value).__name__}, not a path, bytes, an array or a picture"
    )


def picture_of_array(array: AnyArray, *, channels_first: bool = False) -> Image.Image:
    """A picture of numbers: 8 bits unchanged, others scaled by 1, 255 or 65,535 if they fit, otherwise by their range.

    Parameters
    ----------
    array : ndarray, shape (h, w), (h, w, c) or (c, h, w)
    channels_first : bool, default=False
        Which axis holds the channels if both the first and the last may.

    Raises
    ------
    BadInput
        For another shape, with the reason alone.
    """
    shape: tuple[int, ...] = array.shape
    if array.ndim == 3 and shape[0] in CHANNELS and (channels_first or shape[2] not in CHANNELS):
        array = array.transpose(1, 2, 0)
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] not in CHANNELS):
        raise BadInput(f"is an array of shape {shape}, which is not a picture: give (h, w), (h, w, 3) or (3, h, w)")
    if array.dtype.kind not in "biuf":
        raise BadInput(f"is an array of {array.dtype}, not of numbers")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return Image.fromarray(np.ascontiguousarray(array if array.dtype == np.uint8 else _bytes(array)))


def _bytes(array: AnyArray) -> Any:
    numbers = array.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    scales = (1,) if array.dtype.kind == "b" else (1, 255) if array.dtype.kind == "f" else (255, 65535)
    most = next((scale for scale in scales if low >= 0 and high <= scale), None)
    if most is not None:
        low, high = 0.0, float(most)
    share = (np.clip(numbers, low, high) - low) / (high - low if high > low else 1.0)
    return np.rint(255 * np.nan_to_num(share)).astype(np.uint8)
