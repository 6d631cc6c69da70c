"""The queue: hunts in order, measures at random in strata, nested in the budget, and the estimate that it supports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.review.plan.estimate import estimate_error_rate, strata_of
from labelproof.review.plan.queue import Queue, make_queue


def problem(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    e = np.sort(rng.beta(0.15, 1.0, n))[::-1].copy()
    return e, rng.random(n) < e**1.3  # the audit is not calibrated


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_larger_budget_only_adds_to_the_end(budget, measure, overlap, seed):
    e, _ = problem(500)
    small, large = (make_queue(e, size, measure=measure, overlap=overlap, random_state=seed) for size in (budget, budget + 57))
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


def test_a_queue_of_twelve_by_hand():
    e = np.array([0.1, 0.9, 0.3, 0.5, 0.9, 0.2, 0.7, 0.05, 0.6, 0.4, 0.8, 0.0])
    falling = [1, 4, 10, 6, 8, 3, 9, 2, 5, 0, 7, 11]  # ties in the order of the rows
    hunt = make_queue(e, 12, measure=0.0)
    assert hunt.rows.tolist() == falling
    assert not hunt.measures.any()
    assert hunt.hunted.tolist() == [falling.index(row) for row in range(12)]
    assert hunt.stratum.tolist() == strata_of(e).tolist()
    assert hunt.wanted.tolist() == [1] * 12
    both = make_queue(e, 12, measure=0.4)
    assert both.measures.tolist() == [False, False, True, False, True] * 2 + [False, False]  # 0.4, 0.8, 1.2, 1.6, 2.0, …
    assert both.rows[:2].tolist() == [1, 4]
    assert sorted(both.rows.tolist()) == list(range(12))
    assert make_queue(e, 12, measure=1.0).measures.all()
    assert np.array_equal(both.rows, make_queue(e, 12).rows)  # 0.4 of seed 0 is the default
    assert np.array_equal(both.rows, make_queue(e, 12, random_state=0).rows)


def test_a_queue_is_the_same_in_every_release():
    """A review that goes on plans its queue anew: another draw would give a reviewer other items."""
    e = np.array([0.1, 0.9, 0.3, 0.5, 0.9, 0.2, 0.7, 0.05, 0.6, 0.4, 0.8, 0.0])
    queue = make_queue(e, 18, overlap=0.5, random_state=3)
    assert queue.rows.tolist() == [1, 4, 11, 10, 2, 6, 8, 9, 3, 7, 5, 0]
    assert queue.wanted.tolist() == [2, 1, 2, 1, 2, 2, 1, 1, 2, 1, 1, 2]


def test_budgets_count_second_reviews():
    e, _ = problem(100)
    for budget in (1, 2, 7, 10):
        twice = make_queue(e, budget, overlap=1.0)
        assert twice.wanted.tolist() == [2] * (budget // 2)
    assert make_queue(e, 30).wanted.tolist() == [1] * 30
    assert make_queue(e, 1).rows.tolist() == [0]
    shared = [int((make_queue(e, 60, overlap=0.3, random_state=seed).wanted == 2).sum()) for seed in range(100)]
    items = [len(make_queue(e, 60, overlap=0.3, random_state=seed).wanted) for seed in range(100)]
    assert sum(shared) / sum(items) == pytest.approx(0.3, abs=0.03)


def test_the_random_order_takes_the_strata_in_turn_and_each_item_alike():
    e = np.concatenate([np.full(300, 0.0), np.full(100, 0.5)])
    first = np.zeros(len(e))
    for seed in range(300):
        queue = make_queue(e, 50, measure=1.0, random_state=seed)
        for turn in range(10):
            assert sorted(queue.stratum[queue.rows[5 * turn : 5 * turn + 5]]) == [0, 1, 2, 3, 4]
        first[queue.rows] += 1
    for h in range(5):
        own = first[queue.stratum == h]
        share = 10 / len(own)
        assert np.abs(own / 300 - share).max() < 5 * np.sqrt(share * (1 - share) / 300)
    assert len(set(make_queue(e, 400, measure=1.0).rows.tolist())) == 400


def measured_only(n=40):
    """A queue that measures items 0, 1, 2, … in this order, and would hunt them from the last one on."""
    every = np.arange(n)
    stratum = (every % 3).astype(np.int8)
    return Queue(every, np.ones(n, bool), np.ones(n, np.int64), stratum, every[::-1].copy())


def test_a_sample_ends_where_too_many_measured_items_are_missing():
    """Eight may be missing, and one in ten of those before: nine of the first nine are too many, nine of eleven are not."""
    queue = measured_only()
    assert queue.sample_of(np.arange(8, 40)).index.tolist() == list(range(8, 40))
    assert queue.sample_of(np.arange(9, 40)).index.tolist() == []
    assert queue.sample_of(np.array([8, *range(10, 40)])).index.tolist() == [8]
    assert queue.sample_of(np.array([8, 9, *range(11, 40)])).index.tolist() == [8, 9, *range(11, 40)]
    assert queue.sample_of(np.array([8, 9, *range(12, 40)])).index.tolist() == [8, 9]
    assert queue.sample_of(np.array([5, 3, 9])).index.tolist() == [3, 5, 9]
    assert queue.sample_of(np.array([5, 3, 9])).stratum.tolist() == queue.stratum.tolist()


def test_the_head_of_the_hunt_is_a_stratum_of_its_own():
    rows, measures = np.array([0, 1, 5, 2, 3]), np.array([False, False, True, False, False])
    stratum = np.array([2, 2, 1, 1, 0, 0, 0], np.int8)
    queue = Queue(rows, measures, np.ones(5, np.int64), stratum, np.arange(7))
    plan = queue.sample_of(np.array([0, 2, 5]))  # 1 was skipped, 2 is as far as the hunt got
    assert plan.index.tolist() == [0, 2, 5]
    assert plan.stratum.tolist() == [3, 3, 3, 1, 0, 0, 0]
    nobody = queue.sample_of(np.array([5]))
    assert nobody.index.tolist() == [5]
    assert nobody.stratum.tolist() == stratum.tolist()
    elsewhere = queue.sample_of(np.array([0, 4, 6]))  # known from elsewhere: no sample
    assert elsewhere.index.tolist() == [0]
    assert queue.sample_of(np.array([0, 1])).stratum.tolist() == [3, 3, 1, 1, 0, 0, 0]
    head_holds_a_measured_one = Queue(rows, measures, np.ones(5, np.int64), stratum, np.array([0, 1, 3, 4, 5, 2, 6]))
    plan = head_holds_a_measured_one.sample_of(np.array([0, 2, 5]))
    assert plan.stratum.tolist() == [3, 3, 3, 1, 0, 3, 0]


def test_bad_shares():
    e, _ = problem(50)
    with pytest.raises(lp.BadInput, match="budget is 0"):
        make_queue(e, 0)
    with pytest.raises(lp.BadInput, match="budget is -1"):
        make_queue(e, -1)
    for name in ("measure", "overlap"):
        for share in (1.5, -0.01, float("nan")):
            with pytest.raises(lp.BadInput, match=f"{name} is {share}"):
                make_queue(e, 10, **{name: share})


@pytest.mark.parametrize("done", [60, 130, 200])
def test_the_interval_holds_at_any_time_although_the_hunt_looks_where_errors_are(done):
    e, wrong = problem()
    held, estimates = [], []
    for seed in range(300):
        queue = make_queue(e, 200, random_state=seed)
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
        queue = make_queue(e, 300, random_state=seed)
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
