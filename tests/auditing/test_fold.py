"""The compiled kernels agree with the numpy reference; how the rows are cut, stored or named changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing import fold
from labelproof.noise.em import NoiseFit, NoiseParams, expected
from labelproof.noise.transition import TransitionMatrix


def problem(n: int, k: int, *, pooled: bool = False, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray, NoiseParams]:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(k, 0.3), n)
    probs[0] = 0.0
    probs[0, k - 1] = 1.0  # zeros and ones
    probs[1] = 1 / k
    if pooled:
        keep = rng.uniform(0.5, 1, k)
        noise = np.stack([keep, 1 - keep], axis=1)
    else:
        noise = rng.dirichlet(np.full(k, 0.5), k) + np.eye(k)
        noise /= noise.sum(axis=1, keepdims=True)
    params = NoiseParams(noise, rng.dirichlet(np.full(k, 5.0)), rng.uniform(0.5, 2, k), 1.75, 0.5)
    assert params.pooled == pooled
    return probs.astype(dtype), rng.integers(0, k, n), params


def sample_of(probs: np.ndarray, given: np.ndarray) -> fold.Sample:
    return fold.Sample(np.arange(len(given)), probs, given, np.bincount(given, minlength=probs.shape[1]).astype(float))


@pytest.mark.parametrize(("k", "pooled"), [(2, False), (3, False), (10, False), (200, False), (3, True), (300, True)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [0.25, 1.0, 1.75, 6.0])
def test_the_e_step_equals_the_reference(k, pooled, dtype, power):
    probs, given, params = problem(203, k, pooled=pooled, dtype=dtype)
    params = replace(params, sharpness=power)
    found = fold.CompiledEStep(sample_of(probs, given))(params)
    reference = expected(probs.astype(float), given, params)
    assert np.allclose(found.systematic, reference.systematic, atol=1e-6)
    assert np.allclose(found.random, reference.random, atol=1e-6)
    assert np.allclose(found.classifier, reference.classifier, atol=1e-6)
    assert np.isclose(found.log_likelihood, reference.log_likelihood, rtol=1e-6)
    assert found.n == reference.n


@pytest.mark.parametrize(("k", "pooled"), [(2, False), (3, False), (10, False), (3, True), (5000, True)])
def test_scores_equal_the_reference(k, pooled):
    n = 40 if k == 5000 else 203
    probs, given, params = problem(n, k, pooled=pooled)
    sharp = replace(params, sharpness=4.0)
    noise = NoiseFit(TransitionMatrix(params.matrix), (params, sharp))
    scores = fold.score(probs, given, noise)
    mean = noise.posterior(probs, given)
    own = mean[np.arange(n), given]
    assert np.allclose(scores.error_probability, 1 - own, atol=1e-6)
    assert np.array_equal(scores.suggested, mean.argmax(axis=1))
    assert np.allclose(scores.confidence, mean.max(axis=1), atol=1e-6)
    assert np.isclose(scores.expected_errors.mean(), (1 - own).sum())


def test_a_tiny_negative_left_by_rounding_does_no_harm(noisy_problem):
    labels, probs, _ = noisy_problem()
    probs[3, labels[3]] = 0.0
    probs /= probs.sum(axis=1, keepdims=True)
    plain = lp.audit(labels, probs).error_probability
    probs[3, labels[3]] = -5e-7
    assert np.allclose(lp.audit(labels, probs).error_probability, plain, atol=1e-5)


def test_any_cut_into_blocks_in_any_order_is_the_same_sample():
    rng = np.random.default_rng(0)
    n, k = 3_000, 1_000
    probs, given = rng.dirichlet(np.ones(k), n).astype(np.float32), rng.integers(0, k, n)
    whole = fold.sample(probs, given, 0, n)
    assert 0.8 * fold.sample_size(n, k) < len(whole.index) < 1.2 * fold.sample_size(n, k)
    cuts = [0, 1, 400, 401, 2_999, n]
    parts = [fold.sample(probs[a:b], given[a:b], a, n) for a, b in pairwise(cuts)]
    for order in (parts, parts[::-1], parts[2:] + parts[:2]):
        total = order[0]
        for part in order[1:]:
            total = total + part
        assert np.array_equal(total.index, whole.index)
        assert np.array_equal(total.probs, whole.probs)
        assert np.array_equal(total.given_counts, whole.given_counts)


THREADS = """
import numpy as np, torch, labelproof as lp
rng = np.random.default_rng(0)
found = lp.audit(rng.integers(0, 6, 5000), rng.dirichlet(np.full(6, 0.3), 5000))
print(repr(float(found.error_probability @ rng.random(5000))), repr(float((found.noise.matrix * rng.random((6, 6))).sum())))
import numba
print(numba.get_num_threads(), torch.get_num_threads())
"""


def test_the_answer_does_not_depend_on_the_number_of_threads_and_their_number_is_obeyed():
    """By numba, and by torch after it: numba's threads set the number of the whole process."""
    found = []
    for threads in ("1", "2"):
        environment = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
        command = [sys.executable, "-c", THREADS]
        found.append(subprocess.check_output(command, text=True, env={**environment, "OMP_NUM_THREADS": threads}).split())
    one, two = found
    # not bit for bit: two runs with one thread may differ in the last place too, by where arrays lie in memory
    assert np.allclose(np.array(one[:2], float), np.array(two[:2], float), rtol=1e-12, atol=0)
    assert one[2:] == ["1", "1"]
    assert two[2:] == [str(min(2, os.cpu_count() or 1))] * 2


def test_a_matrix_in_column_order_or_foreign_byte_order_is_read_right(noisy_problem):
    labels, probs, _ = noisy_problem()
    plain = lp.audit(labels, probs).error_probability
    assert np.allclose(lp.audit(labels, np.asfortranarray(probs)).error_probability, plain)
    assert np.allclose(lp.audit(labels, probs.astype(">f8")).error_probability, plain)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_bad_row_is_found_by_its_number(sampled):
    n, k = 300_000, 20
    probs = np.full((n, k), 1 / k, np.float32)
    bad = int(np.flatnonzero(fold.in_sample(np.arange(n), n, fold.sample_size(n, k)) == sampled)[1000])
    probs[bad, 3] = np.nan
    with pytest.raises(lp.BadInput, match=f"row {bad}, column 3 is nan"):
        lp.audit(np.arange(n) % k, probs)


def test_thousands_of_classes(tmp_path):
    rng = np.random.default_rng(0)
    n, k = 4_000, 1_000
    true = rng.integers(0, k, n)
    probs = rng.random((n, k)) ** 8
    probs[np.arange(n), true] += 8
    probs /= probs.sum(axis=1, keepdims=True)
    noisy = lp.simulate.symmetric(true, 0.1, n_classes=k, seed=0)
    found = lp.audit(noisy.labels, probs)
    assert np.mean((found.error_probability > 0.5) == noisy.changed) > 0.99
    assert abs(found.error_rate.estimate - 0.1) < 0.03
    assert found.noise.factors is not None
    assert np.allclose(found.noise.matrix.sum(axis=1), 1)
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert np.allclose(again.noise.matrix, found.noise.matrix)
    found.to_html(tmp_path / "r.html")
