"""Masks of pictures made wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelproof.errors import BadInput
from labelproof.noise.masks.regions import Regions, grown, regions_of, ring
from labelproof.validation import AnyArray, BoolArray, IntArray, RandomState, accepts_seed, check_rate, rng_from, to_numpy

KINDS = ("class", "drop", "extra", "shift")
AREA = (50, 2_000)
SURROUNDINGS = 2  # pixels around a region that define its surroundings
TRIES = 30  # places that are tried for an extra region
LEAST_SHIFT = 2  # pixels


class MaskError(NamedTuple):
    """A region with an error."""

    picture: int
    kind: str
    true: int  #: the class of most of its pixels before
    given: int  #: and after
    pixels: IntArray  #: (m,) that differ, numbered row by row, ascending


class NoisyMasks(NamedTuple):
    """The result of `masks`."""

    labels: list[AnyArray]  #: of each picture, as it was given otherwise
    changed: BoolArray  #: (n,), whether the picture differs from the clean one
    errors: list[MaskError]


@accepts_seed
def masks(
    clean: Sequence[AnyArray] | AnyArray,
    rate: float,
    *,
    kinds: Sequence[str] = KINDS,
    void: int | Iterable[int] | None = None,
    area: tuple[int, int] = AREA,
    random_state: RandomState = None,
) -> NoisyMasks:
    """Make a share of the regions wrong: of another class, dropped, or shifted; or add one.

    Parameters
    ----------
    clean : sequence of array-like of int, each of shape (h, w), or array, shape (n, h, w)
        The class of each pixel.
    rate : float in [0, 1]
        Errors for each region of that area; the kinds are equally frequent. An error that would overlap another one is skipped.
    kinds : sequence of {"class", "drop", "extra", "shift"}
        ``drop``: the region gets the class of most pixels around it. ``extra``: its shape is added in a place of another
        class. ``shift``: it is moved by a quarter to half of the root of its area, at least two pixels.
    void : int or sequence of int, optional
        Values that are no classes. Such pixels are not changed.
    area : (int, int), default=(50, 2000)
        Least and most pixels of a region that may go wrong.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    NoisyMasks

    Examples
    --------
    >>> import numpy as np
    >>> clean = np.zeros((1, 20, 20), int)
    >>> clean[0, 5:15, 5:15] = 1
    >>> noisy = masks(clean, 1.0, kinds=["drop"], area=(50, 200), random_state=0)
    >>> noisy.changed, int(noisy.labels[0].max()), [(error.kind, error.true, error.given) for error in noisy.errors]
    (array([ True]), 0, [('drop', 1, 0)])
    """
    check_rate(rate)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise BadInput(f"kinds is {list(kinds)}. Give some of {', '.join(KINDS)}.")
    voids = [] if void is None else np.atleast_1d(np.asarray(void)).tolist()
    pictures = [to_numpy(one, f"mask {i}") for i, one in enumerate(clean)]
    coded = [np.where(np.isin(one, voids), -1, one.astype(np.int64)) for one in pictures]
    known = np.unique(np.concatenate([np.unique(one) for one in coded] or [np.zeros(0, np.int64)]))
    rng = rng_from(random_state)
    labels, errors = [], []
    for i, (mask, one) in enumerate(zip(coded, pictures, strict=True)):
        noisy, found = spoiled(mask, rate, kinds, area, known[known >= 0], rng)
        labels.append(np.where(noisy != mask, noisy, one).astype(one.dtype))
        errors += [error._replace(picture=i) for error in found]
    changed = np.zeros(len(labels), bool)
    changed[[error.picture for error in errors]] = True
    return NoisyMasks(labels, changed, errors)


def spoiled(
    mask: IntArray, rate: float, kinds: Sequence[str], area: tuple[int, int], classes: IntArray, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], list[MaskError]]:
    """`masks` for one picture whose values are codes, -1 where void."""
    regions = regions_of(mask)
    fit = np.flatnonzero((regions.area >= area[0]) & (regions.area <= area[1]))
    noisy, touched, errors = mask.astype(np.int64), np.zeros(mask.shape, bool), []
    for region in fit[rng.random(len(fit)) < rate].tolist():
        kind = kinds[int(rng.integers(len(kinds)))]
        after = _wrong(mask, regions, region, kind, classes, rng)
        differs = (after != mask) & (mask >= 0)
        if not differs.any() or touched[differs].any():
            continue
        noisy[differs] = after[differs]
        touched |= differs | ring(differs, SURROUNDINGS)
        pixels = np.flatnonzero(differs)
        errors.append(MaskError(0, kind, _most(mask[differs]), _most(after[differs]), pixels))
    return noisy, errors


def _wrong(
    mask: IntArray, regions: Regions, region: int, kind: str, classes: IntArray, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The mask with a region made wrong; unchanged if that is impossible."""
    inside, own, after = regions.number == region, int(regions.value[region]), mask.astype(np.int64)
    if kind == "class":
        others = classes[classes != own]
        after[inside] = rng.choice(others) if len(others) else own
    elif kind == "drop":
        around = mask[ring(inside, SURROUNDINGS) & (mask >= 0)]
        after[inside] = _most(around) if len(around) else own
    elif kind == "extra":
        after[_elsewhere(mask, inside, own, rng)] = own
    else:
        after = _shifted(mask, inside, own, rng)
    return after


def _most(values: IntArray) -> int:
    return int(np.bincount(values).argmax())


def _elsewhere(mask: IntArray, inside: BoolArray, own: int, rng: np.random.Generator) -> BoolArray:
    """The shape of a region at a place with one other class, also around it; ``None`` if there is no such place."""
    y, x = np.nonzero(inside)
    height, width = mask.shape
    found = np.zeros(mask.shape, bool)
    for _ in range(TRIES):
        down, right = rng.integers(-y.min(), height - y.max()), rng.integers(-x.min(), width - x.max())
        found[:] = False
        found[y + down, x + right] = True
        classes = np.unique(mask[found | ring(found, SURROUNDINGS)])
        if len(classes) == 1 and classes[0] not in (own, -1):
            return found
    return np.zeros(mask.shape, bool)


def _shifted(mask: IntArray, inside: BoolArray, own: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The region moved; the pixels that it leaves get the nearest other class."""
    way = np.pi * rng.uniform(-1, 1)
    far = max(LEAST_SHIFT, rng.uniform(0.25, 0.5) * np.sqrt(inside.sum()))
    down, right = round(far * np.sin(way)), round(far * np.cos(way))
    y, x = np.nonzero(inside)
    (rows, columns) = grown((slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)), int(far) + 2, mask.shape)
    part, own_part = mask[rows, columns], inside[rows, columns]
    after = mask.astype(np.int64)
    if (own_part | (part < 0)).all():
        return after
    nearest = ndimage.distance_transform_edt(own_part | (part < 0), return_distances=False, return_indices=True)
    after[rows, columns] = np.where(own_part, part[tuple(nearest)], part)
    kept = (y + down >= 0) & (y + down < mask.shape[0]) & (x + right >= 0) & (x + right < mask.shape[1])
    after[y[kept] + down, x[kept] + right] = own
    return after
