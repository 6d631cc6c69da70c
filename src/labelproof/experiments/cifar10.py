"""The pictures of CIFAR-10, out of an archive with a folder for each class."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelproof.saving.files import existing

SIZES = {"train": 5000, "test": 1000}  # pictures per class


class Archive:
    """``{train,test}/<class>/<number>.jpg``: the n-th picture of a class is the n-th of that class in the original order.

    Parameters
    ----------
    data : Path
        The folder with ``cifar10-jpeg.zip``.

    Attributes
    ----------
    names : list of str
        Names of the classes, in the order of their codes.
    """

    def __init__(self, data: Path) -> None:
        self._files = zipfile.ZipFile(existing(data / "cifar10-jpeg.zip", "the archive of CIFAR-10"))
        inside = [name.split("/") for name in self._files.namelist()]
        self.names = sorted({steps[1] for steps in inside if steps[0] == "train" and len(steps) == 3})

    def picture(self, split: str, name: str, number: int) -> npt.NDArray[np.uint8]:
        """Shape (32, 32, 3)."""
        with Image.open(io.BytesIO(self._files.read(f"{split}/{name}/{number:04d}.jpg"))) as image:
            return np.asarray(image.convert("RGB"))

    def classes(
        self, split: str, names: list[str], each: int | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The first pictures of some classes, by default all, class after class; and the positions in ``names``."""
        each = each or SIZES[split]
        x = np.stack([self.picture(split, name, number) for name in names for number in range(each)])
        return x, np.repeat(np.arange(len(names)), each)
