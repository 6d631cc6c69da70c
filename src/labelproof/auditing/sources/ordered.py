"""A source whose columns are put in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from labelproof.auditing.sources.base import Piece, Source
from labelproof.validation import FloatArray


class Ordered:
    """A source whose columns are put in another order."""

    columns: list[str] | None = None

    def __init__(self, source: Source, order: Sequence[int]) -> None:
        self.source, self.order = source, np.asarray(order)
        self.n, self.k = source.n, source.k

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        for block in self.source.blocks(rows):
            yield np.take(block, self.order, axis=1)

    def pieces(self) -> Iterator[Piece]:
        for start, load in self.source.pieces():
            yield start, partial(self._load, load)

    def _load(self, load: Callable[[], FloatArray]) -> FloatArray:
        return np.asarray(np.take(load(), self.order, axis=1))
