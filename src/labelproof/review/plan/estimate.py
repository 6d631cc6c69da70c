"""The error rate of a data set from an audit and a few reviews: an interval that holds whether the audit is right or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.validation import BoolArray, FloatArray, RandomState, accepts_seed, rng_from

STRATA = 5
DOUBT = 0.03  # least variance assumed for an error probability: the audit may be wrong where it is sure
PSEUDO_REVIEWS = 1.0
SKEW = 0.25  # wrong labels added to what each stratum showed for the upper end of the interval, taken off for the lower


@dataclass(frozen=True)
class MeasurementPlan:
    """A stratified random sample to review.

    Attributes
    ----------
    index : ndarray of int, shape (m,)
        Rows to review, in random order.
    stratum : ndarray of int, shape (n,)
        The stratum of each row.
    """

    index: npt.NDArray[np.int64]
    stratum: npt.NDArray[np.int64]


def strata_of(error_probability: FloatArray, n_strata: int = STRATA) -> npt.NDArray[np.int64]:
    """The stratum of each item, by rising error probability e, of equal ``sum of sqrt((e + δ)(1 - e + δ))``, δ = 0.03.

    Drawing equally many from each is Neyman's allocation, with a margin for an audit that is wrong where it is sure.
    """
    e = _checked(error_probability)
    order = np.argsort(e, kind="stable")
    spread = np.cumsum(np.sqrt((e[order] + DOUBT) * (1 - e[order] + DOUBT)))
    stratum = np.empty(len(e), np.int64)
    stratum[order] = np.minimum((spread / spread[-1] * n_strata).astype(np.int64), n_strata - 1)
    return stratum


@accepts_seed
def plan_measurement(
    error_probability: FloatArray, n_reviews: int, *, n_strata: int = STRATA, random_state: RandomState = 0
) -> MeasurementPlan:
    """Choose items to review for the most precise error rate: equally many from each of `strata_of`, at random.

    Parameters
    ----------
    error_probability : ndarray, shape (n,), in [0, 1]
    n_reviews : int
        At least two for each stratum.
    n_strata : int
    random_state : int, RandomState, Generator or None, default=0

    Returns
    -------
    MeasurementPlan

    References
    ----------
    Neyman (1934), On the two different aspects of the representative method.
    """
    stratum = strata_of(error_probability, n_strata)
    if not 2 * n_strata <= n_reviews <= len(stratum):
        raise BadInput(f"n_reviews is {n_reviews}. Give at least {2 * n_strata} and at most the {len(stratum)} items.")
    rng = rng_from(random_state)
    chosen: list[npt.NDArray[np.int64]] = []
    left = n_reviews
    sizes = np.bincount(stratum, minlength=n_strata)
    for done, h in enumerate(np.argsort(sizes, kind="stable")):  # a small stratum's surplus goes to the others
        share = min(int(sizes[h]), left // (n_strata - done))
        chosen.append(rng.choice(np.flatnonzero(stratum == h), share, replace=False))
        left -= share
    return MeasurementPlan(rng.permutation(np.concatenate(chosen)), stratum)


def estimate_error_rate(
    error_probability: FloatArray, plan: MeasurementPlan, is_error: npt.ArrayLike, *, among: BoolArray | None = None
) -> ErrorRate:
    """The share of wrong labels from the audit's probabilities and the reviews of a `plan_measurement`.

    Prediction-powered and stratified: in each stratum the mean error probability of all its items, corrected by the error that
    the reviews show,

        ``rate = sum over h of W_h (mean of e over h + mean of (wrong - e) over the reviewed of h)``.

    Unbiased for any probabilities; the better they are, the narrower the interval. The variance in a stratum is ``p (1 - p) /
    m_h`` with the finite-population correction and p the share of wrong ones, shrunk to the mean of e by one pseudo-review, so
    that a stratum without a find is not treated as certain. As in Wilson's interval, each end has its own variance: p is a
    quarter of a review higher for the upper end and lower for the lower one, because small counts are skewed.

    Parameters
    ----------
    error_probability : ndarray, shape (n,)
        As given to `plan_measurement`.
    plan : MeasurementPlan
    is_error : array-like of bool, shape (m,)
        Whether the label of each item of ``plan.index`` turned out wrong. Reviews not made yet are omitted at the end: the
        order is random, so the reviews so far are a sample too.
    among : ndarray of bool, shape (n,), optional
        The rate of these items alone, e.g. of one class.

    Returns
    -------
    ErrorRate
        With its 95 % interval.

    References
    ----------
    Angelopoulos et al. (2023), Prediction-powered inference. Cochran (1977), Sampling techniques, chapter 5A, for ``among``.

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
    strata = int(plan.stratum.max()) + 1
    size, reviewed = np.bincount(plan.stratum, minlength=strata), np.bincount(plan.stratum[rows], minlength=strata)
    if ((size > 0) & (reviewed == 0)).any():
        h = int(np.argmax((size > 0) & (reviewed == 0)))
        raise BadInput(f"No item of stratum {h} is reviewed yet ({len(wrong)} reviews in all). Review more before estimating.")
    domain = np.ones(len(e), bool) if among is None else np.asarray(among, bool)
    own = domain[rows]
    members = np.bincount(plan.stratum, domain, strata)  # of the domain in each stratum
    asked = np.bincount(plan.stratum[rows], own, strata)
    expected = np.bincount(plan.stratum, e * domain, strata)
    off = np.bincount(plan.stratum[rows], (wrong - e[rows]) * own, strata)
    found = np.bincount(plan.stratum[rows], wrong * own, strata)
    raised = size / np.maximum(reviewed, 1)  # items that one review represents
    least = float(found.sum() / members.sum())  # what has been found is there
    estimate = max(least, float((expected + raised * off).sum() / members.sum()))
    prior = expected / np.maximum(members, 1)
    variance_of_one = raised * members * (1 - reviewed / np.maximum(size, 1))
    ends = []
    for sign in (-1, 1):
        likely = np.clip(found + sign * SKEW, 0, asked) + PSEUDO_REVIEWS * prior
        share = likely / (asked + PSEUDO_REVIEWS)
        half = 1.96 * float(np.sqrt((variance_of_one * share * (1 - share)).sum())) / float(members.sum())
        ends.append(estimate + sign * half)
    low, high = max(least, ends[0]), min(1.0, ends[1])
    return ErrorRate(float(np.clip(estimate, 0, 1)), min(low, 1.0), max(high, 0.0))


def _checked(error_probability: FloatArray) -> FloatArray:
    e = np.asarray(error_probability, float)
    if e.ndim != 1 or len(e) == 0 or not ((e >= 0) & (e <= 1)).all():
        raise BadInput("error_probability must have one number between 0 and 1 for each labelled item. Omit unlabelled items.")
    return e
