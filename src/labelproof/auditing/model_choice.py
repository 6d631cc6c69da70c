"""Choose among candidates by the out-of-sample loss on the given labels, which needs no clean labels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import repeat
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from labelproof.auditing.default_models import Candidate, Candidates
from labelproof.auditing.folds import NO_FOLD, MapFolds
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.threads import SMALL_CELLS, one_thread
from labelproof.validation import FloatArray, IntArray, Json, take_rows

ENOUGH = 1000  # tested items on which settings of one model are compared
FLOOR = 1e-6


def out_of_fold(
    estimator: Any, x: Any, given: IntArray, k: int, fold: IntArray, only: Sequence[int], map_folds: MapFolds, into: FloatArray
) -> None:
    """Add the probabilities of the items of some folds, each by a clone that was fitted on the other folds, to those of the rest.

    Unlabelled items get the mean over the clones of all folds. A class that is missing from the other folds gets its share of
    all labels. ``into``, shape (n, k), is zero at first, and complete when all folds were run.
    """
    labelled, unlabelled = np.flatnonzero(fold != NO_FOLD), np.flatnonzero(fold == NO_FOLD)
    trains = [labelled[fold[labelled] != number] for number in only]
    tests = [np.flatnonzero(fold == number) for number in only]
    rest = take_rows(x, unlabelled) if len(unlabelled) else None
    found = map_folds(
        _fit_and_predict,
        repeat(estimator, len(only)),
        (take_rows(x, train) for train in trains),  # one fold's copy at a time
        (given[train] for train in trains),
        (take_rows(x, rows) for rows in tests),
        repeat(rest, len(only)),
    )
    share = np.bincount(given[labelled], minlength=k) / len(labelled)
    n_folds, done = int(fold.max()) + 1, track(found, "cross-validating", total=len(only))
    for train, rows, (columns, of_test, of_unlabelled) in zip(trains, tests, done, strict=True):
        unseen = np.setdiff1d(np.arange(k), given[train])
        for some, own, weight in ((rows, of_test, 1.0), (unlabelled, of_unlabelled, 1 / n_folds)):
            if len(some):
                known = weight * (1 - share[unseen].sum()) / own.sum(axis=1, keepdims=True)
                into[np.ix_(some, columns)] += own * known
                into[np.ix_(some, unseen)] += weight * share[unseen]


def _fit_and_predict(estimator: Any, x: Any, given: Any, test: Any, unlabelled: Any) -> tuple[Any, Any, Any]:
    """One fold: columns of the classes seen, probabilities of its test items and of the unlabelled ones."""
    if len(np.unique(given)) == 1:  # the other groups have no other class, and many a model refuses to learn one
        estimator = DummyClassifier()
    with one_thread() if is_small(x) else nullcontext():
        model = clone(estimator).fit(x, given)
        found = [None if some is None else model.predict_proba(some) for some in (test, unlabelled)]
    for probs in found:
        if probs is not None and not (np.isfinite(probs).all() and (probs.sum(axis=1) > 0).all()):
            raise BadInput(f"estimator {type(estimator).__name__} predicts probabilities that are not finite. Choose another.")
    return model.classes_.astype(int), found[0], found[1]


def is_small(x: Any) -> bool:
    """Whether there is so little to learn from that several threads would only wait for one another."""
    return int(getattr(x, "nnz", np.size(x) if hasattr(x, "shape") else len(x))) <= SMALL_CELLS


def loss_of(probs: FloatArray, given: IntArray, rows: IntArray) -> float:
    """Mean negative log-likelihood of given labels; a probability counts as no less than a millionth."""
    return float(-np.log(np.maximum(probs[rows, given[rows]], FLOOR)).mean())


def choose(
    found: Candidates, given: IntArray, k: int, fold: IntArray, map_folds: MapFolds, tried: list[Json]
) -> list[tuple[Candidate, FloatArray]]:
    """The candidates whose mean has the lowest out-of-sample loss, with their probabilities (n, k).

    Candidates are compared on the first folds that together test a thousand items: of each group the best is kept, and the best of
    all is joined by any other that lowers the loss of the mean. The chosen models go through the other folds.
    """
    folds = range(int(fold.max()) + 1)
    tested = np.cumsum([np.count_nonzero(fold == number) for number in folds])
    first = [number for number in folds if number == 0 or tested[number - 1] < ENOUGH]
    others = [number for number in folds if number not in first]
    rows = np.flatnonzero(np.isin(fold, first))

    def run(candidate: Candidate, some: Sequence[int], into: FloatArray) -> FloatArray:
        out_of_fold(candidate.estimator, found.views[candidate.view], given, k, fold, some, map_folds, into)
        return into

    best: list[tuple[float, Candidate, FloatArray]] = []
    for group in found.groups:
        own = []
        for candidate in group:
            probs = run(candidate, first, np.zeros((len(given), k)))
            own.append((loss_of(probs, given, rows), candidate, probs))
            tried.append({"name": f"{candidate.name} on {candidate.view}", "loss": round(own[-1][0], 4)})
        best.append(min(own, key=lambda one: one[0]))
    return [(one, run(one, others, probs) if others else probs) for one, probs in _best_mean(best, given, rows)]


def _best_mean(
    best: list[tuple[float, Candidate, FloatArray]], given: IntArray, rows: IntArray
) -> list[tuple[Candidate, FloatArray]]:
    best = sorted(best, key=lambda one: one[0])
    loss, candidate, total = best[0]
    chosen = [(candidate, total)]
    for _, other, probs in best[1:]:
        joined = (total * len(chosen) + probs) / (len(chosen) + 1)
        if (lower := loss_of(joined, given, rows)) < loss:
            loss, total = lower, joined
            chosen.append((other, probs))
    return chosen
