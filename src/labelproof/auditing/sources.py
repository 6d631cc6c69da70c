"""Where blocks of probabilities come from: arrays, files larger than memory, Parquet, sparse rows, several models.

A source yields its rows in order, in blocks; at any time one block is held.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.dataset
from numpy.lib import format as npy_format

from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import AnyArray, FloatArray, check_pred_probs_shape, to_numpy

BLOCK_BYTES = 32 * 2**20


class Source(Protocol):
    """Rows of probabilities in order."""

    n: int
    k: int
    columns: list[str] | None  # the class of each column, where the source names them

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        """Yield blocks of ``rows`` rows (the last may be shorter), or of a size that suits the source."""
        ...


class ArraySource:
    """An array in memory (one block), or a memory-mapped one (many, each let go after use)."""

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
            raise BadInput(f"{name} {str(path)!r} is no .npy file ({error}). Save it with numpy.save.") from error
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
        rows = rows or rows_of_block(self.k, self.dtype.itemsize)
        buffer = np.empty((min(rows, self.n), self.k), self.dtype)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._start)
            for start in range(0, self.n, rows):
                block = buffer[: min(rows, self.n - start)]
                got = _read_fully(file, memoryview(block.data).cast("B"))
                if got < block.nbytes or self._look() != self._stamp:
                    raise BadInput(f"{self.name} {str(self.path)!r} changed while it was read. Run again when it is at rest.")
                yield np.asarray(block.astype(self._given_as, copy=False))


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
                raise BadInput(f"{name} {file!r} has no column {lacking[0]!r}, which {files[0]!r} has. Write all parts alike.")
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
                f"{name} {str(path)!r} has no column of lists and fewer than two columns of floats. Give one per class."
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
                    f"{self.name} row {start + bad[0]} sums to {known[bad[0]]:.4f}. The known part of a row is at most 1."
                )
            each = np.where(listed < self.k, np.maximum(rest, 0) / np.maximum(self.k - listed, 1), 0.0)
            block = np.repeat(each[:, None], self.k, axis=1)
            block[np.repeat(np.arange(part.shape[0]), listed), part.indices] = part.data
            yield block


class Ensemble:
    """Several models' probabilities, averaged."""

    def __init__(self, members: Sequence[object]) -> None:
        self.members = [open_source(member, name=f"pred_probs[{i}]") for i, member in enumerate(members)]
        self.n, self.k = self.members[0].n, self.members[0].k
        self.columns: list[str] | None = None
        for i, member in enumerate(self.members):
            if (member.n, member.k) != (self.n, self.k):
                raise BadInput(
                    f"pred_probs[{i}] has shape {(member.n, member.k)} but pred_probs[0] {(self.n, self.k)}. Give equal shapes."
                )
            if self.columns is not None and member.columns not in (None, self.columns):
                raise BadInput(f"pred_probs[{i}] names its columns unlike those before it. Put them in one order.")
            self.columns = self.columns or member.columns

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        rows = rows or rows_of_block(self.k, 8)
        for parts in zip(*(member.blocks(rows) for member in self.members), strict=True):
            mean = np.zeros(parts[0].shape)
            for part in parts:
                mean += np.asarray(part, float) / len(parts)
            yield mean


class Ordered:
    """A source whose columns are put in another order."""

    columns: list[str] | None = None

    def __init__(self, source: Source, order: Sequence[int]) -> None:
        self.source, self.order = source, np.asarray(order)
        self.n, self.k = source.n, source.k

    def blocks(self, rows: int | None = None) -> Iterator[FloatArray]:
        for block in self.source.blocks(rows):
            yield np.take(block, self.order, axis=1)  # contiguous, as the kernels want it


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


def rows_of_block(k: int, itemsize: int) -> int:
    """Rows of a block of about 32 MiB."""
    return max(1, BLOCK_BYTES // (k * itemsize))


def _read_fully(file: Any, view: memoryview) -> int:
    got = 0
    while got < len(view):
        count = file.readinto(view[got:])
        if not count:
            break
        got += count
    return got


def _mapping(array: AnyArray) -> mmap.mmap | None:
    """The memory map that an array is a view of, if any."""
    base: object = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None) if not isinstance(base, memoryview) else base.obj
    return base


def _let_go(mapping: mmap.mmap, block: AnyArray) -> None:
    """Tell the system that the pages of a block are not needed again, so that a large file does not fill the memory."""
    origin = np.frombuffer(mapping, np.uint8).ctypes.data
    first, last = block.ctypes.data - origin, block.ctypes.data - origin + block.nbytes
    start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (last - start) // mmap.PAGESIZE * mmap.PAGESIZE
    if length > 0 and hasattr(mapping, "madvise") and block.flags.c_contiguous and not block.flags.writeable:
        mapping.madvise(mmap.MADV_DONTNEED, start, length)
