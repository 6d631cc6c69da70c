"""The interface of sources of probabilities: rows in order, in blocks, or in pieces that several threads load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np

from labelproof.errors import BadInput
from labelproof.validation import FloatArray, IntArray

BLOCK_BYTES = 32 * 2**20
PIECE_BYTES = 2**21  # stays in a core's cache from its reading to its scores

Piece = tuple[int, Callable[[], FloatArray]]  # the first row, and what loads the rows


class Source(Protocol):
    """Rows of probabilities in order."""

    n: int
    k: int
    columns: list[str] | None  # the class of each column, if the source names them

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        """Yield blocks of ``rows`` rows (the last may be shorter), or of a size that suits the source."""
        ...

    def take(self, rows: IntArray) -> FloatArray:
        """Some rows by number, ascending."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """Blocks to be loaded in any thread, in order; a loaded block is valid until the same thread loads again."""
        ...


def taken(source: Source, rows: IntArray) -> FloatArray:
    """Some rows by number, ascending, out of the pieces of a source."""
    parts, stop = [], 0
    for start, load in source.pieces():
        block = load()
        stop = start + len(block)
        a, b = np.searchsorted(rows, (start, stop))
        parts.append(block[rows[a:b] - start])
    if stop != source.n:
        raise BadInput(
            f"pred_probs had {source.n:,} rows at first and {stop:,} when read. It changed; run again when it no longer changes."
        )
    return np.concatenate(parts)


def in_order(source: Source) -> Iterator[Piece]:
    """The blocks of a source, read from its start to its end by one thread."""
    start = 0
    for block in source.blocks():
        yield start, partial(np.asarray, block)
        start += len(block)


def rows_of_block(k: int, itemsize: int) -> int:
    """Rows of a block of about 32 MiB."""
    return max(1, BLOCK_BYTES // (k * itemsize))


def rows_of_piece(k: int, itemsize: int) -> int:
    """Rows that a thread takes at a time."""
    return max(1, PIECE_BYTES // (k * itemsize))
