"""Dawid-Skene recovers truth and reviewers; the kappas equal their definitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import labelproof as lp
from labelproof.noise import TransitionMatrix
from labelproof.review import cohen_kappa, dawid_skene, fleiss_kappa

NOISES = [
    TransitionMatrix([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.0, 0.2, 0.8]]),
    TransitionMatrix.symmetric(3, 0.3),
    TransitionMatrix.symmetric(3, 0.45),
    TransitionMatrix([[0.2, 0.7, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]),  # takes the first two for each other
]


def said(n: int = 4000, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    table = np.stack([noise.sample(true, random_state=i) for i, noise in enumerate(NOISES)], axis=1)
    return np.where(rng.random(table.shape) < missing, -1, table), true


def test_truth_and_reviewers_are_recovered():
    table, true = said()
    found = dawid_skene(table)
    majority = np.array([np.bincount(row, minlength=3).argmax() for row in table])
    assert (found.labels == true).mean() > (majority == true).mean() + 0.05
    for noise, reviewer in zip(NOISES, found.reviewers, strict=True):
        assert np.abs(noise.matrix - reviewer.matrix).max() < 0.06
    assert np.abs(found.prior - [0.5, 0.3, 0.2]).max() < 0.03
    assert found.accuracies.argmax() == 0
    assert np.allclose(found.posterior.sum(axis=1), 1)


def test_missing_labels_and_names():
    table, true = said(missing=0.3)
    keep = (table >= 0).any(axis=1)
    names = np.array(["ant", "bee", "cat", None], dtype=object)[table[keep]]
    found = dawid_skene(names)
    assert found.classes == ("ant", "bee", "cat")
    assert (found.labels == np.array(["ant", "bee", "cat"])[true[keep]]).mean() > 0.8


def test_the_posterior_is_bayes_rule_over_all_reviewers():
    table, _ = said(n=300)
    found = dawid_skene(table)
    joint = found.prior * np.prod(
        [noise.matrix[:, column].T for noise, column in zip(found.reviewers, table.T, strict=True)], axis=0
    )
    assert np.allclose(found.posterior, joint / joint.sum(axis=1, keepdims=True), atol=1e-6)


def test_one_step_by_hand():
    """Start: the shares of the votes. Prior: (1.5 + 1/2, 2.5 + 1/2) / 5. Rows: the votes weighted so, and (0.8, 0.2) of a vote."""
    found = dawid_skene([["a", "a"], ["a", "b"], ["b", "b"], ["b", None]], max_iter=1)
    assert np.allclose(found.prior, [0.4, 0.6], rtol=1e-12)
    first, second = found.reviewers
    assert np.allclose(first.matrix, [[2.3 / 2.5, 0.2 / 2.5], [0.7 / 3.5, 2.8 / 3.5]], rtol=1e-12)
    assert np.allclose(second.matrix, [[1.8 / 2.5, 0.7 / 2.5], [0.2 / 2.5, 2.3 / 2.5]], rtol=1e-12)
    joint = np.array([
        [0.4 * 0.92 * 0.72, 0.6 * 0.2 * 0.08],
        [0.4 * 0.92 * 0.28, 0.6 * 0.2 * 0.92],
        [0.4 * 0.08 * 0.28, 0.6 * 0.8 * 0.92],
        [0.4 * 0.08, 0.6 * 0.8],
    ])  # fmt: skip
    assert np.allclose(found.posterior, joint / joint.sum(axis=1, keepdims=True), rtol=1e-12)
    assert found.labels.tolist() == ["a", "b", "b", "b"]
    assert np.allclose(found.accuracies, [0.4 * 0.92 + 0.6 * 0.8, 0.4 * 0.72 + 0.6 * 0.92], rtol=1e-12)


def test_the_pseudo_items_of_three_classes():
    found = dawid_skene([["a", None], ["a", None], ["b", None], ["c", None]], classes=["a", "b", "c"], strength=2.0, max_iter=1)
    assert np.allclose(found.prior, np.array([2 + 1 / 3, 1 + 1 / 3, 1 + 1 / 3]) / 5)
    assert np.allclose(found.reviewers[0].matrix, [[0.9, 0.05, 0.05], [0.2 / 3, 2.6 / 3, 0.2 / 3], [0.2 / 3, 0.2 / 3, 2.6 / 3]])
    assert np.allclose(found.reviewers[1].matrix, [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])  # who said nothing


@pytest.mark.parametrize("seed, n, m, k, each", [(0, 60, 5, 3, 5), (1, 200, 40, 4, 3), (2, 80, 60, 2, 2), (3, 150, 9, 6, 1)])
def test_votes_one_by_one_give_the_same(seed, n, m, k, each):
    """EM as the paper's equations 2.3 to 2.5 write it: a product over reviewers and classes, for each item."""
    rng = np.random.default_rng(seed)
    true, table = rng.integers(0, k, n), np.full((n, m), -1)
    for i in range(n):
        table[i, rng.choice(m, each, replace=False)] = np.where(rng.random(each) < 0.3, rng.integers(0, k, each), true[i])
    belief = np.array([[np.mean(row[row >= 0] == y) for y in range(k)] for row in table])
    for steps in range(1, 8):
        prior = (belief.sum(axis=0) + 1 / k) / (n + 1)
        noise = np.full((m, k, k), 0.2 / (k - 1)) + (0.8 - 0.2 / (k - 1)) * np.eye(k)
        for r in range(m):
            for z in range(k):
                noise[r, :, z] += belief[table[:, r] == z].sum(axis=0)
        noise /= noise.sum(axis=2, keepdims=True)
        belief = np.array(
            [[prior[y] * np.prod([noise[r, y, z] for r, z in enumerate(row) if z >= 0]) for y in range(k)] for row in table]
        )
        belief /= belief.sum(axis=1, keepdims=True)
        found = dawid_skene(table, classes=range(k), max_iter=steps, tol=1e-300)
        assert np.allclose(found.posterior, belief, rtol=0, atol=1e-10)
        assert np.allclose(found.prior, prior, rtol=0, atol=1e-10)
        assert np.allclose([reviewer.matrix for reviewer in found.reviewers], noise, rtol=0, atol=1e-10)


