"""The audit's inner loops, compiled: one pass over the probabilities, no temporary of size n x k.

Both kernels work out the posterior of `labelproof.noise.posterior` row by row. Rows are dealt to a fixed number of
lanes, each with sums of its own, so that the answer does not depend on how many threads there are.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from labelproof.validation import AnyArray

LANES = 16
NEGLIGIBLE = 1e-12  # share of a row's largest power below which a class cannot matter


@njit(cache=True, inline="always")
def _joint_row(row, z, systematic, at_random, power, ambiguity, joint):  # type: ignore[no-untyped-def]
    """Fill ``joint`` (k) with p(y, z | x); return p(z | x) and the random part of p(z | y, x)."""
    k = row.shape[0]
    top = 0.0
    for y in range(k):
        top = max(top, row[y])
    total = 0.0
    for y in range(k):
        ratio = row[y] / top
        powered = np.exp(power * np.log(ratio)) if ratio > 0.0 else 0.0
        joint[y] = powered if powered > NEGLIGIBLE else 0.0
        total += joint[y]
    rate = ambiguity * (1.0 - min(top, 1.0))
    chance = rate * at_random[z]
    evidence = 0.0
    for y in range(k):
        if joint[y] > 0.0:
            joint[y] *= ((1.0 - rate) * systematic[y, z] + chance) / total
            evidence += joint[y]
    if evidence <= 0.0:  # impossible wherever the classifier sees a chance: nothing speaks against the label
        joint[z] = 1.0
        return 1.0, chance
    return evidence, chance


@njit(parallel=True, cache=True, nogil=True)
def expected_counts(probs, given, systematic, at_random, power, ambiguity):  # type: ignore[no-untyped-def]
    """E step: `labelproof.noise.estimate.Expected` of the rows, as (k, k), (k,) and a float."""
    n, k = probs.shape
    counts = np.zeros((LANES, k, k))
    random = np.zeros((LANES, k))
    likelihood = np.zeros(LANES)
    for lane in prange(LANES):
        joint = np.empty(k)
        for i in range(lane * n // LANES, (lane + 1) * n // LANES):
            z = given[i]
            evidence, chance = _joint_row(probs[i], z, systematic, at_random, power, ambiguity, joint)
            rate = chance / at_random[z]
            for y in range(k):
                if joint[y] > 0.0:
                    regard = (1.0 - rate) * systematic[y, z]
                    share = regard / (regard + chance) if regard + chance > 0.0 else 1.0
                    counts[lane, y, z] += joint[y] * share / evidence
                    random[lane, y] += joint[y] * (1.0 - share) / evidence
            likelihood[lane] += np.log(evidence)
    return counts.sum(axis=0), random.sum(axis=0), likelihood.sum()


@njit(parallel=True, cache=True, nogil=True)
def score_rows(probs, given, systematic, at_random, power, ambiguity):  # type: ignore[no-untyped-def]
    """Error probability, suggested class and its posterior of each row, averaged over the components.

    Last comes the expected number of errors under each component.
    """
    n, k = probs.shape
    components = power.shape[0]
    error = np.empty(n)
    suggested = np.empty(n, np.int64)
    confidence = np.empty(n)
    wrong_by_component = np.zeros((LANES, components))
    for lane in prange(LANES):
        joint = np.empty(k)
        mean = np.empty(k)
        for i in range(lane * n // LANES, (lane + 1) * n // LANES):
            z = given[i]
            mean[:] = 0.0
            wrong = 0.0
            for c in range(components):
                evidence, _ = _joint_row(probs[i], z, systematic[c], at_random[c], power[c], ambiguity[c], joint)
                others = 0.0
                for y in range(k):
                    mean[y] += joint[y] / evidence / components
                    if y != z:
                        others += joint[y]
                wrong += others / evidence / components
                wrong_by_component[lane, c] += others / evidence
            best = z
            for y in range(k):
                if mean[y] > mean[best]:
                    best = y
            error[i] = min(wrong, 1.0)
            suggested[i] = best
            confidence[i] = mean[best]
    return error, suggested, confidence, wrong_by_component.sum(axis=0)


def as_kernel_input(probs: AnyArray) -> AnyArray:
    """Rows contiguous in memory, in the machine's byte order; a memory-mapped file stays where it is."""
    if probs.strides[-1] == probs.itemsize and probs.dtype.isnative:
        return probs
    return np.ascontiguousarray(probs, dtype=probs.dtype.newbyteorder("="))
