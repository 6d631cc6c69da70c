"""Picture files as rows of a tensor, decoded a batch at a time: sets that do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.data.images import decode_each
from labelproof.errors import BadInput

# of ImageNet's channels, as its published networks expect
MEAN, SPREAD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class PictureRows:
    """Pictures, or videos as equally long lists of frames, that give rows as a tensor does: ``rows[index]`` is float32.

    Parameters
    ----------
    files : sequence of n paths, or of n lists of paths
        Pictures, or the frames of each video; a video with fewer frames than another is padded with NaN.
    size : int
        Pictures are scaled to ``size`` x ``size``, and standardised by the channels' means and deviations of ImageNet.

    Attributes
    ----------
    shape : torch.Size
        (n, 3, size, size), or (n, frames, 3, size, size).
    """

    dtype = torch.float32

    def __init__(self, files: Sequence[Path] | Sequence[Sequence[Path]], size: int) -> None:
        if not len(files):
            raise BadInput("There are no files. Give one or more.")
        self.files, self.size = files, size
        videos = not isinstance(files[0], Path)
        self.frames = max(len(own) for own in files) if videos else 0  # type: ignore[arg-type]
        self.shape = torch.Size((len(files), *([self.frames] if videos else []), 3, size, size))
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self.files)

    def take_rows(self, rows: Iterable[int]) -> PictureRows:
        """Some of the rows, not decoded yet."""
        return PictureRows([self.files[i] for i in rows], self.size)  # type: ignore[arg-type]

    def each_frame(self) -> PictureRows:
        """The frames of all videos, one after the other, as pictures."""
        return PictureRows([file for files in self.files for file in files], self.size)  # type: ignore[union-attr]

    def frame_counts(self) -> npt.NDArray[np.int64]:
        """Number of frames of each video, shape (n,)."""
        return np.array([len(files) for files in self.files])  # type: ignore[arg-type]

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Rows by number or by slice, decoded.

        Raises
        ------
        BadInput
            Naming a file that cannot be read.
        """
        chosen = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows.tolist()
        if not self.frames:
            return self._decoded([self.files[i] for i in chosen])  # type: ignore[misc]
        whole = torch.full((len(chosen), *self.shape[1:]), torch.nan)
        for place, i in enumerate(chosen):
            own = self._decoded(self.files[i])
            whole[place, : len(own)] = own
        return whole

    def _decoded(self, files: Sequence[Path]) -> Tensor:
        pixels = decode_each(files, [str(file) for file in files], self.size, quiet=True)
        scaled = (pixels.astype(np.float32) / 255 - MEAN) / SPREAD
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))
