"""Overlaps between the boxes of a picture, over flat arrays of all pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.validation import IntArray

MOST_PAIRS = 2_000_000  # that are compared at a time, so that memory is constant

Floats = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """Pairs of boxes in one picture, sorted by the first."""

    first: IntArray  #: (e,)
    second: IntArray  #: (e,)
    iou: Floats  #: (e,)


def overlapping(box: Floats, owner: IntArray, others: Floats, owner_of_others: IntArray, least: float) -> Pairs:
    """Pairs of boxes of one picture whose intersection over union is at least ``least``, above 0.

    Parameters
    ----------
    box, others : ndarray, shape (s, 4) and (m, 4)
        ``x1, y1, x2, y2``.
    owner, owner_of_others : ndarray, shape (s,) and (m,), ascending
        The picture of each.

    Examples
    --------
    >>> import numpy as np
    >>> one, zero = np.array([[0.0, 0, 2, 2], [5, 5, 6, 6]]), np.zeros(2, int)
    >>> overlapping(one, zero, one + [1, 0, 1, 0], zero, 0.1)._asdict()
    {'first': array([0]), 'second': array([0]), 'iou': array([0.33333333])}
    """
    found = [_iou(box, others, *pairs, least) for pairs in _pairs(owner, owner_of_others)]
    if not found:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Pairs(*(np.concatenate(part) for part in zip(*found, strict=True)))


def iou_of(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes row by row, shape (m,); 0 without area."""
    width = np.minimum(one[:, 2], other[:, 2]) - np.maximum(one[:, 0], other[:, 0])
    height = np.minimum(one[:, 3], other[:, 3]) - np.maximum(one[:, 1], other[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    whole = area(one) + area(other) - shared
    iou: Floats = np.divide(shared, whole, out=np.zeros(len(one)), where=whole > 0)
    return iou


def area(box: Floats) -> Floats:
    """Areas of boxes; 0 if corners are swapped."""
    found: Floats = np.maximum(box[:, 2] - box[:, 0], 0) * np.maximum(box[:, 3] - box[:, 1], 0)
    return found


def _pairs(owner: IntArray, owner_of_others: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    start = np.searchsorted(owner_of_others, owner, side="left")
    count = np.searchsorted(owner_of_others, owner, side="right") - start
    total = np.cumsum(count)
    rows = 0
    while rows < len(owner):
        before = total[rows - 1] if rows else 0
        end = max(rows + 1, int(np.searchsorted(total, before + MOST_PAIRS, side="right")))
        own = count[rows:end]
        first = np.repeat(np.arange(rows, end), own)
        within = np.arange(len(first)) - np.repeat(np.cumsum(own) - own, own)
        yield first, start[first] + within
        rows = end


def _iou(box: Floats, others: Floats, first: IntArray, second: IntArray, least: float) -> Pairs:
    a, b = box[first], others[second]
    # most pairs of a picture do not overlap: two comparisons exclude them
    near = (a[:, 0] < b[:, 2]) & (b[:, 0] < a[:, 2]) & (a[:, 1] < b[:, 3]) & (b[:, 1] < a[:, 3])
    first, second = first[near], second[near]
    iou = iou_of(a[near], b[near])
    kept = iou >= least
    return Pairs(first[kept], second[kept], iou[kept])
