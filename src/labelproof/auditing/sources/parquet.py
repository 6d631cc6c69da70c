"""Parquet files of probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from labelproof.auditing.sources.base import Piece, in_order, rows_of_block, taken
from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import FloatArray, IntArray


class ParquetFiles:
    """A Parquet file or a folder of them: a column for each class, or one column of lists."""

    def __init__(self, path: str | os.PathLike[str], name: str = "pred_probs") -> None:
        self.path, self.name = existing(path, name), name
        files = sorted(str(p) for p in self.path.rglob("*.parquet")) if self.path.is_dir() else [str(self.path)]
        if not files:
            raise BadInput(f"{name} {str(path)!r} holds no .parquet file.")
        self.files = files
        self.sizes: list[int] = []  # rows of each file
        schema = None
        for file in files:
            part = self._open(file)
            if schema is None:
                schema = part.schema
            lacking = [c for c in schema.names if c not in part.schema.names]
            if lacking:
                raise BadInput(
                    f"{name} {file!r} has no column {lacking[0]!r}, which {files[0]!r} has. Write all parts with the same columns."
                )
            self.sizes.append(part.count_rows())
        assert schema is not None
        self.n = sum(self.sizes)
        lists = [
            f.name
            for f in schema
            if pa.types.is_list(f.type) or pa.types.is_fixed_size_list(f.type) or pa.types.is_large_list(f.type)
        ]
        numbers = [f.name for f in schema if pa.types.is_floating(f.type)]
        self._list = lists[0] if lists and not numbers else None
        self.columns = None if self._list is not None else numbers
        if self._list is None and len(numbers) < 2:
            raise BadInput(
                f"{name} {str(path)!r} has no column of lists and fewer than two columns of floats. Write one column per class."
            )
        self.k = self._width() if self._list is not None else len(numbers)

    def _open(self, file: str) -> Any:
        try:
            return pa.dataset.dataset(file, format="parquet")
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(file, error) from error

    def _broken(self, file: str, error: BaseException) -> BadInput:
        return BadInput(
            f"{self.name} {file!r} is not a readable Parquet file ({str(error).splitlines()[0][:160]}). Write it again."
        )

    def _width(self) -> int:
        first = next(iter(self._open(self.files[0]).to_batches(columns=[self._list], batch_size=1)), None)
        return 0 if first is None or first.num_rows == 0 else len(first.column(0)[0])

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        wanted = rows or rows_of_block(self.k, 8)
        names = [self._list] if self._list is not None else self.columns
        held: list[FloatArray] = []
        for file in self.files:
            try:
                for batch in self._open(file).to_batches(columns=names, batch_size=wanted):
                    if batch.num_rows:
                        held.append(self._matrix(batch, file))
                        while sum(map(len, held)) >= wanted:
                            whole = np.concatenate(held) if len(held) > 1 else held[0]
                            yield whole[:wanted]
                            held = [whole[wanted:]] if len(whole) > wanted else []
            except (pa.ArrowInvalid, OSError) as error:
                raise self._broken(file, error) from error
        if held:
            yield np.concatenate(held)

    def take(self, rows: IntArray) -> FloatArray:
        return taken(self, rows)

    def pieces(self) -> Iterator[Piece]:
        return in_order(self)

    def _matrix(self, batch: pa.RecordBatch, file: str) -> FloatArray:
        if self._list is None:
            each = [batch.column(i) for i in range(batch.num_columns)]
            if any(c.null_count for c in each):
                name = next(batch.schema.names[i] for i, c in enumerate(each) if c.null_count)
                raise BadInput(
                    f"{self.name} {file!r} has an empty value in column {name!r}. Every probability must be a number."
                )
            return np.ascontiguousarray(np.stack([c.to_numpy(zero_copy_only=False) for c in each], axis=1))
        flat = batch.column(0).flatten().to_numpy(zero_copy_only=False)
        if len(flat) != batch.num_rows * self.k:
            raise BadInput(f"{self.name} {file!r} has lists of different lengths. Every list must have {self.k} probabilities.")
        return np.asarray(flat.reshape(-1, self.k))
