"""Estimators recover known noise, and EM behaves as EM must."""

from __future__ import annotations

import numpy as np
import pytest

from e_step_reference import expected
from labelproof.errors import BadInput
from labelproof.noise import TransitionMatrix, anchor_points, confident_joint, expectation_maximization
from labelproof.noise.e_step import NoiseParams
from labelproof.noise.em import item_posterior
from labelproof.noise.posterior import random_rate, sharpened

NOISE = TransitionMatrix([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.05, 0.05, 0.9]], prior=[0.5, 0.3, 0.2])


def problem(n: int = 30_000, noise: TransitionMatrix = NOISE, seed: int = 0, gap: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Given labels and the exact p(y | x) of a Gaussian mixture."""
    rng = np.random.default_rng(seed)
    true = rng.choice(noise.k, n, p=noise.prior)
    x = rng.normal(size=(n, noise.k)) + gap * np.eye(noise.k)[true]
    logits = gap * x + np.log(noise.prior)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return noise.sample(true, random_state=seed), probs / probs.sum(axis=1, keepdims=True)


def test_em_recovers_noise_and_prior_with_the_exact_classifier():
    given, probs = problem()
    fit = expectation_maximization(given, probs, strength=1.0, sharpness=1.0, ambiguity=0.0)
    assert np.abs(fit.transition.matrix - NOISE.matrix).max() < 0.02
    assert np.abs(fit.transition.prior - NOISE.prior).max() < 0.01


def test_em_sees_through_a_classifier_that_has_learned_the_noisy_labels():
    given, probs = problem()
    noisy = probs @ NOISE.matrix
    as_it_is = expectation_maximization(given, noisy, sharpness=1.0, ambiguity=0.0)
    assert as_it_is.transition.error_rate < 0.02  # it explains every label: nothing seems wrong
    sharp = expectation_maximization(given, noisy, sharpness=4.0, ambiguity=0.0)
    assert np.abs(sharp.transition.matrix - NOISE.matrix).max() < 0.04
    default = expectation_maximization(given, noisy)
    assert abs(default.transition.error_rate - NOISE.error_rate) < 0.05
    assert len(default.components) == 2


def test_an_em_step_does_not_lower_the_likelihood():
    given, probs = problem(n=2000, gap=2.0)
    frequency = np.bincount(given) / len(given)
    matrix, last = TransitionMatrix.symmetric(3, 0.3).matrix, -np.inf
    for _ in range(30):
        found = expected(probs, given, NoiseParams(matrix, frequency, np.ones(3), sharpness=1.3, ambiguity=0.4))
        assert found.log_likelihood >= last - 1e-9
        last, matrix = found.log_likelihood, found.systematic / found.systematic.sum(axis=1, keepdims=True)


def test_expected_counts_are_the_posteriors_summed():
    given, probs = problem(n=500, gap=1.5)
    frequency = np.bincount(given) / len(given)
    weights = np.array([1.0, 2.0, 0.5])
    params = NoiseParams(NOISE.matrix, frequency, weights, sharpness=1.7, ambiguity=0.6)
    found = expected(probs, given, params)
    mean = item_posterior(probs, given, params)
    assert np.allclose(found.systematic.sum(axis=1) + found.random, mean.sum(axis=0))
    classifier = sharpened(probs, 1.7) * weights
    classifier /= classifier.sum(axis=1, keepdims=True)
    assert np.allclose(found.classifier, classifier.sum(axis=0))
    rate = random_rate(probs, 0.6)
    mixed = (1 - rate)[:, None] * NOISE.matrix[:, given].T + (rate * frequency[given])[:, None]
    assert np.isclose(found.log_likelihood, np.log((classifier * mixed).sum(axis=1)).sum())
    halves = expected(probs[:200], given[:200], params) + expected(probs[200:], given[200:], params)
    assert np.allclose(halves.systematic, found.systematic)
    assert halves.n == found.n


def test_strength_draws_rows_to_one_error_rate():
    given, probs = problem(n=3000)
    loose = expectation_maximization(given, probs, strength=0.0, sharpness=1.0, ambiguity=0.0).transition.matrix
    tight = expectation_maximization(given, probs, strength=1e7, sharpness=1.0, ambiguity=0.0).transition.matrix
    assert np.ptp(np.diag(tight)) < 0.001 < np.ptp(np.diag(loose))


def confident_by_hand(labels, probs, calibrate):
    """The definition, an item at a time."""
    n, k = len(probs), len(probs[0])
    limits = [np.mean([probs[i][j] for i in range(n) if labels[i] == j]) if j in labels else np.inf for j in range(k)]
    counts = np.zeros((k, k))  # (given, true)
    for p, z in zip(probs, labels, strict=True):
        passed = [j for j in range(k) if p[j] >= limits[j] - 1e-9]
        if z >= 0 and passed:
            counts[z, max(passed, key=lambda j: p[j])] += 1
    if calibrate:
        for z in range(k):
            counts[z] = (
                counts[z] / counts[z].sum() * list(labels).count(z) if counts[z].sum() else list(labels).count(z) * np.eye(k)[z]
            )
    return counts.T


@pytest.mark.parametrize("calibrate", [True, False])
def test_the_confident_joint_equals_its_definition(calibrate):
    rng = np.random.default_rng(3)
    probs, labels = rng.dirichlet(np.full(4, 0.4), 80), rng.integers(0, 3, 80)  # 3 is never given
    labels[:4] = -1
    probs[labels == 2] = [0.3, 0.3, 0.1, 0.3]  # all at their own average
    counts = confident_by_hand(labels, probs, calibrate)
    found = confident_joint(np.where(labels < 0, np.nan, labels), probs, calibrate=calibrate)
    joint = counts / counts.sum()
    assert np.allclose(found.joint, joint, atol=1e-12)
    assert found.k == 4


def test_a_small_confident_joint_by_hand():
    """Averages 0.65, 0.7: the last item given 0 counts for 1, the second passes nothing, the one at its average counts."""
    probs = [[0.9, 0.1], [0.6, 0.4], [0.25, 0.75], [0.85, 0.15], [0.3, 0.7], [0.4, 0.6], [0.2, 0.8]]
    labels = ["a", "a", "a", "a", "b", "b", "b"]
    plain = confident_joint(labels, probs, calibrate=False)
    assert np.allclose(plain.matrix, [[1.0, 0.0], [1 / 3, 2 / 3]])
    assert np.allclose(plain.prior, [2 / 5, 3 / 5])
    found = confident_joint(labels, probs)  # 4 items given a in the proportion 2 : 1, 3 given b
    assert np.allclose(found.joint, np.array([[8 / 3, 0], [4 / 3, 3]]) / 7)
    assert found.classes == ("a", "b")
    none = confident_joint([0, 0, 1, 1, 1], [[0.6, 0.4], [0.6, 0.4], [0.61, 0.39], [0.62, 0.38], [0.63, 0.37]])
    assert np.allclose(none.joint, np.array([[2, 3], [0, 0]]) / 5)


def test_a_given_class_of_which_nothing_is_confident_keeps_itself():
    """All of 2 are below the averages of 0 and 1 and, but for one item in three, of 2; that one is surer of nothing else."""
    probs = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.5, 0.45, 0.05], [0.45, 0.5, 0.05]]
    found = confident_joint([0, 1, -1, -1], probs, classes=[0, 1, 2])
    assert np.allclose(found.matrix, np.eye(3))
    assert np.allclose(found.prior, [0.5, 0.5, 0.0])


def test_an_anchor_is_the_item_at_the_quantile_of_its_column():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), 101)
    for quantile, rank in ((0.97, 97), (0.5, 50), (1.0, 100), (0.0, 0), (0.123, 12)):
        rows = [sorted(probs.tolist(), key=lambda p, j=j: p[j])[rank] for j in range(3)]
        assert np.allclose(anchor_points(probs, quantile=quantile, classes="abc").matrix, rows)
    assert np.array_equal(anchor_points(probs).matrix, anchor_points(probs, quantile=0.97).matrix)
    assert anchor_points(probs, classes="abc").classes == ("a", "b", "c")
    for quantile in (-0.01, 1.01):
        with pytest.raises(BadInput, match="quantile"):
            anchor_points(probs, quantile=quantile)


def test_the_confident_joint_recovers_well_separated_noise():
    given, probs = problem()
    found = confident_joint(given, probs @ NOISE.matrix)
    assert np.abs(found.matrix - NOISE.matrix).max() < 0.03
    assert np.isclose(found.joint.sum(), 1.0)
    assert np.allclose(found.given_prior, np.bincount(given) / len(given))  # calibration


def test_anchor_points_read_the_rows_of_the_noise():
    _, probs = problem()
    assert np.abs(anchor_points(probs @ NOISE.matrix).matrix - NOISE.matrix).max() < 0.02


def test_string_labels_and_unlabelled_items():
    given, probs = problem(n=3000)
    names = np.array(["a", "b", "c"], dtype=object)[given]
    names[:5] = None
    fit = expectation_maximization(names, probs)
    assert fit.transition.classes == ("a", "b", "c")
    assert fit.posterior(probs, given).shape == (3000, 3)


def test_bad_arguments():
    given, probs = problem(n=50)
    for wrong in ({"strength": -1}, {"sharpness": 0}, {"ambiguity": 2}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            expectation_maximization(given, probs, **wrong)
