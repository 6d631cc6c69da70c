"""Boxes of pictures as flat arrays, from a dict for each picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation.arrays import AnyArray, IntArray, to_numpy

SHAPE = "Give (m, 4) numbers x1, y1, x2, y2 in pixels, or an empty list for a picture without boxes."


class FlatBoxes(NamedTuple):
    """Boxes of all pictures, one after the other."""

    box: npt.NDArray[np.float64]  #: (s, 4)
    owner: IntArray  #: (s,), ascending
    number: IntArray  #: (s,), place in the picture


def flat_boxes(pictures: Sequence[Mapping[str, Any]], name: str) -> FlatBoxes:
    """The ``boxes`` of all pictures.

    Parameters
    ----------
    pictures : sequence of dicts
    name : str
        What to call them in a message.

    Raises
    ------
    BadInput
        If a picture is no dict, or its boxes are not (m, 4) finite numbers.
    """
    if isinstance(pictures, Mapping | str) or not hasattr(pictures, "__iter__"):
        raise BadInput(f"{name} is a {type(pictures).__name__}. Give a list with one dict for each picture.")
    each = []
    for i, one in enumerate(pictures):
        if not isinstance(one, Mapping) or "boxes" not in one:
            what = f"a dict with {', '.join(map(str, one)) or 'nothing'}" if isinstance(one, Mapping) else f"{one!r:.60}"
            raise BadInput(f"{name} of picture {i} is {what}. Give a dict with 'boxes' for each picture.")
        own = to_numpy(one["boxes"], f"Boxes of picture {i} in {name}")
        if own.size == 0 and own.ndim <= 2:
            own = np.empty((0, 4))
        if own.ndim != 2 or own.shape[1] != 4 or own.dtype.kind not in "fiu":
            raise BadInput(f"Boxes of picture {i} in {name} have shape {own.shape} and dtype {own.dtype}. {SHAPE}")
        each.append(own)
    sizes = np.array([len(own) for own in each], np.int64)
    box = np.concatenate(each).astype(np.float64) if each else np.empty((0, 4))
    owner = np.repeat(np.arange(len(each)), sizes)
    number = np.arange(len(box)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    bad = np.flatnonzero(~np.isfinite(box).all(axis=1))
    if len(bad):
        first = int(bad[0])
        raise BadInput(
            f"box {number[first]} of picture {owner[first]} in {name} is {box[first].tolist()}. Give four finite numbers, or remove it."
        )
    return FlatBoxes(box, owner, number)


def flat_values(pictures: Sequence[Mapping[str, Any]], key: str, flat: FlatBoxes, name: str) -> AnyArray:
    """The values of pictures under ``key`` for each of their boxes, shape (s,) or (s, k).

    Raises
    ------
    BadInput
        If a picture has none, or not one for each box.
    """
    counts = np.bincount(flat.owner, minlength=len(pictures)).tolist()
    each = []
    for i, (one, m) in enumerate(zip(pictures, counts, strict=True)):
        if key not in one:
            raise BadInput(f"picture {i} in {name} has no {key!r}. Give one for each box of each picture.")
        own = to_numpy(one[key], f"{key} of picture {i} in {name}")
        if len(own) != m:
            raise BadInput(
                f"Boxes and {key} of picture {i} in {name} differ in number: {m} and {len(own)}. Give one for each box."
            )
        if m:
            each.append(own)
    if any(own.shape[1:] != each[0].shape[1:] for own in each):
        raise BadInput(f"{key} in {name} have different numbers of columns. Give the same columns for each picture.")
    if any(own.dtype.kind == "O" for own in each) or len({own.dtype.kind in "US" for own in each}) > 1:
        each = [own.astype(object) for own in each]
    return np.concatenate(each) if each else np.empty(0)


def label_codes(
    values: AnyArray, flat: FlatBoxes, classes: Sequence[object] | None, name: str
) -> tuple[IntArray, tuple[object, ...]]:
    """Codes of the labels of boxes, and the classes; by default the existing labels in sorted order.

    Integers are positions if ``classes`` are text. A label that is not one of the classes has the code -1.

    Raises
    ------
    BadInput
        If labels are neither text nor whole numbers, or both.
    """
    if values.ndim != 1:
        raise BadInput(f"labels in {name} have shape {values.shape[1:]} for each box. Give one name or whole number for each.")
    text = [isinstance(value, str) for value in values.tolist()]
    whole = [isinstance(value, int) and not isinstance(value, bool) for value in values.tolist()]
    wrong = next((i for i, ok in enumerate(map(max, zip(text, whole, strict=True))) if not ok), None)
    if wrong is None and any(text) and any(whole):
        wrong = text.index(not text[0])
    if wrong is not None:
        raise BadInput(
            f"The label of box {flat.number[wrong]} of picture {flat.owner[wrong]} in {name} is {values.tolist()[wrong]!r}. Give only names or only whole numbers."
        )
    found, codes = np.unique(values, return_inverse=True)
    if classes is None:
        return codes.astype(np.int64), tuple(found.tolist())
    named = tuple(classes)
    if any(whole) and all(isinstance(one, str) for one in named):
        return np.where((values >= 0) & (values < len(named)), values, -1).astype(np.int64), named
    place = {one: code for code, one in enumerate(named)}
    return np.array([place.get(one, -1) for one in found.tolist()], np.int64)[codes.reshape(-1)], named


def picture_sizes(sizes: object, pictures: Sequence[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64] | None:
    """Width and height of each picture, shape (n, 2), NaN for unknown; ``None`` if all are unknown.

    Raises
    ------
    BadInput
        For sizes that are not positive, or other shapes.
    """
    if sizes is None:
        own = [one.get("size") for one in pictures]
        if all(one is None for one in own):
            return None
        sizes = [(np.nan, np.nan) if one is None else one for one in own]
    found = to_numpy(sizes, "sizes")
    if found.shape != (len(pictures), 2) or found.dtype.kind not in "fiu":
        raise BadInput(
            f"Sizes of {name} have shape {found.shape}. Give width and height of each of the {len(pictures)} pictures."
        )
    table = found.astype(np.float64)
    bad = np.flatnonzero((table <= 0).any(axis=1) | np.isinf(table).any(axis=1))
    if len(bad):
        raise BadInput(
            f"The size of picture {bad[0]} in {name} is {table[bad[0]].tolist()}. Give width and height in pixels, or NaN."
        )
    return table
