"""Estimators inside of others, in the states of these."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.saving.saveable import Saveable, params_of, plain_params
from labelproof.saving.state import State
from labelproof.validation import AnyArray

HOMES = {  # of the classes by their kinds: a state is taken up before anybody has imported them
    "classifier": "noisy_label_classifier.noisy_label_classifier.NoisyLabelClassifier",
    "mislabeled-vae": "mislabeled_vae.mislabeled_vae.MislabeledVAE",
    "m1-m2": "mislabeled_vae.m1m2.M1M2",
    "nl-gan": "nl_gan.nl_gan.NLGAN",
    "rank-pruning": "rank_pruning.RankPruning",
    "bootstrap-ensemble": "bootstrap.BootstrapEnsemble",
    "generative-cleaner": "nl_gan.generative_cleaner.GenerativeCleaner",
}
LOGISTIC = "logistic-regression"
COEFFICIENTS = ("coef_", "intercept_", "n_iter_")


def inner_states(**fitted: BaseEstimator) -> State:
    """The states of fitted estimators as one, whose ``meta`` has an entry of the name of each.

    Raises
    ------
    BadInput
        For one that is neither labelproof's nor a logistic regression, which could not be saved without pickle, and for a
        network of the user's own.
    """
    meta: dict[str, object] = {}
    arrays: dict[str, AnyArray] = {}
    for name, estimator in fitted.items():
        state = _state_of(estimator)
        meta[name] = {"kind": state.kind, **state.meta}
        arrays |= state.inside(name)
    return State("", meta, arrays)


def inner(state: State, name: str) -> BaseEstimator:
    """The fitted estimator of that name, of what `inner_states` found."""
    meta = dict(state.get(name, dict))
    own = State(meta.pop("kind"), meta, state.of(name))
    if own.kind == LOGISTIC:
        model = LogisticRegression(**params_of(own))
        model.classes_, model.n_features_in_ = np.array(own.get("classes", list)), own.get("n_features_in", int)
        vars(model).update(own.arrays)
        return model
    module, _, owner = HOMES[own.kind].rpartition(".")
    with needed_by(owner):
        found: type[Saveable] = getattr(import_module(f"labelproof.estimators.{module}"), owner)
    return found.from_state(own)


def _state_of(estimator: BaseEstimator) -> State:
    if isinstance(estimator, Saveable):
        if not isinstance(getattr(estimator, "backbone", ""), str):
            raise BadInput(
                "backbone is your own network inside another estimator, which cannot be restored on loading. Save each model in its own folder, and load it with backbone=."
            )
        return estimator.to_state()
    if type(estimator) is LogisticRegression:
        meta = {"params": plain_params(estimator), "classes": estimator.classes_.tolist()}
        return State(
            LOGISTIC,
            {**meta, "n_features_in": int(estimator.n_features_in_)},
            {name: getattr(estimator, name) for name in COEFFICIENTS},
        )
    raise BadInput(
        f"estimator is a {type(estimator).__name__}, which cannot be saved without pickle. Use an estimator of labelproof or a LogisticRegression, or keep the data and fit it again."
    )
