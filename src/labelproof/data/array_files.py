"""Arrays in ``.npy`` and ``.npz`` files, whole or by rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from labelproof.errors import BadInput
from labelproof.saving.files import damaged, existing, load_array
from labelproof.validation import AnyArray, IntArray


def from_file(value: object, what: str) -> Any:
    """The array behind a path, or the value itself if it is no path."""
    path = path_of(value)
    if path is None:
        return value
    file, _, key = path.rpartition(":") if ".npz:" in path else (path, "", "")
    return load_array(file, what, key=key or None)


def rows_of_file(path: str, what: str) -> AnyArray | NpyRows:
    """The array behind a path; a ``.npy`` file is read row by row on demand."""
    if path.endswith(".npy"):
        return NpyRows(Path(path), what)
    return np.asarray(from_file(path, what))


class NpyRows:
    """Rows of a ``.npy`` file, read one by one: neither all in memory nor mapped, which ends the process if the file shrinks.

    Raises
    ------
    BadInput
        For a file that is damaged, holds Python objects, or changes.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = existing(path, what)
        shape, fortran, self.dtype, self._start = header_of(self.path)
        if fortran or self.dtype.hasobject or len(shape) < 2:
            raise BadInput(f"{what} {str(path)!r} is not stored row by row. Save numpy.ascontiguousarray of it.")
        self.shape: tuple[int, ...] = shape
        self._row = int(np.prod(shape[1:])) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: IntArray) -> AnyArray:
        """Rows by number, shape (m, ...)."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        with damaged(self.path, ".npy file"), self.path.open("rb") as file:
            for place, row in enumerate(rows.tolist()):
                file.seek(self._start + int(row) * self._row)
                data = file.read(self._row)
                if len(data) < self._row:
                    raise BadInput(f"{str(self.path)!r} has fewer rows than it had. Restore it, or audit it again.")
                found[place] = np.frombuffer(data, self.dtype).reshape(self.shape[1:])
        return found


def header_of(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, column order, type and first byte of the array in a ``.npy`` file.

    Raises
    ------
    BadInput
    """
    with damaged(path, ".npy file"), path.open("rb") as file:
        version = npy_format.read_magic(file)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        return shape, fortran, dtype, file.tell()


def path_of(value: object) -> str | None:
    """The path, if a value is one."""
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None
