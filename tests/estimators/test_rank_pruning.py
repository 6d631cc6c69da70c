"""Rank pruning: known rates are recovered, wrong labels are dropped, and the fit is better for it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import labelproof as lp
from labelproof.noise.rank_pruning import inverse_noise_rates, noise_rates


def gaussians(n: int = 4000, gap: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = (rng.random(n) < 0.4).astype(int)
    return rng.normal(gap * (2 * true[:, None] - 1), 1.0, (n, 2)), true


@pytest.mark.parametrize(("rho0", "rho1"), [(0.0, 0.0), (0.1, 0.1), (0.1, 0.4), (0.3, 0.2), (0.0, 0.5)])
def test_rates_of_a_gaussian_toy(rho0, rho1):
    x, true = gaussians()
    noisy = lp.simulate.class_conditional(true, [rho0, rho1], random_state=0)
    model = lp.RankPruning().fit(x, noisy.labels)
    assert np.abs(model.transition_.matrix - [[1 - rho0, rho0], [rho1, 1 - rho1]]).max() < 0.03
    assert abs(model.transition_.prior[1] - true.mean()) < 0.03
    assert model.score(x, true) > 0.98
    dropped = ~model.kept_
    if dropped.any():
        assert noisy.changed[dropped].mean() > 0.9
        assert dropped[noisy.changed].mean() > 0.85


@given(st.floats(0.05, 0.95), st.floats(0, 0.45), st.floats(0, 0.45))
def test_inverse_rates_are_bayes_rule(prior, rho1, rho0):
    noise = lp.TransitionMatrix([[1 - rho0, rho0], [rho1, 1 - rho1]], prior=[1 - prior, prior])
    pi1, pi0 = inverse_noise_rates(rho1, rho0, float(noise.given_prior[1]))
    assert np.isclose(pi1, noise.inverse[1, 0], atol=1e-9)
    assert np.isclose(pi0, noise.inverse[0, 1], atol=1e-9)


def test_it_beats_a_classifier_that_memorises(real_data):
    data = np.load(real_data / "mnist.npz")
    chosen = np.flatnonzero(np.isin(data["y_train"], (5, 7)))[:2000]
    x, true = data["x_train"][chosen].reshape(2000, -1) / 255, (data["y_train"][chosen] == 5).astype(int)
    noisy = lp.simulate.class_conditional(true, [0.3, 0.3], random_state=0)
    at = np.isin(data["y_test"], (5, 7))
    test, truth = data["x_test"][at].reshape(at.sum(), -1) / 255, (data["y_test"][at] == 5).astype(int)
    plain = LogisticRegression(C=0.01, max_iter=500)
    model = lp.RankPruning(plain).fit(x, noisy.labels)
    assert np.abs(model.transition_.matrix - [[0.7, 0.3], [0.3, 0.7]]).max() < 0.1
    tree = DecisionTreeClassifier(random_state=0)
    assert model.score(test, truth) > 0.95
    assert model.score(test, truth) > tree.fit(x, noisy.labels).score(test, truth) + 0.2


def test_more_classes_one_against_the_rest_and_names_as_labels():
    x, true = gaussians()
    names = np.array(["no", "yes"])[lp.simulate.symmetric(true, 0.2, random_state=0).labels]
    model = lp.RankPruning(DecisionTreeClassifier(max_depth=3, random_state=0)).fit(x, names)
    assert (model.predict(x) == np.array(["no", "yes"])[true]).mean() > 0.95
    three = true + (x[:, 0] > 2.5)
    assert OneVsRestClassifier(lp.RankPruning()).fit(x, three).score(x, three) > 0.9


def test_the_published_example_is_one_of_our_draws():
    """cgnorthcutt/rankpruning, tutorial: ρ1 0.82, ρ0 0.15, π1 0.48, π0 0.47, accuracy 0.763, and 0.833 with the rates given."""
    found, given_rates = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        (x, true), test = (
            (np.r_[rng.multivariate_normal([2, 2], [[10, -1.5], [-1.5, 5]], 2 * n), rng.multivariate_normal(
                [5, 5], [[1.5, 1.3], [1.3, 4]], n)], np.repeat([0, 1], [2 * n, n])) for n in (500, 1000)
        )  # fmt: skip
        noisy = true.copy()
        noisy[rng.permutation(np.flatnonzero(true == 1))[:400]] = 0
        noisy[rng.permutation(np.flatnonzero(true == 0))[:150]] = 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lp.LabelproofWarning)
            model = lp.RankPruning(n_folds=3, random_state=seed).fit(x, noisy)
        rates, dropped = model.transition_.matrix, ~model.kept_
        found.append([rates[1, 0], rates[0, 1], dropped[noisy == 1].mean(), dropped[noisy == 0].mean(), model.score(*test)])
        given_rates.append(lp.RankPruning(n_folds=3, random_state=seed, rates=(0.8, 0.15)).fit(x, noisy).score(*test))
    rates = np.median(found, axis=0)
    assert np.abs(rates[:2] - [0.82, 0.15]).max() < 0.02
    assert np.abs(rates[2:4] - [0.48, 0.47]).max() < 0.06
    assert abs(rates[4] - 0.763) < 0.03
    low, high = np.quantile(given_rates, [0.05, 0.95])
    assert low < 0.833 < high
    assert np.median(given_rates) > rates[4]


def test_labels_like_random_ones_are_noticed():
    scores, labels = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 1, 1, 0])
    with pytest.warns(lp.LabelproofWarning, match="random labels"):
        assert noise_rates(scores, labels) == (0.0, 0.0)


def test_bad_input():
    x, true = gaussians(n=50)
    with pytest.raises(lp.BadInput, match="takes no sample_weight"):
        lp.RankPruning(KNeighborsClassifier()).fit(x, true)
    for rates in ((0.6, 0.5), (-0.1, 0.2), (float("nan"), 0.2)):
        with pytest.raises(lp.BadInput, match="sum to less than 1"):
            lp.RankPruning(rates=rates).fit(x, true)
    with pytest.raises(lp.BadInput, match="has one example"):
        lp.RankPruning().fit(x[:5], [0, 0, 0, 0, 1])
    with pytest.raises(lp.BadInput, match="OneVsRestClassifier"):
        lp.RankPruning().fit(x[:6], [0, 1, 2, 0, 1, 2])
