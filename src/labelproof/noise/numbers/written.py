"""The format of numbers: the decimals of a column, and the digits of a number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_DECIMALS = 6
MOST_DIGITS = 9
NEARLY_ALL = 0.98
ROUNDING = 1e-12


def decimals_of(values: Floats) -> int | None:
    """Number of decimals of nearly all finite numbers, from -3 (thousands) to 6; ``None`` for more."""
    finite = values[np.isfinite(values)]
    for decimals in range(-3, MOST_DECIMALS + 1):
        if on_grid(finite, decimals).mean() >= NEARLY_ALL:
            return decimals
    return None


def on_grid(values: Floats, decimals: int) -> npt.NDArray[np.bool_]:
    """Whether numbers have no more decimals than that, shape (n,)."""
    scaled = values * 10.0**decimals
    return np.asarray(np.abs(scaled - np.round(scaled)) <= ROUNDING * np.maximum(np.abs(scaled), 1e3))


def swaps(values: Floats, decimals: int) -> Iterator[Floats]:
    """Numbers with two adjacent digits swapped, for each pair of digits from the last; NaN if that changes nothing, or
    shortens the number.

    Examples
    --------
    >>> [made.tolist() for made in swaps(np.array([12.5, -33.0]), 1)]
    [[15.2, -30.3], [21.5, nan]]
    """
    whole = np.round(np.abs(values) * 10.0**decimals)
    digits = int(np.floor(np.log10(max(float(whole.max(initial=1)), 1.0)))) + 1
    for pair in range(min(digits, MOST_DIGITS) - 1):
        place = 10.0**pair
        low, high = np.floor(whole / place) % 10, np.floor(whole / place / 10) % 10
        made = whole + (low - high) * 9 * place
        first = 10.0 ** np.floor(np.log10(np.maximum(whole, 1.0)))  # nobody begins a number with a zero
        possible = (low != high) & (whole >= 10 * place) & (whole < 10.0**MOST_DIGITS) & (made >= first)
        yield np.where(possible, np.copysign(np.round(made / 10.0**decimals, max(decimals, 0)), values), np.nan)
