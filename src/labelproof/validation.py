"""The one place that checks arrays. Everything past it may trust shapes, ranges and the order of classes.

Lists, numpy arrays, pandas and polars frames and series, and torch tensors are all accepted. A message names the
argument, what was got with the first offending row, what is allowed, and the mend.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]
Seed = int | np.random.Generator | None

ROW_SUM_TOLERANCE = 1e-3
ROUNDING = 1e-12  # what rows may be off by and still be taken as they are
UNLABELLED = -1
_STREAM = 20_190_803
_BLOCK = 65_536  # rows looked at together, so that a memory-mapped matrix is never copied whole


def to_numpy(values: Any, name: str) -> AnyArray:
    """Return ``values`` as a numpy array without copying where possible.

    Parameters
    ----------
    values : array-like
        List, numpy array, pandas or polars series or frame, or torch tensor.
    name : str
        What to call it in a message.

    Raises
    ------
    BadInput
        For ragged lists and for things that are no arrays at all.
    """
    if hasattr(values, "detach"):  # torch, on any device
        values = values.detach().cpu().numpy()
    elif hasattr(values, "to_numpy"):  # pandas, polars, pyarrow
        values = values.to_numpy()
    try:
        array: AnyArray = np.asanyarray(values)
    except ValueError as error:
        raise BadInput(f"{name} is ragged: its rows have different lengths. Give one row of equal length per item.") from error
    if array.ndim == 0:
        raise BadInput(f"{name} is {type(values).__name__!r}, not an array. Give one entry per item.")
    return array


def check_pandas_index(**named: Any) -> None:
    """Refuse pandas objects whose indices differ: joined by position they would pair the wrong rows."""
    indexed = [(name, value.index) for name, value in named.items() if hasattr(value, "index") and hasattr(value, "iloc")]
    for (name_a, index_a), (name_b, index_b) in itertools.pairwise(indexed):
        if len(index_a) == len(index_b) and not index_a.equals(index_b):
            row = int(np.argmax(np.asarray(index_a != index_b)))
            raise BadInput(
                f"{name_a} and {name_b} have different pandas indices: row {row} is {index_a[row]!r} in {name_a} and "
                f"{index_b[row]!r} in {name_b}. Align them, e.g. {name_b} = {name_b}.loc[{name_a}.index], "
                "or pass .to_numpy() of both if the order is already right."
            )


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
    array = _flat_labels(labels, name)
    if len(array) == 0:
        raise BadInput(f"{name} is empty. Give at least one label for each of two classes.")
    array, missing = _without_missing(array, name)
    if classes is None and n_classes is not None and array.dtype.kind == "i" and not missing.any():
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high < n_classes and low < high:  # column numbers already, the commonest case
            return CodedLabels(array, tuple(range(n_classes)))
    found = _sorted_classes(array[~missing])
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


def _flat_labels(labels: Any, name: str) -> AnyArray:
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


def _without_missing(array: AnyArray, name: str) -> tuple[AnyArray, BoolArray]:
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
            return _without_missing(filled, name)[0], missing
        return np.array(["" if m else str(v) for v, m in zip(array, missing, strict=True)], str), missing
    raise BadInput(f"{name} has dtype {array.dtype}. Give class names or whole numbers.")


def _sorted_classes(present: AnyArray) -> tuple[Any, ...]:
    return tuple(np.unique(present).tolist())


def _check_classes(classes: Sequence[Any], found: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    allowed = to_numpy(classes, "classes")
    unique = _sorted_classes(_without_missing(allowed, "classes")[0])
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


def check_pred_probs(pred_probs: Any, *, name: str = "pred_probs") -> FloatArray:
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


def check_pred_probs_shape(pred_probs: Any, *, name: str = "pred_probs") -> FloatArray:
    """Check shape and dtype of a matrix of class probabilities, not its rows."""
    probs = to_numpy(pred_probs, name)
    if probs.ndim != 2:
        hint = f" For two classes: np.column_stack([1 - {name}, {name}])." if probs.ndim == 1 else ""
        raise BadInput(f"{name} has shape {probs.shape}. Give one row per item and one column per class, shape (n, k).{hint}")
    if probs.shape[0] == 0:
        raise BadInput(f"{name} is empty. Give one row per item.")
    if probs.shape[1] < 2:
        raise BadInput(f"{name} has {probs.shape[1]} column: at least two classes are needed, one column each.")
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
            f"{name} row {start + bad[0]} has values from {block[bad[0]].min():.4g} to {block[bad[0]].max():.4g}; probabilities lie "
            "between 0 and 1. If these are logits, apply softmax first."
        )
    bad = np.flatnonzero(np.abs(total - 1) > ROW_SUM_TOLERANCE)
    if len(bad):
        raise BadInput(
            f"{name} row {start + bad[0]} sums to {total[bad[0]]:.4f}, not 1 (tolerance {ROW_SUM_TOLERANCE}). "
            f"Divide each row by its sum, or apply softmax if these are logits."
        )


def check_labels_and_probs(
    labels: Any, pred_probs: Any, *, classes: Sequence[Any] | None = None
) -> tuple[CodedLabels, FloatArray]:
    """Check labels and probabilities together; columns are put in sorted class order.

    The class of each column is, in this order: ``classes``; the column names of a frame; the sorted labels.

    Parameters
    ----------
    labels : array-like, shape (n,)
    pred_probs : array-like, shape (n, k)
    classes : sequence of length k, optional
        The class of each column of ``pred_probs``, in column order.

    Returns
    -------
    CodedLabels, ndarray of shape (n, k)

    Raises
    ------
    BadInput
    """
    check_pandas_index(labels=labels, pred_probs=pred_probs)
    probs = check_pred_probs(pred_probs)
    coded, order = check_labels_for_columns(labels, *probs.shape, classes=classes, names=getattr(pred_probs, "columns", None))
    return coded, probs if order is None else probs[:, order]


def check_labels_for_columns(
    labels: Any, n: int, k: int, *, classes: Sequence[Any] | None = None, names: Any = None
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

    Returns
    -------
    CodedLabels, and the order that sorts the columns by class, or None if they are sorted
    """
    if classes is None and names is not None and len(names) == k and _names_are_classes(list(names), labels):
        classes = list(names)
    if classes is not None and len(classes) != k:
        raise BadInput(
            f"classes has {len(classes)} entries but pred_probs has {k} columns. Give one class per column, in column order."
        )
    coded = check_labels(labels, classes=classes, n_classes=k)
    if len(coded.codes) != n:
        raise BadInput(
            f"labels has {len(coded.codes)} rows but pred_probs has {n}. Give one row of each per item, in the same order."
        )
    if classes is None:
        return coded, None
    column_of = {str(c): i for i, c in enumerate(_without_missing(to_numpy(classes, "classes"), "classes")[0].tolist())}
    order = [column_of[str(c)] for c in coded.classes]
    return coded, None if order == list(range(k)) else order


