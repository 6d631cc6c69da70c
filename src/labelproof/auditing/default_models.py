"""The models that an audit cross-validates when the user names none: sensible for the kind of data, quick on two cores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from labelproof.auditing.centroids import CentroidClassifier
from labelproof.auditing.naive_bayes_weights import NaiveBayesWeights
from labelproof.auditing.numeric_tables import all_numbers, of_numbers
from labelproof.data.dataset import Dataset
from labelproof.data.words import vectorizer, vectorizer_for
from labelproof.errors import LabelproofWarning
from labelproof.extras import command, needed_by
from labelproof.validation import RandomState, accepts_seed, seed_from

MOST_WEIGHTS = 6_000_000  # of logistic regression, whose solver holds some twenty copies
FEW_CLASSES = 30
MOST_WORK = 500_000_000  # items x features x classes, from which on regularisation is not searched
MOST_NEIGHBOURS = 20_000  # items among which nearest ones are searched
NEIGHBOURS = 30
ON_FEATURES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # inverse strength of regularisation, of standardised features
ON_WORDS = 5.0
NO_TORCH = f"Or name an encoder that needs no torch: --encoder onnx:FOLDER ({command('onnxruntime')})."


@dataclass(frozen=True)
class Candidate:
    """A model that may be used, and which view of the items it is given.

    Attributes
    ----------
    name : str
        For people: model and setting.
    view : str
    estimator : scikit-learn classifier
    """

    name: str
    view: str
    estimator: Any = field(repr=False)


@dataclass(frozen=True)
class Candidates:
    """The candidates of a cross-validation: of each group the best, and then the best average of these.

    Attributes
    ----------
    views : dict of str to rows
        The inputs of models: the items themselves, or features made of them without labels.
    groups : list of list of Candidate
        Settings of one model, or models of one kind.
    """

    views: dict[str, Any]
    groups: list[list[Candidate]]


def candidates(
    dataset: Dataset,
    features: npt.NDArray[np.float32] | None = None,
    encoder: str | None = None,
    *,
    random_state: RandomState = 0,
) -> Candidates:
    """The models that may suit a `Dataset`.

    ========  ==================================================================================================
    kind      models
    ========  ==================================================================================================
    table     gradient boosting; logistic regression (both on skrub's table vectorizer, if any column is not numeric)
    text      logistic regression on TF-IDF of words, weighted by their class ratios; on characters
    images    a small convolutional network
    cells     logistic regression on standardised, log-normalised expression
    arrays    logistic regression on standardised features; the network if items are pictures
    features  of an encoder: logistic regression, and a vote of the 30 nearest neighbours; for text together with the words
    ========  ==================================================================================================

    Parameters
    ----------
    dataset : Dataset
    features : ndarray of float32, shape (n, d), optional
        What an encoder made of the items.
    encoder : str, optional
        Its name.
    random_state : int, RandomState, Generator or None, default=0
    """
    seed = seed_from(random_state)
    found = Candidates({}, [])
    if features is not None:
        _on_features(found, features, encoder or "features", len(dataset.classes))
    if dataset.kind == "text":
        _on_text(found, dataset, characters=features is None)
    elif features is None and dataset.kind == "table":
        found.views["table"] = dataset.x
        found.groups.append([Candidate("gradient boosting", "table", _boosting(dataset.x, seed))])
        if len(dataset.classes) <= FEW_CLASSES:
            found.groups.append([Candidate("logistic regression", "table", _linear_table(dataset.x, seed))])
    elif features is None and getattr(dataset.x, "ndim", 2) > 2:
        found.views["pictures"] = dataset.x
        found.groups.append([Candidate("convolutional network", "pictures", _network(seed))])
    elif features is None:
        _on_features(found, dataset.x, dataset.kind, len(dataset.classes), neighbours=False)
    return found


def _on_features(found: Candidates, features: Any, view: str, k: int, *, neighbours: bool = True) -> None:
    n, d = features.shape
    found.views[view] = features
    strengths: Sequence[float] = ON_FEATURES if neighbours else (1.0, *ON_FEATURES[1:])
    if n * d * k > MOST_WORK:
        strengths = (1e-3,) if neighbours else (1e-2,)
        if n * d * k > 10 * MOST_WORK or k * d > MOST_WEIGHTS:
            warnings.warn(
                f"{k:,} classes of {n:,} items are too many for logistic regression on {d:,} features; each item gets the class with the nearest mean.",
                LabelproofWarning,
                stacklevel=4,
            )
            found.groups.append([Candidate("class means", view, make_pipeline(Normalizer(), CentroidClassifier()))])
            return
    found.groups.append([Candidate(f"logistic regression, C={c:g}", view, linear(c)) for c in strengths])
    if neighbours and 5 * NEIGHBOURS <= n <= MOST_NEIGHBOURS:
        nearest = Neighbours(NEIGHBOURS, weights="distance", metric="cosine", algorithm="brute")
        found.groups.append([Candidate(f"{NEIGHBOURS} nearest neighbours", view, nearest)])


def _on_text(found: Candidates, dataset: Dataset, *, characters: bool) -> None:
    words = vectorizer_for(dataset.x)
    counted = words.fit_transform(dataset.x)  # without labels, so once for all folds
    unit = "characters" if words.analyzer == "char" else "words"
    found.views[unit] = counted
    if _many(counted.shape[1], len(dataset.classes)):
        found.groups.append([Candidate("class means", unit, _of_many(dataset))])
        return
    found.groups.append([Candidate("logistic regression", unit, _of_words())])
    if characters and unit == "words":
        found.views["characters"] = vectorizer("letters").fit_transform(dataset.x)
        if not _many(found.views["characters"].shape[1], len(dataset.classes)):
            found.groups.append([Candidate("logistic regression", "characters", _of_words())])


@accepts_seed
def default_model(dataset: Dataset, *, random_state: RandomState = 0) -> Any:
    """Make a scikit-learn classifier for the items of a `Dataset`: the first of `candidates`, without a search.

    Parameters
    ----------
    dataset : Dataset
    random_state : int, RandomState, Generator or None, default=0

    Returns
    -------
    scikit-learn classifier
        Not fitted; fit it to ``dataset.x``.
    """
    seed = seed_from(random_state)
    if dataset.kind == "table":
        return _boosting(dataset.x, seed)
    if dataset.kind == "text":
        words, k = vectorizer_for(dataset.x), len(dataset.classes)
        if k > FEW_CLASSES and _many(len(words.fit(dataset.x).vocabulary_), k):
            return make_pipeline(words, _of_many(dataset))
        return make_pipeline(words, *_of_words())
    if getattr(dataset.x, "ndim", 2) > 2:
        return _network(seed)
    return linear(1.0)


def linear(strength: float) -> Any:
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))


class Neighbours(KNeighborsClassifier):  # type: ignore[misc]
    """All items vote if a training fold has fewer than the requested neighbours, as when one group is large."""

    n_neighbors: int

    def fit(self, X: Any, y: Any) -> Neighbours:
        """``X`` of shape (n, d), ``y`` of shape (n,)."""
        self.n_neighbors = min(int(NEIGHBOURS), len(y))
        super().fit(X, y)
        return self


def _of_words() -> Any:
    return make_pipeline(NaiveBayesWeights(), LogisticRegression(C=ON_WORDS, max_iter=1000))


def _of_many(dataset: Dataset) -> CentroidClassifier:
    warnings.warn(
        f"{len(dataset.classes):,} classes are too many for logistic regression on texts. Each text gets the class with the nearest mean.",
        LabelproofWarning,
        stacklevel=4,
    )
    return CentroidClassifier()


def _many(columns: int, k: int) -> bool:
    return k > FEW_CLASSES and k * columns > MOST_WEIGHTS


def _boosting(x: Any, seed: int) -> Any:
    model = HistGradientBoostingClassifier(learning_rate=0.06, max_iter=120, random_state=seed)
    return of_numbers(model, linear=False) if all_numbers(x) else _of_table(model, seed)


def _linear_table(x: Any, seed: int) -> Any:
    model = LogisticRegression(max_iter=300)
    return of_numbers(model, linear=True) if all_numbers(x) else _of_table(model, seed)


def _of_table(model: Any, seed: int) -> Any:
    import skrub

    whole = skrub.tabular_pipeline(model)
    return whole.set_params(tablevectorizer__high_cardinality__random_state=seed)  # of its encoder of free text


def _network(seed: int) -> Any:
    with needed_by("the network for pictures", otherwise=NO_TORCH):  # not needed for other data
        from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier

    return NoisyLabelClassifier("cross-entropy", epochs=14, random_state=seed)
