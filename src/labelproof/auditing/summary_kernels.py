"""What a summary of labels and probabilities needs in its inner loops, compiled; on a few thousand rows, so one thread does.

Threads that wait for one another cost more than such a loop takes, above all on a machine that has other work.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from labelproof.auditing.kernels import ORDER_FREE  # first: it says how many threads numba may have

FIRST_RATE = 0.1
PULL = 30.0  # pseudo-items that draw a class to the overall rate


@njit(cache=True, nogil=True)
def calibrated_power(logs, given):
    """The power at which the labels are most probable, from 1/8 to 24, and their mean log probability there; by Newton's method.

    ``logs`` (n, k) are log probabilities less the highest of the row.
    """
    n, k = logs.shape
    power, likelihood = 1.0, 0.0
    for _ in range(12):
        slope, bend, likelihood = 0.0, 0.0, 0.0
        for i in range(n):
            total, first, second = 0.0, 0.0, 0.0
            for y in range(k):
                w = np.exp(power * logs[i, y])
                total += w
                first += w * logs[i, y]
                second += w * logs[i, y] * logs[i, y]
            mean = first / total
            own = logs[i, given[i]]
            likelihood += power * own - np.log(total)
            slope += own - mean
            bend += second / total - mean * mean
        step = slope / max(bend, 1e-9)
        new = min(max(power + step, power / 3), 3 * power)
        new = min(max(new, 0.125), 24.0)
        if abs(new - power) < 1e-3 * power:
            break
        power = new
    return power, likelihood / n


@njit(cache=True, nogil=True, fastmath=ORDER_FREE)
def powered(logs, power):
    """Rows of probabilities from ``logs`` (n, k) raised to a power."""
    n, k = logs.shape
    out = np.empty((n, k))
    for i in range(n):
        total = 0.0
        for y in range(k):
            out[i, y] = np.exp(power * logs[i, y])
            total += out[i, y]
        for y in range(k):
            out[i, y] /= total
    return out


@njit(cache=True, nogil=True, fastmath=ORDER_FREE)
def one_rate(sharp, rates, given, frequency, iterations):
    """EM of one error rate for all classes, towards the others as often as they are given.

    Returns the mean log likelihood, and the share of labels that are wrong: given with regard to another class, or at random.
    """
    n, k = sharp.shape
    own, others = np.empty(n), np.empty(n)
    for i in range(n):
        z = given[i]
        own[i] = sharp[i, z]
        total = 0.0
        for y in range(k):
            if y != z:
                total += sharp[i, y] / max(1.0 - frequency[y], 1e-9)
        others[i] = total * frequency[z]
    epsilon, likelihood, wrong = FIRST_RATE, 0.0, 0.0
    for _ in range(iterations):
        kept, lost, likelihood, wrong = 1e-9, 1e-9, 0.0, 0.0
        for i in range(n):
            regard = 1.0 - rates[i]
            chance = rates[i] * frequency[given[i]]
            right = regard * (1.0 - epsilon) * own[i]
            other = regard * epsilon * others[i]
            evidence = right + other + chance
            likelihood += np.log(max(evidence, 1e-300))
            kept += right / evidence
            lost += other / evidence
            wrong += (other + chance * (1.0 - own[i])) / evidence
        epsilon = lost / (kept + lost)
    return likelihood / n, wrong / n


@njit(cache=True, nogil=True, fastmath=ORDER_FREE)
def each_pair(sharp, rates, given, frequency, iterations):
    """EM of a rate for each pair of classes, drawn to one rate, and of class weights; returns what `one_rate` does."""
    n, k = sharp.shape
    lines, weights = np.empty((k, k)), np.ones(k)  # lines[z, y] = p(z | y)
    spread = np.empty((k, k))
    for y in range(k):
        for z in range(k):
            spread[z, y] = 0.0 if z == y else frequency[z] / max(1.0 - frequency[y], 1e-9)
            lines[z, y] = 1.0 - FIRST_RATE if z == y else FIRST_RATE * spread[z, y]
    row, likelihood, wrong = np.empty(k), 0.0, 0.0
    for iteration in range(iterations):
        counts, chances, classifier = np.zeros((k, k)), np.zeros(k), np.zeros(k)
        likelihood, wrong = 0.0, 0.0
        for i in range(n):
            z = given[i]
            line, into = lines[z], counts[z]
            total = 0.0
            for y in range(k):
                row[y] = sharp[i, y] * weights[y]
                total += row[y]
            inverse = 1.0 / total
            chance = rates[i] * frequency[z]
            evidence = chance
            for y in range(k):
                row[y] *= inverse
                classifier[y] += row[y]
                evidence += row[y] * (1.0 - rates[i]) * line[y]
            evidence = max(evidence, 1e-300)
            likelihood += np.log(evidence)
            wrong += 1.0 - row[z] * ((1.0 - rates[i]) * line[z] + chance) / evidence
            regard, by_chance = (1.0 - rates[i]) / evidence, chance / evidence
            for y in range(k):
                into[y] += row[y] * line[y] * regard
                chances[y] += row[y] * by_chance
        trace, everything = 0.0, 1e-300
        for y in range(k):
            trace += counts[y, y]
            for z in range(k):
                everything += counts[z, y]
        rate = min(max(1.0 - trace / everything, 1e-9), 1.0)
        logs = 0.0
        for y in range(k):
            mass = 0.0
            for z in range(k):
                mass += counts[z, y]
            for z in range(k):
                mean = 1.0 - rate if z == y else rate * spread[z, y]
                lines[z, y] = (counts[z, y] + PULL * mean) / (mass + PULL)
            if iteration >= 3 and k > 2:
                weights[y] *= (mass + chances[y] + 1.0) / (classifier[y] + 1.0)
            logs += np.log(weights[y])
        for y in range(k):
            weights[y] *= np.exp(-logs / k)
    return likelihood / n, wrong / n
