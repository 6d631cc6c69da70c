"""Rows of a sparse matrix, made dense a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor


class SparseRows:
    """A sparse matrix (n, d) that gives rows as a tensor does: ``rows[index]`` is dense float32, the whole never is.

    Parameters
    ----------
    matrix : scipy CSR matrix, shape (n, d)
    """

    dtype = torch.float32

    def __init__(self, matrix: Any) -> None:
        self.shape = torch.Size(matrix.shape)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        self.ends, self.columns = matrix.indptr.astype(np.int64), matrix.indices
        self.values = matrix.data.astype(np.float32, copy=False)

    def __len__(self) -> int:
        return int(self.shape[0])

    def take(self, rows: Tensor) -> SparseRows:
        """Rows by number, sparse rows unchanged."""
        matrix = csr_matrix((self.values, self.columns, self.ends), shape=tuple(self.shape))
        return SparseRows(matrix[rows.numpy()])

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Rows by number or by slice, dense."""
        chosen = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows.numpy()
        first = self.ends[chosen]
        lengths = self.ends[chosen + 1] - first
        # the position of each value: the first of its row, and the offset from there
        places = np.arange(lengths.sum()) + np.repeat(first - (lengths.cumsum() - lengths), lengths)
        dense = np.zeros((len(chosen), self.shape[1]), np.float32)
        dense[np.repeat(np.arange(len(chosen)), lengths), self.columns[places]] = self.values[places]
        return torch.from_numpy(dense)
