"""`labelproof.auditing.scoring` compiled by numba: one pass over the cells, in a core's nearest memory.

One function without threads of its own; several threads call it for pieces of the rows (`labelproof.threads.in_threads`). It is compiled
once for each type of probabilities, and kept where numba can keep it.
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

ORDER_FREE = {"reassoc", "contract", "arcp", "nsz"}  # sums may be vectorised; NaN and infinity keep their meaning


def score_rows(probs: FloatArray, given: IntArray, params: ScoreParams) -> Rows:
    """What `labelproof.auditing.scoring.score_rows` finds; powers are multiples of a quarter, as those of an audit are."""
    found = _outputs(len(probs), len(params.powers))
    first_bad = compiled(probs.dtype.str)(*_arguments(probs, given, params), *found)
    return Rows(*found, int(first_bad))


@cache
def compiled(dtype: str) -> Any:
    """The compiled function for a type of probabilities; where numba finds no place to keep it, it is compiled in each process."""
    with announced("Compiling the loops of large audits, once for this installation …"):
        try:
            return _tried(njit(cache=True, nogil=True, fastmath=ORDER_FREE)(_score), dtype)
        except (RuntimeError, OSError):  # no folder to write to, or a full disk
            return _tried(njit(nogil=True, fastmath=ORDER_FREE)(_score), dtype)


def _tried(kernel: Any, dtype: str) -> Any:
    """The function, called once, which compiles it."""
    kernel(*_arguments(np.ones((1, 1), dtype), np.zeros(1, np.int64), ScoreParams.trivial(dtype)), *_outputs(1, 1))
    return kernel


def _arguments(probs: FloatArray, given: IntArray, params: ScoreParams) -> tuple[Any, ...]:
    rows = np.ascontiguousarray(probs).view()
    rows.flags.writeable = False  # whether it may be written is a part of the type that is compiled for
    whole = np.int32 if probs.dtype == np.float32 else np.int64
    top = np.zeros(1, whole)
    quarters = np.array([in_quarters(a) for a in params.powers], np.int64)
    return (
        rows, rows.view(whole), top, top.view(probs.dtype), np.ascontiguousarray(given, np.int64),
        params.lines, params.spread, params.kept, params.weights, params.given_prior, quarters, params.ambiguity, params.shares,
    )  # fmt: skip


def _outputs(n: int, components: int) -> tuple[Any, Any, Any, Any]:
    return np.empty(n), np.empty(n, np.int32), np.empty(n, np.float32), np.zeros(components)


def _score(
    probs, whole, top_as_whole, top_as_float, given, lines, spread, kept, weights, given_prior,
    quarters, ambiguity, shares, error, suggested, confidence, expected_errors,
):  # fmt: skip
    n, k = probs.shape
    components = len(quarters)
    root, powered = np.empty(k, probs.dtype), np.empty((components, k), probs.dtype)
    scale = np.empty(components)
    zero, one = probs.dtype.type(0), probs.dtype.type(1)
    most, first_bad = 0, n
    for c in range(components):
        most = max(most, quarters[c])
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
            error[i], suggested[i], confidence[i] = np.nan, -1, np.nan
            continue
        z = given[i]
        if z < 0:
            error[i], suggested[i], confidence[i] = np.nan, -1, np.nan
            continue
        top_as_whole[0] = highest_bits
        top = top_as_float[0]
        inverse = one / top
        for y in range(k):
            root[y] = np.sqrt(np.sqrt(max(row[y], zero) * inverse))
        left, bit = most, 0
        while left > 0:
            for c in range(components):
                if (quarters[c] >> bit) & 1:
                    if quarters[c] & ((1 << bit) - 1):
                        for y in range(k):
                            powered[c, y] *= root[y]
                    else:
                        for y in range(k):
                            powered[c, y] = root[y]
            left >>= 1
            bit += 1
            if left > 0:
                for y in range(k):
                    root[y] *= root[y]
        unsure = 1.0 - min(np.float64(top), 1.0)
        wrong = 0.0
        for c in range(components):
            own = np.float64(powered[c, z])
            powered[c, z] = zero
            line = lines[c, z] if lines.shape[1] > 1 else lines[c, 0]
            weight = weights[c]
            every, noisy = zero, zero
            for y in range(k):
                every += powered[c, y] * weight[y]
                noisy += powered[c, y] * line[y]
            rate = ambiguity[c] * unsure
            chance = rate * given_prior[z]
            right = own * ((1.0 - rate) * kept[c, z] + chance * weight[z])
            others = (1.0 - rate) * noisy * spread[z] + chance * every
            evidence = right + others
            scale[c] = shares[c] / evidence if evidence > 0.0 else 0.0
            share = others / evidence if evidence > 0.0 else 0.0
            wrong += shares[c] * share
            expected_errors[c] += share
        best, highest = z, 1.0 - wrong
        if highest < 0.5:  # else no other class can have more
            for y in range(k):
                if y != z:
                    mass = 0.0
                    for c in range(components):
                        line = lines[c, z] if lines.shape[1] > 1 else lines[c, 0]
                        rate = ambiguity[c] * unsure
                        noise = (1.0 - rate) * line[y] * spread[z] + rate * given_prior[z] * weights[c, y]
                        mass += powered[c, y] * noise * scale[c]
                    if mass > highest:
                        best, highest = y, mass
        error[i], suggested[i], confidence[i] = wrong, best, highest
    return first_bad
