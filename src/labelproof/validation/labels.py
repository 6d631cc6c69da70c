"""The definition of a class label, for arrays, frames and files: integer codes into sorted classes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput, LabelproofWarning, did_you_mean
from labelproof.validation.arrays import AnyArray, BoolArray, to_numpy

UNLABELLED = -1
MISSING_WORDS = ("nan", "na", "n/a", "null", "none")  # of text, in any case, unless others are named
MANY = 20  # labels from which on it is odd that nearly all differ
NEARLY_ALL = 0.8
Classes = tuple[Any, ...]  # their names, of whatever kind the labels are


@dataclass(frozen=True)
class CodedLabels:
    """Labels as integer codes into sorted ``classes``; -1 marks an unlabelled item."""

    codes: npt.NDArray[np.int64]  # (n,)
    classes: Classes


@dataclass(frozen=True)
class Repeated:
    """Many labels by their different values, which spares looking at each: ``values[index]`` are the labels.

    With ``counts``, the number of occurrences of each value, the labels themselves may be elsewhere, and ``index`` is that of
    the values.
    """

    values: AnyArray  # (u,)
    index: npt.NDArray[np.int64]  # (n,)
    counts: npt.NDArray[np.int64] | None = None  # (u,)


def check_labels(
    labels: object,
    *,
    classes: Sequence[object] | None = None,
    n_classes: int | None = None,
    missing: Sequence[object] | None = None,
    name: str = "labels",
    needed: int = 2,
) -> CodedLabels:
    """Code labels as integers into the sorted classes.

    ``None``, NaN, NaT, ``pandas.NA`` and the empty string are always unlabelled. In text also ``NaN``, ``NA``, ``N/A``,
    ``null`` and ``None`` in any case, with a warning, unless ``missing`` names others or ``classes`` names them. -1 is an
    ordinary class, unless ``missing`` names it, or the number of columns or the given classes allow no other reading.

    Parameters
    ----------
    labels : array-like, shape (n,), or Repeated
        Strings, integers (0..k-1, 1..k, or with gaps), floats that are whole, booleans.
    classes : sequence, optional
        The allowed classes in any order. Without it they are the distinct labels.
    n_classes : int, optional
        How many classes there must be, e.g. the number of probability columns. Integer labels that are all in
        ``0..n_classes-1`` are then read as column numbers, so a class may be absent from the labels.
    missing : sequence, optional
        The labels that mean unlabelled, instead of the words above; ``()`` for none.
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

    Warns
    -----
    LabelproofWarning
        If words were read as missing.
    """
    if isinstance(labels, Repeated):
        return _check_repeated(labels, classes=classes, n_classes=n_classes, missing=missing, name=name, needed=needed)
    return _check(flat_labels(labels, name), None, classes, n_classes, missing, name, needed)


def _check_repeated(labels: Repeated, **options: Any) -> CodedLabels:
    counts = np.bincount(labels.index, minlength=len(labels.values)) if labels.counts is None else labels.counts
    try:
        coded = _check(
            labels.values, counts, *(options[name] for name in ("classes", "n_classes", "missing", "name", "needed"))
        )
    except BadInput:
        if labels.counts is None:
            check_labels(labels.values[labels.index], **options)  # names the row
        raise
    return CodedLabels(coded.codes[labels.index], coded.classes)


def _check(
    array: AnyArray,
    counts: npt.NDArray[np.int64] | None,
    classes: Sequence[object] | None,
    n_classes: int | None,
    missing: Sequence[object] | None,
    name: str,
    needed: int,
) -> CodedLabels:
    """`check_labels` for labels that occur ``counts`` times each, by default once."""
    if len(array) == 0:
        raise BadInput(f"{name} is empty. Give at least one label for each of two classes.")
    array, absent = without_missing(array, name)
    if classes is None and n_classes is not None and missing is None and array.dtype.kind == "i" and not absent.any():
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high < n_classes and low < high:  # column numbers already, the commonest case
            return CodedLabels(array, tuple(range(n_classes)))
    named = None if classes is None else _check_classes(classes)
    absent = absent | _named_missing(array, absent, counts, missing, named, name)
    found = sorted_classes(array[~absent])
    if _minus_one_is_unlabelled(found, named, n_classes):
        absent |= array == UNLABELLED
        found = tuple(c for c in found if c != UNLABELLED)
    elif named is None and missing is None:
        _tell_minus_one(found, name)
    allowed = named if named is not None else _infer_classes(found, n_classes, name)
    if n_classes is not None and len(allowed) != n_classes:
        raise BadInput(f"{len(allowed)} classes but {n_classes} probability columns. Give one column per class.")
    if named is None and n_classes is None:
        _check_repeats(found, _total(~absent, counts), name)
    codes = _encode(array, absent, allowed, name) if allowed else np.full(len(array), UNLABELLED)
    occurring = np.unique(codes[codes >= 0])
    if len(occurring) < needed:
        only = f"only {allowed[occurring[0]]!r}" if len(occurring) else "no label at all"
        raise BadInput(
            f"{name} has {only} in {len(codes) if counts is None else counts.sum()} items, so there is nothing to compare. Give labels of two classes or more."
        )
    return CodedLabels(codes, allowed)


def check_codes(codes: object, n_classes: int, *, name: str = "labels") -> npt.NDArray[np.int64]:
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


def flat_labels(labels: object, name: str) -> AnyArray:
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
            "are expected here. For tags give lp.Tags(…) of it; otherwise one label per item, shape (n,)."
        )
    raise BadInput(f"{name} has shape {array.shape}. Give one label per item, shape (n,).")


def is_missing(value: object) -> bool:
    """Whether a value means no value: ``None``, NaN, NaT, ``pandas.NA``, the empty string."""
    if value is None or (isinstance(value, str) and value == ""):
        return True
    if isinstance(value, str | bytes | int):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal; this cannot be tested for an array
        return type(value).__name__ == "NAType"


def without_missing(array: AnyArray, name: str) -> tuple[AnyArray, BoolArray]:
    """Plain integer, boolean or string labels, and the mask of those that are missing (their value is a filler)."""
    if array.dtype.kind == "f":
        return _whole_numbers(array, name)
    if array.dtype.kind in "iu":
        if array.dtype.kind == "u" and array.dtype.itemsize == 8 and len(array) and array.max() > np.iinfo(np.int64).max:
            return array.astype(str), np.zeros(len(array), bool)  # too large for a signed number: names
        return array.astype(np.int64, copy=False), np.zeros(len(array), bool)
    if array.dtype.kind == "b":
        return array, np.zeros(len(array), bool)
    if array.dtype.kind in "UT":
        text = array.astype(str)
        return text, text == ""
    if array.dtype.kind in "mM":
        missing = np.isnat(array)
        return np.where(missing, "", _dates(array)), missing
    if array.dtype.kind == "O":
        return _plain_objects(array, name)
    if array.dtype.kind == "S":
        raise BadInput(f"{name} holds bytes. Decode them to text, e.g. {name}.astype(str).")
    raise BadInput(f"{name} has dtype {array.dtype}. Give class names or whole numbers.")


def _dates(array: AnyArray) -> AnyArray:
    text = array.astype("datetime64[us]" if array.dtype.kind == "M" else array.dtype).astype(str)
    return np.array([t.removesuffix(".000000").removesuffix("T00:00:00") for t in text.tolist()])


def _plain_objects(array: AnyArray, name: str) -> tuple[AnyArray, BoolArray]:
    missing = np.array([is_missing(v) for v in array], bool)
    present = array[~missing]
    odd = next((i for i, v in enumerate(array.tolist()) if isinstance(v, bytes | list | tuple | dict | set | np.ndarray)), None)
    if odd is not None:
        raise BadInput(
            f"{name} row {odd} is a {type(array[odd]).__name__}: {str(array[odd])[:60]}. Give one name or number per label. Decode bytes to text, and audit tags (several names per item) by labelproof.audit_tags."
        )
    if len(present) and all(isinstance(v, bool | np.bool_) for v in present):
        return np.array([not m and bool(v) for v, m in zip(array, missing, strict=True)], bool), missing
    if len(present) and all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in present):
        whole = [0 if m else int(v) for v, m in zip(array, missing, strict=True)]
        if max(map(abs, whole)) <= np.iinfo(np.int64).max:
            return np.array(whole, np.int64), missing
    elif len(present) and all(isinstance(v, int | float | np.integer | np.floating) for v in present):
        return _whole_numbers(np.where(missing, 0, array).astype(float), name)[0], missing
    return np.array(["" if m else str(v) for v, m in zip(array, missing, strict=True)], str), missing


def _whole_numbers(array: AnyArray, name: str) -> tuple[AnyArray, BoolArray]:
    missing = np.isnan(array)
    whole = np.where(missing, 0, array).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(whole) | (whole != np.floor(whole)) | (np.abs(whole) >= 2.0**63))
    if len(bad):
        _check_repeats(sorted_classes(array[~missing]), int((~missing).sum()), name)
        raise BadInput(
            f"{name} row {bad[0]} is {array[bad[0]]}, but a class must be a whole number or a name. "
            'If they are a quantity, audit them as such: --kind numbers (kind="numbers", lp.Numbers). Otherwise round them, or convert them to strings if they really are class names.'
        )
    return whole.astype(np.int64), missing


def sorted_classes(present: AnyArray) -> Classes:
    return tuple(np.unique(present).tolist())


def _named_missing(
    array: AnyArray,
    absent: BoolArray,
    counts: npt.NDArray[np.int64] | None,
    missing: Sequence[object] | None,
    classes: Classes | None,
    name: str,
) -> BoolArray:
    """Which labels are among those that mean unlabelled."""
    if missing is not None:
        wanted = [str(m) for m in ([missing] if isinstance(missing, str) else missing)]
        return np.asarray(np.isin(array.astype(str), wanted)) if wanted else np.zeros(len(array), bool)
    if array.dtype.kind != "U":
        return np.zeros(len(array), bool)
    values = np.unique(array[~absent])
    words = [v for v in values.tolist() if v.strip().lower() in MISSING_WORDS and (classes is None or v not in classes)]
    if not words:
        return np.zeros(len(array), bool)
    found = np.isin(array, words)
    warnings.warn(
        f"{name}: {', '.join(map(repr, words))} means no label here ({_total(found, counts):,} items). To keep it as a class, list the values that mean no label yourself: --missing '' (missing=() in Python), or rename the class.",
        LabelproofWarning,
        stacklevel=5,
    )
    return np.asarray(found)


def _total(chosen: BoolArray, counts: npt.NDArray[np.int64] | None) -> int:
    return int(chosen.sum() if counts is None else counts[chosen].sum())


def _minus_one_is_unlabelled(found: Classes, classes: Classes | None, n_classes: int | None) -> bool:
    """Whether -1 among integer labels can only mean an unlabelled item."""
    if UNLABELLED not in found or isinstance(found[0], str):
        return False
    if classes is not None:
        return UNLABELLED not in classes
    return n_classes is not None and len(found) != n_classes


def _tell_minus_one(found: Classes, name: str) -> None:
    """Warn if -1 was read as a class although it does not look like one end of a scale such as -1, 0, 1."""
    if UNLABELLED in found and not isinstance(found[0], str) and {-c for c in found} != set(found):
        warnings.warn(
            f"{name} holds -1, which is taken as a class. If it means no label, give --missing -1 (in Python missing=[-1], or None in place of -1).",
            LabelproofWarning,
            stacklevel=5,
        )


def _check_repeats(found: Classes, n: int, name: str) -> None:
    """Refuse labels that are nearly all different."""
    if n >= MANY and len(found) > NEARLY_ALL * n:
        raise BadInput(
            f"{name} has {len(found):,} different values in {n:,} items, e.g. {found[0]!r} and {found[-1]!r}, too many for classes. "
            'Audit a quantity with --kind numbers (kind="numbers", lp.Numbers). Otherwise name the column '
            "that holds the classes, or group the numbers into classes first (low, medium, high)."
        )


def _check_classes(classes: Sequence[object]) -> Classes:
    allowed = to_numpy(classes, "classes")
    unique = sorted_classes(without_missing(allowed, "classes")[0])
    if len(unique) != len(allowed):
        raise BadInput(f"classes has {len(allowed)} entries but only {len(unique)} different ones. Give each class once.")
    return unique


def _infer_classes(found: Classes, n_classes: int | None, name: str) -> Classes:
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


def _encode(array: AnyArray, missing: BoolArray, classes: Classes, name: str) -> npt.NDArray[np.int64]:
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


def check_vote_table(
    votes: Any, classes: Sequence[Any] | None = None, *, needed: int = 2, name: str = "annotations"
) -> tuple[npt.NDArray[np.int64], tuple[Any, ...]]:
    """Check a table of annotators' labels.

    Parameters
    ----------
    votes : array-like, shape (n, m)
        Missing as in `check_labels`; -1 is missing if the table holds numbers.
    classes : sequence, optional
    needed : int, default=2
        Least number of different classes.

    Returns
    -------
    ndarray of int64, shape (n, m), and the classes
        Codes, -1 for no vote.

    Raises
    ------
    BadInput
    """
    table = to_numpy(votes, name)
    if table.ndim != 2 or 0 in table.shape:
        raise BadInput(f"{name} has shape {table.shape}. Give one row per item and one column per reviewer.")
    missing = [UNLABELLED] if table.dtype.kind in "iuf" else None
    coded = check_labels(table.ravel(), classes=classes, missing=missing, name=name, needed=needed)
    return coded.codes.reshape(table.shape), coded.classes
