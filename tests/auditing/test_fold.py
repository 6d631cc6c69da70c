"""The compiled kernels agree with the numpy reference, and any split into blocks gives the same answer."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest

from labelproof.auditing import fold
from labelproof.noise.estimate import NoiseFit, NoiseParams, expected
from labelproof.noise.transition import TransitionMatrix


def problem(n: int, k: int, seed: int = 0, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray, NoiseParams]:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.3), n)
    probs[0] = 0.0
    probs[0, k - 1] = 1.0  # zeros and ones
    probs[1] = 1 / k
    noise = rng.dirichlet(np.full(k, 0.5), k) + np.eye(k)
    params = NoiseParams(noise / noise.sum(axis=1, keepdims=True), rng.dirichlet(np.full(k, 5.0)), 1.7, 0.5)
    return probs.astype(dtype), rng.integers(0, k, n), params


@pytest.mark.parametrize("k", [2, 3, 10, 400])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_e_step_equals_the_reference(k, dtype):
    probs, given, params = problem(203, k, dtype=dtype)
    found, reference = fold.partial((probs, given), params), expected(probs, given, params)
    assert np.allclose(found.systematic, reference.systematic, atol=1e-6)
    assert np.allclose(found.random, reference.random, atol=1e-6)
    assert np.isclose(found.log_likelihood, reference.log_likelihood, rtol=1e-6)


@pytest.mark.parametrize("k", [2, 3, 10, 5000])
def test_scores_equal_the_reference(k):
    n = 40 if k == 5000 else 203
    probs, given, params = problem(n, k)
    noise = NoiseFit(TransitionMatrix(params.systematic), (params, NoiseParams(*vars_of(params, sharpness=3.0))))
    (scores,) = fold.score(lambda: [(probs, given)], noise)
    mean = noise.posterior(probs, given)
    own = mean[np.arange(n), given]
    assert np.allclose(scores.error_probability, 1 - own, atol=1e-6)
    assert np.allclose(scores.confidence, mean.max(axis=1), atol=1e-6)
    assert np.isclose(scores.expected_errors.mean(), (1 - own).sum())


def vars_of(params: NoiseParams, **changes: float) -> list:
    return [changes.get(name, value) for name, value in vars(params).items()]


def test_blocks_in_any_split_and_order_give_the_same_noise():
    probs, given, _ = problem(1000, 4)
    counts = np.bincount(given, minlength=4).astype(float)
    whole = fold.fit(lambda: [(probs, given)], counts, range(4))
    cuts = [0, 1, 400, 401, 999, 1000]
    blocks = [(probs[a:b], given[a:b]) for a, b in itertools.pairwise(cuts)]
    split = fold.fit(lambda: blocks[::-1], counts, range(4))
    assert np.allclose(split.transition.matrix, whole.transition.matrix, atol=1e-6)


def test_the_answer_does_not_depend_on_the_number_of_threads():
    probs, given, params = problem(5000, 6)
    most = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = fold.partial((probs, given), params)
    finally:
        numba.set_num_threads(most)
    many = fold.partial((probs, given), params)
    assert np.array_equal(one.systematic, many.systematic)
    assert np.isclose(one.log_likelihood, many.log_likelihood, rtol=1e-12)


def test_a_matrix_in_column_order_or_foreign_byte_order_is_read_right():
    probs, given, params = problem(50, 5)
    plain = fold.partial((probs, given), params).systematic
    assert np.allclose(fold.partial((np.asfortranarray(probs), given), params).systematic, plain)
    assert np.allclose(fold.partial((probs.astype(">f8"), given), params).systematic, plain)
