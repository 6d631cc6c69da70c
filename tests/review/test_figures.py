"""What the reviews say about all labels, from items, outcomes and queues made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.findings import ErrorRate
from labelproof.review.candidates import Candidates
from labelproof.review.log.store import Decision
from labelproof.review.plan.estimate import MeasurementPlan, estimate_error_rate
from labelproof.review.plan.figures import Figures, class_rates, people, work_out
from labelproof.review.plan.queue import Queue, make_queue
from labelproof.review.plan.resolve import Resolved

RATE = {"estimate": 0.21, "low": 0.1, "high": 0.3}


def candidates_of(error, given=None, classes=("a", "b", "c"), **summary):
    n = len(error)
    table = pl.DataFrame(
        {
            "index": np.arange(n),
            "id": [str(i) for i in range(n)],
            "error_probability": error,
            "given_label": np.zeros(n, np.int32) if given is None else given,
        }
    )
    return Candidates(Path(), {"error_rate": RATE, **summary}, table, list(classes), "")


def settled(wrong_by_rank):
    """Outcomes of items that are given a."""
    return {rank: Resolved("b" if wrong else "a", 1, ("ann",), True) for rank, wrong in wrong_by_rank.items()}


def problem(n=300, reviews=60):
    rng = np.random.default_rng(0)
    error = np.sort(rng.beta(0.3, 1.2, n))[::-1].copy()
    queue = make_queue(error, reviews)
    wrong = rng.random(n) < error
    return error, queue, wrong


def test_with_enough_reviews_the_rate_is_that_of_the_sample():
    error, queue, wrong = problem()
    outcomes = settled({int(rank): bool(wrong[rank]) for rank in queue.rows})
    found = work_out(candidates_of(error), queue, outcomes)
    plan = queue.sample_of(queue.rows)
    rate = estimate_error_rate(error, plan, wrong[plan.index])
    assert (found.reviewed, found.wrong, found.from_reviews) == (60, wrong[queue.rows].sum(), True)
    assert found.error_rate == pytest.approx(rate)
    calibrated = fit_calibration(error[queue.rows], wrong[queue.rows])
    left = [rank for rank in range(300) if rank not in set(queue.rows.tolist())]
    assert found.next_reviews == 50
    assert found.next_yield == pytest.approx(calibrated(error[left[:50]]).sum())
    assert found.errors_left == pytest.approx(max(found.next_yield, rate.estimate * 300 - wrong[queue.rows].sum()))


def test_what_is_left_is_at_least_what_the_next_reviews_bring():
    error = np.full(60, 0.9)
    queue = make_queue(error, 20, measure=1.0)
    found = work_out(candidates_of(error), queue, settled(dict.fromkeys(queue.rows.tolist(), False)))
    assert found.wrong == 0
    assert found.next_reviews == 40
    assert found.errors_left == found.next_yield > found.error_rate.estimate * 60


@pytest.mark.parametrize("reviews", [0, 7, 19, 20])
def test_before_twenty_reviews_the_rate_is_the_audits(reviews):
    error, queue, wrong = problem()
    rows = queue.rows[:reviews]
    found = work_out(candidates_of(error), queue, settled({int(rank): bool(wrong[rank]) for rank in rows}))
    assert found.from_reviews == (reviews >= 20)
    if reviews < 20:
        assert found.error_rate == ErrorRate(**RATE)
        calibrated = fit_calibration(error[rows], wrong[rows]) if reviews else (lambda e: e)
        left = np.setdiff1d(np.arange(300), rows)
        assert found.errors_left == pytest.approx(calibrated(error[left]).sum())
        assert found.next_yield == pytest.approx(calibrated(error[left[:50]]).sum())
        assert found.advice.startswith("After 20 reviews")
    else:
        assert not found.advice.startswith("After 20 reviews")


def test_the_next_reviews_end_with_the_items():
    error, queue, wrong = problem(70, 70)
    rows = queue.rows[:40]
    found = work_out(candidates_of(error), queue, settled({int(rank): bool(wrong[rank]) for rank in rows}))
    assert found.next_reviews == 30
    done = work_out(candidates_of(error), queue, settled({int(rank): bool(wrong[rank]) for rank in queue.rows}))
    assert (done.next_reviews, done.next_yield) == (0, 0.0)
    assert done.errors_left == pytest.approx(0.0, abs=1e-9)
    assert done.advice == "Every label has been reviewed."


def figures(reviewed=100, next_reviews=50, next_yield=10.0):
    return Figures(reviewed, 5, ErrorRate(0.1, 0.0, 0.2), True, 1234.0, next_reviews, next_yield)


@pytest.mark.parametrize(
    ("next_yield", "start"),
    [
        (25.0, "Go on: it pays."),
        (20.0, "Go on: it pays."),
        (19.9, "Go on if a corrected label is worth 3 looks"),
        (10.0, "Go on if a corrected label is worth 5 looks"),
        (5.0, "Go on if a corrected label is worth 10 looks"),
        (4.9, "You can stop"),
    ],
)
def test_advice(next_yield, start):
    found = figures(next_yield=next_yield).advice
    assert found.startswith(start)
    assert f"Of the 50 most doubtful labels left, about {next_yield:.0f} are expected to be wrong" in found
    assert "about 1,234 wrong labels are left in all" in found
    assert figures(reviewed=19).advice.startswith("After 20 reviews")
    assert not figures(reviewed=20).advice.startswith("After 20 reviews")


def test_without_reviews_the_rate_of_tags_is_the_share_of_items_with_a_wrong_one():
    error = np.array([0.9, 0.5, 0.2, 0.0])
    table = pl.DataFrame({"index": range(4), "id": list("wxyz"), "error_probability": error, "tags": [["t"]] * 4})
    tags = Candidates(Path(), {"kind": "tags"}, table, ["t"], "")
    found = work_out(tags, make_queue(error, 4), {})
    half = 1.96 * np.sqrt(0.9 * 0.1 + 0.25 + 0.2 * 0.8) / 4
    assert found.error_rate == pytest.approx((0.4, max(0.0, 0.4 - half), 0.4 + half))
    worse = np.array([1.0, 0.9, 0.9, 0.8])
    high = Candidates(Path(), {"kind": "tags"}, table.with_columns(error_probability=worse), ["t"], "")
    assert work_out(high, make_queue(error, 4), {}).error_rate == pytest.approx((0.9, 0.9 - 1.96 * np.sqrt(0.34) / 4, 1.0))
    low = Candidates(Path(), {"kind": "tags"}, table.with_columns(error_probability=error / 10), ["t"], "")
    assert work_out(low, make_queue(error, 4), {}).error_rate.low == 0.0
    assert class_rates(tags, make_queue(error, 4), {}) == []


def test_the_rates_of_classes():
    error = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
    given = np.array([0, 1, 0, 1, 0, 1, 0, 0, 1, 0], np.int32)  # c is never given
    candidates = candidates_of(error, given)
    every = np.arange(10)
    queue = Queue(every, np.ones(10, bool), np.ones(10, np.int64), np.array([1] * 4 + [0] * 6, np.int8), every)
    before = class_rates(candidates, queue, {})
    a, b = error[given == 0].mean(), error[given == 1].mean()
    assert before == [
        {"class": "b", "labels": 4, "reviewed": 0, "estimate": pytest.approx(b), "low": None, "high": None},
        {"class": "a", "labels": 6, "reviewed": 0, "estimate": pytest.approx(a), "low": None, "high": None},
    ]
    names = ["a", "b", "b", "b", "a", "a", "a", "c"]  # of the first eight
    outcomes = {rank: Resolved(name, 1, ("ann",), True) for rank, name in enumerate(names)}
    plan = MeasurementPlan(np.arange(8), queue.stratum.astype(np.int64))
    wrong = np.array([False, False, True, False, False, True, False, True])
    rows = {row["class"]: row for row in class_rates(candidates, queue, outcomes)}
    assert (rows["a"]["reviewed"], rows["b"]["reviewed"]) == (5, 3)
    for code, name in enumerate("ab"):
        rate = estimate_error_rate(error, plan, wrong, among=given == code)
        assert (rows[name]["estimate"], rows[name]["low"], rows[name]["high"]) == pytest.approx(rate)
    assert [row["estimate"] for row in class_rates(candidates, queue, outcomes)] == sorted(
        (row["estimate"] for row in rows.values()), reverse=True
    )


def test_of_many_classes_the_forty_largest_are_rated():
    given = np.repeat(np.arange(45), np.arange(1, 46)).astype(np.int32)
    error = np.linspace(0.9, 0.1, len(given))
    rows = class_rates(candidates_of(error, given, [f"c{i}" for i in range(45)]), make_queue(error, 10), {})
    assert {row["class"] for row in rows} == {f"c{i}" for i in range(5, 45)}


def said(item, reviewer, label, action="relabel", seconds=None):
    return Decision(item, reviewer, action, label, f"{item}-{reviewer}", seconds=seconds)


def test_people():
    decisions = [
        said("i", "bob", "x", seconds=4.0), said("j", "bob", "y", seconds=1.0), said("k", "bob", None, "skip", seconds=9.0),
        said("i", "ann", "x", seconds=2.0), said("j", "ann", "x"), said("m", "cy", "x"),
    ]  # fmt: skip
    found = people(decisions)
    rows = {row["name"]: row for row in found["reviewers"]}
    assert [row["name"] for row in found["reviewers"]] == ["ann", "bob", "cy"]
    assert (rows["ann"]["decisions"], rows["ann"]["median_seconds"]) == (2, 2.0)
    assert (rows["bob"]["decisions"], rows["bob"]["median_seconds"]) == (2, 2.5)  # to skip is no decision
    assert (rows["cy"]["decisions"], rows["cy"]["median_seconds"], rows["cy"]["accuracy"]) == (1, None, None)
    assert 0.5 < rows["ann"]["accuracy"] <= 1
    assert found["agreement"]["items"] == 2
