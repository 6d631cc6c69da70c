"""`labelproof.auditing.scoring` compiled by numba: one pass over the cells, in a core's nearest memory.

One function without threads of its own; several threads call it for pieces of the rows (`labelproof.threads.in_threads`). It is compiled
once for each type of probabilities, and cached if numba can cache it.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from labelproof.auditing.scoring import LOWEST, Rows, ScoreParams
from labelproof.noise.powers import in_quarters
from labelproof.progress import announced
from labelproof.validation import ROW_SUM_TOLERANCE, FloatArray, IntArray

BITS = 7  # of the number of quarters of a power
ORDER_FREE = {"reassoc", "contract", "arcp", "nsz"}  # sums may be vectorised; NaN and infinity keep their meaning


def can_score(params: ScoreParams) -> bool:
    """Whether the noise has at most two components, with powers of up to `BITS` bits of quarters."""
    quarters = [in_quarters(a) for a in params.powers]
    return len(quarters) <= 2 and all(q is not None and 0 < q < 2**BITS for q in quarters)


def score_rows(probs: FloatArray, given: IntArray, params: ScoreParams) -> Rows:
    """The compiled `labelproof.auditing.scoring.score_rows`, for noise that `can_score` accepts."""
    error, suggested, confidence, errors = _outputs(len(probs))
    first_bad = compiled(probs.dtype.str)(*_arguments(probs, given, params.twice()), error, suggested, confidence, errors)
    return Rows(error, suggested, confidence, errors[: len(params.powers)], int(first_bad))


@cache
def compiled(dtype: str) -> Any:
    """The compiled function for a type of probabilities; if numba cannot cache it, each process compiles it."""
    with announced("Compiling the loops of large audits, once for this installation …"):
        try:
            return _tried(njit(cache=True, nogil=True, fastmath=ORDER_FREE)(_score), dtype)
        except (RuntimeError, OSError):  # no folder to write to, or a full disk
            return _tried(njit(nogil=True, fastmath=ORDER_FREE)(_score), dtype)


def _tried(kernel: Any, dtype: str) -> Any:
    """The function, called once, which compiles it."""
    kernel(*_arguments(np.ones((1, 1), dtype), np.zeros(1, np.int64), ScoreParams.trivial(dtype).twice()), *_outputs(1))
    return kernel


def _arguments(probs: FloatArray, given: IntArray, params: ScoreParams) -> tuple[Any, ...]:
    rows = np.ascontiguousarray(probs).view()
    rows.flags.writeable = False  # whether it may be written is a part of the type that is compiled for
    whole = np.int32 if probs.dtype == np.float32 else np.int64
    top = np.zeros(1, whole)
    bits = [part for a in params.powers for part in _bits(a, probs.dtype.type)]
    return (
        rows, rows.view(whole), top, top.view(probs.dtype), np.ascontiguousarray(given, np.int64), params.lines, params.spread,
        params.kept, params.weights, params.given_prior, *bits, params.ambiguity, params.shares,
    )  # fmt: skip


def _bits(power: float, number: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Those of a number of quarters, lowest first, and their complements, as numbers of a type."""
    quarters = in_quarters(power) or 0
    on = [quarters >> bit & 1 for bit in range(BITS)]
    return tuple(number(bit) for bit in on), tuple(number(1 - bit) for bit in on)


def _outputs(n: int) -> tuple[Any, Any, Any, Any]:
    return np.empty(n), np.empty(n, np.int32), np.empty(n, np.float32), np.zeros(2)


