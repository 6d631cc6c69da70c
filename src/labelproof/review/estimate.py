"""The error rate of a data set from an audit and a few reviews: an interval that holds whether the audit is right or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.validation import FloatArray, Seed, rng_from

STRATA = 5
DOUBT = 0.03  # least variance that an error probability is credited with: the audit may be wrong where it is sure
PSEUDO_REVIEWS = 1.0


@dataclass(frozen=True)
class MeasurementPlan:
    """A stratified random sample to review.

    Attributes
    ----------
    index : ndarray of int, shape (m,)
        Rows to review, in random order.
    stratum : ndarray of int, shape (n,)
        The stratum of each row, by rising error probability.
    """

    index: npt.NDArray[np.int64]
    stratum: npt.NDArray[np.int64]


def plan_measurement(
    error_probability: FloatArray, n_reviews: int, *, n_strata: int = STRATA, seed: Seed = 0
) -> MeasurementPlan:
    """Choose which items to review so that the error rate is known best.

    Items are sorted by error probability e and cut into strata of equal ``sum of sqrt((e + δ)(1 - e + δ))``, δ = 0.03, from each
    of which equally many are drawn at random: Neyman's allocation, with room for an audit that is wrong where it is sure.

    Parameters
    ----------
    error_probability : ndarray, shape (n,), in [0, 1]
    n_reviews : int
        At least two for each stratum.
    n_strata : int
    seed : int or numpy Generator

    Returns
    -------
    MeasurementPlan

    References
    ----------
    Neyman (1934), On the two different aspects of the representative method.
    """
    e = _checked(error_probability)
    if not 2 * n_strata <= n_reviews <= len(e):
        raise BadInput(f"n_reviews is {n_reviews}. Give at least {2 * n_strata} and at most the {len(e)} items.")
    rng = rng_from(seed)
    order = np.argsort(e, kind="stable")
    spread = np.cumsum(np.sqrt((e[order] + DOUBT) * (1 - e[order] + DOUBT)))
    stratum = np.empty(len(e), np.int64)
    stratum[order] = np.minimum((spread / spread[-1] * n_strata).astype(np.int64), n_strata - 1)
    chosen: list[npt.NDArray[np.int64]] = []
    left = n_reviews
    sizes = np.bincount(stratum, minlength=n_strata)
    for done, h in enumerate(np.argsort(sizes, kind="stable")):  # what a small stratum cannot use, the others get
        share = min(int(sizes[h]), left // (n_strata - done))
        chosen.append(rng.choice(np.flatnonzero(stratum == h), share, replace=False))
        left -= share
    return MeasurementPlan(rng.permutation(np.concatenate(chosen)), stratum)


def estimate_error_rate(error_probability: FloatArray, plan: MeasurementPlan, is_error: npt.ArrayLike) -> ErrorRate:
    """The share of wrong labels from the audit's probabilities and the reviews of a `plan_measurement`.

    Prediction-powered and stratified: in each stratum the mean error probability of all its items, corrected by what the
    reviews show it to be off,

        ``rate = sum over h of W_h (mean of e over h + mean of (wrong - e) over the reviewed of h)``.

    Unbiased whatever the probabilities are worth; the better they are, the narrower the interval. The variance in a stratum is
    ``p (1 - p) / m_h`` with the finite-population correction and p the share of wrong ones, drawn to the mean of e by one
    pseudo-review so that a stratum without a find is not taken for certain.

    Parameters
    ----------
    error_probability : ndarray, shape (n,)
        As given to `plan_measurement`.
    plan : MeasurementPlan
    is_error : array-like of bool, shape (m,)
        Whether the label of each item of ``plan.index`` turned out wrong. Reviews not made yet are left off the end: the
        order is random, so what is done so far is a sample too.

    Returns
    -------
    ErrorRate
        With its 95 % interval.

    References
    ----------
    Angelopoulos et al. (2023), Prediction-powered inference.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> e = rng.beta(0.2, 1.8, 5000)
    >>> wrong = rng.random(5000) < e
    >>> plan = plan_measurement(e, 200)
    >>> rate = estimate_error_rate(e, plan, wrong[plan.index])
    >>> bool(rate.low <= wrong.mean() <= rate.high)
    True
    """
    e, wrong = _checked(error_probability), np.asarray(is_error, float)
    if wrong.ndim != 1 or len(wrong) > len(plan.index) or not np.isin(wrong, (0, 1)).all():
        raise BadInput(
            f"is_error has shape {wrong.shape}. Give one true or false for each reviewed item, at most {len(plan.index)}."
        )
    rows = plan.index[: len(wrong)]
    estimate, variance = 0.0, 0.0
    for h in range(int(plan.stratum.max()) + 1):
        inside, seen = plan.stratum == h, plan.stratum[rows] == h
        size, reviewed = int(inside.sum()), int(seen.sum())
        if reviewed == 0:
            raise BadInput(
                f"no item of stratum {h} is reviewed yet ({len(wrong)} reviews in all). Review more before estimating."
            )
        weight, expected = size / len(e), float(e[inside].mean())
        estimate += weight * (expected + float((wrong[seen] - e[rows[seen]]).mean()))
        share = (wrong[seen].sum() + PSEUDO_REVIEWS * expected) / (reviewed + PSEUDO_REVIEWS)
        variance += weight**2 * share * (1 - share) / reviewed * (1 - reviewed / size)
    half = 1.96 * float(np.sqrt(variance))
    return ErrorRate(float(np.clip(estimate, 0, 1)), max(0.0, estimate - half), min(1.0, estimate + half))


def _checked(error_probability: FloatArray) -> FloatArray:
    e = np.asarray(error_probability, float)
    if e.ndim != 1 or len(e) == 0 or not ((e >= 0) & (e <= 1)).all():
        raise BadInput(
            "error_probability must hold one number between 0 and 1 for each labelled item; leave out unlabelled ones."
        )
    return e
