"""Rank pruning: estimate two error rates, drop that many least probable labels of each class, weigh the rest, refit."""

from __future__ import annotations

from typing import Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from labelproof.errors import BadInput
from labelproof.estimators.inner import inner, inner_states
from labelproof.noise.rank_pruning import inverse_noise_rates, noise_rates, rank_pruned
from labelproof.noise.transition import TransitionMatrix
from labelproof.saving.saveable import Saveable, columns_of, params_of, plain_params, restore_columns
from labelproof.saving.state import State
from labelproof.validation import AnyArray, ArrayLike, RandomState, accepts_seed, seed_from


@accepts_seed
class RankPruning(Saveable, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Binary classification from partly wrong labels, around any scikit-learn classifier.

    With ``g(x)`` the out-of-sample probability of the positive class and s the given label, the thresholds
    ``LB = mean of g over s = 1`` and ``UB = mean of g over s = 0`` choose confident examples, and

        ``ρ1 = |{s = 0, g ≥ LB}| / |{g ≥ LB}|`` estimates ``p(s = 0 | y = 1)``,
        ``ρ0 = |{s = 1, g ≤ UB}| / |{g ≤ UB}|`` estimates ``p(s = 1 | y = 0)``.

    By Bayes' rule ``π1 = p(y = 0 | s = 1)`` and ``π0 = p(y = 1 | s = 0)`` follow. The share π1 of the examples given 1 with
    the lowest g and the share π0 of those given 0 with the highest are pruned. The classifier is fitted to the rest with
    weights ``1 / (1 - ρ1)`` and ``1 / (1 - ρ0)``.

    Parameters
    ----------
    estimator : scikit-learn classifier, default=None
        With ``predict_proba`` and ``sample_weight`` in ``fit``; by default logistic regression.
    n_folds : int, default=5
        Folds of the cross-validation that makes g.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds.
    rates : (float, float), default=None
        ``ρ1`` and ``ρ0`` if they are known; g then only ranks.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        The second is the positive class.
    transition_ : TransitionMatrix
        ``[[1 - ρ0, ρ0], [ρ1, 1 - ρ1]]`` with the estimated ``p(y)``.
    kept_ : ndarray of bool, shape (n,)
        The training examples that were not pruned.
    estimator_ : the fitted classifier

    See Also
    --------
    NoisyLabelClassifier : Networks, for any number of classes; its method ``"rank-pruning"`` prunes for them.
    labelproof.audit : Finds wrong labels, without a classifier that learns from the others.

    References
    ----------
    Northcutt, Wu and Chuang (2017), Learning with confident examples: rank pruning for robust classification with noisy
    labels, equations 3 to 10 and algorithm 1.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = np.repeat([0, 1], 1000)
    >>> x = rng.normal(4.0 * true[:, None] - 2.0, 1.0, (2000, 2))
    >>> noisy = lp.simulate.class_conditional(true, [0.1, 0.4], random_state=0)
    >>> model = lp.RankPruning().fit(x, noisy.labels)
    >>> model.transition_.matrix.round(1)
    array([[0.9, 0.1],
           [0.4, 0.6]])
    >>> bool(model.score(x, true) > 0.98)
    True
    """

    kind = "rank-pruning"

    def __init__(
        self,
        estimator: BaseEstimator = None,
        n_folds: int = 5,
        random_state: RandomState = 0,
        rates: tuple[float, float] | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_folds = n_folds
        self.random_state = random_state
        self.rates = rates

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, x: ArrayLike, y: ArrayLike) -> RankPruning:
        """Estimate the noise, prune and refit.

        Parameters
        ----------
        x : array-like, shape (n, d)
        y : array-like, shape (n,)
            Given labels of two classes.

        Raises
        ------
        BadInput
            For more or fewer than two classes, a class with a single example, or rates that sum to 1 or more.
        """
        x, y = cast(tuple[AnyArray, AnyArray], validate_data(self, x, y))
        check_classification_targets(y)
        self.classes_, given = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            hint = "Only binary classification is supported. " if len(self.classes_) > 2 else "The data has only one class. "
            raise BadInput(
                f"{hint}y has {len(self.classes_)} class(es), but rank pruning is for two. For more, wrap it in sklearn.multiclass.OneVsRestClassifier."
            )
        base = LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator
        if not has_fit_parameter(base, "sample_weight"):
            raise BadInput(
                f"estimator {type(base).__name__} takes no sample_weight in fit, which rank pruning needs. Choose another."
            )
        known = None if self.rates is None else self._known_rates()  # refused before anything is fitted
        positive = self._out_of_sample(base, x, given)
        rho1, rho0 = known or noise_rates(positive, given)
        share = float(given.mean())
        pi1, pi0 = inverse_noise_rates(rho1, rho0, share)
        self.kept_ = rank_pruned(positive, given, pi1, pi0)
        prior = float(np.clip((share - rho0) / (1 - rho1 - rho0), 0, 1))
        self.transition_ = TransitionMatrix(
            [[1 - rho0, rho0], [rho1, 1 - rho1]], prior=[1 - prior, prior], classes=self.classes_.tolist()
        )
        weight = np.where(given == 1, 1 / (1 - rho1), 1 / (1 - rho0))
        self.estimator_ = clone(base).fit(x[self.kept_], y[self.kept_], sample_weight=weight[self.kept_])
        return self

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        own = inner_states(estimator=self.estimator_)
        noise = {"matrix": self.transition_.matrix.tolist(), "prior": self.transition_.prior.tolist()}
        params = plain_params(self, estimator=None)
        meta = {"params": params, "default": self.estimator is None, "transition": noise, "classes": self.classes_.tolist()}
        return State(self.kind, {**meta, **columns_of(self), **own.meta}, {**own.arrays, "kept": self.kept_})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        model.estimator_ = inner(state, "estimator")
        model.estimator = None if state.get("default", bool) else clone(model.estimator_)
        model.classes_, model.kept_ = np.array(state.get("classes", list)), state.arrays["kept"]
        model.transition_ = TransitionMatrix(**state.get("transition", dict), classes=model.classes_.tolist())
        restore_columns(model, state)
        return model

    def _known_rates(self) -> tuple[float, float]:
        rho1, rho0 = (float(rate) for rate in np.broadcast_to(np.asarray(self.rates, float), 2))
        if not (rho1 >= 0 and rho0 >= 0 and rho1 + rho0 < 1):
            raise BadInput(
                f"rates is {self.rates!r}. Give p(given 0 | true 1) and p(given 1 | true 0), both 0 or more, that sum to less than 1."
            )
        return rho1, rho0

    def _out_of_sample(self, base: BaseEstimator, x: AnyArray, given: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        folds = min(self.n_folds, int(np.bincount(given).min()))
        if folds < 2:
            alone = self.classes_[np.bincount(given).argmin()]
            raise BadInput(f"class {alone!r} has one example, so no model can be both trained and tested on it. Add examples.")
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed_from(self.random_state))
        return np.asarray(cross_val_predict(clone(base), x, given, cv=splits, method="predict_proba")[:, 1])

    def predict_proba(self, x: ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of the two classes, shape (n, 2)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(validate_data(self, x, reset=False)))

    def predict(self, x: ArrayLike) -> AnyArray:
        """The more probable class of each item, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(validate_data(self, x, reset=False)))
