"""The errors that people make with numbers, each as a density of the given number and a way to undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.noise.numbers.written import decimals_of, on_grid, swaps

Floats = npt.NDArray[np.float64]
Density = Callable[[Floats, Floats, Floats], Floats]  # of values, centre and scale: that of good numbers

KINDS = ("factor", "sign", "unit", "swapped digits", "copied", "sentinel", "other")
FACTORS = (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001)
OFF_GRID = 0.02  # share of numbers whose decimals do not depend on a factor
SMOOTH = 1e-3  # of a scale: how exactly equal numbers of a column without decimals are treated


@dataclass(frozen=True)
class Hypothesis:
    """One way in which a number is wrong: ``slope`` times the true one plus ``intercept``, or as its kind defines.

    ``most`` is the largest share of all numbers that may be wrong in that way.
    """

    kind: str
    slope: float = 1.0
    intercept: float = 0.0
    most: float = 1.0

    @property
    def name(self) -> str:
        """Its name for people."""
        if self.kind == "factor":
            return f"x {self.slope:g}"
        if self.kind == "unit":
            return f"{self.slope:.4g} y" + (
                f" {'+' if self.intercept > 0 else '-'} {abs(self.intercept):.4g}" if self.intercept else ""
            )
        return f"{self.intercept:g}" if self.kind == "sentinel" else self.kind


class Numbers(NamedTuple):
    """Numbers with their expected values."""

    given: Floats  # (n,)
    centre: Floats  # (n,)
    scale: Floats  # (n,)
    before: Floats  # (n,) the number of the row before, NaN for none
    after: Floats  # (n,)
    before2: Floats  # (n,) of the second row before
    after2: Floats  # (n,)
    decimals: int | None  # of nearly all given numbers

    @classmethod
    def in_rows(cls, given: Floats, centre: Floats, scale: Floats, owner: npt.NDArray[np.int64]) -> Numbers:
        """Numbers of the items ``owner`` (n,) of a table, in ascending order."""
        beside = []
        for far in (-1, 1, -2, 2):
            place = np.clip(np.searchsorted(owner, owner + far), 0, len(owner) - 1)
            beside.append(np.where(owner[place] == owner + far, given[place], np.nan))
        before, after, before2, after2 = beside
        return cls(given, centre, scale, before, after, before2, after2, decimals_of(given))

    def of(self, rows: npt.NDArray[np.int64]) -> Numbers:
        """Some of them."""
        given, centre, scale, before, after, before2, after2 = (column[rows] for column in self[:7])
        return Numbers(given, centre, scale, before, after, before2, after2, self.decimals)


def density(one: Hypothesis, numbers: Numbers, good: Density) -> Floats:
    """Density of each given number under this error, shape (n,)."""
    z, centre, scale = numbers.given, numbers.centre, numbers.scale
    if one.kind in ("unit", "sign", "factor"):
        slope = -1.0 if one.kind == "sign" else one.slope
        true = (z - one.intercept) / slope
        smooth = good(true, centre, scale)
        found = np.where(true == z, 0.0, smooth / abs(slope))  # an error changes a number
        if one.kind == "factor" and slope > 1 and numbers.decimals is not None:
            found = np.where(on_grid(true, numbers.decimals) & (true != z), (1 - OFF_GRID) * smooth, OFF_GRID * found)
        return found
    if one.kind == "swapped digits":
        return _swapped(numbers, good)[0]
    exactly = numbers.scale * SMOOTH if numbers.decimals is None else 10.0**-numbers.decimals
    if one.kind == "sentinel":
        return np.asarray((z == one.intercept) / exactly)
    return np.asarray(0.5 * ((z == numbers.before).astype(float) + (z == numbers.after)) / exactly)


def undone(one: Hypothesis, numbers: Numbers, good: Density) -> Floats:
    """The true number under this error, shape (n,): the error undone exactly if possible, otherwise the expected value."""
    if one.kind in ("unit", "factor"):
        true = (numbers.given - one.intercept) / one.slope
        places = 12 if numbers.decimals is None or one.kind == "unit" or one.slope < 1 else numbers.decimals
        return np.round(true, max(places, 0)) if one.kind == "factor" else true
    if one.kind == "sign":
        return -numbers.given
    return _swapped(numbers, good)[1] if one.kind == "swapped digits" else numbers.centre


def exact(one: Hypothesis) -> bool:
    """Whether the given number determines the true one."""
    return one.kind in ("unit", "factor", "sign", "swapped digits")


def _swapped(numbers: Numbers, good: Density) -> tuple[Floats, Floats]:
    """Mean density over the swaps that may have been made, and the most probable number before it."""
    total, count = np.zeros(len(numbers.given)), np.zeros(len(numbers.given))
    best, most = numbers.centre.copy(), np.zeros(len(numbers.given))
    if numbers.decimals is not None:
        for true in swaps(numbers.given, numbers.decimals):
            possible = np.isfinite(true)
            own = np.where(possible, good(np.where(possible, true, 0.0), numbers.centre, numbers.scale), 0.0)
            total, count = total + own, count + possible
            best, most = np.where(own > most, true, best), np.maximum(own, most)
    return total / np.maximum(count, 1), best
