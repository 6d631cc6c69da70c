"""Columns that match the labels far better in another order are told; noise, however heavy, is not taken for that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import labelproof as lp
from labelproof.auditing.doubts.of_probabilities import of_columns
from labelproof.auditing.fold import sample


def doubts(given, probs, classes):
    return of_columns(sample(probs, given, 0, len(given)), classes)


def probs_of(codes, k):
    return np.where(np.eye(k, dtype=bool)[codes], 0.9, 0.1 / (k - 1))


def test_another_order_is_found_and_named():
    true = np.random.default_rng(0).integers(0, 3, 300)
    order = [2, 0, 1]  # column j stands for class order[j]
    probs = probs_of(true, 3)[:, order]
    (doubt,) = doubts(true, probs, ("high", "low", "mid"))
    assert doubt.kind == "columns in another order"
    assert doubt.evidence == {"agree_now": 0.0, "agree_best": 1.0, "order": ["mid", "high", "low"]}
    assert "classes=[mid, high, low]" in doubt.text
    names = np.array(["high", "low", "mid"])
    with pytest.warns(lp.DoubtWarning, match="another order"):
        lp.audit(names[true], probs)
    mended = lp.audit(names[true], probs, classes=["mid", "high", "low"])
    assert mended.doubts == []
    assert mended.error_rate.estimate < 0.05


def test_labels_that_count_from_one_with_the_last_class_absent():
    y = np.random.default_rng(0).integers(0, 2, 200)
    probs = np.c_[probs_of(y, 2) * 0.99, np.full(200, 0.01)]
    with pytest.warns(lp.DoubtWarning, match=r"count from 1: pass classes=\[1, 2, 3\]"):
        lp.audit(y + 1, probs)


def test_an_ordered_category_whose_columns_are_in_its_own_order():
    y = np.random.default_rng(0).integers(0, 3, 300)
    names = ["low", "mid", "high"]
    given = pd.Series(pd.Categorical(np.array(names)[y], categories=names, ordered=True))
    with pytest.warns(lp.DoubtWarning, match="stand for low, mid, high"):
        lp.audit(given, probs_of(y, 3))


@pytest.mark.parametrize("rate", [0.2, 0.45, 0.6])
def test_noise_is_no_other_order(rate):
    true = np.random.default_rng(1).integers(0, 4, 1000)
    noisy = lp.simulate.symmetric(true, rate, random_state=0).labels
    assert doubts(noisy, probs_of(true, 4), tuple(range(4))) == []


def test_random_probabilities_and_few_labels_are_no_other_order():
    rng = np.random.default_rng(2)
    assert doubts(rng.integers(0, 3, 500), rng.dirichlet(np.ones(3), 500), (0, 1, 2)) == []
    assert doubts(np.array([0, 1] * 5), probs_of(np.array([1, 0] * 5), 2), (0, 1)) == []
