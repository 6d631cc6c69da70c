"""Dawid-Skene recovers truth and reviewers; the kappas equal their definitions."""

from __future__ import annotations

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
    table = np.stack([noise.sample(true, seed=i) for i, noise in enumerate(NOISES)], axis=1)
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


def test_bad_input():
    for call, message in (
        (lambda: dawid_skene([1, 0, 1]), "one row per item and one column per reviewer"),
        (lambda: dawid_skene([[1, 0], [None, None]]), "row 1 has no label"),
        (lambda: dawid_skene([[1, 0]], strength=0), "strength"),
        (lambda: cohen_kappa([1, None], [None, 0]), "no item in common"),
        (lambda: fleiss_kappa([[1, None], [0, None]]), "no item has two labels"),
        (lambda: cohen_kappa([[1]], [1]), "one label per item"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            call()
