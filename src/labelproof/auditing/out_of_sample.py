"""Out-of-sample probabilities: what a model that never saw an item's label says of the item."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from labelproof.auditing.default_models import default_model
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.validation import UNLABELLED, RandomState, accepts_seed, check_labels, seed_from, take_rows


@accepts_seed
def out_of_sample_probs(
    x: Any,
    labels: Any = None,
    *,
    estimator: Any = None,
    missing: Sequence[Any] | None = None,
    n_folds: int = 5,
    random_state: RandomState = 0,
    map_folds: Any = map,
) -> npt.NDArray[np.float64]:
    """Class probabilities by stratified K-fold cross-validation.

    Every labelled item is predicted by a clone of the estimator that was fitted on the other folds; unlabelled items get
    the mean of all folds' models.

    Parameters
    ----------
    x : Dataset, array, frame or sequence of n items
        Anything the estimator accepts that can be indexed by an array of rows.
    labels : array-like, shape (n,), optional
        Given labels; not needed with a `Dataset`.
    estimator : scikit-learn classifier, optional
        With ``predict_proba``. For a `Dataset`, a model that suits its kind where left out.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    n_folds : int
        Number of folds, at least 2. Classes with fewer items than folds are handled: each model is still fitted on at
        least one item of every class.
    random_state : int, RandomState, Generator or None, default=0
        Decides the folds.
    map_folds : callable
        Like `map`: runs the folds, one after the other or, with `labelproof.distributed.ray_map`, on a cluster.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Columns in sorted class order; rows sum to one.

    Raises
    ------
    BadInput
        If a class has a single item: no model could both learn it and be tested on it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> x, y = load_iris(return_X_y=True)
    >>> out_of_sample_probs(x, y, estimator=LogisticRegression(max_iter=1000)).shape
    (150, 3)
    """
    seed = seed_from(random_state)
    if isinstance(x, Dataset):
        estimator = default_model(x, random_state=seed) if estimator is None else estimator
        x, given, classes = x.x, x.given, x.classes
    else:
        if labels is None or estimator is None:
            raise BadInput("labels and estimator are needed where x is not a Dataset.")
        coded = check_labels(labels, missing=missing)
        given, classes = coded.codes, coded.classes
        x = np.asarray(x) if isinstance(x, list) else x
    if not hasattr(estimator, "predict_proba"):
        raise BadInput(
            f"estimator {type(estimator).__name__} has no predict_proba. Wrap it, e.g. in CalibratedClassifierCV, or choose another."
        )
    if n_folds < 2:
        raise BadInput(f"n_folds is {n_folds}. Give 2 or more.")
    labelled, unlabelled = np.flatnonzero(given != UNLABELLED), np.flatnonzero(given == UNLABELLED)
    counts = np.bincount(given[labelled], minlength=len(classes))
    if (counts == 1).any():
        alone = int(np.argmax(counts == 1))
        row = int(labelled[np.argmax(given[labelled] == alone)])
        raise BadInput(
            f"class {classes[alone]!r} has one example (row {row}): no model can both learn it and be tested on it. "
            "Add examples, merge the class with another, or remove this label."
        )
    probs = np.zeros((len(given), len(classes)))
    folds = min(n_folds, int(counts.max()))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(splitter.split(labelled, given[labelled]))
    tests = [labelled[test] for _, test in splits]
    found = map_folds(
        _fit_and_predict,
        repeat(estimator, folds),
        (take_rows(x, labelled[train]) for train, _ in splits),  # one fold's copy at a time
        (given[labelled[train]] for train, _ in splits),
        (take_rows(x, rows) for rows in tests),
        repeat(take_rows(x, unlabelled), folds),
    )
    for rows, (columns, of_test, of_unlabelled) in zip(tests, track(found, "cross-validating", total=folds), strict=True):
        probs[np.ix_(rows, columns)] = of_test
        if len(unlabelled):
            probs[np.ix_(unlabelled, columns)] += of_unlabelled / folds
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


def _fit_and_predict(estimator: Any, x: Any, given: Any, test: Any, unlabelled: Any) -> tuple[Any, Any, Any]:
    """One fold: columns of the classes seen, probabilities of its test items and of the unlabelled ones."""
    model = clone(estimator).fit(x, given)
    return model.classes_.astype(int), model.predict_proba(test), model.predict_proba(unlabelled) if len(unlabelled) else None
