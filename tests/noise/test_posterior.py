"""The posterior equals Bayes' rule written by hand, and its limits hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelproof.noise import error_probability, noisy_probs, posterior, sharpened
from labelproof.noise.posterior import random_rate

PROBS = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.05, 0.9, 0.05], [0.6, 0.4, 0.0]])
NOISE = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.0, 0.4, 0.6]])


def test_labels_given_at_random_by_hand():
    """p(z | y, x) = (1 - ρ) T[y, z] + ρ p(z), an item and a class at a time."""
    labels, rate, marginal = [1, 0, 2, 2], [0.5, 0.25, 0.0, 1.0], [0.5, 0.3, 0.2]
    found = posterior(PROBS, np.array(labels), NOISE, random_rate=np.array(rate), given_prior=np.array(marginal))
    for i, z in enumerate(labels):
        joint = [PROBS[i, y] * ((1 - rate[i]) * NOISE[y, z] + rate[i] * marginal[z]) for y in range(3)]
        assert np.allclose(found[i], np.array(joint) / sum(joint), rtol=1e-12)
    without = posterior(PROBS, np.array(labels), NOISE, random_rate=np.array(rate))  # of no use without p(z)
    assert np.array_equal(without, posterior(PROBS, np.array(labels), NOISE))


def test_unlabelled_and_impossible_labels_leave_their_rows_alone():
    noise = np.array([[1.0, 0.0, 0.0], [0.3, 0.7, 0.0], [0.0, 1.0, 0.0]])  # 2 is never given
    found = posterior(PROBS, np.array([2, -1, 0, 1]), noise)
    assert np.allclose(found[:2], PROBS[:2], rtol=1e-12)
    assert np.allclose(found[2], np.array([0.05, 0.27, 0.0]) / 0.32, rtol=1e-12)
    assert found[2, 2] == 0
    assert np.allclose(found[3], [0.0, 1.0, 0.0])


def test_extreme_probabilities_neither_underflow_nor_divide_by_zero():
    found = posterior(np.array([[1e-200, 1.0], [1e-300, 1e-300]]), np.array([0, 0]), [[1.0, 0.0], [1e-200, 1.0]])
    assert np.allclose(found[0], [0.5, 0.5], rtol=1e-9)
    assert np.allclose(found[1], [1.0, 1e-200], rtol=1e-9)


def test_an_error_probability_is_what_the_posterior_leaves_to_others():
    found = error_probability(PROBS, np.array([0, 2, -1, 2]))
    assert found[[0, 1, 3]].tolist() == pytest.approx([0.3, 0.6, 1.0])
    assert np.isnan(found[2])
    rounded = np.array([[1 + 1e-15, -1e-15]] * 2)
    assert error_probability(rounded, np.array([0, 1])).tolist() == [0.0, 1.0]  # nothing beyond the ends


def test_noisy_probabilities_by_enumeration():
    by_hand = [[sum(p[y] * NOISE[y, z] for y in range(3)) for z in range(3)] for p in PROBS]
    assert np.allclose(noisy_probs(PROBS, NOISE), by_hand, rtol=1e-12)


def test_sharpening_by_hand():
    """(p / p')ᵃ is how many times as probable the one is as the other."""
    assert np.allclose(sharpened(np.array([[0.6, 0.3, 0.1]]), 2.0), np.array([[36, 9, 1]]) / 46, rtol=1e-12)
    assert np.allclose(sharpened(np.array([[0.64, 0.36]]), 0.5), [[8 / 14, 6 / 14]], rtol=1e-12)
    assert sharpened(np.array([[1.0, -1e-17]]), 1.5).tolist() == [[1.0, 0.0]]
    assert np.allclose(sharpened(np.array([[1e-300, 3e-300]]), 2.0), [[0.1, 0.9]], rtol=1e-9)


def test_the_rate_of_random_labels_by_hand():
    assert random_rate(PROBS, 0.5).tolist() == pytest.approx([0.15, 0.3, 0.05, 0.2])
    assert random_rate(np.array([[1 + 1e-9, 0.0]]), 0.5).tolist() == [0.0]  # never below zero


@st.composite
def problems(draw):
    k = draw(st.integers(2, 6))
    n = draw(st.integers(1, 8))
    positive = st.floats(1e-3, 1.0)
    probs = draw(hnp.arrays(float, (n, k), elements=positive))
    noise = draw(hnp.arrays(float, (k, k), elements=positive))
    labels = draw(hnp.arrays(np.int64, n, elements=st.integers(0, k - 1)))
    return probs / probs.sum(axis=1, keepdims=True), labels, noise / noise.sum(axis=1, keepdims=True)


@given(problems())
def test_posterior_sums_to_one_and_equals_bayes_rule(problem):
    probs, labels, noise = problem
    found = posterior(probs, labels, noise)
    assert np.allclose(found.sum(axis=1), 1.0, atol=1e-12)
    for i in range(len(probs)):
        joint = [probs[i, y] * noise[y, labels[i]] for y in range(probs.shape[1])]
        assert np.allclose(found[i], np.array(joint) / sum(joint), atol=1e-12)


@given(problems())
def test_with_the_identity_transition_every_given_label_is_right(problem):
    probs, labels, noise = problem
    found = posterior(probs, labels, np.eye(len(noise)))
    assert np.array_equal(found[np.arange(len(labels)), labels], np.ones(len(labels)))
    assert np.array_equal(error_probability(found, labels), np.zeros(len(labels)))


def test_the_identity_holds_even_where_the_classifier_says_impossible():
    assert posterior(np.array([[1.0, 0.0]]), np.array([1]), np.eye(2)).tolist() == [[0.0, 1.0]]


@given(problems())
def test_a_label_given_at_random_says_nothing(problem):
    probs, labels, noise = problem
    k = len(noise)
    found = posterior(probs, labels, noise, random_rate=np.ones(len(labels)), given_prior=np.full(k, 1 / k))
    assert np.allclose(found, probs, atol=1e-12)


@given(problems())
def test_the_mean_posterior_over_labels_is_the_classifier(problem):
    """The law of total probability: sum over z of p(z | x) p(y | z, x) = p(y | x)."""
    probs, _, noise = problem
    seen = noisy_probs(probs, noise)
    total = sum(seen[:, [z]] * posterior(probs, np.full(len(probs), z), noise) for z in range(len(noise)))
    assert np.allclose(total, probs, atol=1e-12)


def test_unlabelled_items_keep_the_classifier_and_have_no_error_probability():
    probs = np.array([[0.9, 0.1]])
    found = posterior(probs, np.array([-1]), [[0.5, 0.5], [0.2, 0.8]])
    assert np.allclose(found, probs)
    assert np.isnan(error_probability(found, np.array([-1]))).all()


@settings(max_examples=30)
@given(problems(), st.floats(0.2, 5.0))
def test_sharpening_keeps_the_order_and_sums_to_one(problem, power):
    probs, _, _ = problem
    sharp = sharpened(probs, power)
    assert np.allclose(sharp.sum(axis=1), 1.0)
    assert np.allclose(sharpened(probs, 1.0), probs)
    assert np.allclose(probs[np.arange(len(probs)), sharp.argmax(axis=1)], probs.max(axis=1))


def test_only_unsure_items_are_labelled_at_random():
    assert np.allclose(random_rate(np.array([[1.0, 0.0], [0.5, 0.5]]), 0.8), [0.0, 0.4])
