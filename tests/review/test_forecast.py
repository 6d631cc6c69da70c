"""What reviews to come will find: bands that hold in simulated reviews, and what must be so of any forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.review import forecast
from labelproof.review.candidates import Candidates
from labelproof.review.plan.curve import KNOTS, LEARNED, binned, fit_curve, places_of
from labelproof.review.plan.forecast import foretell
from labelproof.review.plan.queue import make_queue


def candidates_of(error, rate, given=None):
    n = len(error)
    columns = {"index": np.arange(n), "id": [str(i) for i in range(n)], "error_probability": error}
    table = pl.DataFrame({**columns, "given_label": np.zeros(n, np.int32) if given is None else given})
    return Candidates(Path(), {"error_rate": rate._asdict()}, table, ["a", "b", "c"], "")


def problem(seed=0, n=2000):
    """Error probabilities, worst first, that are too sure of themselves, and what is wrong."""
    rng = np.random.default_rng(seed)
    error = np.sort(rng.beta(0.3, 1.5, n))[::-1].copy()
    score = np.log(error / (1 - error))
    wrong = rng.random(n) < 1 / (1 + np.exp(0.5 - 0.6 * score))
    return candidates_of(error, ErrorRate(0.15, 0.08, 0.28)), wrong


NONE = np.empty(0, np.int64), np.empty(0, bool)


def test_places_between_the_knots():
    error = 1 / (1 + np.exp(-np.array([-30.0, -9.0, -2.25, 0.0, 30.0])))
    places = places_of(error)
    assert places.sum(axis=1) == pytest.approx(1)
    assert places @ KNOTS == pytest.approx([-9, -9, -2.25, 0, 9])
    every = binned(error)
    assert every.counts.sum() == 5
    assert every.counts @ (every.places @ KNOTS) == pytest.approx((places @ KNOTS).sum(), abs=0.1)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_probabilities_that_are_all_the_same(value):
    error = np.full(300, value)
    audit_rate = ErrorRate(value, value, value)
    ahead = foretell(candidates_of(error, audit_rate), make_queue(error, 200), *NONE)
    assert ahead.reviews.tolist() == list(range(201))
    rate = ahead.found[-1] / 200
    assert rate < 0.1 if value == 0 else rate > 0.8
    ranks = np.arange(150)
    seen = foretell(candidates_of(error, audit_rate), make_queue(error, 300), ranks, np.full(150, bool(value)))
    found, low, high = seen.at(100)
    assert (found < 3 and low == 0) if value == 0 else (found > 97 and high == 100)
    assert seen.left == pytest.approx(150 * value, abs=6)


def test_the_band_is_monotone_in_the_number_of_reviews_and_holds_the_expectation():
    candidates, _ = problem()
    ahead = foretell(candidates, make_queue(candidates.error_probability, 500), *NONE)
    for curve in (ahead.found, ahead.low, ahead.high):
        assert curve[0] == 0
        assert (np.diff(curve) >= 0).all()
        assert (curve <= ahead.reviews).all()
    assert (ahead.low <= ahead.found + 1).all() and (ahead.found <= ahead.high + 1).all()
    points = ahead.points(200)
    assert (points[0]["reviews"], points[-1]["reviews"]) == (0, 200)
    assert points[-1]["found"] == ahead.at(200)[0]


def test_reviews_narrow_the_band_and_bring_it_to_the_truth():
    candidates, wrong = problem()
    queue = make_queue(candidates.error_probability, 1200)
    widths, lefts = [], []
    for made in (0, 50, 400):
        rows, rest = queue.rows[:made], queue.rows[made:]
        ahead = foretell(candidates, queue, rows, wrong[rows])
        _, low, high = ahead.at(200)
        assert low <= wrong[rest[:200]].sum() <= high
        assert wrong.sum() - wrong[rows].sum() < ahead.left_below
        widths.append(high - low)
        lefts.append(ahead.left_sd)
    assert widths[0] > widths[1] > widths[2]
    assert lefts[0] > lefts[1] > lefts[2]


def test_the_audits_interval_moves_the_forecast_and_a_wide_one_less():
    candidates, _ = problem()
    error = candidates.error_probability
    queue = make_queue(error, 200)
    few, many, vague = (
        foretell(candidates_of(error, rate), queue, *NONE).left / 2000
        for rate in (ErrorRate(0.02, 0.018, 0.022), ErrorRate(0.4, 0.38, 0.42), ErrorRate(0.4, 0.02, 0.95))
    )
    assert few < 0.06 < vague < many
    assert 0.25 < many < 0.5


def test_decisions_of_reviewers_who_slip_count_for_what_they_are():
    error = np.full(400, 0.5)
    said = np.random.default_rng(0).random(200) < 0.2  # all labels are right, and one decision in five is wrong
    rate, every = ErrorRate(0.2, 0.01, 0.8), binned(error)
    taken = fit_curve(error[:200], said, every, rate).chances(error[:1])[0]
    known = fit_curve(error[:200], said, every, rate, slip=0.2).chances(error[:1])[0]
    assert 0.15 < taken < 0.25
    assert known < 0.06
    ahead = foretell(candidates_of(error, rate), make_queue(error, 400), np.arange(200), said, slip=0.2)
    assert 15 < ahead.at(100)[0] < 30  # what they will say is wrong
    assert ahead.left < 15  # what is


def test_in_simulated_reviews_the_band_holds():
    held, stops = [], []
    for seed in range(12):
        true = np.random.default_rng(seed).integers(0, 3, 1500)
        noisy = lp.simulate.symmetric(true, 0.15, n_classes=3, random_state=seed)
        scores = 1.6 * np.eye(3)[true] + np.random.default_rng([seed, 1]).normal(0, 1, (1500, 3))
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        audit = lp.audit(noisy.labels, probs)
        order = np.argsort(-audit.error_probability, kind="stable")
        error, wrong = audit.error_probability[order], (noisy.labels != true)[order]
        candidates = candidates_of(error, audit.error_rate, noisy.labels[order].astype(np.int32))
        queue = make_queue(error, 400, random_state=seed)
        for made in (0, 20, 100):
            rows, rest = queue.rows[:made], queue.rows[made:]
            ahead = foretell(candidates, queue, rows, wrong[rows])
            for budget in (50, 200):
                _, low, high = ahead.at(budget)
                held.append(low <= wrong[rest[:budget]].sum() <= high)
            stops.append(wrong.sum() - wrong[rows].sum() <= ahead.left_below)
    assert np.mean(held) > 0.85
    assert np.mean(stops) > 0.85


def test_a_table_before_the_first_decision(audit_of):
    folder, _, _ = audit_of()
    table = forecast(folder, budgets=(20, 100, 5000), pace=36.0)
    assert table.columns == ["reviews", "found", "low", "high", "hours"]
    assert table["reviews"].to_list() == [20, 100, 300]  # there are 300 labels
    assert table["hours"].to_list() == pytest.approx([0.2, 1.0, 3.0])
    assert table["found"].is_sorted()
    assert forecast(lp.Audit.load(folder), budgets=(20, 100, 5000), pace=36.0).equals(table)
    for budgets in ((), (0, 5)):
        with pytest.raises(BadInput, match="budgets"):
            forecast(folder, budgets=budgets)


def test_what_was_learned_is_a_rising_curve_with_a_spread():
    with np.load(LEARNED) as arrays:
        assert int(arrays["worlds"]) > 1000
        assert (np.diff(arrays["mean"]) > 0).all()
        assert np.linalg.eigvalsh(arrays["covariance"]).min() > 0
        assert arrays["mean"].shape == KNOTS.shape


def test_other_kinds_of_label_are_foretold_too():
    rng = np.random.default_rng(0)
    true = rng.random((200, 4)) < 0.3
    tags = lp.audit(lp.Tags(true ^ (rng.random((200, 4)) < 0.05)), np.where(true, 0.9, 0.1))
    votes = lp.audit(
        lp.Votes(np.where(rng.random((200, 3)) < 0.8, rng.integers(0, 3, 200)[:, None], rng.integers(0, 3, (200, 3))))
    )
    for audit in (tags, votes):
        table = forecast(audit, budgets=(50, 100))
        assert (table["low"] >= 0).all() and (table["high"] <= table["reviews"]).all()
        assert table["found"][1] > table["found"][0] > 0
