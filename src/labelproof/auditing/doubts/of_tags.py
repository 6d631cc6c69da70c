"""Doubts that tags and their probabilities raise by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from labelproof.auditing.doubts.base import Doubt, some
from labelproof.auditing.doubts.of_probabilities import (
    DIFFERS,
    ENOUGH,
    FEW,
    FEWEST,
    IN_SAMPLE,
    MOST_CLASSES,
    NO_BETTER,
    OTHER_ORDER,
    TOLD_APART,
    UPSIDE_DOWN,
    WORSE,
)

FEW_TAGS = "a tag of few items"
UNPREDICTED = "a tag that the model cannot predict"
MOST_ITEMS = 20_000  # that the model is judged by
BETTER, FITTING = 0.15, 0.6  # by how much more another order of the columns must tell pairs apart, and how well
Values = npt.NDArray[np.float64]


def of_tags(given: npt.NDArray[np.int8], probs: Values, names: Sequence[object]) -> list[Doubt]:
    """All of them.

    A model is judged by pairs of an item with the tag and one without: the share in which the first has the higher probability
    (the area under the ROC curve), 0.5 by chance whatever the frequencies and the calibration.

    Parameters
    ----------
    given : ndarray of 0/1, shape (n, k)
        Tags that vary.
    probs : ndarray, shape (n, k)
    names : sequence of length k
    """
    few = list(of_few_items(given, names))
    if len(given) < FEWEST:
        return few
    if len(given) > MOST_ITEMS:
        some_rows = np.random.default_rng(0).choice(len(given), MOST_ITEMS, replace=False)
        given, probs = given[some_rows], probs[some_rows]
        seen = given.min(axis=0) != given.max(axis=0)
        given, probs, names = given[:, seen], probs[:, seen], [names[j] for j in np.flatnonzero(seen).tolist()]
    n, with_tag = len(given), given.sum(axis=0).astype(np.float64)
    pairs = with_tag * (n - with_tag)
    order = np.argsort(-pairs, kind="stable")[:MOST_CLASSES]  # for very many tags the commonest
    shares = _told_apart(given[:, order], probs[:, order])
    weight = 12 * pairs[order] / (n + 1)  # one over the variance by chance
    mixed = list(of_columns(shares, weight, [names[j] for j in order.tolist()]))
    if mixed:
        return [*mixed, *few]
    useless = list(of_chance(np.diag(shares), weight))
    if useless:
        return [*useless, *few]
    return [*of_memory(given, probs), *few, *of_single_tags(np.diag(shares), weight, [names[j] for j in order.tolist()])]


def _told_apart(given: npt.NDArray[np.int8], probs: Values) -> Values:
    """For each tag and each column of the probabilities, the share of pairs that it orders the right way round, (k, k)."""
    ranks = rankdata(probs, axis=0)
    own = given.sum(axis=0, dtype=np.float64)[:, None]
    return np.asarray((given.T.astype(np.float64) @ ranks - own * (own + 1) / 2) / (own * (len(given) - own)))


def of_columns(shares: Values, weight: Values, names: Sequence[object]) -> Iterator[Doubt]:
    """Whether some columns fit other tags far better (the Hungarian algorithm on the shares)."""
    from scipy.optimize import linear_sum_assignment

    _, column = linear_sum_assignment(-shares * np.minimum(weight, weight.mean())[:, None])
    moved = np.flatnonzero(column != np.arange(len(column)))
    if not len(moved):
        return
    now, then = (float(np.average(shares[moved, of], weights=weight[moved])) for of in (moved, column[moved]))
    slack = 4 / np.sqrt(weight[moved].sum())
    if then < FITTING + slack or then - now < BETTER + slack:
        return
    pairs = [f"“{names[j]}” for “{names[i]}”" for i, j in zip(moved.tolist(), column[moved].tolist(), strict=True)]
    text = f"Columns of the probabilities fit the tags far better in another order: the column of {some(pairs, 6)}. Then they tell {then:.0%} of the pairs of items with and without these tags apart, now {now:.0%}. Put the columns in the order of the tags."
    yield Doubt(OTHER_ORDER, text, {"now": now, "best": then, "tags": [str(names[i]) for i in moved.tolist()]}, serious=True)


def of_chance(own: Values, weight: Values) -> Iterator[Doubt]:
    """Whether the model distinguishes items with a tag from items without it, over all tags."""
    share, slack = float(np.average(own, weights=weight)), 1 / np.sqrt(weight.sum())
    evidence = {"pairs_told_apart": share}
    if share < UPSIDE_DOWN - 2 * slack:
        text = f"The probabilities are worse than chance: in {1 - share:.0%} of the pairs of an item with a tag and one without it, the latter has the higher probability. The error rate cannot be estimated. Check whether they are probabilities that a tag is absent, and the order of the rows."
        yield Doubt(WORSE, text, evidence, serious=True)
    elif share < TOLD_APART + 2 * slack:
        text = f"The probabilities are no better than the frequencies of the tags. Of pairs of an item with a tag and one without it, the model gets {share:.0%} the right way round, and chance 50%. The error rate cannot be estimated. Check that the rows of tags and probabilities are in the same order. If they are, use a better model or features, or review a random sample."
        yield Doubt(NO_BETTER, text, evidence, serious=True)


def of_memory(given: npt.NDArray[np.int8], probs: Values) -> Iterator[Doubt]:
    """Whether the model seems to have been trained on the tags that it predicts: it agrees with nearly all given ones."""
    number = int(given.sum())
    share = float((probs[given == 1] < 0.5).mean())
    if number < ENOUGH or share >= DIFFERS:
        return
    text = f"Only {share:.2%} of the given tags have a probability below one half. Either nearly all given tags are right, or the model was trained on these very tags, which hides every error. Check that the probabilities are out-of-sample, e.g. of cross_val_predict."
    yield Doubt(IN_SAMPLE, text, {"differ": share})


def of_few_items(given: npt.NDArray[np.int8], names: Sequence[object]) -> Iterator[Doubt]:
    """Tags that fewer than ten items have, or lack."""
    number = given.sum(axis=0)
    few = [names[j] for j in np.flatnonzero(np.minimum(number, len(given) - number) < FEW).tolist()]
    if few:
        one = len(few) == 1
        who = f"The tag {few[0]} is" if one else f"{len(few)} tags ({some(few, 6)}) are"
        text = f"{who} given to fewer than {FEW} items, or to all but fewer. {'Its' if one else 'Their'} rates are mostly those of the other tags, so do not rely on findings there. Check {'this tag' if one else 'these tags'} by hand."
        yield Doubt(FEW_TAGS, text, {"tags": [str(one) for one in few]})


def of_single_tags(own: Values, weight: Values, names: Sequence[object]) -> Iterator[Doubt]:
    """Tags that the model predicts no better than chance, although enough items have them."""
    slack = 1 / np.sqrt(weight)
    blind = [names[j] for j in np.flatnonzero((own < TOLD_APART + 2 * slack) & (weight > 12 * FEW)).tolist()]
    if blind:
        one = len(blind) == 1
        text = f"The model cannot tell which items have the tag{'' if one else 's'} {some(blind, 6)}: it orders pairs of items with and without {'it' if one else 'them'} no better than chance, or the wrong way round. Wrong tags are not found there. Check the column{'' if one else 's'}, or use a model that learns {'it' if one else 'them'}."
        yield Doubt(UNPREDICTED, text, {"tags": [str(one) for one in blind]})
