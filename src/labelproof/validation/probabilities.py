"""Probabilities of classes, alone and together with labels; transition matrices and distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation.arrays import FloatArray, check_pandas_index, to_numpy
from labelproof.validation.labels import (
    MISSING_WORDS,
    CodedLabels,
    Repeated,
    check_labels,
    flat_labels,
    sorted_classes,
    without_missing,
)

ROW_SUM_TOLERANCE = 1e-3
ROUNDING = 1e-12  # tolerated error of the sum of a row
_BLOCK = 65_536  # rows looked at together, so that a memory-mapped matrix is never copied whole


def check_pred_probs(pred_probs: object, *, name: str = "pred_probs") -> FloatArray:
    """Check a matrix of class probabilities.

    Parameters
    ----------
    pred_probs : array-like, shape (n, k)
        Each row sums to 1 within 1e-3; float32 stays float32, and a memory-mapped file is not copied.
    name : str
        What to call the argument in a message.

    Returns
    -------
    ndarray of float32 or float64, shape (n, k)

    Raises
    ------
    BadInput
        For NaN, values outside [0, 1], rows that do not sum to one, fewer than two columns, or no row.
    """
    probs = check_pred_probs_shape(pred_probs, name=name)
    check_prob_rows(probs, name=name)
    return probs


def check_pred_probs_shape(pred_probs: object, *, name: str = "pred_probs") -> FloatArray:
    """Check shape and dtype of a matrix of class probabilities, not its rows."""
    probs = to_numpy(pred_probs, name)
    if probs.ndim != 2:
        hint = f" For two classes: np.column_stack([1 - {name}, {name}])." if probs.ndim == 1 else ""
        raise BadInput(f"{name} has shape {probs.shape}. Give one row per item and one column per class, shape (n, k).{hint}")
    if probs.shape[0] == 0:
        raise BadInput(f"{name} is empty. Give one row per item.")
    if probs.shape[1] < 2:
        raise BadInput(f"{name} has {probs.shape[1]} column. Give one column per class, for two classes or more.")
    if probs.dtype.kind not in "fiub":
        raise BadInput(f"{name} has dtype {probs.dtype}. Give floats between 0 and 1.")
    if probs.dtype.newbyteorder("=") not in (np.float32, np.float64):
        probs = probs.astype(np.float32 if probs.dtype == np.float16 else np.float64)
    return probs


def check_prob_rows(probs: FloatArray, start: int = 0, *, name: str = "pred_probs") -> None:
    """Check that rows, numbered from ``start`` in a message, are distributions."""
    for first in range(0, len(probs), _BLOCK):
        _check_prob_rows(probs[first : first + _BLOCK], start + first, name)


def _check_prob_rows(block: FloatArray, start: int, name: str) -> None:
    total = block.sum(axis=1, dtype=np.float64)
    if bool(np.all(np.abs(total - 1) <= ROW_SUM_TOLERANCE)) and block.min() >= 0:
        return
    bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if len(bad):
        column = int(np.argmax(~np.isfinite(block[bad[0]])))
        raise BadInput(
            f"{name} row {start + bad[0]}, column {column} is {block[bad[0], column]}. Every probability must be a number; "
            "predict this row again or drop it with its label."
        )
    bad = np.flatnonzero((block < -1e-6).any(axis=1) | (block > 1 + ROW_SUM_TOLERANCE).any(axis=1))
    if len(bad):
        raise BadInput(
            f"{name} row {start + bad[0]} has values from {block[bad[0]].min():.4g} to {block[bad[0]].max():.4g}, but probabilities are between 0 and 1. If these are logits, apply softmax first."
        )
    bad = np.flatnonzero(np.abs(total - 1) > ROW_SUM_TOLERANCE)
    if len(bad):
        raise BadInput(
            f"{name} row {start + bad[0]} sums to {total[bad[0]]:.4f}, not 1 (tolerance {ROW_SUM_TOLERANCE}). "
            f"Divide each row by its sum, or apply softmax if these are logits."
        )


def check_labels_and_probs(
    labels: object, pred_probs: object, *, classes: Sequence[object] | None = None, missing: Sequence[object] | None = None
) -> tuple[CodedLabels, FloatArray]:
    """Check labels and probabilities together; columns are put in sorted class order.

    The class of each column is, in order of precedence: ``classes``; the column names of a frame; the sorted labels.

    Parameters
    ----------
    labels : array-like, shape (n,)
    pred_probs : array-like, shape (n, k)
    classes : sequence of length k, optional
        The class of each column of ``pred_probs``, in column order.
    missing : sequence, optional
        Labels that mean unlabelled; see `check_labels`.

    Returns
    -------
    CodedLabels, ndarray of shape (n, k)

    Raises
    ------
    BadInput
    """
    check_pandas_index(labels=labels, pred_probs=pred_probs)
    probs = check_pred_probs(pred_probs)
    coded, order = check_labels_for_columns(
        labels, *probs.shape, classes=classes, names=getattr(pred_probs, "columns", None), missing=missing
    )
    return coded, probs if order is None else probs[:, order]


def check_labels_for_columns(
    labels: object,
    n: int,
    k: int,
    *,
    classes: Sequence[object] | None = None,
    names: Sequence[object] | None = None,
    missing: Sequence[object] | None = None,
) -> tuple[CodedLabels, list[int] | None]:
    """Check the labels of n rows of k probabilities.

    Parameters
    ----------
    labels : array-like, shape (n,)
    n, k : int
    classes : sequence of length k, optional
        The class of each column, in column order.
    names : sequence of length k, optional
        Column names; they are the classes if every label is among them.
    missing : sequence, optional
        Labels that mean unlabelled; see `check_labels`.

    Returns
    -------
    CodedLabels, and the order that sorts the columns by class, or None if they are sorted
    """
    if classes is None and names is not None and len(names) == k and _names_are_classes(list(names), labels, missing):
        classes = list(names)
    if classes is not None and len(classes) != k:
        raise BadInput(
            f"classes has {len(classes)} entries but pred_probs has {k} columns. Give one class per column, in column order."
        )
    coded = check_labels(labels, classes=classes, n_classes=k, missing=missing)
    if len(coded.codes) != n:
        raise BadInput(
            f"labels has {len(coded.codes)} rows but pred_probs has {n}. Give one row of each per item, in the same order."
        )
    if classes is None:
        return coded, None
    column_of = {str(c): i for i, c in enumerate(without_missing(to_numpy(classes, "classes"), "classes")[0].tolist())}
    order = [column_of[str(c)] for c in coded.classes]
    return coded, None if order == list(range(k)) else order


def _names_are_classes(names: list[object], labels: object, missing: Sequence[object] | None) -> bool:
    values = labels.values if isinstance(labels, Repeated) else flat_labels(labels, "labels")
    array, absent = without_missing(values, "labels")
    found = set(map(str, sorted_classes(array[~absent]))) - set(map(str, missing or ()))
    unlabelled = {word for word in found if word.lower() in MISSING_WORDS or (word == "-1" and array.dtype.kind == "i")}
    return found - unlabelled <= set(map(str, names))


def check_transition(matrix: object, *, name: str = "transition") -> npt.NDArray[np.float64]:
    """Check ``transition[i, j] = p(given = j | true = i)``: square, finite, non-negative, rows that sum to one.

    Rows are rescaled to sum to one.

    Raises
    ------
    BadInput
    """
    array = to_numpy(matrix, name)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] < 2:
        raise BadInput(f"{name} has shape {array.shape}. Give a square matrix (k, k) with k >= 2: rows true, columns given.")
    array = np.asarray(array, np.float64)
    if not np.isfinite(array).all() or array.min() < 0:
        row = int(np.argmax(~np.isfinite(array).all(axis=1) | (array < 0).any(axis=1)))
        raise BadInput(f"{name} row {row} is {array[row].tolist()}. Every entry must be a probability between 0 and 1.")
    total = array.sum(axis=1)
    bad = np.flatnonzero(np.abs(total - 1) > ROW_SUM_TOLERANCE)
    if len(bad):
        columns = np.abs(array.sum(axis=0) - 1).max() <= ROW_SUM_TOLERANCE
        hint = " Its columns do: transpose it." if columns else " Divide each row by its sum if these are counts."
        raise BadInput(f"{name} row {bad[0]} sums to {total[bad[0]]:.4f}; rows (true classes) must sum to 1.{hint}")
    return np.asarray(array / np.where(np.abs(total - 1) > ROUNDING, total, 1.0)[:, None])


def check_distribution(values: object, k: int, *, name: str = "prior") -> npt.NDArray[np.float64]:
    """Check a probability vector of length ``k`` and rescale it to sum to one exactly."""
    array = to_numpy(values, name).astype(np.float64)
    if array.shape != (k,):
        raise BadInput(f"{name} has shape {array.shape}. Give one probability per class, shape ({k},).")
    if not np.isfinite(array).all() or array.min() < 0 or abs(array.sum() - 1) > ROW_SUM_TOLERANCE:
        raise BadInput(f"{name} is {array.tolist()}. Give probabilities that sum to 1.")
    return np.asarray(array / array.sum() if abs(array.sum() - 1) > ROUNDING else array)
