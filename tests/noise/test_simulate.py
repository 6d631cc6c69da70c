"""Simulated noise has the asked rates, obeys its seed, and says what it changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from labelproof.errors import BadInput
from labelproof.noise import simulate

N = 20_000
seeds = st.integers(0, 2**31)


def within(share: float, rate: float, n: int) -> bool:
    """Whether so many of n are credible at the asked rate; exact, also where one is expected in a hundred runs."""
    count = round(share * n)
    return bool(min(binom.cdf(count, n, rate), binom.sf(count - 1, n, rate)) > 1e-7)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(2, 6), seeds)
def test_symmetric_and_pair_rates(rate, k, seed):
    labels = np.arange(N) % k
    for make in (simulate.symmetric, simulate.pair):
        noisy = make(labels, rate, n_classes=k, seed=seed)
        assert within(noisy.changed.mean(), rate, N)
        assert np.array_equal(noisy.changed, noisy.labels != labels)
        assert np.array_equal(make(labels, rate, n_classes=k, seed=seed).labels, noisy.labels)
    assert np.array_equal(noisy.labels[noisy.changed], (labels[noisy.changed] + 1) % k)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), seeds)
def test_class_conditional_rates(rates, seed):
    labels = np.arange(N) % len(rates)
    noisy = simulate.class_conditional(labels, rates, seed=seed)
    for i, rate in enumerate(rates):
        of_class = noisy.changed[labels == i]
        assert within(of_class.mean(), rate, len(of_class))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.55, 1), st.floats(0.55, 1), seeds)
def test_binary_purity_is_the_share_of_right_labels_among_the_given(pi_p, pi_n, seed):
    labels = np.arange(N) % 2
    noisy = simulate.binary_purity(labels, pi_p, pi_n, seed=seed)
    positive, negative = noisy.labels == 1, noisy.labels == 0
    if positive.sum() > 500:
        assert within((labels[positive] == 1).mean(), pi_p, positive.sum())
    if negative.sum() > 500:
        assert within((labels[negative] == 0).mean(), pi_n, negative.sum())


def test_binary_purity_says_what_cannot_be():
    with pytest.raises(BadInput, match="must exceed 1"):
        simulate.binary_purity([0, 1], 0.5, 0.5)
    with pytest.raises(BadInput, match="Balance the classes"):
        simulate.binary_purity([1] * 9 + [0], 0.7, 0.85)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 0.6), seeds)
def test_instance_dependent_rate(rate, seed):
    rng = np.random.default_rng(seed)
    labels, features = rng.integers(0, 4, N), rng.normal(size=(N, 8))
    noisy = simulate.instance_dependent(labels, features, rate, n_classes=4, seed=seed)
    assert abs(noisy.changed.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / N) + 0.01  # the truncation's own shift
    again = simulate.instance_dependent(labels, features, rate, n_classes=4, seed=seed)
    assert np.array_equal(again.labels, noisy.labels)


def test_instance_dependent_errors_depend_on_the_features():
    rng = np.random.default_rng(0)
    labels, features = np.zeros(N, int), rng.normal(size=(N, 3))
    wrong = simulate.instance_dependent(labels, features, 0.4, n_classes=3, seed=0)
    one, two = features[wrong.labels == 1].mean(axis=0), features[wrong.labels == 2].mean(axis=0)
    assert np.linalg.norm(one - two) > 0.2


def test_open_set_relabels_foreign_items_only():
    labels = np.repeat([0, 1, 2, 3], 1000)
    noisy = simulate.open_set(labels, [0, 1], seed=0)
    assert np.array_equal(noisy.changed, labels >= 2)
    assert set(noisy.labels) == {0, 1}
    some = simulate.open_set(labels, [0, 1], rate=0.3, seed=0)
    assert within((some.labels[labels >= 2] >= 0).mean(), 0.3, 2000)
    with pytest.raises(BadInput, match="no label is one of these"):
        simulate.open_set([2, 3], [0])


def test_tags_go_missing_and_come_wrong_at_their_rates():
    tags = (np.random.default_rng(0).random((2000, 10)) < 0.4).astype(int)
    missing, wrong = simulate.missing_tags(tags, 0.25, seed=1), simulate.incorrect_tags(tags, 0.1, seed=1)
    assert not missing.changed[tags == 0].any()
    assert not wrong.changed[tags == 1].any()
    assert within(missing.changed[tags == 1].mean(), 0.25, (tags == 1).sum())
    assert within(wrong.changed[tags == 0].mean(), 0.1, (tags == 0).sum())


def test_caption_replacement_takes_words_of_other_images():
    n, c = 400, 5
    words = np.zeros((n, c, n), int)
    words[np.arange(n), :, np.arange(n)] = 1  # every caption of image i has the word i
    for replaced in range(c + 1):
        noisy = simulate.caption_replacement(words, replaced, seed=0)
        own = noisy.labels[np.arange(n), np.arange(n)]
        assert own.all() if replaced < c else not own.any()
        assert (noisy.labels.sum(axis=1) - own <= replaced).all()
    assert not simulate.caption_replacement(words, 0, seed=0).changed.any()
    with pytest.raises(BadInput, match="from 0 to 5"):
        simulate.caption_replacement(words, 6)


def test_labels_must_be_codes():
    for bad in (["a", "b"], [0.5, 1.0], [], [[0, 1]]):
        with pytest.raises(BadInput, match="integer codes"):
            simulate.symmetric(bad, 0.1)


def test_noise_is_independent_of_data_drawn_with_the_same_seed():
    for seed in range(3):
        labels = (np.random.default_rng(seed).random(N) < 0.5).astype(int)
        wrong = simulate.symmetric(labels, 0.3, seed=seed).changed
        assert abs(wrong[labels == 0].mean() - wrong[labels == 1].mean()) < 0.03
