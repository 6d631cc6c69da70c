"""`BootstrapEnsemble`: how much of a prediction depends on the sample of items that was drawn."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from labelproof.data.encoding import kind_of
from labelproof.errors import BadInput
from labelproof.estimators.inner import inner, inner_states
from labelproof.noise.em import expectation_maximization
from labelproof.noise.posterior import error_probability
from labelproof.progress import track
from labelproof.saving.saveable import Saveable, columns_of, params_of, plain_params, restore_columns
from labelproof.saving.state import State
from labelproof.training.temperature import entropy_of
from labelproof.validation import UNLABELLED, AnyArray, ArrayLike, RandomState, accepts_seed, seed_from, take_rows
from labelproof.validation.estimator_labels import coded_labels, has_gaps


@accepts_seed
class BootstrapEnsemble(Saveable, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of clones of a classifier, each trained on items drawn with replacement.

    The predictive entropy ``H(mean of p)`` measures the uncertainty of the ensemble. Its part ``H(mean of p) - mean of H(p)``,
    the mutual information, is epistemic: more data would reduce it. The part ``mean of H(p)`` is in the data.

    Parameters
    ----------
    estimator : scikit-learn classifier
        With ``predict_proba``; one with a parameter ``random_state`` gets a different one in each clone.
    n : int, default=10
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
    estimators_ : list of n fitted classifiers
    error_probability_ : ndarray, shape (n_items,)
        Probability that the label of each training item is wrong: by the posterior, from the clones that were not trained on
        the item, with the noise fitted by EM; NaN where unlabelled or in every sample.

    See Also
    --------
    NoisyLabelClassifier : One network; an ensemble can be made of several.
    RankPruning : One classifier, fitted to the labels that look right.

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell (2017), Simple and scalable predictive uncertainty estimation using deep ensembles;
    Depeweg et al. (2018), Decomposition of uncertainty in Bayesian deep learning.

    Examples
    --------
    >>> import labelproof as lp
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> x, y = load_iris(return_X_y=True)
    >>> ensemble = lp.BootstrapEnsemble(LogisticRegression(max_iter=1000), n=5).fit(x, y)
    >>> total, epistemic = ensemble.entropy(x), ensemble.epistemic(x)
    >>> bool((epistemic >= 0).all() and (total >= epistemic).all())
    True
    """

    kind = "bootstrap-ensemble"

    def __init__(self, estimator: BaseEstimator, n: int = 10, *, random_state: RandomState = 0) -> None:
        self.estimator = estimator
        self.n = n
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> BootstrapEnsemble:
        """Train the clones.

        Parameters
        ----------
        X : array, frame or sequence of n_items
        y : array-like, shape (n_items,)
            Given labels; unlabelled items are ignored.
        """
        if self.n < 2:
            raise BadInput(f"n is {self.n}. Give 2 members or more.")
        if kind_of(X) == "numbers":
            if has_gaps(y):
                X = validate_data(self, X, dtype=None, ensure_all_finite=False)
            else:
                X, y = validate_data(self, X, y, dtype=None, ensure_all_finite=False)
        codes, self.classes_ = coded_labels(y)
        if len(codes) != len(X):
            raise BadInput(f"X has {len(X)} rows but y has {len(codes)}. Give one label per item.")
        labelled, k = np.flatnonzero(codes != UNLABELLED), len(self.classes_)
        if len(np.unique(codes[labelled])) < 2:
            raise BadInput("y has only one class or no label, but the classifier needs 2 classes or more.")
        seed = seed_from(self.random_state)
        rng = np.random.default_rng(seed)
        self.estimators_ = []
        unseen, votes = np.zeros((len(codes), k)), np.zeros(len(codes))
        for number in track(range(self.n), "training the ensemble"):
            rows = self._drawn(rng, codes, labelled)
            member = _seeded(clone(self.estimator), (seed + number) % 2**32).fit(take_rows(X, rows), codes[rows])
            self.estimators_.append(member)
            left = np.setdiff1d(labelled, rows)
            if len(left):
                unseen[np.ix_(left, member.classes_.astype(int))] += member.predict_proba(take_rows(X, left))
                votes[left] += 1
        self.error_probability_ = np.full(len(codes), np.nan)
        known = np.flatnonzero(votes)
        if len(known):
            probs = unseen[known] / votes[known, None]
            noise = expectation_maximization(codes[known], probs, classes=range(k))
            self.error_probability_[known] = error_probability(noise.posterior(probs, codes[known]), codes[known])
        return self

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        own = inner_states(**{f"member{number}": member for number, member in enumerate(self.estimators_)})
        meta = {"params": plain_params(self, estimator=None), "classes": self.classes_.tolist(), **columns_of(self), **own.meta}
        return State(self.kind, meta, {**own.arrays, "error_probability": self.error_probability_})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        model.estimators_ = [inner(state, f"member{number}") for number in range(model.n)]
        model.estimator = clone(model.estimators_[0])
        model.classes_, model.error_probability_ = np.array(state.get("classes", list)), state.arrays["error_probability"]
        restore_columns(model, state)
        return model

    @staticmethod
    def _drawn(
        rng: np.random.Generator, codes: npt.NDArray[np.int64], labelled: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Rows drawn with replacement, class by class, so that no class is lost."""
        groups = [labelled[codes[labelled] == code] for code in np.unique(codes[labelled])]
        return np.concatenate([rng.choice(rows, len(rows)) for rows in groups])

    def members_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of every member, shape (n, n_items, k)."""
        check_is_fitted(self)
        if kind_of(X) == "numbers":
            X = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
        return np.stack([member.predict_proba(X) for member in self.estimators_])

    def predict_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Mean of the members' probabilities, shape (n_items, k)."""
        return np.asarray(self.members_proba(X).mean(axis=0))

    def predict(self, X: ArrayLike) -> AnyArray:
        """The most probable class, shape (n_items,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def entropy(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Predictive entropy in nats, shape (n_items,)."""
        return entropy_of(self.predict_proba(X))

    def epistemic(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Mutual information of prediction and member in nats, shape (n_items,), at least 0."""
        each = self.members_proba(X)
        return np.asarray(np.maximum(entropy_of(each.mean(axis=0)) - entropy_of(each).mean(axis=0), 0.0))


def _seeded(member: BaseEstimator, seed: int) -> BaseEstimator:
    return member.set_params(random_state=seed) if "random_state" in member.get_params() else member
