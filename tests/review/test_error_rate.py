"""The interval holds the true rate as often as it says, even where the audit is wrong, and is narrower than a plain sample's."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.review import estimate_error_rate, plan_measurement


def coverage(e: np.ndarray, wrong: np.ndarray, reviews: int = 200, times: int = 300) -> tuple[float, float, float]:
    """Share of intervals that hold the truth, their mean width, and the bias of the estimate."""
    held, widths, estimates = 0, [], []
    for seed in range(times):
        plan = plan_measurement(e, reviews, seed=seed)
        rate = estimate_error_rate(e, plan, wrong[plan.index])
        held += rate.low <= wrong.mean() <= rate.high
        widths.append(rate.high - rate.low)
        estimates.append(rate.estimate)
    return held / times, float(np.mean(widths)), float(np.mean(estimates) - wrong.mean())


@pytest.mark.parametrize("distort", [lambda e: e, np.sqrt, np.square, lambda e: np.full_like(e, 0.1), lambda e: 0.3 * e])
def test_coverage_whether_the_audit_is_right_or_not(distort):
    rng = np.random.default_rng(0)
    truth = rng.beta(0.2, 1.6, 10_000)
    wrong = rng.random(10_000) < truth
    held, _, bias = coverage(distort(truth), wrong)
    assert held >= 0.91  # 95 % less three standard errors of 300 draws
    assert abs(bias) < 0.01


def test_a_good_audit_narrows_the_interval():
    rng = np.random.default_rng(0)
    truth = rng.beta(0.1, 0.9, 10_000)
    wrong = rng.random(10_000) < truth
    p = wrong.mean()
    plain = 2 * 1.96 * np.sqrt(p * (1 - p) / 200)
    assert coverage(truth, wrong, times=50)[1] < 0.75 * plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["cifar10.resnet18", "cifar10naggregate.resnet18", "romannumeral.resnet18", "romannumeral.swin"]
)
def test_coverage_on_real_errors(real_data, name):
    data = np.load(real_data / "label_errors.npz")
    e = lp.audit(data[f"{name}.labels"], data[f"{name}.pred_probs"]).error_probability
    held, _, _ = coverage(e, data[f"{name}.is_error"], times=200)
    assert held >= 0.90


def test_strata_share_the_reviews_and_small_ones_leave_theirs_to_the_others():
    e = np.concatenate([np.full(990, 0.01), np.full(10, 0.99)])
    plan = plan_measurement(e, 200)
    assert len(set(plan.index.tolist())) == 200
    counts = np.bincount(plan.stratum[plan.index], minlength=5)
    assert (counts > 0).all()
    assert counts.sum() == 200


def test_what_is_done_so_far_is_a_sample_too():
    rng = np.random.default_rng(0)
    e = rng.beta(0.3, 1.5, 3000)
    wrong = rng.random(3000) < e
    plan = plan_measurement(e, 300)
    half, whole = (estimate_error_rate(e, plan, wrong[plan.index[:m]]) for m in (150, 300))
    assert half.high - half.low > whole.high - whole.low
    everything = plan_measurement(e, 3000)
    exact = estimate_error_rate(e, everything, wrong[everything.index])
    assert exact.estimate == pytest.approx(wrong.mean())
    assert exact.high - exact.low < 1e-9


def test_bad_input():
    e = np.full(100, 0.2)
    plan = plan_measurement(e, 20)
    for call, message in (
        (lambda: plan_measurement(e, 5), "at least 10"),
        (lambda: plan_measurement(e, 101), "at most the 100 items"),
        (lambda: plan_measurement(np.array([0.5, np.nan]), 2), "between 0 and 1"),
        (lambda: estimate_error_rate(e, plan, [True] * 21), "at most 20"),
        (lambda: estimate_error_rate(e, plan, [0.5]), "true or false"),
        (lambda: estimate_error_rate(e, plan, [True]), "Review more"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            call()
