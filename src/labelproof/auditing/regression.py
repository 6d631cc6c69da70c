"""Out-of-sample predictions of numbers, by models that wrong numbers do not lead astray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from labelproof.auditing.default_models import Candidate, Candidates
from labelproof.auditing.encoded import AUTO, NONE, encoded
from labelproof.auditing.folds import NO_FOLD, CrossValidation
from labelproof.auditing.model_choice import is_small
from labelproof.auditing.model_used import ModelUsed
from labelproof.auditing.out_of_sample import OutOfSample
from labelproof.auditing.regression_models import regressors
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.threads import one_thread
from labelproof.validation import AnyArray, IntArray, Json, is_missing, seed_from, take_rows

Floats = npt.NDArray[np.float64]
BOUND = 10.0  # typical distances that a large one counts as
DIGITS = 4


def cross_validate_numbers(
    dataset: Dataset, how: CrossValidation, *, estimator: Any = None, encoder: Any = AUTO, groups: Any = None
) -> OutOfSample:
    """Predict each item by models that were fitted to the other folds; items without a number get the mean of all folds' models.

    Models and their regularisation are chosen by the mean absolute error out of sample, with large errors capped at ten
    times the median; the best model of each group is averaged with the others if that lowers it
    (`labelproof.auditing.regression_models.regressors`).

    Parameters
    ----------
    dataset : Dataset
        With labels of the kind ``numbers``.
    how : CrossValidation
    estimator : scikit-learn regressor, optional
        The one model that is used instead.
    encoder : str, callable, scikit-learn transformer or None, default="auto"
        Makes features of the items; see `labelproof.out_of_sample_probs`.
    groups : array-like, shape (n,), optional
        Rows of a group stay in one fold. Default: those of the data set.

    Raises
    ------
    BadInput
        If there are fewer than two numbers, or all are of one group.
    """
    started, seed = time.perf_counter(), seed_from(how.random_state)
    features, name = encoded(dataset, NONE if estimator is not None and encoder == AUTO else encoder, map_blocks=how.map_folds)
    if estimator is None:
        found = regressors(dataset, features, name, seed)
    else:
        view, x = name or dataset.kind, dataset.x if features is None else features
        found = Candidates({view: x}, [[Candidate(type(estimator).__name__, view, _checked(estimator))]])
    given = dataset.labels.as_given(dataset.labels.values, np.nan)
    own = dataset.groups if groups is None else np.asarray(groups, dtype=object)
    tried: list[Json] = []
    fold = folds_of(given, how.n_folds, seed, own)
    chosen = _choose(found, given, fold, how, tried)
    total = np.sum([predicted for _, predicted in chosen], axis=0)
    for again in range(1, how.n_repeats):
        other = folds_of(given, how.n_folds, seed + again, own)
        total += np.sum([out_of_fold(one.estimator, found.views[one.view], given, other, how) for one, _ in chosen], axis=0)
    predicted = total / (len(chosen) * how.n_repeats)
    rows = np.flatnonzero(fold != NO_FOLD)
    model = ModelUsed(
        name="; ".join(f"{one.name} on {one.view}" for one, _ in chosen),
        encoder=name,
        accuracy=round(1 - _loss(predicted[rows], given[rows]) / (_loss(np.median(given[rows]), given[rows]) or 1.0), DIGITS),
        loss=float(f"{_loss(predicted[rows], given[rows]):.{DIGITS}g}"),
        n_folds=int(fold.max()) + 1,
        n_repeats=how.n_repeats,
        seconds=round(time.perf_counter() - started, 2),
        tried=tried if len(tried) > 1 else [],
        judged=_judged(predicted[rows], given[rows]),
    )
    return OutOfSample(predicted, model, features)


def _judged(predicted: Floats, given: Floats) -> str:
    """The mean absolute error in words."""
    own, of_median = _loss(predicted, given), _loss(np.median(given), given)
    return f"its mean absolute error is {own:.3g} (that of the median is {of_median:.3g})"


def folds_of(given: Floats, n_folds: int, seed: int, groups: AnyArray | None) -> IntArray:
    """A fold for each item, -1 if it has no number, shape (n,); a group is in one fold."""
    rows = np.flatnonzero(np.isfinite(given))
    if len(rows) < 2:
        raise BadInput(
            f"There {'is one number' if len(rows) else 'are no numbers'}, so no model can be both trained and tested. Add items."
        )
    fold, rng = np.full(len(given), NO_FOLD, np.int64), np.random.default_rng(seed)
    if groups is None:
        fold[rows] = rng.permutation(len(rows)) % min(n_folds, len(rows))
        return fold
    names = [f"\0row {row}" if is_missing(groups[row]) else str(groups[row]) for row in rows]  # no group: one of its own
    _, number, sizes = np.unique(np.array(names), return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise BadInput("All rows with a number are in one group, so none is left to test on. Name another column of groups.")
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first, each into the fold that has fewest items
    held, of_group = np.zeros(min(n_folds, len(sizes)), np.int64), np.empty(len(sizes), np.int64)
    for group in order:
        of_group[group] = int(np.argmin(held))
        held[of_group[group]] += sizes[group]
    fold[rows] = of_group[number]
    return fold


def out_of_fold(estimator: Any, x: Any, given: Floats, fold: IntArray, how: CrossValidation) -> Floats:
    """Predictions of each item by a clone that was fitted to the other folds, shape (n,)."""
    numbers = range(int(fold.max()) + 1)
    trains = [np.flatnonzero((fold != NO_FOLD) & (fold != number)) for number in numbers]
    tests = [np.flatnonzero((fold == number) | (fold == NO_FOLD)) for number in numbers]
    found = how.mapped(
        _fit_and_predict,
        repeat(estimator, len(numbers)),
        (take_rows(x, train) for train in trains),
        (given[train] for train in trains),
        (take_rows(x, test) for test in tests),
    )
    into = np.zeros(len(given))
    for rows, predicted in zip(tests, track(found, "cross-validating", total=len(numbers)), strict=True):
        into[rows] += np.where(fold[rows] == NO_FOLD, predicted / len(numbers), predicted)
    return into


def _fit_and_predict(estimator: Any, x: Any, given: Floats, test: Any) -> Floats:
    with one_thread() if is_small(x) else nullcontext():
        found = np.asarray(clone(estimator).fit(x, given).predict(test), np.float64).reshape(-1)
    if not np.isfinite(found).all():
        raise BadInput(f"estimator {type(estimator).__name__} predicts numbers that are not finite. Choose another.")
    return found


def _loss(predicted: Floats | float, given: Floats) -> float:
    """Mean absolute error, with large errors capped at ten times the median."""
    away = np.abs(given - predicted)
    return float(np.minimum(away, BOUND * np.median(away) or np.inf).mean())


def _choose(
    found: Candidates, given: Floats, fold: IntArray, how: CrossValidation, tried: list[Json]
) -> list[tuple[Candidate, Floats]]:
    """The candidates whose mean has the lowest loss, with their predictions (n,)."""
    rows = np.flatnonzero(fold != NO_FOLD)
    best = []
    for group in found.groups:
        own = []
        for candidate in group:
            predicted = out_of_fold(candidate.estimator, found.views[candidate.view], given, fold, how)
            own.append((_loss(predicted[rows], given[rows]), candidate, predicted))
            tried.append({"name": f"{candidate.name} on {candidate.view}", "loss": float(f"{own[-1][0]:.{DIGITS}g}")})
        best.append(min(own, key=lambda one: one[0]))
    return _best_mean(sorted(best, key=lambda one: one[0]), given, rows)


def _best_mean(
    best: Sequence[tuple[float, Candidate, Floats]], given: Floats, rows: IntArray
) -> list[tuple[Candidate, Floats]]:
    loss, candidate, total = best[0]
    chosen = [(candidate, total)]
    for _, other, predicted in best[1:]:
        joined = (total * len(chosen) + predicted) / (len(chosen) + 1)
        if (lower := _loss(joined[rows], given[rows])) < loss:
            loss, total = lower, joined
            chosen.append((other, predicted))
    return chosen


def _checked(estimator: Any) -> Any:
    if not hasattr(estimator, "predict") or hasattr(estimator, "predict_proba"):
        raise BadInput(f"estimator {type(estimator).__name__} is not a regressor. Give a scikit-learn regressor for numbers.")
    return estimator
