"""Class labels as integer codes into sorted classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation.arrays import AnyArray, BoolArray, did_you_mean, to_numpy

UNLABELLED = -1


@dataclass(frozen=True)
class CodedLabels:
    """Labels as integer codes into sorted ``classes``; -1 marks an unlabelled item."""

    codes: npt.NDArray[np.int64]  # (n,)
    classes: tuple[Any, ...]


def check_labels(
    labels: Any,
    *,
    classes: Sequence[Any] | None = None,
    n_classes: int | None = None,
    name: str = "labels",
    needed: int = 2,
) -> CodedLabels:
    """Code labels as integers into the sorted classes.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Strings, integers (0..k-1, 1..k, or with gaps), booleans. ``None``, NaN, the empty string and -1 mean unlabelled.
    classes : sequence, optional
        The allowed classes in any order. Without it they are the distinct labels.
    n_classes : int, optional
        How many classes there must be, e.g. the number of probability columns. Integer labels that all lie in
        ``0..n_classes-1`` are then read as column numbers, so a class may be absent from the labels.
    name : str
        What to call the argument in a message.
    needed : int
        Fewest different labels that must occur.

    Returns
    -------
    CodedLabels

    Raises
    ------
    BadInput
    """
    array = flat_labels(labels, name)
    if len(array) == 0:
        raise BadInput(f"{name} is empty. Give at least one label for each of two classes.")
    array, missing = without_missing(array, name)
    if classes is None and n_classes is not None and array.dtype.kind == "i" and not missing.any():
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high < n_classes and low < high:  # column numbers already, the commonest case
            return CodedLabels(array, tuple(range(n_classes)))
    found = sorted_classes(array[~missing])
    if classes is None and array.dtype.kind == "i" and set(found) <= {-1, 1} and -1 in found:
        raise BadInput(f"{name} holds -1 and 1: is -1 a class or an unlabelled item? Pass classes=[-1, 1], or 0 and 1.")
    if classes is not None:
        allowed = _check_classes(classes, found, name)
        if array.dtype.kind == "i" and UNLABELLED not in allowed:
            missing |= array == UNLABELLED
    else:
        if array.dtype.kind == "i":
            missing |= array == UNLABELLED
            found = tuple(c for c in found if c != UNLABELLED)
        allowed = _infer_classes(found, n_classes, name)
    if n_classes is not None and len(allowed) != n_classes:
        raise BadInput(f"{len(allowed)} classes but {n_classes} probability columns. Give one column per class.")
    codes = _encode(array, missing, allowed, name) if allowed else np.full(len(array), UNLABELLED)
    occurring = np.unique(codes[codes >= 0])
    if len(occurring) < needed:
        only = f"only {allowed[occurring[0]]!r}" if len(occurring) else "no label at all"
        raise BadInput(
            f"{name} has {only} in {len(codes)} items: with one class there is nothing to compare. "
            "Give labels of two classes or more."
        )
    return CodedLabels(codes, allowed)


def check_codes(codes: Any, n_classes: int, *, name: str = "labels") -> npt.NDArray[np.int64]:
    """Check integer codes 0..n_classes-1 of shape (n,), as the noise functions take them."""
    array = to_numpy(codes, name)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise BadInput(
            f"{name} has shape {array.shape} and dtype {array.dtype}. Give integer codes 0..{n_classes - 1}, shape (n,)."
        )
    bad = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(bad):
        raise BadInput(f"{name} row {bad[0]} is {array[bad[0]]}, outside 0..{n_classes - 1}.")
    return array.astype(np.int64)


def flat_labels(labels: Any, name: str) -> AnyArray:
    array = to_numpy(labels, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1:
        return array
    binary = array.ndim == 2 and array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all())
    if binary and bool((array.sum(axis=1) == 1).all()):
        raise BadInput(f"{name} is one-hot with shape {array.shape}. Give one label per item: {name}.argmax(axis=1).")
    if binary:
        row = int(np.argmax(array.sum(axis=1) != 1))
        raise BadInput(
            f"{name} is a 0/1 tag matrix of shape {array.shape} (row {row} has {int(array[row].sum())} tags), but single labels "
            "are expected here. Give one label per item, shape (n,)."
        )
    raise BadInput(f"{name} has shape {array.shape}. Give one label per item, shape (n,).")


def without_missing(array: AnyArray, name: str) -> tuple[AnyArray, BoolArray]:
    """Plain integer, boolean or string labels, and the mask of those that are missing (their value is a filler)."""
    if array.dtype.kind == "f":
        missing = np.isnan(array)
        whole = np.where(missing, 0, array)
        bad = np.flatnonzero(~np.isfinite(whole) | (whole != np.floor(whole)))
        if len(bad):
            raise BadInput(
                f"{name} row {bad[0]} is {array[bad[0]]}: a class must be a whole number or a name. "
                "Round the labels, or convert them to strings if these really are class names."
            )
        return whole.astype(np.int64), missing
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False), np.zeros(len(array), bool)
    if array.dtype.kind == "b":
        return array, np.zeros(len(array), bool)
    if array.dtype.kind in "UT":
        text = array.astype(str)
        return text, text == ""
    if array.dtype.kind == "O":
        missing = np.array([v is None or v != v or v == "" for v in array], bool)
        present = array[~missing]
        if len(present) and all(isinstance(v, bool | np.bool_) for v in present):
            return np.array([bool(v) and not m for v, m in zip(array, missing, strict=True)], bool), missing
        if len(present) and all(isinstance(v, int | float | np.integer | np.floating) for v in present):
            filled = np.where(missing, 0, array).astype(float)
            return without_missing(filled, name)[0], missing
        return np.array(["" if m else str(v) for v, m in zip(array, missing, strict=True)], str), missing
    raise BadInput(f"{name} has dtype {array.dtype}. Give class names or whole numbers.")


def sorted_classes(present: AnyArray) -> tuple[Any, ...]:
    return tuple(np.unique(present).tolist())


def _check_classes(classes: Sequence[Any], found: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    allowed = to_numpy(classes, "classes")
    unique = sorted_classes(without_missing(allowed, "classes")[0])
    if len(unique) != len(allowed):
        raise BadInput(f"classes has {len(allowed)} entries but only {len(unique)} different ones. Give each class once.")
    return unique


def _infer_classes(found: tuple[Any, ...], n_classes: int | None, name: str) -> tuple[Any, ...]:
    if n_classes is None:
        return found
    whole = bool(found) and all(isinstance(c, int) and not isinstance(c, bool) for c in found)
    if whole and min(found) >= 0 and max(found) < n_classes:
        return tuple(range(n_classes))
    if len(found) == n_classes:
        return found
    if whole:
        wrong = next(c for c in found if not 0 <= c < n_classes)
        raise BadInput(
            f"{name} has the label {wrong}, outside 0..{n_classes - 1}, and {len(found)} different labels for {n_classes} "
            "probability columns. Pass classes= with the class of each column, in column order."
        )
    raise BadInput(
        f"{name} has {len(found)} different labels but there are {n_classes} probability columns. "
        "Pass classes= with the class of each column, in column order."
    )


def _encode(array: AnyArray, missing: BoolArray, classes: tuple[Any, ...], name: str) -> npt.NDArray[np.int64]:
    table = np.array(classes)
    if (table.dtype.kind == "U") != (array.dtype.kind == "U"):
        table, array = table.astype(str), array.astype(str)
    order = np.argsort(table)
    place = np.clip(np.searchsorted(table[order], array), 0, len(table) - 1)
    codes = order[place].astype(np.int64)
    wrong = np.flatnonzero((table[codes] != array) & ~missing)
    if len(wrong):
        value = array[wrong[0]].item()
        raise BadInput(
            f"{name} row {wrong[0]} is {value!r}, which is not one of the {len(classes)} classes "
            f"({', '.join(map(repr, classes[:8]))}{', …' if len(classes) > 8 else ''}). {did_you_mean(value, classes)}"
            "Correct the label or add the class to classes=."
        )
    codes[missing] = UNLABELLED
    return codes
