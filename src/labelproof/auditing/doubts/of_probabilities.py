"""Doubts that labels and probabilities raise by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labelproof.auditing.doubts.base import Doubt, some
from labelproof.validation import FloatArray, IntArray

if TYPE_CHECKING:
    from labelproof.auditing.fold import Sample

OTHER_ORDER = "columns in another order"
NO_BETTER = "no better than the class frequencies"
WORSE = "worse than chance"
IN_SAMPLE = "probabilities look in-sample"
NEVER_PREDICTED = "a class is never predicted"
FEW_LABELS = "a class of few labels"
ALIKE = "two classes that the model cannot tell apart"
UNLIKE = "unlike anything simulated"
WIDE = "a wide interval"
NEARLY_ALL = "nearly all labels agree with the model"

FEWEST = 20  # labels
MOST_CLASSES = 1000
BETTER = 0.25  # share of the labels by which another order of the columns must fit better
PAIRS = 20_000  # of items of different labels, that are compared
CHANCE_SD = 0.58  # of the share of pairs that are distinguished by chance, times the root of the number of labels
TOLD_APART, UPSIDE_DOWN = 0.53, 0.45  # shares of pairs, before chance is allowed for
DIFFERS, ENOUGH = 0.005, 400  # share of labels that differ from the most probable class, of how many labels
GAP, ABOVE_GAP, GAP_SHARE = (
    (0.35, 0.5),
    (0.5, 0.65),
    0.05,
)  # ranges of the probability of the given label that a forest fills so
FEW, COMMON, COMMON_SHARE = 10, 30, 0.02  # labels of a class
MOST_UNLIKE = 0.2  # share of the statistics outside the simulations
WIDEST, LABELS_OF_WIDTH = 0.45, 1000
ALIKE_SHARE, ALIKE_PAIRS, FEWER_PAIRS = 0.6, 4, 2_000


def of_probabilities(rows: Sample, classes: Sequence[object]) -> list[Doubt]:
    """All of them.

    Parameters
    ----------
    rows : Sample
        Labelled rows.
    classes : sequence of length k
    """
    best = rows.probs.argmax(axis=1)
    few = list(of_few_labels(rows, classes))
    if len(rows.given) < FEWEST:
        return few
    useless = of_columns(rows, classes, best) or list(of_chance(rows))
    if useless:
        return [*useless, *few]
    return [*of_memory(rows, best), *few, *of_never_predicted(rows, classes, best), *of_likeness(rows, classes, best)]


def of_columns(rows: Sample, classes: Sequence[object], best: IntArray) -> list[Doubt]:
    """Whether the columns of the probabilities match the labels far better in another order.

    The order is the one under which most labels agree with the most probable class (the Hungarian algorithm on the counts of
    given label and most probable column).
    """
    k, n = len(classes), len(rows.given)
    if n < FEWEST or k > MOST_CLASSES:
        return []
    counts = np.bincount(rows.given * k + best, minlength=k * k).reshape(k, k)
    now = float(np.trace(counts)) / n
    if now + BETTER > 1:  # no order can be so much better
        return []
    from scipy.optimize import linear_sum_assignment

    given, column = linear_sum_assignment(-counts)
    then = float(counts[given, column].sum()) / n
    if then < max(0.5, now + BETTER):
        return []
    class_of = dict(zip(column.tolist(), given.tolist(), strict=True))
    order = [classes[class_of[j]] for j in range(k)]
    mend = f"pass classes=[{some(order)}] (--classes)"
    if (
        list(classes) == list(range(k))
        and counts[0].sum() == 0
        and all(class_of[j] == j + 1 for j in range(k - 1) if counts[j + 1].any())
    ):
        order = list(range(1, k + 1))
        mend = f"the labels count from 1: pass classes=[{some(order)}] (--classes)"
    text = f"The columns of the probabilities match the labels far better in another order: then {then:.0%} of the labels are the most probable class, now {now:.0%}. If the columns stand for {some(order)}, {mend}."
    return [Doubt(OTHER_ORDER, text, {"agree_now": now, "agree_best": then, "order": [str(c) for c in order]}, serious=True)]


def of_chance(rows: Sample) -> Iterator[Doubt]:
    """Whether the model distinguishes items with different labels.

    For random pairs of items with labels a and b: how often ``p_i(a) p_j(b) > p_i(b) p_j(a)``. Chance is one half, for any
    class frequencies and however the probabilities are calibrated.
    """
    share = told_apart(rows.probs, rows.given)
    if share is None:
        return
    slack, evidence = CHANCE_SD / np.sqrt(len(rows.given)), {"pairs_told_apart": share}
    if share < UPSIDE_DOWN - 2 * slack:
        text = f"The probabilities are worse than chance: in {1 - share:.0%} of the pairs of items with different labels, the model swaps the two. The error rate cannot be estimated. Check the order of rows and columns. In a cross-validation by groups, also check that each class is in several groups."
        yield Doubt(WORSE, text, evidence, serious=True)
    elif share < TOLD_APART + 2 * slack:
        text = f"The probabilities are no better than the class frequencies: in pairs of items with different labels, the model gets {share:.0%} the right way round, and chance 50%. The error rate cannot be estimated. Check that the rows of labels and probabilities are in the same order. If they are, use a better model or features, or review a random sample."
        yield Doubt(NO_BETTER, text, evidence, serious=True)


def told_apart(probs: FloatArray, given: IntArray, pairs: int = PAIRS) -> float | None:
    """The share of pairs of items with different labels that are ordered the right way round; ties count half."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(given), (2, pairs))
    differ = given[a] != given[b]
    a, b = a[differ], b[differ]
    if not len(a):
        return None
    of_a, of_b = (np.maximum(probs[one], 1e-12).astype(float) for one in ((a, given[a]), (b, given[b])))
    swapped_a, swapped_b = (np.maximum(probs[one], 1e-12).astype(float) for one in ((a, given[b]), (b, given[a])))
    right, wrong = of_a * of_b, swapped_a * swapped_b
    return float((right > wrong * (1 + 1e-9)).mean() + 0.5 * (np.abs(right - wrong) <= wrong * 1e-9).mean())


