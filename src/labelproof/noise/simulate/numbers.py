"""Numbers made wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.noise.numbers.written import MOST_DECIMALS, decimals_of
from labelproof.validation import AnyArray, BoolArray, RandomState, accepts_seed, check_rate, rng_from, to_numpy

Floats = npt.NDArray[np.float64]
KINDS = ("shift", "factor", "swapped digits", "unit", "sign", "copied", "sentinel")
FACTORS = (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001)
FACTOR_SHARES = (0.35, 0.1, 0.05, 0.35, 0.1, 0.05)
SHIFT = (1.0, 4.0)  # standard deviations of the values
MOST_DIGITS = 15
TRIES = 20


class NoisyNumbers(NamedTuple):
    """The result of `numbers`."""

    labels: Floats  #: (n,)
    changed: BoolArray  #: (n,) whether the number differs from the clean one
    kind: AnyArray  #: (n,) of str: the kind of error, "" for none


@accepts_seed
def numbers(
    values: object,
    rate: float,
    *,
    kinds: Sequence[str] = KINDS,
    unit: tuple[float, float] = (2.54, 0.0),
    sentinel: float = -999.0,
    random_state: RandomState = None,
) -> NoisyNumbers:
    """Make a share of the numbers wrong, with the errors that people make.

    Each number is wrong with probability ``rate``, with kinds of equal probability. A kind that would not change a number,
    such as swapped digits of 22, is replaced by another. Wrong numbers are rounded to the decimals of the clean ones.

    ================  =======================================================================================
    kind              result
    ================  =======================================================================================
    shift             one to four standard deviations of all numbers higher or lower
    factor            10, 100 or 1,000 times as much, or that part of it; mostly 10
    swapped digits    itself with two digits next to each other swapped
    unit              ``a y + b``, the same for all: of ``unit``
    sign              minus itself
    copied            the number of the row before or after
    sentinel          the ``sentinel``
    ================  =======================================================================================

    Parameters
    ----------
    values : array-like, shape (n,)
        Finite, or NaN for missing numbers, which stay missing.
    rate : float in [0, 1]
        Share of numbers that change.
    kinds : sequence of str, default: all of the table
    unit : (float, float), default=(2.54, 0.0)
        Slope and intercept of the other unit.
    sentinel : float, default=-999.0
    random_state : int, RandomState, Generator or None, default=None

    Examples
    --------
    >>> noisy = numbers([1.5, 2.5, 3.5, 4.5] * 50, 0.1, kinds=["factor"], random_state=0)
    >>> sorted(set(noisy.kind.tolist()))
    ['', 'factor']
    """
    clean = to_numpy(values, "values").astype(float)
    check_rate(rate)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not len(kinds):
        raise BadInput(
            f"kinds has {unknown[0]!r}. Give some of {', '.join(KINDS)}." if unknown else "kinds is empty. Give one or more."
        )
    written = decimals_of(clean)
    rng, decimals = rng_from(random_state), MOST_DECIMALS if written is None else written
    spread = float(np.nanstd(clean))
    given, told = clean.copy(), np.full(len(clean), "", dtype=object)
    wrong = (rng.random(len(clean)) < rate) & np.isfinite(clean)
    for _ in range(TRIES):
        rows = np.flatnonzero(wrong & (given == clean))
        drawn = rng.integers(len(kinds), size=len(rows))
        for place, kind in enumerate(kinds):
            chosen = rows[drawn == place]
            given[chosen] = _made(kind, clean, chosen, decimals, spread, unit, sentinel, rng)
            told[chosen] = kind
    changed = wrong & (given != clean)
    return NoisyNumbers(given, changed, np.where(changed, told, ""))


def _made(
    kind: str,
    clean: Floats,
    rows: AnyArray,
    decimals: int,
    spread: float,
    unit: tuple[float, float],
    sentinel: float,
    rng: np.random.Generator,
) -> Floats:
    """The wrong values of some of the numbers."""
    y = clean[rows]
    if kind == "sentinel":
        return np.full(len(y), sentinel)
    if kind == "sign":
        return -y
    if kind == "copied":
        other = clean[np.clip(rows + rng.choice([-1, 1], len(rows)), 0, len(clean) - 1)]
        return np.where(np.isfinite(other), other, y)
    if kind == "swapped digits":
        return swapped(y, decimals, rng)
    if kind == "shift":
        made = y + rng.choice([-1, 1], len(y)) * rng.uniform(*SHIFT, len(y)) * spread
    elif kind == "unit":
        made = unit[0] * y + unit[1]
    else:
        made = y * rng.choice(FACTORS, len(y), p=FACTOR_SHARES)
    return np.round(made, decimals)


def swapped(values: Floats, decimals: int, rng: np.random.Generator) -> Floats:
    """Each number with two adjacent digits swapped; unchanged if it has only one digit."""
    whole = np.round(np.abs(values) * 10.0**decimals)
    digits = np.floor(np.log10(np.maximum(whole, 1))).astype(int) + 1
    place = 10.0 ** np.floor(rng.random(len(values)) * np.maximum(digits - 1, 1))
    low, high = np.floor(whole / place) % 10, np.floor(whole / place / 10) % 10
    made = whole + (low - high) * 9 * place
    possible = (digits > 1) & (digits <= MOST_DIGITS)
    return np.where(possible, np.sign(values) * np.round(made / 10.0**decimals, decimals), values)
