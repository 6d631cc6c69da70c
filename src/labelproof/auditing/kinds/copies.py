"""Classes of duplicate items: different labels of one truth cannot all be right."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.base import Judged
from labelproof.auditing.near import ALONE, Near
from labelproof.auditing.sources import Source
from labelproof.labels.classes import Classes
from labelproof.noise.posterior import error_probability, shared_posterior
from labelproof.validation import BoolArray, FloatArray, IntArray

PRIOR_PAIRS = 5  # of duplicates with one label, before any is seen


class Noise(Protocol):
    """The part of `labelproof.noise.NoiseFit` that is needed."""

    def posterior(self, pred_probs: FloatArray, given: IntArray) -> FloatArray: ...


def with_copies(judged: Judged, labels: Classes, source: Source, noise: Noise, near: Near) -> Judged:
    """Findings in which duplicates with different labels share their truth, as far as duplicates here do.

    Duplicates with one label are not changed: a label that was copied along with its item is no second opinion.
    """
    given = labels.codes
    rows = np.flatnonzero(conflicting(near.group, given))
    if not len(rows):
        return judged
    found, group = judged.findings, near.group[rows]
    probs = np.array(source.take(rows), np.float64)
    seen, own = noise.posterior(probs, np.full(len(rows), -1)), noise.posterior(probs, given[rows])
    same = np.where(
        near.exact[rows], *(_sharing(near, given, kind, float(found.error_probability.mean())) for kind in (True, False))
    )
    shared = shared_posterior(seen, own, group, same)
    sites = np.searchsorted(labels.owner, rows)
    error, suggested, confidence = found.error_probability.copy(), found.suggested.copy(), found.confidence.copy()
    error[sites] = error_probability(shared, given[rows])
    suggested[sites], confidence[sites] = shared.argmax(axis=1), shared.max(axis=1)
    more = float(error.mean() - found.error_probability.mean())
    rate = ErrorRate(*(min(max(end + more, 0.0), 1.0) for end in judged.error_rate))
    return Judged(Findings(error, suggested, confidence), judged.noise, rate, judged.doubts)


def conflicting(group: IntArray, given: IntArray) -> BoolArray:
    """Whether an item is labelled and in a group of duplicates with another label, shape (n,)."""
    rows = np.flatnonzero((group != ALONE) & (given >= 0))
    found = np.zeros(len(group), bool)
    if len(rows):
        _, number = np.unique(group[rows], return_inverse=True)
        low, high = np.full(number.max() + 1, np.iinfo(np.int64).max), np.full(number.max() + 1, -1)
        np.minimum.at(low, number, given[rows])
        np.maximum.at(high, number, given[rows])
        found[rows] = (low < high)[number]
    return found


def _sharing(near: Near, given: IntArray, exact: bool, error_rate: float) -> float:
    """Probability that two duplicates share their truth, from how often they have one label.

    Two labels of one truth agree with probability ``(1 - ε)²``, others as often as the classes do by chance.
    """
    rows = np.flatnonzero((near.group != ALONE) & (near.exact == exact) & (given >= 0))
    _, number, size = np.unique(near.group[rows], return_inverse=True, return_counts=True)
    _, alike = np.unique(np.stack([number, given[rows]]), axis=1, return_counts=True)
    pairs, agreeing = float((size * (size - 1)).sum()) / 2, float((alike * (alike - 1)).sum()) / 2
    chance = float(np.sum((np.bincount(given[given >= 0]) / (given >= 0).sum()) ** 2))
    agreement, both_right = (agreeing + PRIOR_PAIRS) / (pairs + PRIOR_PAIRS), (1 - error_rate) ** 2
    return float(np.clip((agreement - chance) / max(both_right - chance, 1e-6), 0.0, 1.0))
