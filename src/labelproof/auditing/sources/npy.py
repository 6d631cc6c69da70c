"""A ``.npy`` file of probabilities, which may be larger than memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from labelproof.auditing.sources.base import Piece, rows_of_block, rows_of_piece, taken
from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import AnyArray, FloatArray, IntArray, check_pred_probs_shape

PAGE_BYTES = 4096  # the least that a system reads, so that many rows by themselves cost as much as the whole


class NpyFile:
    """A ``.npy`` file, read block by block into one buffer."""

    columns: list[str] | None = None

    def __init__(self, path: str | os.PathLike[str], name: str = "pred_probs") -> None:
        self.path, self.name = existing(path, name), name
        try:
            with self.path.open("rb") as file:
                version = npy_format.read_magic(file)
                reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
                shape, fortran, self.dtype = reader(file)
                self._start = file.tell()
        except Exception as error:  # a damaged header is parsed as Python
            raise BadInput(f"{name} {str(path)!r} is not a .npy file ({error}). Save it with numpy.save.") from error
        if len(shape) != 2 or self.dtype.kind not in "fiub":
            check_pred_probs_shape(np.empty((min(1, *shape), *shape[1:]) if shape else (), self.dtype), name=name)
            raise BadInput(f"{name} {str(path)!r} has shape {shape} and dtype {self.dtype}. Give floats, shape (n, k).")
        if fortran:
            raise BadInput(f"{name} {str(path)!r} is in column order. Save numpy.ascontiguousarray of it.")
        self.n, self.k = shape
        check_pred_probs_shape(np.empty((min(self.n, 1), self.k), self.dtype), name=name)
        native = self.dtype.newbyteorder("=")
        self._given_as = native if native in (np.float32, np.float64) else np.float32 if native == np.float16 else np.float64
        self._stamp = self._look()
        expected = self._start + self.n * self.k * self.dtype.itemsize
        if self._stamp[0] != expected:
            raise BadInput(
                f"{name} {str(path)!r} has {self._stamp[0]:,} bytes but its header promises {expected:,}. "
                "It is truncated or still being written; save it again."
            )

    def _look(self) -> tuple[int, int]:
        state = self.path.stat()
        return state.st_size, state.st_mtime_ns

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        for _, load in self._cut(rows or rows_of_block(self.k, self.dtype.itemsize)):
            yield load()

    def take(self, rows: IntArray) -> FloatArray:
        width = self.k * self.dtype.itemsize
        if len(rows) * PAGE_BYTES > self.n * width:
            return taken(self, rows)
        with self.path.open("rb", buffering=0) as file:
            read = b"".join([_read_at(file, self._start + row * width, width) for row in rows.tolist()])
        self._check_whole(len(read) == len(rows) * width)
        return np.frombuffer(read, self.dtype).reshape(len(rows), self.k).astype(self._given_as, copy=False)

    def pieces(self) -> Iterator[Piece]:
        return self._cut(rows_of_piece(self.k, self.dtype.itemsize))

    def _cut(self, rows: int) -> Iterator[Piece]:
        opened = _Opened(self.path, (min(rows, self.n), self.k), self.dtype)
        for start in range(0, self.n, rows):
            yield start, partial(self._load, opened, start, min(start + rows, self.n))

    def _load(self, opened: _Opened, start: int, stop: int) -> FloatArray:
        block, whole = opened.read(self._start + start * self.k * self.dtype.itemsize, stop - start)
        self._check_whole(whole)
        return np.asarray(block.astype(self._given_as, copy=False))

    def _check_whole(self, whole: bool) -> None:
        if not whole or self._look() != self._stamp:
            raise BadInput(f"{self.name} {str(self.path)!r} changed while it was read. Run again when it no longer changes.")


class _Opened:
    """A file that several threads read, each through a handle and a buffer of its own; closed when nobody holds it."""

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self._path, self._shape, self._dtype = path, shape, dtype
        self._own = threading.local()
        self._files: list[Any] = []

    def read(self, at: int, rows: int) -> tuple[AnyArray, bool]:
        """Rows from a position in the file, valid until the same thread reads again; and whether there were that many."""
        if not hasattr(self._own, "file"):
            self._own.file, self._own.buffer = self._path.open("rb", buffering=0), np.empty(self._shape, self._dtype)
            self._files.append(self._own.file)
        block = self._own.buffer[:rows]
        self._own.file.seek(at)
        return block, _read_fully(self._own.file, memoryview(block.data).cast("B")) == block.nbytes

    def __del__(self) -> None:
        for file in self._files:
            file.close()


def _read_at(file: Any, at: int, count: int) -> bytes:
    if hasattr(os, "pread"):  # not on Windows
        return os.pread(file.fileno(), count, at)
    file.seek(at)
    return bytes(file.read(count))


def _read_fully(file: Any, view: memoryview) -> int:
    """Fill a buffer; returns how many bytes came."""
    got = 0
    while got < len(view):
        count = file.readinto(view[got:])
        if not count:
            break
        got += count
    return got
