"""Labels on disk instead of in memory: a code for each, in a file, one byte if there are few classes.

The labels are read twice, block by block: first for their different values, which are checked like labels in memory, then to
encode them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.sources import Ordered, Source
from labelproof.data.array_files import header_of, path_of
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.saving.files import existing, stamp_of
from labelproof.validation import AnyArray, check_labels_for_columns, to_numpy
from labelproof.validation.labels import Repeated

ROWS = 2**21  # of a block
KINDS = "biufU"  # of types whose values can be looked at without Python
SMALL = 2**16
ODD = 10_000  # the search for classes stops at this many different values beyond their number


class LabelBlocks:
    """Labels in order, block by block: an array in memory, or a ``.npy`` file that is never held whole.

    Raises
    ------
    BadInput
        For a damaged or truncated file, and for one that changes while it is read.
    """

    def __init__(self, labels: object, name: str = "labels") -> None:
        path, self._name = path_of(labels), name
        self._array: AnyArray | None = None
        if path is None:
            self._array = to_numpy(labels, name)
            shape, self.dtype = self._array.shape, self._array.dtype
        else:
            self._path = existing(path, name)
            shape, _, self.dtype, self._start = header_of(self._path)
            self._stamp = stamp_of(self._path)
            promised = self._start + math.prod(shape) * self.dtype.itemsize
            if self._stamp[0] < promised:
                raise BadInput(
                    f"{name} {str(path)!r} has {self._stamp[0]:,} bytes but its header promises {promised:,}. It is truncated or still "
                    "being written; save it again."
                )
        self.n = shape[0] if len(shape) == 1 or shape[1:] == (1,) else 0

    @property
    def plain(self) -> bool:
        """Whether they can be read by blocks: one label per item, of a type with a fixed size."""
        return self.n > 0 and self.dtype.kind in KINDS

    def __iter__(self) -> Iterator[AnyArray]:
        for start in range(0, self.n, ROWS):
            rows = min(ROWS, self.n - start)
            yield self._read(start, rows) if self._array is None else self._array[start : start + rows].reshape(-1)

    def __len__(self) -> int:
        return math.ceil(self.n / ROWS)

    def _read(self, start: int, rows: int) -> AnyArray:
        block = np.fromfile(self._path, self.dtype, rows, offset=self._start + start * self.dtype.itemsize)
        if len(block) < rows or stamp_of(self._path) != self._stamp:
            raise BadInput(f"{self._name} {str(self._path)!r} changed while it was read. Run again when it no longer changes.")
        return block.astype(self.dtype.newbyteorder("="), copy=False)


class Codes:
    """The codes in a file, read on demand as slices of int64; -1 is unlabelled."""

    def __init__(self, path: str) -> None:
        self._codes: AnyArray = np.load(path, mmap_mode="r", allow_pickle=False)  # of ours, so it is safe to map

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: slice) -> npt.NDArray[np.int64]:
        return self._codes[rows].astype(np.int64)


def write_codes(
    labels: LabelBlocks, source: Source, path: Path, *, classes: Sequence[object] | None, missing: Sequence[object] | None
) -> tuple[tuple[Any, ...], Source]:
    """Code labels into a ``.npy`` file.

    Returns
    -------
    The classes, and the source with its columns in sorted class order

    Raises
    ------
    BadInput
        As `labelproof.validation.check_labels_for_columns`, which see for ``classes`` and ``missing``.
    """
    if labels.n != source.n:
        raise BadInput(
            f"labels has {labels.n} rows but pred_probs has {source.n}. Give one row of each per item, in the same order."
        )
    values, counts = _values(labels, source.k)
    distinct = Repeated(values, np.arange(len(values)), counts)
    try:
        coded, order = check_labels_for_columns(
            distinct, len(values), source.k, classes=classes, names=source.columns, missing=missing
        )
    except BadInput as error:  # which numbers the different values
        rows = re.sub(r"\brow (\d+)", lambda found: f"row {_first_row(labels, values[int(found[1])])}", str(error))
        raise BadInput(rows) from error
    table = coded.codes.astype(np.min_scalar_type(-len(coded.classes)))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": table.dtype.str, "fortran_order": False, "shape": (labels.n,)})
        for block in track(labels, "coding the labels"):
            place = np.searchsorted(values, block)
            if place.max(initial=0) >= len(values) or not np.array_equal(
                values[place], block, equal_nan=values.dtype.kind == "f"
            ):
                raise BadInput("labels changed while they were read. Run again when they no longer change.")
            table[place].tofile(file)
    return coded.classes, source if order is None else Ordered(source, order)


def _values(labels: LabelBlocks, k: int) -> tuple[AnyArray, npt.NDArray[np.int64]]:
    """The different labels in sorted order, and how often each occurs; of very many only some."""
    known: AnyArray = np.empty(0, labels.dtype.newbyteorder("="))
    counts = np.empty(0, np.int64)
    for block in track(labels, "reading the labels"):
        found, number = _unique(block)
        known, place = np.unique(np.concatenate([known, found]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, number])).astype(np.int64)
        if len(known) > k + ODD:
            break
    return known, counts


def _unique(block: AnyArray) -> tuple[AnyArray, npt.NDArray[np.int64]]:
    """The different values of a block and their numbers; without sorting if they are small integers."""
    if block.dtype.kind in "iu" and (low := int(block.min())) >= 0 and (high := int(block.max())) < SMALL:
        number = np.bincount(block, minlength=high + 1)[low:]
        return np.flatnonzero(number).astype(block.dtype) + block.dtype.type(low), number[number > 0]
    found, number = np.unique(block, return_counts=True)
    return found, number


def _first_row(labels: LabelBlocks, value: object) -> int:
    """Where a label occurs first."""
    start = 0
    for block in labels:
        at = np.flatnonzero(block == value)
        if len(at):
            return start + int(at[0])
        start += len(block)
    return start
