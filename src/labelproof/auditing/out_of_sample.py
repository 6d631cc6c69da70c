"""Out-of-sample probabilities: predictions of each item by a model that was not trained on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.default_models import Candidate, Candidates, candidates
from labelproof.auditing.duplicates import copies_of
from labelproof.auditing.encoded import AUTO, NONE, encoded
from labelproof.auditing.folds import NO_FOLD, CrossValidation, assign_folds, check_groups
from labelproof.auditing.model_choice import choose, loss_of, out_of_fold
from labelproof.auditing.model_used import ModelUsed
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.validation import IntArray, Json, RandomState, accepts_seed, check_labels, seed_from


class OutOfSample(NamedTuple):
    """Probabilities (n, k), what made them, and the features (n, d) that an encoder made on the way."""

    probs: npt.NDArray[np.float64]
    model: ModelUsed
    features: npt.NDArray[np.float32] | None = None


@accepts_seed
def out_of_sample_probs(
    x: Any,
    labels: Any = None,
    *,
    estimator: Any = None,
    encoder: Any = AUTO,
    missing: Sequence[Any] | None = None,
    groups: Any = None,
    n_folds: int = 5,
    n_repeats: int = 1,
    n_jobs: int | None = None,
    random_state: RandomState = 0,
    map_folds: Any = map,
) -> npt.NDArray[np.float64]:
    """Make class probabilities by stratified K-fold cross-validation.

    A clone of the estimator, fitted on the other folds, predicts every labelled item; unlabelled items get the mean of all
    folds' models. Items of a `Dataset` that are copies of one another (`labelproof.auditing.duplicates.copies_of`) are in one
    fold, because a copy with the wrong label would confirm it.

    Parameters
    ----------
    x : Dataset, array, frame or sequence of n items
        Any type that the estimator accepts and an array of rows can index.
    labels : array-like, shape (n,), optional
        Given labels; not needed with a `Dataset`.
    estimator : scikit-learn classifier, optional
        With ``predict_proba``. By default, for a `Dataset`, the average of the suitable models
        (`labelproof.auditing.default_models.candidates`) with the lowest out-of-sample loss.
    encoder : str, callable, scikit-learn transformer or None, default="auto"
        Makes features of the items of a `Dataset`: ``auto``, ``none``, ``st:NAME``, ``hf:NAME``, ``onnx:FOLDER``, ``minilm``,
        ``efficientnet-lite2``, or a function or transformer of ``x``. With an ``estimator``, ``auto`` is none.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    groups : array-like, shape (n,), optional
        Rows of a group, such as a document, stay in one fold. By default those of the `Dataset`.
    n_folds : int, default=5
        Number of folds, at least 2. Classes with fewer items than folds are handled: each model is still fitted on at
        least one item of every class.
    n_repeats : int, default=1
        Number of cross-validations with different folds, whose probabilities are averaged.
    n_jobs : int, optional
        Folds to fit at a time, in separate processes; -1 for one per core. By default one after the other.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the folds.
    map_folds : callable, default=map
        Like `map`: runs the folds, one after the other or, with `labelproof.distributed.ray_map`, on a cluster. The cluster
        also encodes blocks of items; an ``encoder`` that is a function then sees one block at a time.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Columns in sorted class order; rows sum to one.

    Raises
    ------
    BadInput
        If a class has a single item, so that no model could be both trained and tested on it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> x, y = load_iris(return_X_y=True)
    >>> out_of_sample_probs(x, y, estimator=LogisticRegression(max_iter=1000)).shape
    (150, 3)
    """
    how = CrossValidation(n_folds, n_repeats, n_jobs, random_state, map_folds)
    if isinstance(x, Dataset):
        return cross_validate(x, how, estimator=estimator, encoder=encoder, groups=groups).probs
    if labels is None or estimator is None:
        raise BadInput("labels or estimator is missing. Give both, or a Dataset as x.")
    coded = check_labels(labels, missing=missing)
    rows = np.asarray(x) if isinstance(x, list) else x
    found = Candidates({"x": rows}, [[Candidate(type(estimator).__name__, "x", _checked(estimator))]])
    return _cross_validated(found, coded.codes, coded.classes, None, _groups(groups, len(coded.codes)), how).probs


def cross_validate(
    dataset: Dataset,
    how: CrossValidation,
    *,
    estimator: Any = None,
    encoder: Any = AUTO,
    groups: Any = None,
) -> OutOfSample:
    """`out_of_sample_probs` of a `Dataset`, with a description of the model."""
    started = time.perf_counter()
    wanted = NONE if estimator is not None and encoder == AUTO else encoder
    features, name = encoded(dataset, wanted, map_blocks=how.map_folds)
    if estimator is None:
        found = candidates(dataset, features, name, random_state=seed_from(how.random_state))
    else:
        view, x = name or dataset.kind, dataset.x if features is None else features
        found = Candidates({view: x}, [[Candidate(type(estimator).__name__, view, _checked(estimator))]])
    own = _groups(dataset.groups if groups is None else groups, len(dataset))
    if own is not None:
        check_groups(dataset.given, own, dataset.classes)
    probs, model, _ = _cross_validated(found, dataset.given, dataset.classes, copies_of(dataset, features), own, how)
    return OutOfSample(probs, replace(model, encoder=name, seconds=round(time.perf_counter() - started, 2)), features)


def _cross_validated(
    found: Candidates,
    given: IntArray,
    classes: Sequence[object],
    copies: IntArray | None,
    groups: npt.NDArray[Any] | None,
    how: CrossValidation,
) -> OutOfSample:
    seed, k = seed_from(how.random_state), len(classes)
    tried: list[Json] = []
    fold = assign_folds(given, classes, how.n_folds, seed=seed, groups=groups, copies=copies)
    chosen = choose(found, given, k, fold, how.mapped, tried)
    probs = chosen[0][1]  # in the end the mean: each member and repeat adds its own
    for _, own in chosen[1:]:
        probs += own
    for repeat in range(1, how.n_repeats):
        other = assign_folds(given, classes, how.n_folds, seed=seed + repeat, groups=groups, copies=copies)
        folds = range(int(other.max()) + 1)
        for one, _ in chosen:
            out_of_fold(one.estimator, found.views[one.view], given, k, other, folds, how.mapped, probs)
    probs /= probs.sum(axis=1, keepdims=True)
    labelled = np.flatnonzero(fold != NO_FOLD)
    model = ModelUsed(
        name="; ".join(f"{one.name} on {one.view}" for one, _ in chosen),
        encoder=None,
        accuracy=round(float((probs[labelled].argmax(axis=1) == given[labelled]).mean()), 4),
        loss=round(loss_of(probs, given, labelled), 4),
        n_folds=int(fold.max()) + 1,
        n_repeats=how.n_repeats,
        seconds=0.0,
        tried=tried if len(tried) > 1 else [],
    )
    return OutOfSample(np.asarray(probs, np.float64), model)


def _checked(estimator: Any) -> Any:
    if not hasattr(estimator, "predict_proba"):
        raise BadInput(
            f"estimator {type(estimator).__name__} has no predict_proba. Wrap it, e.g. in CalibratedClassifierCV, or choose another."
        )
    return estimator


def _groups(groups: Any, n: int) -> npt.NDArray[Any] | None:
    if groups is None:
        return None
    found = np.asarray(groups, dtype=object)
    if found.shape != (n,):
        raise BadInput(f"groups have shape {found.shape} for {n:,} items. Give one group per item.")
    return found
