"""Powers of probabilities in multiples of a quarter: two square roots and a few products instead of a logarithm and an exponential."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelproof.validation import FloatArray


def in_quarters(power: float) -> int | None:
    """The power as a number of quarters, if it is a multiple of a quarter."""
    return round(4 * power) if 4 * power == round(4 * power) else None


def powered(rows: FloatArray, exponents: Sequence[float]) -> list[FloatArray]:
    """``(row / top) ** a`` for each exponent a, in the type of the rows, as new arrays.

    Parameters
    ----------
    rows : ndarray of float, shape (n, k)
        Values that rounding made negative count as zero.
    exponents : sequence of float, > 0
    """
    scaled = np.maximum(rows, 0)
    if len(rows):
        scaled *= 1 / rows.max(axis=1, keepdims=True)
    quarters = [in_quarters(a) for a in exponents]
    if None in quarters:
        return [np.asarray(scaled**a) for a in exponents]
    return _of_quarters(scaled, [q for q in quarters if q is not None])


def _of_quarters(root: FloatArray, quarters: Sequence[int]) -> list[FloatArray]:
    """Powers of scaled rows, which are overwritten."""
    np.sqrt(root, out=root)
    np.sqrt(root, out=root)
    made: dict[int, FloatArray] = {}
    bit = 0
    while True:
        for c, number in enumerate(quarters):
            if number >> bit & 1:
                made[c] = np.multiply(made[c], root, out=made[c]) if c in made else root.copy()
        bit += 1
        if not any(number >> bit for number in quarters):
            return [made[c] for c in range(len(quarters))]
        root *= root
