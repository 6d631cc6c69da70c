"""Run lengths of a binary mask, as COCO counts them: column by column, zeros and ones in turn, zeros first.

As text the counts are separated by spaces: what COCO calls uncompressed RLE, without its brackets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from labelproof.errors import BadInput
from labelproof.validation import BoolArray, IntArray

_FORM = re.compile(r"[0-9]{1,12}( [0-9]{1,12})*")


class Runs(NamedTuple):
    """Runs of ones among ``total`` pixels in column-major order: none is empty, none touches the next."""

    starts: IntArray  #: (r,), ascending
    ends: IntArray  #: (r,), of each the place after its last
    total: int

    @classmethod
    def of_places(cls, places: IntArray, total: int) -> Runs:
        """From the places of the ones, ascending."""
        cuts = np.flatnonzero(np.diff(places) != 1)
        first, last = places[np.r_[0, cuts + 1]] if len(places) else places, places[np.r_[cuts, -1]] if len(places) else places
        return cls(first.astype(np.int64), last.astype(np.int64) + 1, total)

    @classmethod
    def of_text(cls, text: str) -> Runs:
        """Read what `text` wrote, also with empty runs in it.

        Raises
        ------
        BadInput
            If it is no list of counts.
        """
        if not isinstance(text, str) or not _FORM.fullmatch(text):
            raise BadInput(f"Run lengths {str(text)[:60]!r} are not counts. Write whole numbers with one space between them.")
        counts = np.array(text.split(" "), np.int64)
        ends = np.cumsum(counts)
        filled = np.flatnonzero(counts[1::2]) * 2 + 1
        starts, stops = ends[filled] - counts[filled], ends[filled]
        apart = starts[1:] != stops[:-1]
        return cls(starts[np.r_[True, apart][: len(starts)]], stops[np.r_[apart, True][: len(stops)]], int(ends[-1]))

    def places(self) -> IntArray:
        """The places of the ones, ascending."""
        lengths = self.ends - self.starts
        before = np.r_[0, np.cumsum(lengths)[:-1]] if len(lengths) else lengths
        return np.asarray(np.arange(int(lengths.sum())) + np.repeat(self.starts - before, lengths))

    @property
    def text(self) -> str:
        """The counts."""
        edges = np.column_stack([self.starts, self.ends]).ravel()
        counts = np.diff(np.r_[0, edges, self.total])
        return " ".join(map(str, (counts if counts[-1] or len(counts) == 1 else counts[:-1]).tolist()))


def encode(mask: BoolArray) -> str:
    """The run lengths of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)

    Examples
    --------
    >>> encode(np.array([[False, True], [True, True]]))
    '1 3'
    """
    return Runs.of_places(np.flatnonzero(mask.T.ravel()), mask.size).text


def decode(text: str, height: int, width: int) -> BoolArray:
    """The mask with these run lengths, shape (height, width).

    Raises
    ------
    BadInput
        If they are not run lengths, or belong to a mask of another size.

    Examples
    --------
    >>> decode("1 3", 2, 2).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    found = Runs.of_text(text)
    if found.total != height * width:
        raise BadInput(
            f"Run lengths of {found.total:,} pixels do not fit a mask of {width} x {height}. Give those of this picture."
        )
    steps = np.zeros(found.total + 1, np.int8)
    steps[found.starts], steps[found.ends] = 1, -1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(width, height).T
