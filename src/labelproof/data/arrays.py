"""Features, pictures or nothing but labels, as arrays in memory or in ``.npy`` and ``.npz`` files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from PIL import Image

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.images import encode
from labelproof.data.table import how_read
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.saving.files import damaged, existing, load_array
from labelproof.validation import AnyArray, IntArray, check_features, check_ids, check_labels

SHOWN_FEATURES = 12


def read_arrays(
    features: Any | None,
    labels: Any,
    *,
    classes: Sequence[Any] | None = None,
    ids: Any | None = None,
    n_classes: int | None = None,
    missing: Sequence[Any] | None = None,
) -> Dataset:
    """Make a `Dataset` of arrays or of paths of ``.npy`` files (``FILE.npz:NAME`` for one array of several).

    Parameters
    ----------
    features : array-like or path, shape (n, d), (n, height, width) or (n, height, width, 3), optional
        Left out where probabilities are ready-made; then only ids and labels can be shown.
    labels : array-like or path, shape (n,)
    classes : sequence, optional
    ids : array-like or path, shape (n,), optional
    n_classes : int, optional
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.

    Raises
    ------
    BadInput
    """
    source = arrays_source(features=features, labels=labels, ids=ids) | how_read(missing, None)
    coded = check_labels(from_file(labels, "labels"), classes=classes, n_classes=n_classes, missing=missing)
    n = len(coded.codes)
    x = np.empty((n, 0)) if features is None else check_features(from_file(features, "features"), name="features")
    if len(x) != n:
        raise BadInput(f"features has {len(x)} rows but labels has {n}. Give one row of each per item, in the same order.")
    names = check_ids(None if ids is None else from_file(ids, "ids"), n)
    return Dataset(x, Classes.of_codes(coded.codes, coded.classes), names, lambda i: show_array(x[i]), "arrays", source=source)


def arrays_source(**files: Any) -> dict[str, Any]:
    """What is remembered of arrays: the whole paths of those that are files."""
    paths = {name: _path_of(value) for name, value in files.items()}
    whole = {name: None if path is None else str(Path(path).resolve()) for name, path in paths.items()}
    return {"kind": "arrays", **whole}


def from_file(value: Any, what: str) -> Any:
    """The array behind a path, or the value itself where it is none."""
    path = _path_of(value)
    if path is None:
        return value
    file, _, key = path.rpartition(":") if ".npz:" in path else (path, "", "")
    return load_array(file, what, key=key or None)


def rows_of_file(path: str, what: str) -> AnyArray | NpyRows:
    """The array behind a path, whose rows are read from a ``.npy`` file when they are asked for."""
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
        with damaged(self.path, ".npy file"), self.path.open("rb") as file:
            shape, fortran, self.dtype = npy_format.read_array_header_1_0(file) if npy_format.read_magic(file) == (1, 0) else (
                npy_format.read_array_header_2_0(file))  # fmt: skip
            self._start = file.tell()
        if fortran or self.dtype.hasobject or len(shape) < 2:
            raise BadInput(f"{what} {str(path)!r} cannot be read by rows. Save numpy.ascontiguousarray of it.")
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
                    raise BadInput(f"{str(self.path)!r} has fewer rows than it had. Write it again, or audit it anew.")
                found[place] = np.frombuffer(data, self.dtype).reshape(self.shape[1:])
        return found


def _path_of(value: Any) -> str | None:
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None


def show_array(item: AnyArray) -> Shown:
    """What a person is shown of an item: a picture of shape (h, w) or (h, w, 1 or 3), else its first numbers."""
    if item.ndim == 2 or (item.ndim == 3 and item.shape[-1] in (1, 3)):
        pixels = np.asarray(item, float).reshape(*item.shape[:2], *(item.shape[2:] if item.shape[2:] != (1,) else ()))
        if item.dtype != np.uint8:
            known = pixels[np.isfinite(pixels)]
            low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
            pixels = np.nan_to_num(255 * (np.clip(pixels, low, high) - low) / (high - low if high > low else 1.0))
        picture = Image.fromarray(pixels.astype(np.uint8))
        scale = max(1, 96 // max(picture.size))
        return Shown(image=encode(picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)))
    flat = item.reshape(-1)
    cells = [(f"feature {j}", f"{flat[j]:.4g}") for j in range(min(len(flat), SHOWN_FEATURES))]
    if len(flat) > SHOWN_FEATURES:
        cells.append(("…", f"{len(flat) - SHOWN_FEATURES} more"))
    return Shown(fields=tuple(cells))
