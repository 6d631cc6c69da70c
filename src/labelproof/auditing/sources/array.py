"""Probabilities in memory, or in a memory-mapped file."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import partial

import numpy as np

from labelproof.auditing.sources.base import Piece, rows_of_block, rows_of_piece
from labelproof.validation import AnyArray, FloatArray, IntArray, check_pred_probs_shape


class ArraySource:
    """An array in memory (one block), or a memory-mapped one (many blocks, each released after use)."""

    def __init__(self, array: object, name: str = "pred_probs") -> None:
        self.columns = [str(c) for c in array.columns] if hasattr(array, "columns") else None
        self.array = check_pred_probs_shape(array, name=name)
        self.n, self.k = self.array.shape
        self._map = _mapping(self.array)

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        if rows is None:
            rows = self.n if self._map is None else rows_of_block(self.k, self.array.itemsize)
        for start in range(0, self.n, rows):
            block = self.array[start : start + rows]
            yield block
            if self._map is not None:
                _let_go(self._map, block)

    def take(self, rows: IntArray) -> FloatArray:
        return self.array if len(rows) == self.n else np.asarray(self.array[rows])

    def pieces(self) -> Iterator[Piece]:
        rows = rows_of_piece(self.k, self.array.itemsize)
        for start in range(0, self.n, rows):
            block = self.array[start : start + rows]
            yield start, partial(np.array, block) if self._map is not None else partial(np.asarray, block)
            if self._map is not None:  # what threads have not copied yet is read again
                _let_go(self._map, block)


def _mapping(array: AnyArray) -> mmap.mmap | None:
    """The memory map that an array is a view of, if any."""
    base: object = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None) if not isinstance(base, memoryview) else base.obj
    return base


def _let_go(mapping: mmap.mmap, block: AnyArray) -> None:
    """Tell the system that it may drop the pages of a block, so that a large file does not fill the memory."""
    origin = np.frombuffer(mapping, np.uint8).ctypes.data
    first, last = block.ctypes.data - origin, block.ctypes.data - origin + block.nbytes
    start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (last - start) // mmap.PAGESIZE * mmap.PAGESIZE
    if length > 0 and hasattr(mapping, "madvise") and block.flags.c_contiguous and not block.flags.writeable:
        mapping.madvise(mmap.MADV_DONTNEED, start, length)
