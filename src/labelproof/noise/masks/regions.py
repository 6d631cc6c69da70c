"""Regions of a mask: connected pixels of one class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelproof.validation import BoolArray, IntArray

EIGHT = np.ones((3, 3), bool)  # pixels that touch at a corner are connected
Slices = tuple[slice, slice]


class Regions(NamedTuple):
    """The regions of one picture, in the order of their first pixel, row by row."""

    number: npt.NDArray[np.int32]  #: (h, w), of the region of each pixel, -1 where void
    value: IntArray  #: (r,), the class of each
    area: IntArray  #: (r,)
    boxes: list[Slices]  #: rows and columns of each

    @property
    def bounds(self) -> npt.NDArray[np.int64]:
        """``x1 y1 x2 y2`` of each region, ends exclusive, shape (r, 4)."""
        found = [(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in self.boxes]
        return np.array(found, np.int64).reshape(-1, 4)


def regions_of(mask: IntArray) -> Regions:
    """The regions of a mask whose values are classes, -1 where void.

    Examples
    --------
    >>> found = regions_of(np.array([[0, 0, 1], [1, -1, 1]]))
    >>> found.number.tolist(), found.value.tolist(), found.area.tolist(), found.bounds[1].tolist()
    ([[0, 0, 1], [2, -1, 1]], [0, 1, 1], [2, 2, 1], [2, 0, 3, 2])
    """
    number = np.zeros(mask.shape, np.int32)
    values: list[int] = []
    for value, box in enumerate(ndimage.find_objects(np.where(mask < 0, 0, mask + 1))):
        if box is not None:
            inside = mask[box] == value
            labelled, count = ndimage.label(inside, EIGHT)
            number[box][inside] = labelled[inside] + len(values)
            values += [value] * count
    flat = number.ravel()
    first = np.empty(len(values) + 1, np.int64)
    first[flat[::-1]] = np.arange(flat.size)[::-1]
    order = np.argsort(first[1:]) if values else np.zeros(0, np.int64)
    place = np.full(len(values) + 1, -1, np.int32)
    place[1 + order] = np.arange(len(values))
    number = np.where(number > 0, place[number], np.int32(-1)).astype(np.int32)
    area = np.bincount(number[number >= 0], minlength=len(values))
    return Regions(number, np.array(values, np.int64)[order], area, ndimage.find_objects(number + 1))


def ring(inside: BoolArray, width: int) -> BoolArray:
    """Pixels outside a region within a number of steps, including diagonal ones, shape (h, w)."""
    found = np.zeros(inside.shape, bool)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows):
        box = grown((slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)), width, inside.shape)
        found[box] = ndimage.binary_dilation(inside[box], EIGHT, iterations=width) & ~inside[box]
    return found


def grown(box: Slices, margin: int, shape: tuple[int, ...]) -> Slices:
    """A box with a margin around it, within the picture."""
    rows, columns = (
        slice(max(0, part.start - margin), min(size, part.stop + margin)) for part, size in zip(box, shape, strict=True)
    )
    return rows, columns