def of_memory(rows: Sample, best: IntArray) -> Iterator[Doubt]:
    """Whether the model seems to have been trained on the labels that it predicts.

    A model that saw them agrees with nearly all of them. In a forest that saw a label, most trees repeat it. So no given label
    has a probability just below one half, although many have one just above.
    """
    n = len(rows.given)
    share = float((best != rows.given).mean())
    if n < ENOUGH or share >= DIFFERS:
        return
    own = rows.probs[np.arange(n), rows.given]
    below, above = (int(((own >= low) & (own < high)).sum()) for low, high in (GAP, ABOVE_GAP))
    evidence = {"differ": share, "just_below_half": below, "just_above_half": above}
    start = f"Only {share:.2%} of the labels differ from the most probable class. "
    if above >= FEWEST and below <= GAP_SHARE * above:
        text = f"{start}{above:,} labels have a probability just above one half and {below:,} just below, as in a forest that was trained on these very labels. Pass out-of-sample probabilities, e.g. of cross_val_predict, or give the data and labelproof makes them."
        yield Doubt(IN_SAMPLE, text, evidence, serious=True)
        return
    text = (
        f"{start}Either nearly all labels are right, or the model was trained on these very labels, which hides every error. Check "
        "that the probabilities are out-of-sample, e.g. of cross_val_predict."
    )
    yield Doubt(IN_SAMPLE, text, evidence)


def of_own_model(doubts: Iterable[Doubt], *, grouped: bool) -> list[Doubt]:
    """The doubts about probabilities that labelproof made itself: these are in order, and out-of-sample as far as items are different.

    Parameters
    ----------
    doubts : iterable of Doubt
        As about any probabilities.
    grouped : bool
        Whether the folds kept groups together, so that similar items of a group were on one side.
    """
    found = []
    for doubt in doubts:
        if doubt.kind == IN_SAMPLE and "differ" in doubt.evidence and not grouped:
            text = (
                f"Only {doubt.evidence['differ']:.2%} of the labels differ from the most probable class. Either nearly all labels are right, "
                "or similar items, such as pages of a document or edited copies, are in different folds and share their errors. If items "
                "belong together, name the column of their group with --group (group=)."
            )
            found.append(Doubt(NEARLY_ALL, text, {"differ": doubt.evidence["differ"]}))
        elif doubt.kind not in (OTHER_ORDER, IN_SAMPLE):
            found.append(doubt)
    return found


