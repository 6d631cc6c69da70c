"""The audit's inner loops, compiled: one pass over the probabilities, no temporary of size n x k.

The kernels work out the posterior of `labelproof.noise.posterior` row by row. Three things make them quick:

- Powers are multiples of a quarter: two square roots and a few products for each class instead of a logarithm and an
  exponential, all of which the compiler turns into vector instructions.
- The noise of a row is one contiguous line: the column of its given label.
- Rows are dealt to a fixed number of lanes, each with sums of its own, so that the answer does not depend on how many
  threads there are.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

# numba takes every core whatever OMP_NUM_THREADS says, and its OpenMP layer sets the number for the whole process: torch beside
# it would wait for cores that other processes hold
if "numba" not in sys.modules and (_threads := os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()).isdigit():
    os.environ.setdefault("NUMBA_NUM_THREADS", str(max(1, min(int(_threads), os.cpu_count() or 1))))

from numba import njit, prange

from labelproof.noise.em import NoiseFit, NoiseParams
from labelproof.validation import ROW_SUM_TOLERANCE, AnyArray

LANES = 64
COUNT_LANES = 8  # each holds a table of counts
POWER_BITS = 8  # of the largest power in quarters
ORDER_FREE = {"reassoc", "contract", "arcp", "nsz"}  # sums may be vectorised; NaN and infinity keep their meaning


@njit(cache=True, fastmath=ORDER_FREE)
def _powers(row, inverse_top, quarters, weights, root, powered):
    """Fill ``powered`` (c, k) with weights (row / top) ** (quarters / 4); ``root`` (k) is scratch."""
    k = row.shape[0]
    components = quarters.shape[0]
    for y in range(k):
        root[y] = np.sqrt(np.sqrt(max(row[y], 0.0) * inverse_top))  # rounding may have left a tiny negative
    for c in range(components):
        for y in range(k):
            powered[c, y] = weights[c, y]
    for bit in range(POWER_BITS):
        some = False
        for c in range(components):
            left = quarters[c] >> bit
            some = some or left > 1
            if left & 1:
                for y in range(k):
                    powered[c, y] *= root[y]
        if not some:
            break
        for y in range(k):
            root[y] *= root[y]


@njit(cache=True, fastmath=ORDER_FREE)
def _highest(row):
    top = row[0]
    for y in range(1, row.shape[0]):
        top = max(top, row[y])
    return np.float64(top)


@njit(cache=True, fastmath=ORDER_FREE)
def _evidence(powered, line, spread, kept, z, rate, chance):
    """Of one component, up to a factor: p(z | x) where the given label is the true one, and where it is not."""
    total = 0.0
    noisy = 0.0
    for y in range(powered.shape[0]):
        total += powered[y]
        noisy += powered[y] * line[y]
    wrong = (noisy - powered[z] * line[z]) * spread
    right = powered[z] * ((1.0 - rate) * kept + chance)
    others = (1.0 - rate) * max(wrong, 0.0) + chance * max(total - powered[z], 0.0)
    return right, others


def score_rows(probs, given, lines, kept, at_random, quarters, weights, ambiguity, shares):
    """One pass over the rows.

    Returns the error probability (n), the suggested class (n) and its posterior (n), averaged over the components, which weigh
    ``shares`` (c); the expected number of errors under each component (c); and the first row that is no distribution, or n.
    """
    n, components = len(probs), len(quarters)
    error, suggested, confidence = np.empty(n), np.empty(n, np.int32), np.empty(n, np.float32)
    expected_errors, first_bad = np.zeros((LANES, components)), np.full(LANES, n)
    out = (error, suggested, confidence, expected_errors, first_bad)
    _score_rows(_frozen(probs), _codes(given), lines, kept, at_random, quarters, weights, ambiguity, shares, *out)
    return error, suggested, confidence, expected_errors.sum(axis=0), int(first_bad.min())


@njit(parallel=True, cache=True, nogil=True, fastmath=ORDER_FREE)
def _score_rows(
    probs, given, lines, kept, at_random, quarters, weights, ambiguity, shares,
    error, suggested, confidence, expected_errors, first_bad,
):  # fmt: skip
    n, k = probs.shape
    components = quarters.shape[0]
    dense = lines.shape[1] > 1
    for lane in prange(LANES):
        root = np.empty(k)
        powered = np.empty((components, k))
        weight = np.empty(components)
        errors = np.empty(components)
        for c in range(components):
            errors[c] = 0.0
        for i in range(lane * n // LANES, (lane + 1) * n // LANES):
            row = probs[i]
            sum_of_row = 0.0
            lowest, top = row[0], row[0]
            for y in range(k):
                sum_of_row += row[y]
                lowest = min(lowest, row[y])
                top = max(top, row[y])
            if not (abs(sum_of_row - 1.0) <= ROW_SUM_TOLERANCE and lowest >= -1e-6):
                first_bad[lane] = min(first_bad[lane], i)
                error[i] = np.nan
                continue
            z = given[i]
            if z < 0:
                error[i], suggested[i], confidence[i] = np.nan, -1, np.nan
                continue
            _powers(row, 1.0 / top, quarters, weights, root, powered)
            unsure = 1.0 - min(np.float64(top), 1.0)
            wrong = 0.0
            for c in range(components):
                spread = 1.0 if dense else at_random[z]
                line = lines[c, z] if dense else lines[c, 0]
                rate = ambiguity[c] * unsure
                right, others = _evidence(powered[c], line, spread, kept[c, z], z, rate, rate * at_random[z])
                chance = others / (right + others) if right + others > 0.0 else 0.0
                weight[c] = shares[c] / (right + others) if right + others > 0.0 else 0.0
                wrong += shares[c] * chance
                errors[c] += chance
            best, highest = z, 1.0 - wrong
            if highest < 0.5:  # else no other class can have more
                for y in range(k):
                    if y != z:
                        mass = 0.0
                        for c in range(components):
                            noise = lines[c, z, y] if dense else lines[c, 0, y] * at_random[z]
                            rate = ambiguity[c] * unsure
                            mass += powered[c, y] * ((1.0 - rate) * noise + rate * at_random[z]) * weight[c]
                        if mass > highest:
                            best, highest = y, mass
            error[i], suggested[i], confidence[i] = wrong, best, highest
        expected_errors[lane] = errors


def sharpened_rows(probs, quarters, ambiguity):
    """``p(y | x)`` of each row (n, k) and the chance that its label is random (n), once for all E steps at one power."""
    classifier, rate = np.empty(probs.shape), np.empty(len(probs))
    _sharpened_rows(_frozen(probs), quarters, ambiguity, classifier, rate)
    return classifier, rate


@njit(parallel=True, cache=True, nogil=True, fastmath=ORDER_FREE)
def _sharpened_rows(probs, quarters, ambiguity, classifier, rate):
    n, k = probs.shape
    for lane in prange(LANES):
        root = np.empty(k)
        powered = np.empty((1, k))
        even = np.empty((1, k))
        for y in range(k):
            even[0, y] = 1.0
        for i in range(lane * n // LANES, (lane + 1) * n // LANES):
            top = _highest(probs[i])
            _powers(probs[i], 1.0 / top, quarters, even, root, powered)
            total = 0.0
            for y in range(k):
                total += powered[0, y]
            for y in range(k):
                classifier[i, y] = powered[0, y] / total
            rate[i] = ambiguity * (1.0 - min(top, 1.0))


def expected_counts(sharp, rate, given, lines, kept, at_random, weights):
    """E step of one component: `labelproof.noise.em.Expected` of the rows, as (k, k) or (k, 2), (k,), (k,) and a float."""
    k = sharp.shape[1]
    counts = np.zeros((COUNT_LANES, k, k if len(lines) > 1 else 2))  # dense: (given, true), turned at the end
    random, classifier, likelihood = np.zeros((COUNT_LANES, k)), np.zeros((COUNT_LANES, k)), np.zeros(COUNT_LANES)
    _expected_counts(sharp, rate, _codes(given), lines, kept, at_random, weights, counts, random, classifier, likelihood)
    systematic = counts.sum(axis=0)
    if len(lines) > 1:
        systematic = systematic.T
    return systematic, random.sum(axis=0), classifier.sum(axis=0), float(likelihood.sum())


@njit(parallel=True, cache=True, nogil=True, fastmath=ORDER_FREE)
def _expected_counts(sharp, rates, given, lines, kept, at_random, weights, counts, random, classifier, likelihood):
    n, k = sharp.shape
    dense = lines.shape[0] > 1
    for lane in prange(COUNT_LANES):
        # a lane's own: sums side by side in one cache line would slow each other down
        row, by_chance, mean = np.empty(k), np.empty(k), np.empty(k)
        for y in range(k):
            by_chance[y] = 0.0
            mean[y] = 0.0
        logs = 0.0
        for i in range(lane * n // COUNT_LANES, (lane + 1) * n // COUNT_LANES):
            z = given[i]
            total = 0.0
            for y in range(k):
                row[y] = sharp[i, y] * weights[y]
                total += row[y]
            inverse = 1.0 / total
            for y in range(k):
                row[y] *= inverse
                mean[y] += row[y]
            rate = rates[i]
            chance = rate * at_random[z]
            line = lines[z] if dense else lines[0]
            spread = 1.0 if dense else at_random[z]
            right, others = _evidence(row, line, spread, kept[z], z, rate, chance)
            evidence = right + others
            if evidence <= 0.0:
                counts[lane, z, z if dense else 0] += 1.0
                continue
            logs += np.log(evidence)
            regard = (1.0 - rate) * spread / evidence
            own = row[z] * (1.0 - rate) * kept[z] / evidence
            if dense:
                into = counts[lane, z]
                for y in range(k):
                    into[y] += row[y] * line[y] * regard
                into[z] += own - row[z] * line[z] * regard
            else:
                for y in range(k):
                    counts[lane, y, 1] += row[y] * line[y] * regard
                counts[lane, z, 1] -= row[z] * line[z] * regard
                counts[lane, z, 0] += own
            if chance > 0.0:
                share = chance / evidence
                for y in range(k):
                    by_chance[y] += row[y] * share
        random[lane] = by_chance
        classifier[lane] = mean
        likelihood[lane] = logs


def score_arguments(noise: NoiseFit) -> tuple[object, ...]:
    """What `score_rows` takes of a noise model."""
    components = noise.components
    each = [noise_lines(params) for params in components]
    lines, kept = np.stack([line for line, _ in each]), np.stack([own for _, own in each])
    first = components[0]
    quarters, weights = np.concatenate([quarters_of(p) for p in components]), np.stack([p.class_weights for p in components])
    ambiguity = np.array([p.ambiguity for p in components], dtype=float)
    return lines, kept, first.given_prior, quarters, weights, ambiguity, noise.weights


def noise_lines(params: NoiseParams) -> tuple[Any, Any]:
    """A line of noise for each given label, or one that all share; and the share of each class that keeps its label."""
    if not params.pooled:
        return np.ascontiguousarray(params.systematic.T), np.diag(params.systematic).copy()
    others = 1.0 - params.given_prior
    line = np.where(others > 0, params.systematic[:, 1] / np.where(others > 0, others, 1.0), 0.0)
    return line[None], params.systematic[:, 0].copy()


def quarters_of(params: NoiseParams) -> Any:
    """The power in quarters, as the kernels take it, shape (1,)."""
    return np.array([round(4 * params.sharpness)])


def _frozen(array):
    """The array, to be read alone: whether it may be written is a part of its type, and every type is compiled for itself."""
    array = array.view()
    array.flags.writeable = False
    return array


def _codes(given):
    """Given labels, of one type whatever they were."""
    return _frozen(np.ascontiguousarray(given, np.int64))


def as_kernel_input(probs: AnyArray) -> AnyArray:
    """Rows contiguous in memory, in the machine's byte order; a memory-mapped file stays where it is."""
    if probs.flags.c_contiguous and probs.dtype.isnative:
        return np.asarray(probs)
    return np.ascontiguousarray(probs, dtype=probs.dtype.newbyteorder("="))
