"""Checks of tags, their names, and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput, did_you_mean
from labelproof.validation.arrays import AnyArray, BoolArray, to_numpy

ROUNDED = 1e-6  # how far beyond 0 and 1 a probability of single precision may be
ORDERED = "Give a list of names, one for each column, in column order."


def check_tags(tags: object, *, name: str = "tags") -> npt.NDArray[np.int8]:
    """Check a 0/1 tag matrix of shape (n, k), dense or sparse."""
    array = _dense(tags, name)
    if array.ndim != 2 or 0 in array.shape:
        raise BadInput(f"{name} has shape {array.shape}. Give a 0/1 matrix with one row per item and one column per tag.")
    values = _numbers(array)
    wrong = ~((values == 0) | (values == 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise BadInput(
            f"{name} row {row}, column {column} is {_shown(array, row, column)}. A tag is 1 if it is given and 0 if it is not. "
            "Remove items with unknown tags."
        )
    return values.astype(np.int8)


def check_tag_probs(pred_probs: object, shape: tuple[int, ...], *, name: str = "pred_probs") -> npt.NDArray[np.float64]:
    """Check probabilities of tags: shaped like the tags, each in [0, 1]."""
    array = _dense(pred_probs, name)
    if array.shape != shape:
        raise BadInput(f"{name} has shape {array.shape} but tags has {shape}. Give one probability per item and tag.")
    probs = _numbers(array).astype(np.float64, copy=False)
    wrong = ~((probs >= -ROUNDED) & (probs <= 1 + ROUNDED))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise BadInput(
            f"{name} row {row}, column {column} is {_shown(array, row, column)}. Give probabilities between 0 and 1."
        )
    return np.clip(probs, 0.0, 1.0)


def check_tag_names(names: object, *, name: str = "names") -> tuple[object, ...]:
    """Names of tags as text or plain numbers, in their order."""
    if isinstance(names, str | bytes | Set) or not hasattr(names, "__iter__"):
        raise BadInput(f"{name} is {type(names).__name__!r}. {ORDERED}")
    found = tuple(one.item() if isinstance(one, np.generic) else one for one in names)
    odd = next((one for one in found if not isinstance(one, str | int | float)), None)
    if odd is not None or None in found:
        raise BadInput(f"{name} holds {odd!r}, a {type(odd).__name__}. Give each tag a name that is text or a number.")
    if "" in found:
        raise BadInput(f"{name} has an empty name for tag {found.index('')}. Give each tag a name.")
    return found


def column_names(values: Any) -> tuple[object, ...] | None:
    """The names of the columns of a frame or an Arrow table; None of anything else."""
    found = getattr(values, "column_names", getattr(values, "columns", None))
    return None if found is None else tuple(found)


def is_lists_of_names(tags: object) -> bool:
    """Whether tags are a sequence with the names of each item's tags."""
    if hasattr(tags, "to_list") and not hasattr(tags, "columns"):  # a series
        tags = tags.to_list()
    if isinstance(tags, np.ndarray) and (tags.ndim != 1 or tags.dtype.kind != "O"):
        return False
    rows = list(tags) if isinstance(tags, list | tuple | np.ndarray) else []
    if not rows or not all(isinstance(row, list | tuple | Set | np.ndarray) for row in rows):
        return False
    words = set(chain.from_iterable(rows)) if all(isinstance(one, str) for one in chain.from_iterable(rows)) else set()
    return bool(words - {"0", "1"})


def matrix_of_names(tags: Any, names: Sequence[object] | None = None) -> tuple[npt.NDArray[np.int8], tuple[object, ...]]:
    """The 0/1 matrix of items that each have a list of names, and the names of its columns."""
    rows = tags.to_list() if hasattr(tags, "to_list") else list(tags)
    known = tuple(sorted(set(chain.from_iterable(rows)))) if names is None else tuple(map(str, names))
    column = {one: j for j, one in enumerate(known)}
    found = np.zeros((len(rows), len(known)), np.int8)
    for i, row in enumerate(rows):
        unknown = next((one for one in row if one not in column), None)
        if unknown is not None:
            raise BadInput(
                f"tags row {i} has {unknown!r}, which is not in names. {did_you_mean(unknown, list(known))}Name every tag."
            )
        found[i, [column[one] for one in row]] = 1
    return found, check_tag_names(known if names is None else names)


def _dense(values: Any, name: str) -> AnyArray:
    """Values as an array that is neither sparse nor masked."""
    if hasattr(values, "toarray"):
        values = values.toarray()
    array = to_numpy(values, name)
    if isinstance(array, np.ma.MaskedArray) and np.ma.getmaskarray(array).any():
        row = int(np.argwhere(np.ma.getmaskarray(array))[0][0])
        raise BadInput(f"{name} row {row} is masked. Remove rows with masked values.")
    return np.asarray(array)


def _numbers(array: AnyArray) -> AnyArray:
    """Values as numbers; NaN where there is none."""
    if array.dtype.kind in "biuf":
        return array
    numeric: BoolArray = np.frompyfunc(lambda one: isinstance(one, int | float | np.integer | np.floating | np.bool_), 1, 1)(
        array
    ).astype(bool)
    found = np.full(array.shape, np.nan)
    found[numeric] = [float(one) for one in array[numeric]]
    return found


def _shown(array: AnyArray, row: int, column: int) -> str:
    value = array[row, column]
    return repr(value.item() if isinstance(value, np.generic) else value)
