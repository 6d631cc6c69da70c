"""A record of each item in each epoch of training, in memory-mapped arrays."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput, CorruptArtifact
from labelproof.saving.files import load_array
from labelproof.validation import AnyArray

if TYPE_CHECKING:
    from torch import Tensor

IN_MEMORY_BYTES = 64 * 2**20
COLUMNS: dict[str, type[np.float16 | np.uint16]] = {
    "own_probability": np.float16,
    "loss": np.float16,
    "margin": np.float16,
    "predicted": np.uint16,
}


class History:
    """Probability of the given label, loss, margin and predicted class, for each item and epoch of training.

    It takes eight bytes per item and epoch. Beyond 64 MB, or with a folder, the arrays are on disk and mapped, one epoch after
    the other, so that only the current epoch is in memory.

    Parameters
    ----------
    n, epochs : int
    folder : path, optional
        Where the arrays are kept as ``.npy``. By default memory, or a temporary folder if they are large.

    Attributes
    ----------
    own_probability : ndarray of float16, shape (epochs, n)
        ``p(y = z | x)``; NaN if an item was not seen.
    loss : ndarray of float16, shape (epochs, n)
    margin : ndarray of float16, shape (epochs, n)
        Logit of the given label minus the highest other one (the margin of Pleiss et al. 2020).
    predicted : ndarray of uint16, shape (epochs, n)
        The most probable class.
    """

    own_probability: AnyArray
    loss: AnyArray
    margin: AnyArray
    predicted: AnyArray

    def __init__(self, n: int, epochs: int, folder: str | os.PathLike[str] | None = None) -> None:
        self.n, self.epochs = n, epochs
        size = n * epochs * sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None and size > IN_MEMORY_BYTES:
            self._temporary = tempfile.TemporaryDirectory(prefix="labelproof-history-")
            folder = self._temporary.name
        self.folder = None if folder is None else Path(folder)

    def __getattr__(self, name: str) -> AnyArray:
        """Arrays are made or opened on first use: a run that is refused does not touch another one's."""
        if name not in COLUMNS:
            raise AttributeError(name)
        made = self.__dict__[name] = self._made(name, COLUMNS[name])
        return made

    def _made(self, name: str, kind: type[np.float16 | np.uint16]) -> AnyArray:
        shape, empty = (self.epochs, self.n), np.nan if kind is np.float16 else np.iinfo(np.uint16).max
        if self.folder is None:
            return np.full(shape, empty, kind)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.npy"
        if path.exists():
            kept = np.lib.format.open_memmap(path, mode="r+")
            if kept.shape == shape and kept.dtype == kind:
                return kept
        fresh = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
        for epoch in fresh:
            epoch[:] = empty
        return fresh

    def record(self, epoch: int, index: Tensor, given: Tensor, logits: Tensor, loss: Tensor) -> None:
        """Write one batch: row numbers (b,), labels (b,), logits (b, k) and losses (b,). Unlabelled items keep NaN."""
        import torch  # not needed to read a history

        logits = logits.detach().float()
        own = given.clamp_min(0)[:, None]
        probability = logits.softmax(dim=1).gather(1, own)[:, 0]
        # the two highest logits are enough to find the highest other one
        top = logits.topk(min(2, logits.shape[1]), dim=1)
        rival = torch.where(top.indices[:, 0] == own[:, 0], top.values[:, -1], top.values[:, 0])
        margin = logits.gather(1, own)[:, 0] - rival
        floats = torch.stack([probability, loss.detach().float(), margin])
        floats[:, given < 0] = torch.nan
        rows = index.cpu().numpy()
        values = floats.clamp(-6e4, 6e4).to(torch.float16).cpu().numpy()
        self.own_probability[epoch, rows], self.loss[epoch, rows], self.margin[epoch, rows] = values
        self.predicted[epoch, rows] = top.indices[:, 0].cpu().numpy().astype(np.uint16)

    def flush(self) -> None:
        """Write pending changes to disk."""
        for name in COLUMNS:
            array = self.__dict__.get(name)
            if isinstance(array, np.memmap):
                array.flush()

    def seen(self) -> npt.NDArray[np.bool_]:
        """Epochs in which any item was recorded, shape (epochs,)."""
        return np.array([bool((epoch != np.iinfo(np.uint16).max).any()) for epoch in self.predicted])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the arrays as ``.npy`` into a folder."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for name in COLUMNS:
            np.save(place / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> History:
        """Open a folder of arrays, mapped and read-only.

        Raises
        ------
        CorruptArtifact
            If one is missing or damaged, or they differ in shape.
        """
        history = cls.__new__(cls)
        history.folder, history._temporary = Path(folder), None
        try:
            arrays = {name: load_array(history.folder / f"{name}.npy", "history", mmap=True) for name in COLUMNS}
        except BadInput as error:
            raise CorruptArtifact(f"{str(folder)!r} holds no complete training history: {error}") from error
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise CorruptArtifact(f"{str(folder)!r} holds no complete training history: its arrays have shapes {shapes}.")
        history.epochs, history.n = next(iter(shapes))
        for name, array in arrays.items():
            setattr(history, name, array)
        return history

    def __getstate__(self) -> dict[str, object]:
        """A copy that travels (joblib, copy) holds its arrays in memory."""
        plain = {name: np.array(getattr(self, name)) for name in COLUMNS}
        return {**plain, "n": self.n, "epochs": self.epochs, "folder": None, "_temporary": None}

    def __repr__(self) -> str:
        return f"History of {self.n:,} items over {self.epochs} epochs"
