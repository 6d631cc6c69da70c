"""A multilayer perceptron for tables, with embeddings of categories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Numbers and embedded categories, hidden layers of linear, layer norm, ReLU and dropout; linear head.

    The embedding of a category of a column with m values has ``min(32, ceil(1.6 m ** 0.56))`` numbers (the rule of fastai).

    Parameters
    ----------
    n_classes : int
    n_numbers : int
        Columns of numbers, which come first.
    cardinalities : sequence of int
        Number of codes of each column of categories; these come last, as whole numbers from 0.
    hidden : sequence of int
        Width of each hidden layer.
    dropout : float in [0, 1)

    Examples
    --------
    >>> import torch
    >>> MLP(3, n_numbers=4, cardinalities=[7, 2])(torch.zeros(5, 6)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        n_classes: int,
        n_numbers: int,
        cardinalities: Sequence[int] = (),
        hidden: Sequence[int] = (256, 256),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.n_numbers = n_numbers
        self.embeddings = nn.ModuleList(nn.Embedding(m, min(32, int(1.6 * m**0.56) + 1)) for m in cardinalities)
        widths = [n_numbers + sum(e.embedding_dim for e in self.embeddings), *hidden]  # type: ignore[misc]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], n_classes)

    def encode(self, x: Tensor) -> Tensor:
        """The last hidden layer, of rows (n, n_numbers + number of category columns)."""
        flat = x.flatten(1)
        numbers, codes = flat[:, : self.n_numbers], flat[:, self.n_numbers :].long()
        embedded = [embed(codes[:, j]) for j, embed in enumerate(self.embeddings)]
        hidden: Tensor = self.body(torch.cat([numbers, *embedded], dim=1))
        return hidden

    def score(self, features: Tensor) -> Tensor:
        """Logits of feature vectors, shape (n, n_classes)."""
        logits: Tensor = self.head(features)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes), of rows (n, n_numbers + number of category columns)."""
        return self.score(self.encode(x))
