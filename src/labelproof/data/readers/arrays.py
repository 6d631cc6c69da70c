"""Features, pictures or only labels, as arrays in memory or in ``.npy`` and ``.npz`` files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from labelproof.data.array_files import from_file, path_of, rows_of_file
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.images import encode
from labelproof.data.label_columns import LABEL_COLUMNS
from labelproof.data.picture_source import ArraySource
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Audited, Inputs, Items, Reader, check_same, words
from labelproof.data.readers.lists import write_list
from labelproof.data.readers.pictures import new_rows
from labelproof.data.targets import check_table_target, check_target
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.saving.files import atomic_stream
from labelproof.validation import AnyArray, check_features, check_ids, to_numpy

SHOWN_FEATURES = 12


@dataclass(frozen=True)
class ArraysReader(Reader):
    """Arrays by their paths; arrays in memory are not saved. See `read_arrays` for its fields."""

    kind = "arrays"

    labels: str | None = None
    features: str | None = None
    ids: str | None = None
    missing: Sequence[object] | None = None
    label_kind: str | None = None  # classes by default

    @classmethod
    def of_files(cls, *, missing: Sequence[object] | None = None, kind: str | None = None, **values: object) -> Self:
        """Whole paths of those values that are paths."""
        paths = {name: path_of(value) for name, value in values.items()}
        whole = {name: None if path is None else str(Path(path).resolve()) for name, path in paths.items()}
        return cls(**whole, missing=words(missing), label_kind=kind)

    def read(self) -> Dataset:
        return read_arrays(self.features, self.labels, ids=self.ids, missing=self.missing, kind=self.label_kind)

    def reopen(self, skipped: Sequence[str] = ()) -> Items | None:
        """The features, row by row."""
        if self.features is None:
            return None
        x = rows_of_file(self.features, "features")
        return Items("arrays", len(x), lambda i: show_array(x[np.array([i])][0]), lambda rows: x[rows])

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[Inputs, AnyArray]:
        """Rows of another array."""
        return new_rows(path)

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A table of id and label; an array of the same type for a target in .npy."""
        if self.labels is None:
            raise BadInput("The audit does not record which file its labels came from. Audit the file with labelproof audit.")
        check = check_target if target.suffix == ".npy" else check_table_target
        check(target, overwrite=overwrite, source=self.labels)
        array = to_numpy(from_file(self.labels, "labels"), "labels").reshape(-1)
        column = LABEL_COLUMNS[self.label_kind or Classes.kind]
        given = column.of_array(array, "labels", self.missing, classes=audited.classes or None)
        rows = np.arange(len(array))
        check_same(given.texts, rows, audited)
        if target.suffix == ".npy":
            changed = given.changed_array(array, {row: change.label for row, change in audited.changes.items()})
            with atomic_stream(target) as out:
                np.save(out, changed, allow_pickle=False)
        else:
            write_list(target, given, "id", rows.tolist(), "label", rows, audited)


def read_arrays(
    features: object | None,
    labels: object,
    *,
    classes: Sequence[object] | None = None,
    ids: object | None = None,
    n_classes: int | None = None,
    missing: Sequence[object] | None = None,
    kind: str | None = None,
) -> Dataset:
    """Make a `Dataset` from arrays or from paths of ``.npy`` files (``FILE.npz:NAME`` for one of several arrays).

    Parameters
    ----------
    features : array-like or path, shape (n, d), (n, height, width) or (n, height, width, 3), optional
        Optional if probabilities are ready-made; then only ids and labels can be shown.
    labels : array-like or path, shape (n,)
    classes : sequence, optional
    ids : array-like or path, shape (n,), optional
    n_classes : int, optional
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    kind : {"classes", "numbers"}, optional
        The kind of labels. By default classes.

    Raises
    ------
    BadInput
    """
    reader = ArraysReader.of_files(labels=labels, features=features, ids=ids, missing=missing, kind=kind)
    column, values = LABEL_COLUMNS[kind or Classes.kind], from_file(labels, "labels")
    given = column.of_array(values, "labels", missing, classes=classes, n_classes=n_classes).labels
    n = len(given)
    x = np.empty((n, 0)) if features is None else check_features(from_file(features, "features"), name="features")
    if len(x) != n:
        raise BadInput(f"features has {len(x)} rows but labels has {n}. Give one row of each per item, in the same order.")
    names = check_ids(None if ids is None else from_file(ids, "ids"), n)
    pictures = ArraySource(x) if x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3, 4)) else None
    return Dataset(x, given, names, lambda i: show_array(x[i]), "arrays", reader=reader, pictures=pictures)


def show_array(item: AnyArray) -> Shown:
    """The display of an item: a picture of shape (h, w) or (h, w, 1 or 3), otherwise its first numbers."""
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
