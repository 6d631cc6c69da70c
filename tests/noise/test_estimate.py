"""Estimators recover known noise, and EM behaves as EM must."""

from __future__ import annotations

import numpy as np
import pytest

from labelproof.errors import BadInput
from labelproof.noise import TransitionMatrix, anchor_points, confident_joint, expectation_maximization
from labelproof.noise.em import NoiseParams, expected, item_posterior
from labelproof.noise.posterior import random_rate, sharpened

NOISE = TransitionMatrix([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.05, 0.05, 0.9]], prior=[0.5, 0.3, 0.2])


def problem(n: int = 30_000, noise: TransitionMatrix = NOISE, seed: int = 0, gap: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Given labels and the exact p(y | x) of a Gaussian mixture."""
    rng = np.random.default_rng(seed)
    true = rng.choice(noise.k, n, p=noise.prior)
    x = rng.normal(size=(n, noise.k)) + gap * np.eye(noise.k)[true]
    logits = gap * x + np.log(noise.prior)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return noise.sample(true, seed=seed), probs / probs.sum(axis=1, keepdims=True)


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
