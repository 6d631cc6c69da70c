"""Simulated noise has the asked rates, obeys its seed, and says what it changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from labelproof.errors import BadInput
from labelproof.labels.boxes import Boxes
from labelproof.labels.spans import Spans
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
        noisy = make(labels, rate, n_classes=k, random_state=seed)
        assert within(noisy.changed.mean(), rate, N)
        assert np.array_equal(noisy.changed, noisy.labels != labels)
        assert np.array_equal(make(labels, rate, n_classes=k, random_state=seed).labels, noisy.labels)
    assert np.array_equal(noisy.labels[noisy.changed], (labels[noisy.changed] + 1) % k)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), seeds)
def test_class_conditional_rates(rates, seed):
    labels = np.arange(N) % len(rates)
    noisy = simulate.class_conditional(labels, rates, random_state=seed)
    for i, rate in enumerate(rates):
        of_class = noisy.changed[labels == i]
        assert within(of_class.mean(), rate, len(of_class))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.55, 1), st.floats(0.55, 1), seeds)
def test_binary_purity_is_the_share_of_right_labels_among_the_given(pi_p, pi_n, seed):
    labels = np.arange(N) % 2
    noisy = simulate.binary_purity(labels, pi_p, pi_n, random_state=seed)
    positive, negative = noisy.labels == 1, noisy.labels == 0
    if positive.sum() > 500:
        assert within((labels[positive] == 1).mean(), pi_p, positive.sum())
    if negative.sum() > 500:
        assert within((labels[negative] == 0).mean(), pi_n, negative.sum())


def test_binary_purity_by_hand():
    """30 % positive, purities 0.8 and 0.9: (0.3 - 0.1) / 0.7 = 2/7 are given positive, and 0.8 · 2/7 / 0.3 of the positive keep it."""
    labels = np.arange(200_000) % 10 < 3
    noisy = simulate.binary_purity(labels.astype(int), 0.8, 0.9, random_state=0)
    given_positive = (0.3 - 0.1) / 0.7
    assert within(1 - noisy.changed[labels].mean(), 0.8 * given_positive / 0.3, labels.sum())
    assert within(1 - noisy.changed[~labels].mean(), 0.9 * (1 - given_positive) / 0.7, (~labels).sum())
    quarter = (np.arange(4000) % 4 == 0).astype(int)  # at the ends of what can be reached
    assert not simulate.binary_purity(quarter, 1.0, 0.75, random_state=0).labels.any()
    assert simulate.binary_purity(quarter, 0.25, 1.0, random_state=0).labels.all()
    assert not simulate.binary_purity(quarter, 1.0, 1.0, random_state=0).changed.any()


def test_binary_purity_says_what_cannot_be():
    with pytest.raises(BadInput, match="Give a sum above 1"):
        simulate.binary_purity([0, 1], 0.5, 0.5)
    with pytest.raises(BadInput, match="Balance the classes"):
        simulate.binary_purity([1] * 9 + [0], 0.7, 0.85)
    with pytest.raises(BadInput, match="Balance the classes"):
        simulate.binary_purity([0] * 9 + [1], 0.85, 0.7)
    for only in (0, 1):
        with pytest.raises(BadInput, match="Balance the classes"):
            simulate.binary_purity([only] * 5, 1.0, 1.0)
    for purities in ((1.1, 0.9), (0.9, 1.1)):
        with pytest.raises(BadInput, match="pi_"):
            simulate.binary_purity([0, 1], *purities)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 0.6), seeds)
def test_instance_dependent_rate(rate, seed):
    rng = np.random.default_rng(seed)
    labels, features = rng.integers(0, 4, N), rng.normal(size=(N, 8))
    noisy = simulate.instance_dependent(labels, features, rate, n_classes=4, random_state=seed)
    assert abs(noisy.changed.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / N) + 0.01  # the truncation's own shift
    again = simulate.instance_dependent(labels, features, rate, n_classes=4, random_state=seed)
    assert np.array_equal(again.labels, noisy.labels)


def truncated_mean(rate, spread):
    """Mean of a normal that is cut off at 0 and 1."""
    low, high = -rate / spread, (1 - rate) / spread
    return rate + spread * (norm.pdf(low) - norm.pdf(high)) / (norm.cdf(high) - norm.cdf(low))


@pytest.mark.parametrize(
    ("rate", "spread"), [(0.05, None), (0.05, 0.1), (0.9, 0.3), (0.1, 5.0), (0.3, 1e-6), (0.0, 0.2), (1.0, 0.2)]
)
def test_the_rate_of_an_item_is_a_truncated_normal(rate, spread):
    labels, features = np.arange(60_000) % 3, np.random.default_rng(0).normal(size=(60_000, 2))
    more = {} if spread is None else {"spread": spread}
    wrong = simulate.instance_dependent(labels, features, rate, random_state=1, **more).changed
    assert within(wrong.mean(), truncated_mean(rate, spread or 0.1), 60_000)


@pytest.mark.parametrize("d", [1, 4])
def test_wrong_labels_follow_a_random_projection_of_the_features(d):
    """log p(a) / p(b) of two wrong classes is x (w_a - w_b) / √d of standardised features: normal, of variance 2 for x = 1."""
    side = np.repeat([-1.0, 0.0, 1.0], 4000)
    features = 7.0 + 3.0 * np.repeat(side[:, None], d, axis=1)  # standardised: ∓1.22 and 0
    odds = []
    for seed in range(60):
        given_ = simulate.instance_dependent(np.ones(12_000, int), features, 0.9, n_classes=3, random_state=seed).labels
        counts = [[(given_[side == s] == z).sum() + 1 for z in (0, 2)] for s in (-1, 0, 1)]
        odds.append(np.log([a / b for a, b in counts]))
    low, middle, high = np.array(odds).T
    assert np.abs(middle).max() < 5 * np.sqrt(4 / 3600)
    assert np.abs(low + high).mean() < 0.25
    assert np.var(high) == pytest.approx(2 * 1.5, rel=0.5)
    one, two = (
        simulate.instance_dependent(np.full(9000, y), np.ones((9000, 1)), 0.5, n_classes=3, random_state=0) for y in (0, 2)
    )
    assert within((one.labels[one.changed] == 1).mean(), 0.5, one.changed.sum())  # a constant column says nothing
    assert set(two.labels) == {0, 1, 2}


def test_each_true_class_has_a_projection_of_its_own():
    labels, features = np.repeat([0, 1], 10_000), np.ones((20_000, 1))
    features[::2] = -1.0
    noisy = simulate.instance_dependent(labels, features, 0.9, n_classes=4, random_state=0)
    towards = [(noisy.labels[(labels == y) & (features[:, 0] == 1)] == 3).mean() for y in (0, 1)]
    assert abs(towards[0] - towards[1]) > 0.05
    for spread in (0.0, -0.1):
        with pytest.raises(BadInput, match="spread"):
            simulate.instance_dependent(labels, features, 0.1, spread=spread)
    with pytest.raises(BadInput, match="rate"):
        simulate.instance_dependent(labels, features, 1.1)


def test_instance_dependent_errors_depend_on_the_features():
    rng = np.random.default_rng(0)
    labels, features = np.zeros(N, int), rng.normal(size=(N, 3))
    wrong = simulate.instance_dependent(labels, features, 0.4, n_classes=3, random_state=0)
    one, two = features[wrong.labels == 1].mean(axis=0), features[wrong.labels == 2].mean(axis=0)
    assert np.linalg.norm(one - two) > 0.2


def test_open_set_relabels_foreign_items_only():
    labels = np.repeat([0, 1, 2, 3], 1000)
    noisy = simulate.open_set(labels, [0, 1], random_state=0)
    assert np.array_equal(noisy.changed, labels >= 2)
    assert set(noisy.labels) == {0, 1}
    some = simulate.open_set(labels, [0, 1], rate=0.3, random_state=0)
    assert within((some.labels[labels >= 2] >= 0).mean(), 0.3, 2000)
    drawn = simulate.open_set(
        np.repeat([0, 1, 5], [300, 100, 8000]), [0, 1], random_state=0
    )  # as often as the known ones occur
    assert within((drawn.labels[400:] == 0).mean(), 0.75, 8000)
    none = simulate.open_set(labels, [0, 1], rate=0.0, random_state=0)
    assert (none.labels[labels >= 2] == -1).all()
    assert not none.changed.any()
    assert np.array_equal(none.labels[labels < 2], labels[labels < 2])
    with pytest.raises(BadInput, match="rate"):
        simulate.open_set(labels, [0, 1], rate=1.01)
    with pytest.raises(BadInput, match="no label is one of these"):
        simulate.open_set([2, 3], [0])


def test_tags_go_missing_and_come_wrong_at_their_rates():
    tags = (np.random.default_rng(0).random((2000, 10)) < 0.4).astype(int)
    missing, wrong = simulate.missing_tags(tags, 0.25, random_state=1), simulate.incorrect_tags(tags, 0.1, random_state=1)
    assert not missing.changed[tags == 0].any()
    assert not wrong.changed[tags == 1].any()
    assert within(missing.changed[tags == 1].mean(), 0.25, (tags == 1).sum())
    assert within(wrong.changed[tags == 0].mean(), 0.1, (tags == 0).sum())


def test_tags_are_zero_or_one_and_changed_is_where_they_differ():
    tags = (np.random.default_rng(0).random((500, 6)) < 0.4).astype(int)
    for make, rate in ((simulate.missing_tags, 0.5), (simulate.incorrect_tags, 0.5)):
        noisy = make(tags, rate, random_state=0)
        assert set(np.unique(noisy.labels)) == {0, 1}
        assert np.array_equal(noisy.changed, noisy.labels != tags)
        assert not make(tags, 0.0, random_state=0).changed.any()
    assert not simulate.missing_tags(tags, 1.0, random_state=0).labels.any()
    assert simulate.incorrect_tags(tags, 1.0, random_state=0).labels.all()


def test_each_caption_is_replaced_alike_by_any_other_images_caption():
    n, c = 60, 4
    words = np.zeros((n, c, n * c), int)
    for i in range(n):
        for j in range(c):
            words[i, j, i * c + j] = 1  # every caption has a word of its own
    kept, taken = np.zeros(c), np.zeros((n, n))
    for seed in range(150):
        noisy = simulate.caption_replacement(words, 3, random_state=seed)
        tags = noisy.labels.reshape(n, n, c)  # (image, whose caption, which)
        own = tags[np.arange(n), np.arange(n)]
        assert (own.sum(axis=1) == 1).all()
        assert (tags.sum(axis=(1, 2)) <= 4).all()
        assert np.array_equal(noisy.changed, noisy.labels != words.max(axis=1))
        kept += own.sum(axis=0)
        taken += tags.sum(axis=2)
    assert np.abs(kept / kept.sum() - 1 / 4).max() < 0.02
    np.fill_diagonal(taken, 0)
    gap = [np.trace(np.roll(taken, -shift, axis=1)) for shift in range(1, n)]  # how far away the other image is
    assert min(gap) > 0.6 * np.mean(gap)
    assert max(gap) < 1.4 * np.mean(gap)
    which = sum(
        simulate.caption_replacement(words, 3, random_state=seed).labels.reshape(-1, c).sum(axis=0) for seed in range(20)
    )
    assert np.ptp(which) < 0.1 * which.mean()  # any of its captions
    assert simulate.caption_replacement(words[:2], 4, random_state=0).labels.shape == (2, n * c)
    for bad in (words[:1], words[0], 2 * words):
        with pytest.raises(BadInput, match="two images or more"):
            simulate.caption_replacement(bad, 1)
    with pytest.raises(BadInput, match="from 0 to 4"):
        simulate.caption_replacement(words, -1)


def test_the_number_of_classes_is_the_largest_code_and_one_and_two_at_least():
    assert set(simulate.symmetric(np.zeros(200, int), 0.5, random_state=0).labels) == {0, 1}
    assert set(simulate.symmetric(np.repeat([0, 2], 200), 0.5, random_state=0).labels) == {0, 1, 2}
    assert set(simulate.symmetric(np.zeros(400, int), 0.8, n_classes=5, random_state=0).labels) == {0, 1, 2, 3, 4}
    with pytest.raises(BadInput, match=r"outside 0\.\.1"):
        simulate.symmetric([0, 1, 2], 0.5, n_classes=2)
    swapped = simulate.pair([0, 1, 2] * 100, 1.0, class_map={0: 2, 2: 0})
    assert swapped.labels.tolist() == [2, 1, 0] * 100


def test_caption_replacement_takes_words_of_other_images():
    n, c = 400, 5
    words = np.zeros((n, c, n), int)
    words[np.arange(n), :, np.arange(n)] = 1  # every caption of image i has the word i
    for replaced in range(c + 1):
        noisy = simulate.caption_replacement(words, replaced, random_state=0)
        own = noisy.labels[np.arange(n), np.arange(n)]
        assert own.all() if replaced < c else not own.any()
        assert (noisy.labels.sum(axis=1) - own <= replaced).all()
    assert not simulate.caption_replacement(words, 0, random_state=0).changed.any()
    with pytest.raises(BadInput, match="from 0 to 5"):
        simulate.caption_replacement(words, 6)


def test_labels_must_be_codes_or_names():
    for bad in ([0.5, 1.0], [], np.zeros(0, int), [[0, 1]], np.array(["a", 1.5], object), [["a"]]):
        with pytest.raises(BadInput, match="names of classes"):
            simulate.symmetric(bad, 0.1)


def test_noise_is_independent_of_data_drawn_with_the_same_seed():
    for seed in range(3):
        labels = (np.random.default_rng(seed).random(N) < 0.5).astype(int)
        wrong = simulate.symmetric(labels, 0.3, random_state=seed).changed
        assert abs(wrong[labels == 0].mean() - wrong[labels == 1].mean()) < 0.03


@pytest.mark.parametrize("dtype", [str, object])
def test_names_of_classes_come_back_as_names(dtype):
    names = np.array(["no", "yes", "maybe"] * 300, dtype=dtype)
    codes = np.unique(names.astype(str), return_inverse=True)[1]
    for make in (
        lambda y: simulate.symmetric(y, 0.2, random_state=0),
        lambda y: simulate.pair(y, 0.2, random_state=0),
        lambda y: simulate.instance_dependent(y, np.arange(1800.0).reshape(900, 2), 0.2, random_state=0),
    ):
        named, coded = make(names), make(codes)
        assert np.array_equal(named.labels, np.unique(names.astype(str))[coded.labels])
        assert np.array_equal(named.changed, named.labels != names)


def test_labels_of_a_kind_are_not_what_simulations_take():
    with pytest.raises(BadInput, match="given is a Boxes"):
        simulate.boxes(Boxes([{"boxes": [[0, 0, 1, 1]], "labels": ["cat"]}]), 0.1)
    with pytest.raises(BadInput, match="tags is a Spans"):
        simulate.spans(Spans([["a"]], [["B-X"]]), 0.1)