def _names_are_classes(names: list[Any], labels: Any) -> bool:
    array, missing = _without_missing(_flat_labels(labels, "labels"), "labels")
    return set(map(str, _sorted_classes(array[~missing]))) <= set(map(str, names))


def check_transition(matrix: Any, *, name: str = "transition") -> npt.NDArray[np.float64]:
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


def check_distribution(values: Any, k: int, *, name: str = "prior") -> npt.NDArray[np.float64]:
    """Check a probability vector of length ``k`` and rescale it to sum to one exactly."""
    array = to_numpy(values, name).astype(np.float64)
    if array.shape != (k,):
        raise BadInput(f"{name} has shape {array.shape}. Give one probability per class, shape ({k},).")
    if not np.isfinite(array).all() or array.min() < 0 or abs(array.sum() - 1) > ROW_SUM_TOLERANCE:
        raise BadInput(f"{name} is {array.tolist()}. Give probabilities that sum to 1.")
    return np.asarray(array / array.sum() if abs(array.sum() - 1) > ROUNDING else array)


def check_rate(value: float, *, name: str = "rate", high: float = 1.0) -> float:
    """Check a probability in [0, high]."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.floating | np.integer)
        or not 0 <= float(value) <= high
    ):
        raise BadInput(f"{name} is {value!r}. Give a probability between 0 and {high:g}.")
    return float(value)


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


def check_tags(tags: Any, *, name: str = "tags") -> npt.NDArray[np.int8]:
    """Check a 0/1 tag matrix of shape (n, k)."""
    array = to_numpy(tags, name)
    if array.ndim != 2 or 0 in array.shape:
        raise BadInput(f"{name} has shape {array.shape}. Give a 0/1 matrix with one row per item and one column per tag.")
    bad = np.flatnonzero(~np.isin(array, (0, 1)).all(axis=1))
    if len(bad):
        raise BadInput(f"{name} row {bad[0]} holds something other than 0 and 1: {array[bad[0]][:8].tolist()}.")
    return array.astype(np.int8)


def check_tag_probs(pred_probs: Any, shape: tuple[int, ...], *, name: str = "pred_probs") -> npt.NDArray[np.float64]:
    """Check probabilities of tags: shaped like the tags, each in [0, 1]."""
    probs = to_numpy(pred_probs, name)
    if probs.shape != shape:
        raise BadInput(f"{name} has shape {probs.shape} but tags has {shape}. Give one probability per item and tag.")
    probs = np.asarray(probs, np.float64)
    bad = np.flatnonzero(~((probs >= 0) & (probs <= 1)).all(axis=1))
    if len(bad):
        column = int(np.argmax(~((probs[bad[0]] >= 0) & (probs[bad[0]] <= 1))))
        raise BadInput(f"{name} row {bad[0]}, column {column} is {probs[bad[0], column]}. Give probabilities between 0 and 1.")
    return probs


def check_ids(ids: Any | None, n: int) -> AnyArray:
    """Check item ids: one per row, none twice. Without ids the row numbers are used."""
    if ids is None:
        return np.arange(n)
    array = to_numpy(ids, "ids")
    if array.ndim != 1 or len(array) != n:
        raise BadInput(f"ids has shape {array.shape}. Give one id per item, shape ({n},).")
    values, counts = np.unique(array.astype(str), return_counts=True)
    if (counts > 1).any():
        twice = str(values[np.argmax(counts > 1)])
        rows = np.flatnonzero(array.astype(str) == twice)[:2]
        raise BadInput(
            f"ids has {twice!r} in rows {rows[0]} and {rows[1]}. Ids must be unique; leave them out to use row numbers."
        )
    return array


def check_features(x: Any, *, name: str = "x", allow_nan: bool = False) -> FloatArray:
    """Check a numeric feature array with one row per item, e.g. (n, d) or (n, height, width)."""
    array = to_numpy(x, name)
    if array.ndim < 2 or len(array) == 0 or array.dtype.kind not in "biuf":
        raise BadInput(
            f"{name} has shape {array.shape} and dtype {array.dtype}. Give numbers, one row per item: shape (n, d) or more."
        )
    if array.dtype.kind == "f" and not allow_nan:
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if len(bad):
            raise BadInput(f"{name} row {bad[0]} holds NaN or an infinite value. Fill it in or drop the row.")
    return array


def rng_from(seed: Seed) -> np.random.Generator:
    """A numpy generator from a seed, a generator, or ``None`` for fresh randomness.

    An integer seeds a stream of labelproof's own: noise drawn with seed 0 must not follow the very numbers that the
    caller's ``default_rng(0)`` made the data from.
    """
    if isinstance(seed, int | np.integer):
        return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=(_STREAM,)))
    return np.random.default_rng(seed)


def did_you_mean(name: Any, candidates: Sequence[Any]) -> str:
    """A sentence that suggests the nearest of ``candidates``, or the empty string."""
    near = difflib.get_close_matches(str(name), [str(c) for c in candidates], n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}? " if near else ""
