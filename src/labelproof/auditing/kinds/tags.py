"""Auditing tags: two rates for each tag, and what the other tags of the item say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from labelproof.auditing.doubts.of_tags import of_tags
from labelproof.auditing.findings import Findings
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.data.array_files import from_file
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.tags import Tags
from labelproof.noise.tag_plateaus import in_any_order, plateau_rates
from labelproof.noise.tag_posterior import error_probabilities
from labelproof.noise.tag_rates import TagRates
from labelproof.progress import track
from labelproof.validation import AnyArray, Json, check_pandas_index, check_tag_probs, column_names

NEIGHBOURS = 20  # tags that may be informative about another
LEAST_PROBABILITY = 1e-3
BEYOND_CHANCE = 2.0  # standard errors by which a prediction from the other tags must be better
UPSIDE_DOWN = 3.0  # standard deviations by chance of the correlation of a tag with its own log-odds
UNCERTAIN = np.array([0.02, 0.03])  # how far off missing and incorrect rates are beyond chance (`benchmarks/tag_interval.py`)
OPTIMISM = 0.5  # standard deviations by which a fit that may only rise ends too high, for each tag
SPAN = 1.96  # standard deviations
MOST = 0.9  # highest rate in the interval
EDGE = 2.0  # wrong tags beyond the fitted curve, for each beyond the last given tag
WEAK, STRONG = 0.7, 0.9  # purity up to which rates may be a weak model's, and from which on they are the tags'
GivenTags = npt.NDArray[np.int8]
Values = npt.NDArray[np.float64]


class AuditorOfTags(Auditor[Tags]):
    """Each tag has a noise model of its own, with two rates.

    The rates ``p(given = 0 | true = 1)`` (missing) and ``p(given = 1 | true = 0)`` (incorrect) are read from the two ends of the
    scores (`labelproof.noise.tag_plateaus`). Items at the ends that are not what they seem raise both, so of the
    readings with and without the other tags the lower counts. The error probability of a tag is one minus its posterior with
    these rates (`labelproof.noise.tag_posterior`). The interval of the error rate spans rates that are lower and higher by what they are
    off in simulations; where the model may be weak, it reaches down to no errors (`purity`).

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, equation 4, for the two rates.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = (rng.random((500, 3)) < 0.4).astype(int)
    >>> probs = np.where(true == 1, 0.9, 0.1)
    >>> noisy = lp.simulate.missing_tags(true, 0.2, random_state=0)
    >>> found = lp.audit(lp.Tags(noisy.labels), probs, dependence=False)
    >>> bool(((found.error_probability > 0.5) == noisy.changed).all())
    True
    >>> bool(np.abs(found.noise.missing_rates - 0.2).max() < 0.1)
    True
    """

    def judge(self, labels: Tags, pred_probs: object, ids: AnyArray | None = None, *, dependence: bool = True) -> Judged:
        """Fit each tag that varies.

        Parameters
        ----------
        labels : Tags
        pred_probs : array-like, shape (n, k)
            Out-of-sample probability of each tag, in [0, 1]; rows need not sum to one.
        ids : ndarray, shape (n,), optional
        dependence : bool, default=True
            Whether a tag is also predicted from the other given tags of the item (see `with_dependence`).
        """
        if not isinstance(dependence, bool):
            raise BadInput(f"dependence is {dependence!r}. Give True or False.")
        given = labels.matrix
        probs = _matched(labels, pred_probs)
        varying = given.min(axis=0) != given.max(axis=0)
        if not varying.any():
            raise BadInput("Every tag is always or never given, so there is nothing to compare. Give tags that vary.")
        own, alone = given[:, varying], np.asarray(probs[:, varying], np.float64)
        heard = with_dependence(own, alone) if dependence and own.shape[1] > 1 else alone
        rates, off = _rates(heard, alone, own)
        uncertain = off[:, None]
        lower = np.maximum(rates - uncertain, 0) * np.clip((purity(heard, own, rates) - WEAK) / (STRONG - WEAK), 0, 1)
        higher = np.minimum(rates + uncertain, MOST)
        found, low, high = (_errors(heard, own, reading) for reading in (rates, lower, higher))
        error, of_all = np.zeros(given.shape), np.full((2, len(varying)), np.nan)
        error[:, varying], of_all[:, varying] = found, rates  # a tag that does not vary has no error that can be found
        suggested = np.where(error > 0.5, 1 - given, given).astype(np.int8)
        findings = Findings(error.ravel(), suggested.ravel(), np.maximum(error, 1 - error).ravel())
        readings = np.array([low.sum(), found.sum(), high.sum() + beyond_the_last(higher)])
        return Judged(
            findings,
            TagRates(of_all[0], of_all[1], labels.classes),
            error_rate_of(findings.error_probability, readings),
            doubts=of_tags(own, alone, [labels.classes[j] for j in np.flatnonzero(varying)]),
        )

    def noise_of(self, summary: Json) -> TagRates:
        """Two rates for each tag."""
        return TagRates.from_json(summary)


AUDITOR = AuditorOfTags()


def _matched(labels: Tags, pred_probs: object) -> Values:
    """Checked probabilities with their columns in the order of the tags."""
    pred_probs = from_file(pred_probs, "pred_probs")
    check_pandas_index(tags=labels.frame, pred_probs=pred_probs)
    probs = check_tag_probs(pred_probs, labels.matrix.shape)
    columns, names = [str(one) for one in column_names(pred_probs) or ()], [str(one) for one in labels.classes]
    numbers = [str(j) for j in range(len(names))]
    if sorted(columns) != sorted(names):
        if not columns or numbers in (columns, names):  # one of the two has no names
            return probs
        odd = next((one for one in columns if one not in names), None)
        what = f"a column {odd!r}, which is no tag. {did_you_mean(odd, names)}" if odd is not None else "a column twice. "
        raise BadInput(
            f"pred_probs has {what}Name its columns as the tags are, or pass .to_numpy() if their order is already right."
        )
    return probs[:, [columns.index(one) for one in names]]


def _rates(heard: Values, alone: Values, given: GivenTags) -> tuple[Values, Values]:
    """Missing and incorrect rates, shape (2, k), and how far their means over tags may be off, shape (2,)."""
    readings = [plateau_rates(probs, given.astype(np.int64)) for probs in ((heard,) if heard is alone else (heard, alone))]
    rates = np.asarray(np.min([[own.missing, own.incorrect] for own in readings], axis=0))
    each = readings[0].deviation
    return rates, UNCERTAIN + OPTIMISM * each.mean(axis=1) + SPAN * np.sqrt(np.square(each).mean(axis=1) / given.shape[1])


def purity(probs: Values, given: GivenTags, rates: Values) -> Values:
    """Share of true tags among the items that are likeliest to have each tag, half as many as should have it; shape (k,).

    Where a model is strong, these items have the tag, and the share with the given tag is what the missing rate lets through. Where it
    is weak, the share falls early: the highest scores belong to items without the tag as well, and what looks missing may never
    have been true. Items with one and the same score, as those of hard predictions, do not show it: the share is multiplied by that of
    the others.

    Parameters
    ----------
    probs : ndarray, shape (n, k)
    given : ndarray of 0/1, shape (n, k)
    rates : ndarray, shape (2, k)
        Missing and incorrect.
    """
    missing, incorrect = rates
    seen = np.maximum(1 - missing - incorrect, 0.05)
    shares, tied = [], []
    for j, number in enumerate((given.mean(axis=0) - incorrect) / seen * len(given) / 2):
        top = np.argsort(-probs[:, j], kind="stable")[: max(10, round(number))]
        _, group = np.unique(probs[:, j], return_inverse=True)
        # items with one score count alike, in any order
        of_group = np.bincount(group, weights=given[:, j]) / np.bincount(group)
        shares.append(of_group[group[top]].mean())
        tied.append((np.bincount(group[top]).max() - 1) / len(top))
    return np.asarray((np.array(shares) - incorrect) / seen * (1 - np.array(tied)))


def beyond_the_last(rates: Values) -> float:
    """How many wrong tags may be left beyond those that can be told from right ones: 1.96 standard deviations above the expectation.

    Scores do not tell a missing tag that scores lower than all given ones from a tag that is not there, nor an incorrect one that scores
    higher than all absent ones from one that is. Each item with a tag lacks it with its rate, so the number of missing ones
    below the last given one has a geometric distribution, with mean ``r / (1 - r)`` and variance ``r / (1 - r)²``. Twice as many are
    counted: the fitted curve hedges and falls before the last given one (`benchmarks/tag_interval.py`).

    Parameters
    ----------
    rates : ndarray, shape (2, k)

    Examples
    --------
    >>> round(beyond_the_last(np.array([[0.5], [0.0]])), 2)
    5.92
    """
    mean, variance = ((EDGE * rates / (1 - rates) ** power).sum() for power in (1, 2))
    return float(mean + SPAN * np.sqrt(variance))


def _errors(probs: Values, given: GivenTags, rates: Values) -> Values:
    """Error probability of each tag with these rates, shape (n, k)."""
    columns = track(range(given.shape[1]), "auditing tags")
    return np.stack([error_probabilities(probs[:, j], given[:, j], *rates[:, j]) for j in columns], axis=1)


def with_dependence(given: GivenTags, probs: Values) -> Values:
    """Probability of each tag that also listens to the item's other tags, shape (n, k).

    Cross-validated logistic regression of a tag on its own log-odds and on the given tags that are likest to it takes the place of its
    own probability where it predicts the given tags better than this and than its own log-odds alone do, by two standard errors of the
    paired differences of the logarithmic loss.
    """
    logits = np.log(_held(probs)) - np.log(_held(1 - probs))
    centred = given - given.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    likeness = np.abs(centred.T @ centred) / np.maximum(np.outer(scale, scale), 1e-12)
    np.fill_diagonal(likeness, -1.0)
    heard = probs.copy()
    order = in_any_order(given, logits)
    for j in track(range(given.shape[1]), "comparing tags"):
        others = np.argsort(-likeness[j], kind="stable")[: min(NEIGHBOURS, given.shape[1] - 1)]
        folds = min(5, int(np.bincount(given[:, j], minlength=2).min()))
        upside_down = centred[:, j] @ logits[:, j] < -UPSIDE_DOWN * scale[j] * logits[:, j].std()
        if folds < 2 or upside_down:  # or regression would take a probability for its opposite
            continue
        split = PredefinedSplit(_folds(given[order, j], folds)[np.argsort(order)])
        alone, listening = (
            cross_val_predict(LogisticRegression(C=0.1, max_iter=500), x, given[:, j], cv=split, method="predict_proba")[:, 1]
            for x in (logits[:, [j]], np.column_stack([logits[:, j], given[:, others]]))
        )
        losses = [_log_loss(one, given[:, j]) for one in (alone, probs[:, j])]
        gain = min(losses, key=np.mean) - _log_loss(listening, given[:, j])
        if gain.mean() > BEYOND_CHANCE * gain.std() / np.sqrt(len(gain)):
            heard[:, j] = listening
    return heard


def _folds(given: GivenTags, folds: int) -> npt.NDArray[np.int64]:
    """The fold of each item, with equally many items with the tag and without it."""
    rank = np.where(given == 1, np.cumsum(given), np.cumsum(1 - given))
    return np.asarray(rank % folds, np.int64)


def _held(probs: Values) -> Values:
    return np.clip(probs, LEAST_PROBABILITY, 1.0)


def _log_loss(probs: Values, given: GivenTags) -> Values:
    return np.asarray(-np.log(_held(np.where(given == 1, probs, 1 - probs))))
