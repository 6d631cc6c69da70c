"""Folds: every class is learned in each, groups and copies are whole, and any data have an answer or a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import labelproof as lp
from labelproof.auditing.folds import NO_FOLD, CrossValidation, assign_folds


@st.composite
def problems(draw):
    """Codes of one to four classes, of two items or more, some items without a label; a seed; a number of folds."""
    k = draw(st.integers(2, 4))
    counts = draw(st.lists(st.integers(2, 12), min_size=k, max_size=k))
    codes = np.repeat(np.arange(k), counts)
    codes = np.concatenate([codes, np.full(draw(st.integers(0, 3)), -1)])
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(codes))
    return codes[order], k, draw(st.integers(0, 99)), draw(st.integers(2, 8))


def check(fold, codes):
    """Every labelled item in a fold, every fold with an item, every class in two folds."""
    assert ((fold == NO_FOLD) == (codes == -1)).all()
    used = np.unique(fold[codes != -1])
    assert used.tolist() == list(range(len(used)))
    assert len(used) >= 2
    for c in np.unique(codes[codes != -1]):
        assert len(np.unique(fold[codes == c])) >= 2, "a model has not seen a class"


@settings(deadline=None, max_examples=150)
@given(problems())
def test_every_class_in_every_training_fold(problem):
    codes, k, seed, n_folds = problem
    fold = assign_folds(codes, range(k), n_folds, seed=seed)
    check(fold, codes)
    counts = np.bincount(codes[codes != -1])
    assert fold.max() + 1 == min(n_folds, counts.max())
    for c in range(k):  # stratified: a class is spread as evenly as it can be
        own = np.bincount(fold[codes == c], minlength=fold.max() + 1)
        assert own.max() - own.min() <= 1
    assert np.array_equal(fold, assign_folds(codes, range(k), n_folds, seed=seed))


@settings(deadline=None, max_examples=300)
@given(problems(), st.data())
def test_copies_are_in_one_fold_as_long_as_every_class_can_be_learned(problem, data):
    codes, k, seed, n_folds = problem
    most = data.draw(st.sampled_from([2, 5, len(codes), 3 * len(codes)]))
    copies = data.draw(arrays(np.int64, len(codes), elements=st.integers(0, most)))
    fold = assign_folds(codes, range(k), n_folds, seed=seed, copies=copies)
    check(fold, codes)
    assert np.array_equal(fold, assign_folds(codes, range(k), n_folds, seed=seed, copies=copies))


@settings(deadline=None, max_examples=200)
@given(problems(), st.data())
def test_groups_are_whole(problem, data):
    codes, k, seed, n_folds = problem
    groups = data.draw(arrays(np.int64, len(codes), elements=st.integers(0, data.draw(st.sampled_from([1, 3, len(codes)])))))
    copies = data.draw(st.none() | arrays(np.int64, len(codes), elements=st.integers(0, 3 * len(codes))))
    labelled = codes != -1
    if len(np.unique(groups[labelled])) < 2:
        with pytest.raises(lp.BadInput, match="in one group"):
            assign_folds(codes, range(k), n_folds, seed=seed, groups=groups, copies=copies)
        return
    fold = assign_folds(codes, range(k), n_folds, seed=seed, groups=groups, copies=copies)
    assert ((fold == NO_FOLD) == ~labelled).all()
    used = np.unique(fold[labelled])
    assert used.tolist() == list(range(len(used)))
    assert 2 <= len(used) <= n_folds
    for group in np.unique(groups[labelled]):
        assert len(np.unique(fold[labelled & (groups == group)])) == 1
    assert np.array_equal(fold, assign_folds(codes, range(k), n_folds, seed=seed, groups=groups, copies=copies))


def test_copies_are_whole_where_most_items_have_none():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 200)
    copies = np.arange(200)
    copies[100:140] = np.repeat(np.arange(20), 2)  # three of each of twenty items
    fold = assign_folds(codes, range(3), 5, copies=copies)
    check(fold, codes)
    for number in np.unique(copies):
        assert len(np.unique(fold[copies == number])) == 1
    assert fold.max() == 4


@pytest.mark.parametrize("other", [2, 40])
def test_a_class_whose_items_are_all_copies_of_one_another_is_split(other):
    codes = np.repeat([0, 1, 2], [6, other, 5])
    copies = np.concatenate([np.zeros(6, int), np.arange(1, other + 1), np.full(5, other + 1)])
    fold = assign_folds(codes, range(3), 5, copies=copies)
    check(fold, codes)
    if other == 40:
        assert len(np.unique(fold[codes == 0])) == 5  # evenly


def test_groups_that_share_a_copy_are_one_but_never_all_of_them():
    codes = np.tile([0, 1], 12)
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], 4)
    copies = np.arange(24)
    copies[4] = copies[0]  # one item of a and one of b
    fold = assign_folds(codes, range(2), 3, groups=groups, copies=copies)
    assert len(np.unique(fold[groups <= "b"])) == 1
    copies[[8, 12, 16, 20]] = copies[0]  # a phrase that stands in all documents
    fold = assign_folds(codes, range(2), 3, groups=groups, copies=copies)
    assert len(np.unique(fold)) == 3


def test_fewer_groups_than_folds_and_groups_of_any_type():
    codes = np.tile([0, 1], 10)
    for groups in (np.repeat([1.5, 2.5], 10), np.repeat(np.array(["x", 3], dtype=object), 10), np.repeat([0, 1], 10)):
        fold = assign_folds(codes, range(2), 5, groups=groups)
        assert sorted(np.bincount(fold)) == [10, 10]
        assert len(np.unique(fold[:10])) == 1


@pytest.mark.parametrize("missing", [np.nan, None, ""])
def test_rows_without_a_group_are_groups_of_their_own(missing):
    groups = np.array(["x"] * 10 + [missing] * 10, dtype=object)
    fold = assign_folds(np.tile([0, 1], 10), range(2), 3, groups=groups)
    assert len(np.unique(fold[:10])) == 1
    assert len(np.unique(fold[10:])) > 1


def test_a_class_of_one_item_is_refused_by_name_and_row():
    with pytest.raises(lp.BadInput, match=r"class 'lonely' has one example \(row 3\)"):
        assign_folds(np.array([0, 0, -1, 1, 0]), ["many", "lonely"], 5)


@pytest.mark.parametrize(("name", "value"), [("n_folds", 1), ("n_repeats", 0), ("n_jobs", 0)])
def test_numbers_that_make_no_cross_validation(name, value):
    with pytest.raises(lp.BadInput, match=f"{name} is {value}"):
        CrossValidation(**{name: value})
