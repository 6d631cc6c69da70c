"""Predictions of pixels, picture by picture: only the current picture is in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.data.array_files import NpyRows, from_file, path_of
from labelproof.errors import BadInput
from labelproof.labels.masks import Masks
from labelproof.saving.files import existing, load_array
from labelproof.validation import AnyArray, IntArray, to_numpy

TOLERANCE = 0.02  # of the sum over the classes: half precision and 255ths are rounded
SUFFIXES = (".npy", ".npz")

Floats = npt.NDArray[np.float32]


class Predictions:
    """The predictions of a model for each picture: ``predictions(i)`` has shape (k, h, w).

    Parameters
    ----------
    source : array (n, k, h, w), list of arrays (k, h, w), callable, path of a ``.npy`` file, or path of a folder
    labels : Masks
    ids : ndarray, shape (n,), optional
        Names of the pictures, which name the files in a folder. If no file has such a name, files are taken in sorted order.
    classes : sequence of length k, optional
        The classes in the order of the channels. By default those of the labels.

    Raises
    ------
    BadInput
    """

    def __init__(
        self, source: object, labels: Masks, ids: AnyArray | None = None, classes: Sequence[object] | None = None
    ) -> None:
        self._read = _reader(source, labels.n, len(labels.classes), ids)
        self.sizes = labels.sizes
        first = self._array(0)
        self.k = first.shape[0] if first.ndim == 3 else 0
        self.labels = self._fitting(labels)
        self._order = None if classes is None else _order(classes, self.labels.classes)

    def _fitting(self, labels: Masks) -> Masks:
        """The labels with one class per channel, if their classes are only numbers."""
        if self.k > len(labels.classes) and not labels.named_classes:
            return labels.with_classes(self.k)
        if self.k != len(labels.classes):
            hint = " Values that mean no label are named by lp.Masks(…, void=…)." if self.k < len(labels.classes) else ""
            raise BadInput(
                f"pred_probs of picture 0 has {self.k} channels but there are {len(labels.classes)} classes. Give one channel per class, "
                f"shape (k, h, w).{hint}"
            )
        return labels

    def __call__(self, i: int) -> Floats:
        """Probabilities of picture ``i``, shape (k, h, w)."""
        array = self._array(i)
        width, height = self.sizes[i].tolist()
        if array.shape != (self.k, height, width):
            raise BadInput(
                f"pred_probs of picture {i} has shape {array.shape} but its mask has {height} rows and {width} columns. Give shape "
                f"({self.k}, {height}, {width})."
            )
        probs = (array if self._order is None else array[self._order]).astype(np.float32)
        if array.dtype == np.uint8 and array.max() > 1:
            probs *= np.float32(1 / 255)
        total = probs.sum(axis=0)
        _check(probs, total, i)
        probs /= total
        return probs

    def _array(self, i: int) -> AnyArray:
        array = self._read(i)
        return array if isinstance(array, np.ndarray) else to_numpy(array, f"pred_probs of picture {i}")


def _check(probs: Floats, total: Floats, i: int) -> None:
    if float(probs.min()) >= -1e-6 and bool((np.abs(total - 1) <= TOLERANCE).all()):
        return
    wrong = ~np.isfinite(total) | (probs.min(axis=0) < -1e-6) | ~(np.abs(total - 1) <= TOLERANCE)
    y, x = np.argwhere(wrong)[0].tolist()
    raise BadInput(
        f"pred_probs of picture {i} at row {y}, column {x} are {probs[:, y, x].min():.4g} to {probs[:, y, x].max():.4g} and sum to {total[y, x]:.4g}, "
        "not 1. Divide by the sum over the classes, or apply softmax if these are logits."
    )


def _order(classes: Sequence[object], own: Sequence[object]) -> IntArray:
    """The channel of each class of the labels."""
    names, wanted = [str(name) for name in classes], [str(name) for name in own]
    if sorted(names) != sorted(wanted):
        raise BadInput(f"classes names {', '.join(names)[:200]} but the labels have {', '.join(wanted)[:200]}. Name each once.")
    return np.array([names.index(name) for name in wanted])


def _reader(source: object, n: int, k: int, ids: AnyArray | None) -> Callable[[int], Any]:
    """A function from the number of a picture to its predictions."""
    path = path_of(source)
    if path is not None:
        place = existing(path, "pred_probs")
        if place.is_dir():
            return _of_files(_files(place, n, ids), k)
        source = NpyRows(place, "pred_probs") if place.suffix == ".npy" else from_file(path, "pred_probs")
    if callable(source) and not hasattr(source, "__getitem__"):
        return source
    if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise BadInput(
            f"pred_probs is a {type(source).__name__}. Give an array (n, k, h, w), a list of arrays (k, h, w), a folder of .npy files, or a "
            "function of the number of a picture."
        )
    if len(source) != n:
        raise BadInput(f"pred_probs has {len(source)} pictures but there are {n} masks. Give the predictions of each.")
    rows: Any = source
    return (lambda i: rows[np.array([i])][0]) if isinstance(source, NpyRows) else (lambda i: rows[i])


def _files(folder: Path, n: int, ids: AnyArray | None) -> list[Path]:
    """The file of each picture."""
    found = sorted((path for path in folder.iterdir() if path.suffix in SUFFIXES), key=_as_counted)
    by_name = {path.stem: path for path in found}
    names = [] if ids is None else [str(name) for name in ids]
    for wanted in (names, [Path(name).stem for name in names]):
        if wanted and all(name in by_name for name in wanted):
            return [by_name[name] for name in wanted]
    lacking = [name for name in names if name not in by_name and Path(name).stem not in by_name]
    if names and len(lacking) < len(names):
        raise BadInput(
            f"pred_probs {str(folder)!r} has a file for {len(names) - len(lacking):,} of the {len(names):,} masks by name, and none for {lacking[0]!r}. "
            "Name each file as its picture."
        )
    if len(found) != n:
        raise BadInput(
            f"pred_probs {str(folder)!r} holds {len(found)} .npy and .npz files but there are {n} masks. Give one file per picture, named as "
            "the picture or in the same order."
        )
    return found


def _as_counted(path: Path) -> list[tuple[int, str]]:
    """Orders names as people count: ``p2`` before ``p10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", path.stem)]


