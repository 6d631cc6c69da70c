"""Conformal sets under label noise: the formula, split conformal prediction without noise, and coverage on simulated noise."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.noise.conformal import ConformalSets, conformal_threshold, true_coverage
from labelproof.noise.simulate import by_transition


def mixture(n, k, rng, spread=1.0):
    """Classes of normal features and their exact posterior."""
    true, centres = rng.integers(0, k, n), rng.normal(size=(k, 5)) * spread
    x = centres[true] + rng.normal(size=(n, 5))
    logits = -((x[:, None] - centres) ** 2).sum(axis=2) / 2
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return true, probs / probs.sum(axis=1, keepdims=True)


def symmetric(k, rate):
    return np.full((k, k), rate / (k - 1)) + np.eye(k) * (1 - rate - rate / (k - 1))


def test_the_estimate_of_coverage_is_the_mixture_undone():
    rng = np.random.default_rng(0)
    scores, given, noise = (
        rng.random((50, 3)),
        rng.integers(0, 3, 50),
        np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]]),
    )
    share = np.bincount(given, minlength=3) / 50
    for t in (0.2, 0.5, 0.9):
        mixed = np.array([[(scores[given == z, k] <= t).mean() for k in range(3)] for z in range(3)])  # F_z^k
        by_true = np.linalg.solve(noise.T, share[:, None] * mixed)  # p(y) F_y^k
        assert true_coverage(scores, given, noise, np.array([t]))[0] == pytest.approx(np.trace(by_true))
    assert true_coverage(scores, given, noise, np.array([-1.0, 2.0])) == pytest.approx([0, 1])


def test_without_noise_it_is_split_conformal_prediction():
    rng = np.random.default_rng(1)
    scores, given = rng.random((99, 4)), rng.integers(0, 4, 99)
    own = np.sort(scores[np.arange(99), given])
    assert conformal_threshold(scores, given, np.eye(4), 0.9) == own[89]  # the 90th of 99: ceil(0.9 · 100)
    assert conformal_threshold(scores[:5], given[:5], np.eye(4), 0.9) == np.inf  # five are too few


@pytest.mark.parametrize(("k", "rate", "spread"), [(2, 0.2, 0.5), (3, 0.2, 0.6), (5, 0.4, 1.0)])
def test_true_labels_are_covered_and_sets_are_small(k, rate, spread):
    adapted, plain, sizes = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        true, probs = mixture(1400, k, rng, spread)
        given = by_transition(true[:400], symmetric(k, rate), random_state=seed).labels
        for noise, found in ((symmetric(k, rate), adapted), (np.eye(k), plain)):
            sets = ConformalSets(probs[:400], given, noise)(probs[400:], 0.9)
            found.append(sets[np.arange(1000), true[400:]].mean())
            sizes.append(sets.sum(axis=1).mean())
    assert 0.89 < np.mean(adapted) < 0.93  # a set is never empty, which adds a little
    assert np.mean(plain) > 0.95  # what is calibrated on the given labels holds far too much
    assert np.mean(sizes[::2]) < 0.85 * np.mean(sizes[1::2])


def test_noise_that_cannot_be_undone_is_refused():
    with pytest.raises(lp.BadInput, match="has no inverse"):
        conformal_threshold(np.zeros((3, 2)), np.array([0, 1, 0]), [[0.5, 0.5], [0.5, 0.5]], 0.9)
    with pytest.raises(lp.BadInput, match="coverage is 90"):
        ConformalSets(np.full((4, 2), 0.5), np.array([0, 1, 0, 1]), np.eye(2))(np.full((1, 2), 0.5), 90)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["elr", "forward", "cross-entropy"])
def test_the_classifier_covers_the_true_label(method, digits):
    covered, sizes = [], []
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(digits.target))
        train, test = order[:1000], order[1000:]
        noisy = lp.simulate.symmetric(digits.target, 0.3, random_state=seed).labels
        model = lp.NoisyLabelClassifier(method, epochs=12, calibration_fraction=0.3, random_state=seed).fit(
            digits.data[train], noisy[train]
        )
        sets = model.predict_set(digits.data[test], 0.9)
        covered.append(sets[np.arange(len(test)), digits.target[test]].mean())
        sizes.append(sets.sum(axis=1).mean())
        assert (model.predict_set(digits.data[test], 0.99) >= sets).all()
    assert np.mean(covered) > 0.88
    assert np.mean(sizes) < 4


@pytest.mark.needs("torch")
def test_items_for_calibration_are_not_trained_on():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = rng.normal(3 * y[:, None], 1, (200, 4))
    model = lp.NoisyLabelClassifier(epochs=2, validation_fraction=0.2, calibration_fraction=0.3).fit(x, y)
    assert len(model.history_index_) == 100
    assert len(model.calibration_.given) == 60
    with pytest.raises(lp.BadInput, match="Fit it with calibration_fraction"):
        lp.NoisyLabelClassifier(epochs=1).fit(x, y).predict_set(x)
    for shares in ({"calibration_fraction": 1.0}, {"validation_fraction": 0.5, "calibration_fraction": 0.5}):
        with pytest.raises(lp.BadInput, match="fraction"):
            lp.NoisyLabelClassifier(epochs=1, **shares).fit(x, y)
