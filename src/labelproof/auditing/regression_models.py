"""The models that an audit of numbers cross-validates when the user names none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labelproof.auditing.default_models import Candidate, Candidates
from labelproof.auditing.numeric_tables import all_numbers, of_numbers
from labelproof.data.dataset import Dataset
from labelproof.data.words import vectorizer_for
from labelproof.errors import BadInput

Floats = npt.NDArray[np.float64]
LEAVES = (15, 31)  # of a boosted tree
STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # of ridge regression on standardised features
OF_WORDS = (0.3, 1.0, 3.0)
CLIP = 6.0  # median distances from the prediction that a number is moved to if it is farther
MOST_BOOSTED = 200  # features
MOST_TREES = 50_000  # items


def regressors(dataset: Dataset, features: npt.NDArray[np.float32] | None, encoder: str | None, seed: int) -> Candidates:
    """The models that may suit numbers of the items of a `Dataset`.

    ========  ==================================================================================================
    kind      models
    ========  ==================================================================================================
    table     boosting with absolute loss; randomised trees on clipped numbers (on skrub's table vectorizer)
    text      ridge regression on TF-IDF of words, on clipped numbers
    arrays    boosting, randomised trees, and ridge regression on standardised features
    features  of an encoder: as arrays
    ========  ==================================================================================================

    Parameters
    ----------
    dataset : Dataset
    features : ndarray of float32, shape (n, d), optional
        What an encoder made of the items.
    encoder : str, optional
        Its name.
    seed : int
    """
    found = Candidates({}, [])
    if features is not None:
        _on_arrays(found, features, encoder or "features", seed)
    if dataset.kind == "text":
        found.views["words"] = vectorizer_for(dataset.x).fit_transform(dataset.x)  # without labels, so once for all folds
        found.groups.append([Candidate(f"ridge, strength {a:g}", "words", Clipped(Ridge(alpha=a))) for a in OF_WORDS])
    elif features is None and dataset.kind == "table":
        found.views["table"] = dataset.x
        found.groups.append([Candidate(f"boosting, {n} leaves", "table", _table(boosting(n), dataset.x, seed)) for n in LEAVES])
        if len(dataset) <= MOST_TREES:
            found.groups.append([Candidate("randomised trees", "table", _table(_trees(seed), dataset.x, seed))])
    elif features is None and getattr(dataset.x, "ndim", 0) == 2:
        _on_arrays(found, dataset.x, dataset.kind, seed)
    elif features is None:
        raise BadInput(
            "encoder is missing: a model of numbers for pictures needs features. Name an encoder (--encoder), or give features or predictions."
        )
    return found


def _on_arrays(found: Candidates, x: Any, view: str, seed: int) -> None:
    found.views[view] = x
    sparse = hasattr(x, "indptr")
    scaled = StandardScaler(with_mean=not sparse)
    found.groups.append(
        [Candidate(f"ridge, strength {a:g}", view, make_pipeline(scaled, Clipped(Ridge(alpha=a)))) for a in STRENGTHS]
    )
    if not sparse and x.shape[1] <= MOST_BOOSTED:
        found.groups.append([Candidate(f"boosting, {n} leaves", view, boosting(n)) for n in LEAVES])
        if x.shape[0] <= MOST_TREES:
            found.groups.append([Candidate("randomised trees", view, _trees(seed))])


def boosting(leaves: int) -> Any:
    """Gradient boosting with absolute loss."""
    return HistGradientBoostingRegressor(
        loss="absolute_error", learning_rate=0.1, max_iter=150, max_leaf_nodes=leaves, min_samples_leaf=20, random_state=0
    )


def _trees(seed: int) -> Any:
    return Clipped(ExtraTreesRegressor(60, min_samples_leaf=2, random_state=seed), boosting(LEAVES[-1]), steps=1)


def _table(model: Any, x: Any, seed: int) -> Any:
    if all_numbers(x):
        return of_numbers(model, linear=False)
    import skrub

    inner = model.model if isinstance(model, Clipped) else model
    whole = skrub.tabular_pipeline(inner)
    whole.steps[-1] = (whole.steps[-1][0], model)
    return whole.set_params(tablevectorizer__high_cardinality__random_state=seed)  # of its encoder of free text


class Clipped(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A model of numbers that moves those far from a first prediction towards it.

    ``y ← ŷ + clip(y - ŷ, ±6 median |y - ŷ|)``, with ŷ of a robust model, or of the model itself, from the median on: then it is Huber's
    estimate.

    Parameters
    ----------
    model : scikit-learn regressor
    first : scikit-learn regressor, optional
        What predicts first.
    steps : int, default=4
    """

    def __init__(self, model: Any, first: Any = None, steps: int = 4) -> None:
        self.model = model
        self.first = first
        self.steps = steps

    def fit(self, X: Any, y: Floats) -> Clipped:
        """``X`` of shape (n, d), ``y`` of shape (n,)."""
        guess = np.full(len(y), np.median(y)) if self.first is None else clone(self.first).fit(X, y).predict(X)
        for _ in range(self.steps):
            away = y - guess
            reach = CLIP * float(np.median(np.abs(away)))
            self.model_ = clone(self.model).fit(X, guess + np.clip(away, -reach, reach))
            guess = self.model_.predict(X)
        return self

    def predict(self, X: Any) -> Floats:
        """Shape (n,)."""
        return np.asarray(self.model_.predict(X))
