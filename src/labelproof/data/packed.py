"""Pictures that are no files of their own: they stand inside of another file, or of a field."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labelproof.errors import BadInput


@dataclass(frozen=True)
class Packed:
    """A picture inside of something else, opened as a file is.

    Attributes
    ----------
    name : str
    read : callable
        Gives the bytes of the picture file, or raises `BadInput`.
    """

    name: str
    read: Callable[[], bytes]

    def exists(self) -> bool:
        """It does, unless reading it says otherwise."""
        return True

    def is_file(self) -> bool:
        """It is as good as one."""
        return True

    def open(self, mode: str = "rb") -> IO[bytes]:
        """The bytes of the picture file."""
        return io.BytesIO(self.read())


PictureFile = Path | Packed


def of_data_url(name: str, url: str) -> Packed:
    """The picture that a ``data:`` URL holds."""
    return Packed(name, _DataUrl(url))


@dataclass(frozen=True)
class _DataUrl:
    """Reads what a URL holds; a class, so that it can go to other processes."""

    url: str

    def __call__(self) -> bytes:
        try:
            return base64.b64decode(self.url.partition(",")[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInput(f"cannot be decoded (its data: URL is no base64: {error})") from error
