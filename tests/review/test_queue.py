"""The queue: hunts in order, measures at random in strata, nested in the budget, and the estimate that it supports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.review.estimate import estimate_error_rate, strata_of
from labelproof.review.queue import make_queue


def problem(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    e = np.sort(rng.beta(0.15, 1.0, n))[::-1].copy()
    return e, rng.random(n) < e**1.3  # the audit is not calibrated


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_larger_budget_only_adds_to_the_end(budget, measure, overlap, seed):
    e, _ = problem(500)
    small, large = (make_queue(e, size, measure=measure, overlap=overlap, seed=seed) for size in (budget, budget + 57))
    m = len(small.rows)
    assert small.wanted.sum() <= budget < small.wanted.sum() + 2
    assert np.array_equal(large.rows[:m], small.rows)
    assert np.array_equal(large.measures[:m], small.measures)
    assert np.array_equal(large.wanted[:m], small.wanted)
    assert len(np.unique(large.rows)) == len(large.rows)
    hunts = small.rows[~small.measures]
    assert np.all(np.diff(e[hunts]) <= 0)


def test_shares_and_strata():
    e, _ = problem()
    queue = make_queue(e, 200, measure=0.4)
    assert queue.measures.sum() == 80
    drawn = np.bincount(queue.stratum[queue.rows[queue.measures]], minlength=5)
    assert drawn[:4].max() - drawn[:4].min() <= 1  # of the last stratum the hunt had taken some already
    assert drawn.min() >= 12
    first = queue.rows[:50]
    assert 15 <= queue.measures[:50].sum() <= 25
    assert set(first[~queue.measures[:50]]) <= set(range(60))
    assert (make_queue(e, 300, overlap=0.5).wanted == 2).mean() == pytest.approx(0.5, abs=0.1)
    assert len(make_queue(e[:30], 200).rows) == 30


def test_bad_shares():
    e, _ = problem(50)
    with pytest.raises(lp.BadInput, match="budget is 0"):
        make_queue(e, 0)
    with pytest.raises(lp.BadInput, match=r"measure is 1\.5"):
        make_queue(e, 10, measure=1.5)


@pytest.mark.parametrize("done", [60, 130, 200])
def test_the_interval_holds_at_any_time_although_the_hunt_looks_where_errors_are(done):
    e, wrong = problem()
    held, estimates = [], []
    for seed in range(300):
        queue = make_queue(e, 200, seed=seed)
        plan = queue.sample_of(queue.rows[:done])
        rate = estimate_error_rate(e, plan, wrong[plan.index])
        held.append(rate.low <= wrong.mean() <= rate.high)
        estimates.append(rate.estimate)
    assert np.mean(held) >= 0.93
    error = np.std(estimates) / np.sqrt(300)
    assert abs(np.mean(estimates) - wrong.mean()) < 4 * error + 0.002
    assert wrong[queue.rows[:done]].mean() > 2 * wrong.mean()  # the raw share would have misled


def test_reviewing_everything_gives_the_truth():
    e, wrong = problem(120)
    queue = make_queue(e, 120)
    plan = queue.sample_of(queue.rows)
    rate = estimate_error_rate(e, plan, wrong[plan.index])
    assert rate == pytest.approx((wrong.mean(),) * 3)


def test_the_rate_of_a_class():
    e, wrong = problem()
    kind = np.random.default_rng(1).integers(0, 3, len(e)) == 0
    held = []
    for seed in range(200):
        queue = make_queue(e, 300, seed=seed)
        plan = queue.sample_of(queue.rows)
        rate = estimate_error_rate(e, plan, wrong[plan.index], among=kind)
        held.append(rate.low <= wrong[kind].mean() <= rate.high)
    assert np.mean(held) >= 0.92


def test_strata_have_equal_spread():
    e, _ = problem()
    stratum = strata_of(e)
    spread = np.bincount(stratum, np.sqrt((e + 0.03) * (1.03 - e)))
    assert spread.max() / spread.min() < 1.05
    assert np.all(np.diff(stratum[np.argsort(e)]) >= 0)
