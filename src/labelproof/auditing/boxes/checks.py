"""Boxes that cannot be right, whatever the picture shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.boxes.geometry import area, overlapping
from labelproof.labels.boxes import KINDS_OF_ERROR, Boxes
from labelproof.validation import AnyArray, BoolArray, IntArray

SURE, PROBABLE, POSSIBLE = 0.99, 0.9, 0.3
TWICE, NEARLY_TWICE = 0.9, 0.8  # intersection over union of one box that was drawn twice
USUAL = 0.05  # share of the boxes from which on it is how the data set is annotated
SEVERAL = 5  # boxes, from which on something is usual
UNIT, PIXELS = 1.5, 20.0  # largest coordinate in shares of the picture, least typical one in pixels
LEAST_OUTSIDE = 0.05  # share of a box
NONE = ""

Floats = npt.NDArray[np.float64]


class Checked(NamedTuple):
    """The errors of given boxes that need no predictions."""

    probability: Floats  #: (s,), 0 for no error
    kind: IntArray  #: (s,), a number of KINDS_OF_ERROR, -1 for no error
    reason: AnyArray  #: (s,) of str, empty for no error
    box: Floats  #: (s, 4), corrected; NaN where no box should be

    @property
    def found(self) -> BoolArray:
        """Which boxes have an error."""
        return self.probability > 0


def check(labels: Boxes) -> Checked:
    """Swapped corners, empty boxes, shares of the picture instead of pixels, boxes outside the picture, and duplicates; the
    first that holds.

    Examples
    --------
    >>> labels = Boxes([{"boxes": [[5, 5, 40, 80], [60, 5, 50, 90], [5, 5, 40, 80]], "labels": ["cat"] * 3}])
    >>> found = check(labels)
    >>> found.reason.tolist(), found.box[1].tolist()
    (['', 'order', 'duplicate'], [50.0, 5.0, 60.0, 90.0])
    """
    s = len(labels.box)
    found = Checked(np.zeros(s), np.full(s, -1), np.full(s, NONE, dtype="<U9"), labels.box.copy())
    size = np.full((s, 2), np.nan) if labels.sizes is None else labels.sizes[labels.owner]
    _in_shares(found, size)
    _exchanged(found, size)
    _tell(found, area(found.box) <= 0, "empty", "extra", SURE)
    _outside(found, size)
    _twice(found, labels)
    return found


def _tell(found: Checked, rows: BoolArray, reason: str, kind: str, probability: float, box: Floats | None = None) -> None:
    """Note what is wrong with boxes that have no note yet."""
    rows = rows & (found.reason == NONE)
    found.probability[rows], found.reason[rows], found.kind[rows] = probability, reason, KINDS_OF_ERROR.index(kind)
    found.box[rows] = np.nan if box is None else box[rows]


def _in_shares(found: Checked, size: Floats) -> None:
    most = np.abs(found.box).max(axis=1, initial=0.0)
    rows = (most <= UNIT) & (most > 0) & (len(most) > 0 and float(np.median(most)) >= PIXELS)
    known = ~np.isnan(size).any(axis=1)
    _tell(found, rows & known, "unit", "displaced", SURE, found.box * np.tile(size, 2))
    _tell(found, rows & ~known, "unit", "extra", SURE)


def _exchanged(found: Checked, size: Floats) -> None:
    x1, y1, x2, y2 = found.box.T
    sorted_box = np.c_[np.minimum(x1, x2), np.minimum(y1, y2), np.maximum(x1, x2), np.maximum(y1, y2)]
    wrong = (x1 > x2) | (y1 > y2)
    # both too small in a data set where this is common: the box is written with width and height
    usual = wrong.sum() >= SEVERAL and wrong.mean() > USUAL
    widths = np.c_[x1, y1, x1 + x2, y1 + y2]
    fits = (x2 > 0) & (y2 > 0) & ~(widths[:, 2:] > size).any(axis=1)
    _tell(found, wrong & fits & usual, "order", "displaced", SURE, widths)
    _tell(found, wrong, "order", "displaced", SURE, sorted_box)
    turned = found.box[:, [1, 0, 3, 2]]
    _tell(found, _apart(found.box, size) & _inside(turned, size), "order", "displaced", SURE, turned)


def _outside(found: Checked, size: Floats) -> None:
    edge = np.where(np.isnan(size), np.inf, size)
    inside = np.c_[np.maximum(found.box[:, :2], 0), np.minimum(found.box[:, 2:], edge)]
    _tell(found, _apart(found.box, size), "outside", "extra", SURE)
    whole = area(found.box)
    beyond = 1 - np.divide(area(inside), whole, out=np.ones(len(whole)), where=whole > 0)
    _tell(found, beyond > 0.5, "outside", "displaced", PROBABLE, inside)
    rather = beyond > LEAST_OUTSIDE
    if rather.sum() < SEVERAL or rather.mean() < USUAL:
        _tell(found, rather, "outside", "displaced", POSSIBLE, inside)


def _apart(box: Floats, size: Floats) -> BoolArray:
    """Whether no part of a box is in its picture."""
    with np.errstate(invalid="ignore"):
        found: BoolArray = np.any(box[:, 2:] <= 0, axis=1) | np.any(box[:, :2] >= size, axis=1)
    return found


def _inside(box: Floats, size: Floats) -> BoolArray:
    found: BoolArray = np.all(box[:, :2] >= 0, axis=1) & np.all(box[:, 2:] <= size, axis=1)
    return found


def _twice(found: Checked, labels: Boxes) -> None:
    pairs = overlapping(labels.box, labels.owner, labels.box, labels.owner, NEARLY_TWICE)
    later = pairs.second < pairs.first
    first, second, iou = (part[later] for part in pairs)
    same = labels.values[first] == labels.values[second]
    for rows, probability in ((same & (iou >= TWICE), PROBABLE), (same, 0.6), (iou >= TWICE, POSSIBLE)):
        which = np.zeros(len(labels.box), bool)
        which[first[rows]] = True
        if probability == PROBABLE or which.sum() < SEVERAL or which.mean() < USUAL:
            _tell(found, which, "duplicate", "extra", probability)