def _of_files(files: Sequence[Path], k: int) -> Callable[[int], AnyArray]:
    """``.npy`` files unchanged; ``.npz`` with ``classes`` and ``probs``, each (t, h, w), in full."""

    def read(i: int) -> AnyArray:
        file = files[i]
        if file.suffix == ".npy":
            return load_array(file, "pred_probs")
        codes, probs = (load_array(file, "pred_probs", key=name) for name in ("classes", "probs"))
        if codes.shape != probs.shape or codes.ndim != 3 or codes.dtype.kind not in "iu":
            raise BadInput(
                f"{str(file)!r} has classes {codes.shape} and probs {probs.shape}. Give whole numbers and probabilities, (t, h, w) each."
            )
        if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < k:
            raise BadInput(f"{str(file)!r} names class {int(codes.max())} but there are {k} classes, from 0 to {k - 1}.")
        return dense(codes, probs, k)

    return read


def dense(codes: IntArray, probs: AnyArray, k: int) -> Floats:
    """The t most probable classes of each pixel as all k, the rest of the mass in equal parts over the others.

    Parameters
    ----------
    codes, probs : ndarray, shape (t, h, w)
        ``probs`` of type uint8 are 255ths.

    Examples
    --------
    >>> dense(np.array([[[2]]]), np.array([[[0.5]]]), 3)[:, 0, 0].tolist()
    [0.25, 0.25, 0.5]
    """
    shares = probs.astype(np.float32) / np.float32(255 if probs.dtype == np.uint8 else 1)
    rest = np.maximum(1 - shares.sum(axis=0), 0) / max(k - len(codes), 1)
    found = np.repeat(rest[None], k, axis=0)
    np.put_along_axis(found, codes.astype(np.int64), shares, axis=0)
    return found
