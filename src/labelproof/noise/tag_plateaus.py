r"""Missing and incorrect rates of each tag, from out-of-sample scores of the *given* tags.

Where a classifier is surest that an item has a tag, all items have it, and the share with the given tag stops rising: it is
``1 - missing``. Where the classifier is surest of the opposite, the share that was given the tag is ``incorrect``. Both ends are read from
the isotonic regression of the given tag on the score:

    missing = 1 - E[z | the highest scores],    incorrect = E[z | the lowest quarter]

The scores must be of a classifier that was not trained on the item's own tags, or it repeats them. They need not be calibrated: only
their order counts. Items at the ends that are not what they seem raise both estimates, and nothing in a tag's own scores tells them from
noise: where a classifier hardly knows a tag, the highest scores belong to items without it. So tags that are hard
to predict borrow from those that are predicted best, as much as these agree. A monotonic fit ends slightly too high, by 0.07 if all
those items have the tag, and compensates for some that do not: the plain shares are closer for perfect scores, and worse on real data
(0.09 too high).

References
----------
Scott (2015), A rate of convergence for mixture proportion estimation, with application to learning from noisy labels (the two ends
identify the rates). Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates (isotonic
regression). Efron and Morris (1973), Stein's estimation rule and its competitors (what tags borrow from each other). Rousseeuw and Croux
(1993), Alternatives to the median absolute deviation (how much they differ, whatever one of them says).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import csr_array, hstack
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegressionCV

HIGHEST = (10, 30)  # items at the upper end: a quarter of those with the tag, within these, but half of them at most
LOWEST = 0.25  # share of the items at the lower end
LEADING = 10  # tags that are predicted best
ENOUGH = 20  # given tags, for a tag to lead
STRATA, OF_STRATUM = 8, 20  # of the evidence; and the items of each that score highest
INSIDE = (0.002, 0.98)  # range of initial rates
NORMAL = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
STRENGTHS = np.logspace(-3, 2, 6)
Values = npt.NDArray[np.float64]
GivenTags = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plateaus:
    """Missing and incorrect rates of k tags.

    Attributes
    ----------
    missing, incorrect : ndarray, shape (k,)
        ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)``.
    deviation : ndarray, shape (2, k)
        Standard deviation by chance of what each tag says by itself of ``missing`` and ``incorrect``.
    slopes : ndarray, shape (f,)
        Increase of the log-odds of omitting a true tag with each unit of its evidence; empty without evidence. With evidence,
        ``missing`` applies where the evidence equals ``centre``.
    centre : ndarray, shape (f,)
    """

    missing: Values
    incorrect: Values
    deviation: Values
    slopes: Values
    centre: Values


def plateau_rates(scores: Values, given: GivenTags, evidence: Values | None = None, *, resistant: bool = False) -> Plateaus:
    """Estimate the rates of each tag from the two ends of its out-of-sample scores.

    A tag's missing rate is shrunk towards the mean of the ten best-predicted tags; the less these differ beyond chance, the
    more (Stein's estimator). Tags that are predicted worse are less informative and get the mean. If there are more than ten
    tags, the ten are chosen on one half of the items and their rates estimated on the other, and vice versa.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Out-of-sample scores of the given tags: probabilities or logits.
    given : ndarray of int, shape (n, k)
        0, 1, or -1 where unknown.
    evidence : ndarray, shape (n, k, f), optional
        What a tag's mention may depend on, such as the size of the object.
    resistant : bool, default=False
        Whether a single tag that differs from all others is taken for one that the classifier hardly knows, rather than for one that goes
        wrong more often. Its scores do not tell the two apart. Training is harmed by rates that are too high, so that it takes
        the former for granted; an audit would miss the errors. Then the median and the median absolute deviation take the place of mean and
        variance, and incorrect rates are shrunk likewise, as shares of how often the tag is given.

    Returns
    -------
    Plateaus

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.random((4000, 3)) < 0.3
    >>> given = np.where(true, rng.random(true.shape) > 0.4, rng.random(true.shape) < 0.1).astype(int)
    >>> found = plateau_rates(true + rng.normal(0, 0.2, true.shape), given)
    >>> bool(abs(found.missing.mean() - 0.4) < 0.12), bool(abs(found.incorrect.mean() - 0.1) < 0.02)
    (True, True)
    """
    k = given.shape[1]
    counts, known = (given == 1).sum(axis=0), np.maximum((given >= 0).sum(axis=0), 1)
    ends = np.array([_ends(scores[:, tag], given[:, tag]) for tag in range(k)])
    top, size = ends[:, 0], ends[:, 2]
    leading = np.argsort(-np.where(counts >= min(ENOUGH, counts.max()), top, -1.0), kind="stable")[:LEADING]
    common = _common(scores, given, leading, resistant)
    bottom, frequency = np.clip(ends[:, 1], 1e-5, 0.5), (counts + 0.5) / (known + 1)
    variance = np.stack(
        [np.maximum(common * (1 - common), 0.02) / size, np.maximum(bottom * (1 - bottom), 1e-4) / (LOWEST * known)]
    )
    own, incorrect = _together(top, variance[0], common, leading, resistant), bottom
    if resistant:
        shares = bottom / frequency
        usual = float(np.median(shares[leading]))
        incorrect = _together(shares, variance[1] / frequency**2, usual, leading, resistant) * frequency
    reached = np.where((top >= common) | np.isin(np.arange(k), leading), own, common)
    plain = Plateaus(np.clip(1 - reached, *INSIDE), np.clip(incorrect, 1e-5, 0.5), np.sqrt(variance), np.empty(0), np.empty(0))
    return plain if evidence is None else _by_evidence(scores, given, evidence, plain)


def _together(values: Values, chance: Values, common: float, leading: npt.NDArray[np.int64], resistant: bool) -> Values:
    """Values of tags drawn towards a common one, the more so the less the leading ones differ beyond chance, (k,).

    Parameters
    ----------
    values, chance : ndarray, shape (k,)
        And their variance by chance.
    """
    differ = float(np.var(values[leading], ddof=1)) if len(leading) > 1 else 0.0
    if resistant:
        differ = float((NORMAL * np.median(np.abs(values[leading] - np.median(values[leading])))) ** 2)
    between = max(0.0, differ - float(chance[leading].mean()))
    return np.asarray(common + between / (between + chance) * (values - common))


def _ends(scores: Values, given: GivenTags) -> tuple[float, float, float]:
    """Share of given tags at the upper and at the lower end, and how many items the upper one is."""
    known = given >= 0
    scores, given = scores[known], given[known]
    if not len(given) or given.min() == given.max():
        return float(given.mean()) if len(given) else 0.0, 0.0, 1.0
    fitted = IsotonicRegression().fit_transform(scores, given)
    order = np.argsort(-scores, kind="stable")
    size = int(np.clip(given.sum() // 4, min(HIGHEST[0], max(1, given.sum() // 2)), HIGHEST[1]))
    return float(fitted[order[:size]].mean()), float(fitted[order[-max(1, int(LOWEST * len(given))) :]].mean()), float(size)


def _common(scores: Values, given: GivenTags, leading: npt.NDArray[np.int64], resistant: bool) -> float:
    """Share of given tags at the upper end of the tags that are predicted best."""
    k, usual = given.shape[1], np.median if resistant else np.mean
    if k <= LEADING:
        return float(usual([_ends(scores[:, tag], given[:, tag])[0] for tag in leading]))
    first = np.empty(len(given), bool)
    first[in_any_order(given, scores)] = np.random.default_rng(0).random(len(given)) < 0.5
    found: list[float] = []
    for chosen, read in ((first, ~first), (~first, first)):
        enough = (given[chosen] == 1).sum(axis=0) >= ENOUGH // 2
        tops = [_ends(scores[chosen, tag], given[chosen, tag])[0] if enough[tag] else -1.0 for tag in range(k)]
        best = np.argsort(-np.array(tops), kind="stable")[:LEADING]
        found += [_ends(scores[read, tag], given[read, tag])[0] for tag in best]
    return float(usual(found))


def in_any_order(given: npt.NDArray[np.integer], scores: Values) -> npt.NDArray[np.int64]:
    """Rows sorted by what they hold, so that what is drawn for them does not depend on the order in which they come."""
    return np.lexsort((given.sum(axis=1), scores.sum(axis=1)))


def _by_evidence(scores: Values, given: GivenTags, evidence: Values, plain: Plateaus) -> Plateaus:
    """Logistic regression of omitted tags, among items that surely have the tag, on the tag and its evidence.

    Items with little evidence score low whether they have the tag or not, so the highest scores are taken within each stratum of the
    evidence. The ridge's strength is chosen by the likelihood of held-out items. Strata hold more items without the tag than the upper end of
    all scores, so the level is set by this end: there the mean must be the share that was not given.
    """
    k, f = evidence.shape[1:]
    rows, tags = _surest(scores, given, evidence, STRATA)
    values, z = evidence[rows, tags], given[rows, tags]
    centre, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    if len(np.unique(z)) < 2 or min(np.bincount(z)) < 5:
        return replace(plain, slopes=np.zeros(f), centre=centre)
    own = csr_array((np.ones(len(tags)), (np.arange(len(tags)), tags)), shape=(len(tags), k))
    model = LogisticRegressionCV(
        Cs=STRENGTHS, cv=5, scoring="neg_log_loss", l1_ratios=(0.0,), use_legacy_attributes=False, max_iter=500
    ).fit(hstack([csr_array((values - centre) / spread), own], format="csr"), z == 0)
    slopes, each = model.coef_.ravel()[:f] / spread, model.coef_.ravel()[f:]
    rows, tags = _surest(scores, given, evidence, 1)
    odds = each[tags] + (evidence[rows, tags] - centre) @ slopes
    omitted = np.clip((given[rows, tags] == 0).mean(), *INSIDE)
    level = brentq(lambda shift: expit(odds + shift).mean() - omitted, -50, 50)
    return replace(plain, missing=np.clip(expit(each + level), *INSIDE), slopes=slopes, centre=centre)


def _surest(
    scores: Values, given: GivenTags, evidence: Values, strata: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and tags with the highest scores in each stratum of each evidence."""
    found: set[tuple[int, int]] = set()
    for tag in range(given.shape[1]):
        known = np.flatnonzero(given[:, tag] >= 0)
        if (given[known, tag] == 1).sum() < ENOUGH:
            continue
        for column in range(evidence.shape[2]):
            order = known[np.argsort(evidence[known, tag, column], kind="stable")]
            for stratum in np.array_split(order, strata):
                size = int(np.clip((given[stratum, tag] == 1).sum() // 4, 1, OF_STRATUM))
                best = stratum[np.argsort(-scores[stratum, tag], kind="stable")[:size]]
                found |= {(int(row), tag) for row in best}
    pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
