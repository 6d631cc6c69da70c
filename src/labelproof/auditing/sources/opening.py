"""The source behind whatever a user gives as probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.auditing.sources.array import ArraySource
from labelproof.auditing.sources.base import Piece, Source, in_order, rows_of_block, taken
from labelproof.auditing.sources.npy import NpyFile
from labelproof.auditing.sources.ordered import Ordered
from labelproof.auditing.sources.parquet import ParquetFiles
from labelproof.auditing.sources.top_k import TopK
from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import FloatArray, IntArray


class Ensemble:
    """Several models' probabilities, averaged."""

    def __init__(self, members: Sequence[object]) -> None:
        self.members = [open_source(member, name=f"pred_probs[{i}]") for i, member in enumerate(members)]
        self.n, self.k = self.members[0].n, self.members[0].k
        self.columns: list[str] | None = None
        for i, member in enumerate(self.members):
            if (member.n, member.k) != (self.n, self.k):
                raise BadInput(
                    f"pred_probs[{i}] has shape {(member.n, member.k)} but pred_probs[0] has {(self.n, self.k)}. Give equal shapes."
                )
            if self.columns is not None and member.columns not in (None, self.columns):
                raise BadInput(f"pred_probs[{i}] has other column names than those before it. Put all columns in one order.")
            self.columns = self.columns or member.columns

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        rows = rows or rows_of_block(self.k, 8)
        for parts in zip(*(member.blocks(rows) for member in self.members), strict=True):
            mean = np.zeros(parts[0].shape)
            for part in parts:
                mean += np.asarray(part, float) / len(parts)
            yield mean

    def take(self, rows: IntArray) -> FloatArray:
        return taken(self, rows)

    def pieces(self) -> Iterator[Piece]:
        return in_order(self)


_SOURCES = (ArraySource, NpyFile, ParquetFiles, TopK, Ensemble, Ordered)


def open_source(pred_probs: object, name: str = "pred_probs") -> Source:
    """The source behind an array, a path (``.npy``, Parquet, a folder of Parquet), sparse rows, or a list of such."""
    if isinstance(pred_probs, _SOURCES):
        return pred_probs
    if isinstance(pred_probs, str | os.PathLike):
        path = existing(pred_probs, name)
        if path.is_dir() or path.suffix.lower() in {".parquet", ".pq"}:
            return ParquetFiles(path, name)
        if path.suffix.lower() == ".npy":
            return NpyFile(path, name)
        raise BadInput(f"{name} {str(path)!r} ends in {Path(path).suffix!r}. Give .npy, .parquet, or a folder of .parquet.")
    if hasattr(pred_probs, "tocsr"):
        return TopK(pred_probs, name)
    if isinstance(pred_probs, list | tuple) and len(pred_probs) and not _is_row(pred_probs[0]):
        return Ensemble(pred_probs)
    return ArraySource(pred_probs, name)


def _is_row(value: Any) -> bool:
    """Whether the first entry of a list is a row of numbers rather than a model's whole output."""
    if isinstance(value, (str, os.PathLike, *_SOURCES)) or hasattr(value, "tocsr"):
        return False
    return np.ndim(value) < 2