def of_few_labels(rows: Sample, classes: Sequence[object]) -> Iterator[Doubt]:
    """Classes of fewer than ten labels, of all rows."""
    counts = rows.given_counts
    few = [classes[y] for y in np.flatnonzero((counts > 0) & (counts < FEW)).tolist()]
    if few:
        one = len(few) == 1
        text = f"{'The class' if one else f'{len(few)} classes'} {some(few, 6)} {'has' if one else 'have'} fewer than {FEW} labels. A model hardly learns {'it' if one else 'them'}, so do not rely on findings there. Check these labels by hand, or merge classes."
        yield Doubt(FEW_LABELS, text, {"classes": [str(c) for c in few]})


def of_never_predicted(rows: Sample, classes: Sequence[object], best: IntArray) -> Iterator[Doubt]:
    """Classes with labels enough that are the most probable one of no item."""
    k = len(classes)
    counts = np.bincount(rows.given, minlength=k)
    predicted = np.bincount(best, minlength=k)
    never = [
        classes[y] for y in np.flatnonzero((counts >= max(COMMON, COMMON_SHARE * len(rows.given))) & (predicted == 0)).tolist()
    ]
    if never:
        one = len(never) == 1
        text = (
            f"The model never predicts {'the class' if one else f'{len(never)} of the classes,'} {some(never, 6)}, so "
            f"{'its' if one else 'their'} labels look wrong more often than they are, and {'it is' if one else 'they are'} never suggested. Use a model that learns "
            f"{'it' if one else 'them'}, e.g. with class weights, or remove {'it' if one else 'them'}."
        )
        yield Doubt(NEVER_PREDICTED, text, {"classes": [str(c) for c in never]})


def of_likeness(rows: Sample, classes: Sequence[object], best: IntArray) -> Iterator[Doubt]:
    """Pairs of classes between which the model chooses at random, among those that it confuses most often."""
    k = len(classes)
    if not 2 < k <= MOST_CLASSES:
        return
    counts = np.bincount(rows.given * k + best, minlength=k * k).reshape(k, k)
    sizes = counts.sum(axis=1)
    both = (counts + counts.T) / np.maximum(np.add.outer(sizes, sizes), 1)
    first, second = np.triu_indices(k, 1)
    worst = np.argsort(-both[first, second], kind="stable")[:ALIKE_PAIRS]
    found: list[tuple[str, str, float]] = []
    for a, b in zip(first[worst], second[worst], strict=True):
        if min(sizes[a], sizes[b]) < COMMON:
            continue
        own = np.flatnonzero((rows.given == a) | (rows.given == b))
        share = told_apart(rows.probs[own], rows.given[own], FEWER_PAIRS)
        if share is not None and share < ALIKE_SHARE - CHANCE_SD / np.sqrt(len(own)):
            found.append((str(classes[a]), str(classes[b]), share))
    if found:
        a_name, b_name, share = min(found, key=lambda pair: pair[2])
        others = "" if len(found) == 1 else f" ({len(found)} such pairs in all)"
        text = f"The model cannot distinguish “{a_name[:60]}” from “{b_name[:60]}”{others}: it gets {share:.0%} of the pairs right, and chance 50%. Labels of one that should be the other are not found. Merge the classes, or use a model that distinguishes them."
        yield Doubt(ALIKE, text, {"pairs": [list(pair) for pair in found]})


def of_reading(low: float, high: float, unlike: float, n: int) -> Iterator[Doubt]:
    """Whether the rate was read from simulations that do not look like these data, or cannot be read closely.

    Parameters
    ----------
    low, high : float
        The interval of the error rate.
    unlike : float
        Share of the statistics outside the simulations.
    n : int
        Number of labels: few of them widen the interval, which is no doubt.
    """
    if n >= FEWEST and unlike > MOST_UNLIKE:
        text = f"{unlike:.0%} of the statistics of these labels and probabilities are outside the simulations that the error rate is estimated from, so its interval was doubled. Review a random sample to measure it (labelproof review)."
        yield Doubt(UNLIKE, text, {"share": unlike})
    if n >= LABELS_OF_WIDTH and high - low > WIDEST:
        text = f"The error rate may be anything between {low:.0%} and {high:.0%}: a weak model on right labels looks the same as a good one on wrong labels. Use a better model or features, or review a random sample (labelproof review)."
        yield Doubt(WIDE, text, {"low": low, "high": high})
