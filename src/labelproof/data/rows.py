"""Rows of a sparse matrix, made dense a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class SparseRows:
    """A sparse matrix (n, d) that gives rows as a tensor does: ``rows[index]`` is dense float32, the whole never is.

    Parameters
    ----------
    matrix : scipy CSR matrix, shape (n, d)
    """

    dtype = torch.float32

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = torch.Size(matrix.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Rows by number or by slice, dense."""
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        return torch.from_numpy(np.asarray(self.matrix[chosen].toarray(), np.float32))
