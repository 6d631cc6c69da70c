"""The posterior equals Bayes' rule written by hand, and its limits hold."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelproof.noise import error_probability, noisy_probs, posterior, sharpened
from labelproof.noise.posterior import random_rate


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
