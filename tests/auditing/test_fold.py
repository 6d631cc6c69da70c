"""Scores agree with the posterior, in numpy and compiled; how the rows are cut, stored or named changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import labelproof as lp
from e_step_reference import expected, reference
from labelproof.auditing import fold
from labelproof.auditing.verdicts import verdicts
from labelproof.noise import e_step
from labelproof.noise.e_step import NoiseParams
from labelproof.noise.em import NoiseFit
from labelproof.noise.powers import powered
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


@pytest.mark.parametrize(("k", "pooled"), [(2, False), (3, False), (10, False), (200, False), (3, True), (300, True)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("power", "cells"), [(0.25, 10**6), (1.0, 1000), (1.75, 1), (6.0, 10**6)])
def test_the_e_step_equals_the_reference(monkeypatch, k, pooled, dtype, power, cells):
    probs, given, params = problem(203, k, pooled=pooled, dtype=dtype)
    params = replace(params, sharpness=power)
    monkeypatch.setattr(e_step, "CHUNK_CELLS", cells)
    found, wanted = expected(probs, given, params), reference(probs.astype(float), given, params)
    near = {"rtol": 1e-9, "atol": 1e-9} if dtype is np.float64 else {"rtol": 2e-5, "atol": 2e-5}
    for name in ("systematic", "random", "classifier", "log_likelihood", "right"):
        assert np.allclose(getattr(found, name), getattr(wanted, name), **near), name
    assert found.n == wanted.n


@pytest.mark.parametrize("power", [0.25, 0.75, 1.0, 2.5, 6.0, 24.0, 1.37])
def test_powers_of_rows(power):
    probs, _, _ = problem(30, 4)
    scaled = probs / probs.max(axis=1, keepdims=True)
    first, second = powered(probs, (power, 2.0))
    assert np.allclose(first, scaled**power, rtol=1e-12)
    assert np.allclose(second, scaled**2, rtol=1e-12)


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Scores by each of the two ways."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        monkeypatch.setattr(fold, "COMPILED_CELLS", 0)


@pytest.mark.parametrize(("k", "pooled"), [(2, False), (3, False), (10, False), (3, True), (5000, True)])
def test_scores_equal_the_reference(k, pooled, path):
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("k", "pooled"), [(2, False), (7, False), (100, False), (300, True)])
def test_numpy_and_compiled_scores_agree(k, pooled, dtype, monkeypatch):
    pytest.importorskip("numba")
    probs, given, params = problem(3000, k, pooled=pooled, dtype=dtype)
    given[::50] = -1
    noise = NoiseFit(TransitionMatrix(params.matrix), (params, replace(params, sharpness=6.25, ambiguity=0.0)), (0.3, 0.7))
    plain = fold.score(probs, given, noise)
    monkeypatch.setattr(fold, "COMPILED_CELLS", 0)
    compiled = fold.score(probs, given, noise)
    near = 1e-12 if dtype is np.float64 else 2e-6
    assert np.allclose(compiled.error_probability, plain.error_probability, rtol=0, atol=near, equal_nan=True)
    assert np.allclose(compiled.confidence, plain.confidence, atol=2e-6, equal_nan=True)
    assert np.allclose(compiled.expected_errors, plain.expected_errors, rtol=near)
    assert np.mean(compiled.suggested != plain.suggested) <= (0 if dtype is np.float64 else 1e-3)
    assert (verdicts_of(compiled) == verdicts_of(plain)).all()


def verdicts_of(scores):
    return verdicts(np.sort(scores.error_probability[~np.isnan(scores.error_probability)])[::-1], 0.05)


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


def test_how_many_rows_the_fit_takes():
    for n, k, size in (
        (10**9, 2, 100_000), (10**9, 10, 100_000), (10**9, 50, 40_000), (10**9, 400, 5_000), (10**9, 401, 5_000), (10**9, 1000, 5_000),
        (10**9, 4_000, 5_000), (10**9, 5_000, 4_000), (10**9, 20_000, 1_000), (300, 2, 300), (5_001, 1000, 5_000),
    ):  # fmt: skip
        assert fold.sample_size(n, k) == size


@pytest.mark.parametrize("step", [1, 2, 7, 64, 1000, 4096])
def test_rows_are_drawn_by_their_number_alike(step):
    """As many as asked for, of every residue, of rows beyond four milliards too, and independent of the neighbour."""
    for start in (0, 2**33):
        rows = start + step * np.arange(40_000)
        for share in (0.01, 0.3):
            drawn = fold.in_sample(rows, 10**6, int(share * 10**6))
            spread = np.sqrt(share * (1 - share) / 40_000)
            assert abs(drawn.mean() - share) < 5 * spread
            assert abs((drawn[1:] & drawn[:-1]).mean() - share**2) < 5 * np.sqrt(share**2 / 40_000) + 0.002
    assert fold.in_sample(np.arange(10), 10, 10).all()
    assert fold.in_sample(np.arange(10), 10, 11).all()
    assert not fold.in_sample(np.arange(10), 10**12, 1).any()


def test_the_drawn_rows_are_the_same_in_every_release():
    """An audit that is made again of the same data must be fitted to the same rows."""
    drawn = np.flatnonzero(fold.in_sample(np.arange(1000), 1000, 20))
    assert drawn.tolist() == [
        0, 118, 160, 196, 209, 216, 237, 258, 308, 441, 519, 602, 617, 639, 669, 745, 796, 833, 879, 912, 954,
    ]  # fmt: skip


@pytest.mark.parametrize("unlabelled", [False, True])
def test_a_sample_by_hand(monkeypatch, unlabelled):
    monkeypatch.setattr(fold, "SAMPLE_CELLS", 300)
    monkeypatch.setattr(fold, "FEWEST_ROWS", 10)
    rng = np.random.default_rng(0)
    n, probs, given = 400, rng.dirichlet(np.ones(3), 400), rng.integers(0, 3, 400)
    if unlabelled:
        given[::4] = -1
    drawn = [i for i in range(n) if fold.in_sample(np.array([i]), n, 100)[0] and given[i] >= 0]
    parts = [fold.sample(probs[a:b], given[a:b], a, n) for a, b in ((0, 150), (150, 151), (151, 400))]
    for found in (fold.sample(probs, given, 0, n), fold.together(parts), parts[2] + parts[0] + parts[1]):
        assert found.index.tolist() == drawn
        assert np.array_equal(found.probs, probs[drawn])
        assert np.array_equal(found.given, given[drawn])
        assert found.given_counts.tolist() == [(given == y).sum() for y in range(3)]
    few = fold.sample(probs[:100], given[:100], 0, 100)
    assert few.index.tolist() == [i for i in range(100) if given[i] >= 0]
    assert np.shares_memory(few.probs, probs) == (not unlabelled)


def test_scores_of_rows_without_a_label_and_of_impossible_labels(path):
    noise = NoiseParams(np.array([[1.0, 0.0], [0.25, 0.75]]), np.array([0.6, 0.4]), np.ones(2), 1.0, 0.0)
    probs = np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0], [0.2, 0.8]])
    scores = fold.score(probs, np.array([0, -1, 1, 0]), NoiseFit(TransitionMatrix(noise.matrix), (noise,)))
    assert np.allclose(scores.error_probability, [0.2, np.nan, 0.0, 0.5], equal_nan=True)
    assert scores.suggested[[0, 1]].tolist() == [0, -1]
    assert np.allclose(scores.confidence[[0, 3]], [0.8, 0.5])
    assert np.isnan(scores.confidence[1])
    assert np.allclose(scores.expected_errors, [0.7])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.4985], "sums to 0.9985"),
        ([0.5, 0.5015], "sums to 1.0015"),
        ([1.00001, -1e-5], "between 0 and 1"),
        ([np.nan, 0.5], "column 0 is nan"),
        ([0.5, np.inf], "column 1 is inf"),
    ],
)
def test_a_row_that_is_no_distribution_is_named(row, message, path):
    noise = NoiseParams(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0.6, 0.4]), np.ones(2), 1.0, 0.5)
    fit = NoiseFit(TransitionMatrix(noise.matrix), (noise,))
    probs = np.full((130, 2), 0.5)
    probs[[77, 101]] = row
    with pytest.raises(lp.BadInput, match=f"row 1077.*{message}"):
        fold.score(probs, np.arange(130) % 2, fit, 1000)
    with pytest.raises(lp.BadInput, match=f"row 77.*{message}"):
        fold.score(probs, np.arange(130) % 2, fit)
    probs[[77, 101]] = [0.5, 0.5009]  # within the tolerance
    assert np.isfinite(fold.score(probs, np.arange(130) % 2, fit).error_probability).all()
    probs[77], probs[101] = [1.0000009, -9e-7], [0.5, 0.4991]
    assert np.isfinite(fold.score(probs, np.arange(130) % 2, fit).error_probability).all()


@pytest.mark.parametrize("pooled", [False, True])
def test_a_label_that_the_noise_rules_out_counts_as_kept(pooled, path):
    """The item is surely of class 0, which is never given 2: it is no evidence of anything, nor a reason to divide by zero."""
    noise = np.array([[1.0, 0.0]] * 3) if pooled else np.eye(3)
    params = NoiseParams(noise, np.array([0.5, 0.3, 0.2]), np.ones(3), 1.0, 0.0)
    probs, given = np.array([[1.0, 0.0, 0.0], [0.0, 0.75, 0.25]]), np.array([2, 1])
    found = expected(probs, given, params)
    assert found.systematic.tolist() == ([[0, 0], [1, 0], [1, 0]] if pooled else [[0, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert found.random.tolist() == [0, 0, 0]
    assert np.allclose(found.classifier, [1.0, 0.75, 0.25])
    assert found.log_likelihood == pytest.approx(np.log(0.75))
    scores = fold.score(probs, given, NoiseFit(TransitionMatrix(params.matrix), (params,)))
    assert np.allclose(scores.error_probability, [0.0, 0.0])
    assert scores.suggested.tolist() == [2, 1]


THREADS = """
import numpy as np, torch, labelproof as lp
from labelproof import threads
rng = np.random.default_rng(0)
found = lp.audit(rng.integers(0, 6, 400_000), rng.dirichlet(np.full(6, 0.3), 400_000))
print(repr(float(found.error_probability @ rng.random(400_000))), repr(float((found.noise.matrix * rng.random((6, 6))).sum())))
print(threads.usable(), torch.get_num_threads())
"""


@pytest.mark.needs("torch")
def test_the_answer_does_not_depend_on_the_number_of_threads_and_their_number_is_obeyed():
    found = []
    for count in ("1", "2"):
        done = subprocess.check_output([sys.executable, "-c", THREADS], text=True, env={**os.environ, "OMP_NUM_THREADS": count})
        found.append(done.split())
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
    noisy = lp.simulate.symmetric(true, 0.1, n_classes=k, random_state=0)
    with pytest.warns(lp.DoubtWarning, match="fewer than 10 labels|interval was doubled"):
        found = lp.audit(noisy.labels, probs)
    assert np.mean((found.error_probability > 0.5) == noisy.changed) > 0.99
    assert abs(found.error_rate.estimate - 0.1) < 0.03
    assert found.noise.factors is not None
    assert np.allclose(found.noise.matrix.sum(axis=1), 1)
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert np.allclose(again.noise.matrix, found.noise.matrix)
    found.to_html(tmp_path / "r.html")