def _score(
    probs, whole, top_as_whole, top_as_float, given, lines, spread, kept, weights, given_prior,
    first_on, first_off, second_on, second_off, ambiguity, shares, error, suggested, confidence, expected_errors,
):  # fmt: skip
    """Two components; a single one is repeated with a share of zero.

    A power is a product over the bits of its number of quarters: of a power of the root for a bit of one, of 1 for a bit of
    zero. Without a branch or a call, the loop over the classes is vectorised.
    """
    a0, a1, a2, a3, a4, a5, a6 = first_on
    b0, b1, b2, b3, b4, b5, b6 = first_off
    c0, c1, c2, c3, c4, c5, c6 = second_on
    d0, d1, d2, d3, d4, d5, d6 = second_off
    n, k = probs.shape
    first, second = np.empty(k, probs.dtype), np.empty(k, probs.dtype)
    first_weights, second_weights = weights[0], weights[1]
    every, noisy, scale = np.empty(2), np.empty(2), np.empty(2)
    zero, one = probs.dtype.type(0), probs.dtype.type(1)
    first_bad = n
    for i in range(n):
        row, bits = probs[i], whole[i]
        total = zero
        lowest, highest_bits = bits[0], bits[0]
        for y in range(k):
            total += row[y]
        for y in range(k):  # floats in the order of their bits: such a search is vectorised, one that minds NaN is not
            lowest = min(lowest, bits[y])
            highest_bits = max(highest_bits, bits[y])
        fine = abs(np.float64(total) - 1.0) <= ROW_SUM_TOLERANCE
        if fine and lowest < 0:  # there is a negative one
            for y in range(k):
                fine = fine and row[y] >= LOWEST
        if not fine:
            first_bad = min(first_bad, i)
        z = given[i]
        if z < 0 or not fine:
            error[i], suggested[i], confidence[i] = np.nan, -1, np.nan
            continue
        top_as_whole[0] = highest_bits
        top = top_as_float[0]
        inverse = one / top
        place = z if lines.shape[1] > 1 else 0
        first_line, second_line = lines[0, place], lines[1, place]
        every_first, every_second, noisy_first, noisy_second = zero, zero, zero, zero
        for y in range(k):
            root = np.sqrt(np.sqrt(max(row[y], zero) * inverse))
            one_power, other_power = root * a0 + b0, root * c0 + d0
            root *= root
            one_power *= root * a1 + b1
            other_power *= root * c1 + d1
            root *= root
            one_power *= root * a2 + b2
            other_power *= root * c2 + d2
            root *= root
            one_power *= root * a3 + b3
            other_power *= root * c3 + d3
            root *= root
            one_power *= root * a4 + b4
            other_power *= root * c4 + d4
            root *= root
            one_power *= root * a5 + b5
            other_power *= root * c5 + d5
            root *= root
            one_power *= root * a6 + b6
            other_power *= root * c6 + d6
            first[y], second[y] = one_power, other_power
            every_first += one_power * first_weights[y]
            noisy_first += one_power * first_line[y]
            every_second += other_power * second_weights[y]
            noisy_second += other_power * second_line[y]
        every[0], every[1], noisy[0], noisy[1] = every_first, every_second, noisy_first, noisy_second
        unsure = 1.0 - min(np.float64(top), 1.0)
        wrong = 0.0
        for c in range(2):
            own = np.float64(first[z] if c == 0 else second[z])
            rate = ambiguity[c] * unsure
            chance = rate * given_prior[z]
            right = own * ((1.0 - rate) * kept[c, z] + chance * weights[c, z])
            to_others = max(noisy[c] - own * lines[c, place, z], 0.0)  # of lines for each label, the own entry is zero
            others = (1.0 - rate) * to_others * spread[z] + chance * max(every[c] - own * weights[c, z], 0.0)
            evidence = right + others
            scale[c] = shares[c] / evidence if evidence > 0.0 else 0.0
            share = others / evidence if evidence > 0.0 else 0.0
            wrong += shares[c] * share
            expected_errors[c] += share
        best, highest = z, 1.0 - wrong
        if highest < 0.5:  # otherwise no other class can have more
            for y in range(k):
                if y != z:
                    mass = 0.0
                    for c in range(2):
                        rate = ambiguity[c] * unsure
                        noise = (1.0 - rate) * lines[c, place, y] * spread[z] + rate * given_prior[z] * weights[c, y]
                        mass += (first[y] if c == 0 else second[y]) * noise * scale[c]
                    if mass > highest:
                        best, highest = y, mass
        error[i], suggested[i], confidence[i] = wrong, best, highest
    return first_bad
