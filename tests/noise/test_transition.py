"""TransitionMatrix: orientation, conditionals, composition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelproof as lp
from labelproof.noise import TransitionMatrix

sizes = st.integers(2, 7)
rates = st.floats(0, 1)


@given(sizes, rates)
def test_rows_of_every_kind_sum_to_one(k, rate):
    kinds = [
        TransitionMatrix.symmetric(k, rate),
        TransitionMatrix.pair(k, rate),
        TransitionMatrix.pair(k, rate, {0: 1}),
        TransitionMatrix.from_rates([rate] * k),
        TransitionMatrix.from_counts(np.eye(k) + rate),
        TransitionMatrix.symmetric(k, rate) @ TransitionMatrix.pair(k, rate),
    ]
    for noise in kinds:
        assert np.allclose(noise.matrix.sum(axis=1), 1.0, atol=1e-12)
        assert np.isclose(noise.joint.sum(), 1.0)
        assert np.allclose(noise.inverse.sum(axis=1), 1.0)


def test_rows_are_true_and_columns_given():
    noise = TransitionMatrix([[0.8, 0.2], [0.0, 1.0]], prior=[0.5, 0.5], classes=["cat", "dog"])
    assert np.allclose(noise.given_prior, [0.4, 0.6])
    assert np.allclose(noise.inverse, [[1.0, 0.0], [1 / 6, 5 / 6]])  # rows given, columns true
    assert np.isclose(noise.error_rate, 0.1)
    assert "cat" in repr(noise)
    assert "0.20" in repr(noise)


def test_the_matrix_of_each_kind_by_hand():
    assert np.allclose(TransitionMatrix.symmetric(4, 0.3).matrix, 0.1 + 0.6 * np.eye(4))
    assert np.allclose(TransitionMatrix.symmetric(2, 0.3).matrix, [[0.7, 0.3], [0.3, 0.7]])
    assert TransitionMatrix.pair(3, 0.25).matrix.tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75]]
    assert TransitionMatrix.pair(3, 0.25, {0: 2, 1: 1}).matrix.tolist() == [[0.75, 0, 0.25], [0, 1, 0], [0, 0, 1]]
    assert TransitionMatrix.pair(3, 0.25, {2: 0}).matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0.25, 0, 0.75]]
    rates = TransitionMatrix.from_rates([0.2, 0.6, 0.0])
    assert np.allclose(rates.matrix, [[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
    counts = TransitionMatrix.from_counts([[6, 2, 0], [0, 0, 0], [3, 3, 6]])
    assert np.allclose(counts.matrix, [[0.75, 0.25, 0], [0, 1, 0], [0.25, 0.25, 0.5]])
    assert np.allclose(counts.prior, [0.4, 0.0, 0.6])


def test_a_pooled_matrix_by_hand():
    """An error goes to the other classes as often as these are given: from class 0, 0.3 : 0.2 of 0.1."""
    pooled = TransitionMatrix.pooled([0.1, 0.7, 0.0], [0.5, 0.3, 0.2], prior=[0.2, 0.2, 0.6], classes=["a", "b", "c"])
    assert np.allclose(pooled.matrix, [[0.9, 0.06, 0.04], [0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    assert pooled.error_rate == pytest.approx(0.2 * 0.1 + 0.2 * 0.7)
    assert (pooled.k, pooled.classes) == (3, ("a", "b", "c"))
    assert np.allclose(pooled.factors[0], [0.1, 0.7, 0.0])
    assert np.allclose(pooled.factors[1], [0.5, 0.3, 0.2])
    assert TransitionMatrix.pooled([0.1, 0.2], [0.5, 0.5]).prior.tolist() == [0.5, 0.5]
    assert TransitionMatrix(np.eye(2)).factors is None
    only = TransitionMatrix.pooled([0.2, 0.0, 0.0], [1.0, 0.0, 0.0])  # the others are never given: they share alike
    assert np.allclose(only.matrix[0], [0.8, 0.1, 0.1])


def test_conditionals_by_enumeration():
    noise = TransitionMatrix([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]], prior=[0.5, 0.2, 0.3])
    joint = [[noise.prior[i] * noise.matrix[i, j] for j in range(3)] for i in range(3)]
    assert np.allclose(noise.joint, joint)
    marginal = [sum(joint[i][j] for i in range(3)) for j in range(3)]
    assert np.allclose(noise.given_prior, marginal)
    assert np.allclose(noise.inverse, [[joint[i][j] / marginal[j] for i in range(3)] for j in range(3)])
    assert noise.error_rate == pytest.approx(0.5 * 0.3 + 0.3 * 0.6)
    assert TransitionMatrix(np.eye(4)).prior.tolist() == [0.25] * 4


def test_the_composition_keeps_prior_and_classes():
    first = TransitionMatrix([[0.8, 0.2], [0.1, 0.9]], prior=[0.3, 0.7], classes=["a", "b"])
    both = first.compose(TransitionMatrix([[0.5, 0.5], [0.0, 1.0]]))
    assert np.allclose(both.matrix, [[0.4, 0.6], [0.05, 0.95]])
    assert (both.prior.tolist(), both.classes) == ([0.3, 0.7], ("a", "b"))
    other = TransitionMatrix(first.matrix, prior=first.prior)
    assert first != other  # other classes
    assert first != TransitionMatrix(first.matrix, classes=["a", "b"])  # another prior
    assert first != "a matrix"


def test_the_last_class_of_a_pair_becomes_the_first():
    assert TransitionMatrix.pair(3, 0.25).matrix[2].tolist() == [0.25, 0.0, 0.75]


def test_composition_is_one_noise_after_the_other():
    first, second = TransitionMatrix([[0.8, 0.2], [0.1, 0.9]]), TransitionMatrix([[0.5, 0.5], [0.0, 1.0]])
    assert np.allclose((first @ second).matrix, first.matrix @ second.matrix)
    with pytest.raises(lp.BadInput, match="same size"):
        first @ TransitionMatrix.symmetric(3, 0.1)


def test_samples_follow_the_rows():
    noise = TransitionMatrix([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])
    true = np.repeat([0, 1, 2], 20_000)
    given_ = noise.sample(true, random_state=1)
    for i in range(3):
        share = np.bincount(given_[true == i], minlength=3) / 20_000
        assert np.all(np.abs(share - noise.matrix[i]) <= 4 * np.sqrt(noise.matrix[i] * (1 - noise.matrix[i]) / 20_000))
    assert np.array_equal(noise.sample(true, random_state=1), given_)


def test_a_class_never_given_keeps_itself():
    assert TransitionMatrix([[0.0, 1.0], [0.0, 1.0]]).inverse[0].tolist() == [1.0, 0.0]
    assert TransitionMatrix.from_counts([[3, 1], [0, 0]]).matrix[1].tolist() == [0.0, 1.0]


def test_bad_arguments():
    for make in (
        lambda: TransitionMatrix.symmetric(1, 0.1),
        lambda: TransitionMatrix.symmetric(3, 1.5),
        lambda: TransitionMatrix.pair(3, 0.1, {0: 5}),
        lambda: TransitionMatrix.pair(3, 0.1, {0: 3}),
        lambda: TransitionMatrix.pair(3, 0.1, {3: 0}),
        lambda: TransitionMatrix.pair(3, 0.1, {-1: 0}),
        lambda: TransitionMatrix.pair(3, 0.1, {0: -1}),
        lambda: TransitionMatrix.pair(1, 0.1),
        lambda: TransitionMatrix.symmetric(2.5, 0.1),
        lambda: TransitionMatrix.from_rates([0.1]),
        lambda: TransitionMatrix.from_rates([0.1, 1.1]),
        lambda: TransitionMatrix.from_counts(-np.eye(2)),
        lambda: TransitionMatrix.from_counts([[5, -1], [1, 5]]),
        lambda: TransitionMatrix.from_counts(np.zeros((2, 2))),
        lambda: TransitionMatrix.from_counts(np.ones((2, 3))),
        lambda: TransitionMatrix.from_counts(np.ones(4)),
        lambda: TransitionMatrix(np.eye(2), prior=[0.5, 0.6]),
        lambda: TransitionMatrix(np.eye(2), classes=["a"]),
        lambda: TransitionMatrix(np.eye(2), classes=["a", "b", "c"]),
        lambda: TransitionMatrix(np.eye(2)).sample([0, 2]),
    ):
        with pytest.raises(lp.BadInput):
            make()


def test_counts_of_nothing_are_named():
    for counts in (np.zeros((2, 2)), -np.eye(2), np.ones((2, 3)), np.ones(4)):
        with pytest.raises(lp.BadInput, match="square matrix of counts, none negative, not all zero"):
            TransitionMatrix.from_counts(counts)


def test_it_is_an_array_where_one_is_wanted():
    assert np.asarray(TransitionMatrix(np.eye(2))).shape == (2, 2)
    assert TransitionMatrix(np.eye(2)) == TransitionMatrix(np.eye(2))
    assert TransitionMatrix(np.eye(2)) != TransitionMatrix.symmetric(2, 0.1)