def test_it_stops_when_no_posterior_moves_by_more_than_tol():
    table, _ = said(n=500)
    steps = [dawid_skene(table, max_iter=i, tol=1e-300).posterior for i in range(1, 60)]
    moved = [np.abs(b - a).max() for a, b in pairwise(steps)]
    for tol in (1e-2, 1e-3):
        enough = 1 + int(np.argmax(np.array(moved) < tol))
        assert moved[enough - 2] >= tol
        assert np.allclose(dawid_skene(table, tol=tol).posterior, steps[enough], rtol=0, atol=1e-14)


def test_a_thousand_reviewers_of_one_item_do_not_underflow():
    table = np.zeros((3, 1400), int)
    table[1:, :] = 1
    table[2, :400] = 0  # 400 against 1000, whoever comes first
    for order in (slice(None), slice(None, None, -1)):
        found = dawid_skene(table[:, order])
        assert found.labels.tolist() == [0, 1, 1]
        assert np.isfinite(found.posterior).all()


def test_kappas_by_hand():
    assert cohen_kappa([1, 1, 0, 0], [1, 1, 0, 0]) == 1
    assert cohen_kappa(list("yyynnn"), list("yyynny")) == pytest.approx((5 / 6 - 0.5) / 0.5)
    assert cohen_kappa([1, None, 0], [1, 0, 0]) == 1
    votes = [  # Fleiss's own example, 14 raters: counts of five categories, kappa 0.210
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    table = [np.repeat(np.arange(5), row) for row in votes]
    assert fleiss_kappa(np.array(table)) == pytest.approx(0.210, abs=0.001)
    assert abs(fleiss_kappa(np.random.default_rng(0).integers(0, 3, (3000, 4)))) < 0.03


def test_cohen_by_hand():
    """Three classes, observed 4 of 6, by chance (2 · 3 + 2 · 2 + 2 · 1) / 36; items with a gap do not count."""
    first, second = ["a", "a", "b", "b", "c", "c", None, "b"], ["a", "a", "b", "a", "c", "b", "a", None]
    assert cohen_kappa(first, second) == pytest.approx((4 / 6 - 12 / 36) / (1 - 12 / 36))
    assert cohen_kappa(["a", "a", "b"], ["a", "a", None]) == 1.0  # one class only where both answered
    assert cohen_kappa(["a", "a", "a"], ["a", "b", "b"]) == pytest.approx(0.0)  # one never varies: by chance alone
    assert cohen_kappa([0, 1], [1, 0]) == pytest.approx(-1.0)


def pairs(table):
    """Agreeing pairs and all pairs of answers to the same item."""
    found = [
        (one == two)
        for row in table
        for i, one in enumerate(row)
        for two in row[i + 1 :]
        if one is not None and two is not None
    ]
    return sum(found), len(found)


def test_fleiss_counts_pairs_whatever_the_number_of_answers():
    table = [
        ["a", "a", "b", None],
        ["b", "b", None, None],
        ["a", "b", "c", "c"],
        [None, "c", None, None],
        ["a", None, "a", "a"],
    ]
    agreeing, every = pairs(table)
    assert (agreeing, every) == (1 + 1 + 1 + 3, 3 + 1 + 6 + 3)
    chance = (6**2 + 4**2 + 2**2) / 12**2  # a, b and c of the items with two answers or more
    assert fleiss_kappa(table) == pytest.approx((agreeing / every - chance) / (1 - chance))
    assert fleiss_kappa([["a", "a"], ["a", "a"]]) == 1.0
    assert fleiss_kappa([["a", "b"], ["b", "a"]]) == pytest.approx(-1.0)


def test_labels_of_any_kind_come_back_as_they_were():
    found = dawid_skene([[3, 3, 7], [7, 7, 7], [3, None, 3]])
    assert found.classes == (3, 7)
    assert found.labels.tolist() == [3, 7, 3]
    assert found.reviewers[0].classes == (3, 7)
    assert found.reviewers[0].prior.tolist() == found.prior.tolist()
    assert dawid_skene([["b", "b"], ["a", "a"]], classes=["c", "a", "b"]).classes == ("a", "b", "c")


def test_bad_input():
    for call, message in (
        (lambda: dawid_skene([1, 0, 1]), "one row per item and one column per reviewer"),
        (lambda: dawid_skene([[1, 0], [None, None]]), "row 1 has no label"),
        (lambda: dawid_skene([[1, 0], [0, None], [None, None], [None, None]]), "row 2 has no label"),
        (lambda: dawid_skene(np.zeros((2, 2, 2))), "one row per item and one column per reviewer"),
        (lambda: dawid_skene(np.zeros((0, 3))), "one row per item and one column per reviewer"),
        (lambda: dawid_skene(np.zeros((3, 0))), "one row per item and one column per reviewer"),
        (lambda: dawid_skene([[1, 1], [1, 1]]), "only 1"),
        (lambda: dawid_skene([[1, 0]], strength=-1.0), "strength"),
        (lambda: dawid_skene([[1, 0]], strength=0), "strength"),
        (lambda: cohen_kappa([1, None], [None, 0]), "no item in common"),
        (lambda: fleiss_kappa([[1, None], [0, None]]), "No item has two labels"),
        (lambda: cohen_kappa([[1]], [1]), "one label per item"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            call()
