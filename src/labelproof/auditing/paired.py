"""The difference of two error rates, and its interval, if some of the labels are the same in both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ErrorRate


class Difference(NamedTuple):
    """A difference of two shares, with a 95 % interval, each in [-1, 1]."""

    estimate: float
    low: float
    high: float


class Paired(NamedTuple):
    """The result of `paired`.

    Attributes
    ----------
    difference : Difference
        Difference of the true error rates, after minus before.
    disagreement : Difference
        Of the results for the labels that are the same in both audits. These have one truth, so any difference comes from the
        audits' own.
    """

    difference: Difference
    disagreement: Difference


def paired(joined: pl.DataFrame, before: ErrorRate, after: ErrorRate) -> Paired:
    r"""The difference of the error rates of two audits, paired by label.

    A label that is the same in both is wrong in both or in neither, so it adds to the difference only as far as the numbers of
    labels m and n differ: ``e (1/n - 1/m)``, where e is the mean of both error probabilities. A label that was changed is right
    before (probability ``1 - a``), right after (``1 - b``) or never: it adds ``b - a`` with variance
    ``(1 - a) + (1 - b) - (b - a)²``. Labels of one audit only add ``b / n`` or ``-a / m``, with that audit's own interval.

    The interval is 1.96 standard deviations of all these and, in quadrature, two errors that do not average out: the
    disagreement of the audits on the same labels, and their uncertainty on the changed ones, ``1 - |b - a|``, so that the
    interval includes changes that were all right, or all wrong.

    Parameters
    ----------
    joined : polars.DataFrame
        ``error_before`` and ``error_after``, null if only the other audit has the label, and ``same``: whether the label is
        the same in both.
    before, after : ErrorRate
        Error rates of the two audits.
    """
    a, b = (joined[f"error_{side}"].to_numpy().astype(np.float64) for side in ("before", "after"))
    same = joined["same"].fill_null(False).to_numpy().astype(bool)
    old, new = ~np.isnan(a), ~np.isnan(b)
    m, n = int(old.sum()), int(new.sum())
    changed, gone, added = old & new & ~same, old & ~new, new & ~old
    weight, e = 1 / n - 1 / m, (a[same] + b[same]) / 2
    estimate = weight * e.sum() + (b[changed].sum() + b[added].sum()) / n - (a[changed].sum() + a[gone].sum()) / m
    right = np.clip(1 - a[changed], 0, 1), np.clip(1 - b[changed], 0, 1)
    sampling = weight**2 * np.sum(e * (1 - e)) + np.sum(np.maximum(right[0] + right[1] - (right[0] - right[1]) ** 2, 0)) / (
        m * n
    )
    apart = b[same] - a[same]
    disagreement = _mean(apart)
    own = (
        disagreement.estimate * len(apart) / max(m, n),
        (1 - np.abs(b[changed] - a[changed])).sum() / max(m, n),
        gone.sum() / m * (before.high - before.low) / 2,
        added.sum() / n * (after.high - after.low) / 2,
    )
    half = float(np.sqrt(1.96**2 * sampling + sum(part**2 for part in own)))
    return Paired(
        Difference(float(estimate), max(-1.0, float(estimate) - half), min(1.0, float(estimate) + half)), disagreement
    )


def _mean(values: npt.NDArray[np.float64]) -> Difference:
    """The mean of differences item by item, and 1.96 standard errors on either side."""
    if not len(values):
        return Difference(0.0, 0.0, 0.0)
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return Difference(mean, mean - half, mean + half)
