"""Masks as one array (n, h, w) in a ``.npy`` file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from labelproof.data.array_files import NpyRows, header_of
from labelproof.data.mask_files.base import MaskedPictures, MaskForm, Patches, patched
from labelproof.data.picture_files import pictures_below
from labelproof.errors import BadInput
from labelproof.labels.masks import Masks
from labelproof.saving.files import atomic_stream
from labelproof.validation import AnyArray

DIMENSIONS = 3


class MaskArray(MaskForm):
    """Pictures, if any, are those of the named folder, in order of their paths."""

    endings = (".npy",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix == ".npy" and path.is_file()

    def read(self) -> MaskedPictures:
        shape, *_ = header_of(self.path)
        if len(shape) != DIMENSIONS:
            raise BadInput(f"{str(self.path)!r} has shape {shape}. Give one class per pixel, shape (n, h, w).")
        labels = Masks(OneByOne(self.path), classes=self.asked.classes, void=list(self.asked.void) or None)
        found = [] if self.asked.images is None else pictures_below(Path(self.asked.images))
        if found and len(found) != labels.n:
            raise BadInput(
                f"--images {self.asked.images!r} holds {len(found):,} pictures, but there are {labels.n:,} masks. Give one picture per mask."
            )
        return MaskedPictures(labels, [str(i) for i in range(labels.n)], [*found] or [None] * labels.n)

    def write(self, target: Path, changes: Mapping[int, Patches], *, overwrite: bool) -> None:
        rows = OneByOne(self.path)
        with atomic_stream(target) as out:
            np.lib.format.write_array_header_1_0(
                out, {"descr": np.lib.format.dtype_to_descr(rows.held.dtype), "fortran_order": False, "shape": rows.held.shape}
            )
            for i in range(len(rows)):
                out.write(np.ascontiguousarray(patched(rows[i], changes.get(i, ()))).tobytes())


class OneByOne(Sequence[AnyArray]):
    """The masks of a file, read one at a time."""

    def __init__(self, path: Path) -> None:
        self.held = NpyRows(path, "masks")

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, i: int) -> AnyArray:  # type: ignore[override]
        """Shape (h, w)."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        return np.asarray(self.held[np.array([i])][0])
