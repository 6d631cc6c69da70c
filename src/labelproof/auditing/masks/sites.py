"""Regions of all pictures with the results of each; suggested changes do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.masks.candidates import Candidate
from labelproof.labels.masks import Masks
from labelproof.labels.run_length import Runs
from labelproof.noise.masks.regions import Regions
from labelproof.validation import IntArray

LEAST_SHOWN = 0.1  # error probability, from which on another class is suggested
LEAST_ERROR = 1e-6  # of a region without evidence against it
WHOLE_FIRST = 0.5  # by which the change of a whole region may be less probable than one that overlaps it
LEAST_FREE = 0.5  # of the pixels of a part that are in no other change; the others are left to that

Matrix = npt.NDArray[np.float64]


class Outline(NamedTuple):
    """The part of the given regions of a picture that an audit keeps."""

    value: IntArray  #: (r,)
    area: IntArray  #: (r,)
    bounds: IntArray  #: (r, 4)

    @classmethod
    def of(cls, regions: Regions) -> Outline:
        return cls(regions.value, regions.area, regions.bounds)


class Sites(NamedTuple):
    """The results of each region, in the order of the labels with regions."""

    labels: Masks
    error: Matrix
    suggested: IntArray
    kind: list[str | None]


class _Site(NamedTuple):
    value: int
    area: int
    bounds: tuple[int, int, int, int]
    error: float
    suggested: int
    kind: str | None = None
    rle: str = ""


def sites_of(
    labels: Masks, outlines: Sequence[Outline], found: Sequence[Sequence[Candidate]], probability: Sequence[Matrix]
) -> Sites:
    """Given regions, then those found inside them, picture by picture."""
    heights = labels.sizes[:, 1].tolist()
    each = [_of_picture(*one) for one in zip(outlines, found, probability, heights, strict=True)]
    rows = [site for some in each for site in some]
    sizes = np.array([len(some) for some in each], np.int64)
    made = labels.with_regions(
        np.array([row.value for row in rows], np.int64),
        np.repeat(np.arange(labels.n), sizes),
        np.concatenate([np.arange(size) for size in sizes.tolist()] or [np.zeros(0, np.int64)]),
        np.array([row.area for row in rows], np.int64),
        np.array([row.bounds for row in rows], np.int64).reshape(-1, 4),
        [row.rle for row in rows],
    )
    return Sites(
        made,
        np.array([row.error for row in rows], np.float64),
        np.array([row.suggested for row in rows], np.int64),
        [row.kind for row in rows],
    )


def _of_picture(outline: Outline, found: Sequence[Candidate], probability: Matrix, height: int) -> list[_Site]:
    given = zip(outline.value.tolist(), outline.area.tolist(), map(tuple, outline.bounds.tolist()), strict=True)
    sites = [_Site(value, area, bounds, LEAST_ERROR, value) for value, area, bounds in given]
    taken = np.zeros(found[0].runs.total if found else 0, bool)
    whole = np.array([one.whole for one in found], float)
    for place in np.argsort(-probability - WHOLE_FIRST * whole, kind="stable").tolist():
        one, error = found[place], max(float(probability[place]), LEAST_ERROR)
        shown, pixels = error >= LEAST_SHOWN, one.runs.places()
        if shown:
            free = pixels[~taken[pixels]]
            shown = len(free) == len(pixels) if one.whole else len(free) >= LEAST_FREE * len(pixels)
            pixels = free
        if shown:
            taken[pixels] = True
        if one.whole:
            own = sites[one.region]._replace(error=error if shown else min(error, LEAST_SHOWN / 2))
            change = {"suggested": one.suggested, "kind": one.kind, "rle": one.runs.text} if shown else {}
            sites[one.region] = own._replace(**change)
        elif shown:
            text = Runs.of_places(pixels, one.runs.total).text
            sites.append(_Site(one.given, len(pixels), _bounds(pixels, height), error, one.suggested, one.kind, text))
    return sites


def _bounds(places: IntArray, height: int) -> tuple[int, int, int, int]:
    """``x1 y1 x2 y2`` of places in column-major order."""
    x, y = places // height, places % height
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
