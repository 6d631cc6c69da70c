"""Probabilities with only the most probable classes of each row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labelproof.auditing.sources.base import Piece, in_order, rows_of_block, taken
from labelproof.errors import BadInput
from labelproof.validation import FloatArray, IntArray, check_pred_probs_shape, to_numpy


class TopK:
    """The most probable classes of each item; the rest of the mass is spread evenly over the other classes.

    Parameters
    ----------
    matrix : scipy sparse matrix, shape (n, k)
        The probabilities that are known; rows sum to at most one.
    """

    columns: list[str] | None = None

    def __init__(self, matrix: Any, name: str = "pred_probs") -> None:
        self.matrix, self.name = matrix.tocsr(), name
        self.n, self.k = self.matrix.shape
        check_pred_probs_shape(np.empty((min(self.n, 1), self.k)), name=name)

    @classmethod
    def from_columns(cls, indices: object, values: object, k: int) -> TopK:
        """From class indices and probabilities, each of shape (n, top)."""
        from scipy.sparse import csr_matrix

        index, value = to_numpy(indices, "indices"), to_numpy(values, "values")
        if index.shape != value.shape or index.ndim != 2:
            raise BadInput(f"indices has shape {index.shape} and values {value.shape}. Give both as (n, top).")
        if index.min() < 0 or index.max() >= k:
            row = int(np.argmax(((index < 0) | (index >= k)).any(axis=1)))
            raise BadInput(f"indices row {row} is {index[row].tolist()}, outside 0..{k - 1}.")
        starts = np.arange(0, index.size + 1, index.shape[1])
        return cls(csr_matrix((value.ravel().astype(float), index.ravel(), starts), shape=(len(index), k)))

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        rows = rows or rows_of_block(self.k, 8)
        for start in range(0, self.n, rows):
            part = self.matrix[start : start + rows]
            known, listed = np.asarray(part.sum(axis=1)).ravel(), np.diff(part.indptr)
            rest = 1 - known
            bad = np.flatnonzero((rest < -1e-3) | ~np.isfinite(known) | ((listed == self.k) & (rest > 1e-3)))
            if len(bad):
                raise BadInput(
                    f"{self.name} row {start + bad[0]} sums to {known[bad[0]]:.4f}. Probabilities in a row sum to at most 1."
                )
            each = np.where(listed < self.k, np.maximum(rest, 0) / np.maximum(self.k - listed, 1), 0.0)
            block = np.repeat(each[:, None], self.k, axis=1)
            block[np.repeat(np.arange(part.shape[0]), listed), part.indices] = part.data
            yield block

    def take(self, rows: IntArray) -> FloatArray:
        return taken(self, rows)

    def pieces(self) -> Iterator[Piece]:
        return in_order(self)
