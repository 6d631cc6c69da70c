"""The interval holds the true rate as often as it says, even where the audit is wrong, and is narrower than a plain sample's."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.review import estimate_error_rate, plan_measurement
from labelproof.review.plan.estimate import MeasurementPlan, strata_of


def coverage(e: np.ndarray, wrong: np.ndarray, reviews: int = 200, times: int = 300) -> tuple[float, float, float]:
    """Share of intervals that hold the truth, their mean width, and the bias of the estimate."""
    held, widths, estimates = 0, [], []
    for seed in range(times):
        plan = plan_measurement(e, reviews, random_state=seed)
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


def by_hand(e, plan, wrong, among=None):
    """The formulas of the docstring and of Cochran's chapter 5A, a stratum at a time."""
    rows = plan.index[: len(wrong)]
    among = np.ones(len(e), bool) if among is None else among
    total, rate, spread, found_in_all = among.sum(), 0.0, {-1: 0.0, 1: 0.0}, 0
    for h in range(plan.stratum.max() + 1):
        items = [i for i in range(len(e)) if plan.stratum[i] == h]
        size, own = len(items), [i for i in items if among[i]]
        asked = [(i, w) for i, w in zip(rows, wrong, strict=True) if plan.stratum[i] == h]
        answers = [(i, w) for i, w in asked if among[i]]
        rate += sum(e[i] for i in own) / total
        rate += size / len(asked) * sum(w - e[i] for i, w in answers) / total
        finds = sum(w for _, w in answers)
        found_in_all += finds
        mean = sum(e[i] for i in own) / len(own) if own else 0.0
        for sign in (-1, 1):
            p = (min(max(finds + sign * 0.25, 0), len(answers)) + mean) / (len(answers) + 1)
            spread[sign] += size / len(asked) * len(own) * (1 - len(asked) / size) * p * (1 - p)
    rate = max(rate, found_in_all / total)
    low, high = (rate + sign * 1.96 * np.sqrt(spread[sign]) / total for sign in (-1, 1))
    return min(rate, 1.0), min(max(found_in_all / total, low), 1.0), min(1.0, high)


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_equals_its_formulas(seed):
    rng = np.random.default_rng(seed)
    e = rng.beta(0.4, 1.0, 60)
    plan = plan_measurement(e, 30, n_strata=4, random_state=seed)
    for m in (30, 24):
        wrong = rng.random(m) < (e[plan.index[:m]] if seed % 2 else 0.5)
        for among in (None, rng.random(60) < 0.5):
            found = estimate_error_rate(e, plan, wrong, among=among)
            assert found == pytest.approx(by_hand(e, plan, wrong, among), rel=1e-9)


def test_an_interval_by_hand():
    """Strata of 4 and 6 items, of which 2 and 3 are reviewed: one of the two is wrong, none of the three."""
    e = np.array([0.1, 0.2, 0.3, 0.2, 0.5, 0.4, 0.6, 0.5, 0.7, 0.3])
    plan = MeasurementPlan(np.array([0, 4, 5, 2, 9]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]))
    found = estimate_error_rate(e, plan, [True, False, False, False, False])
    estimate = (4 * (0.2 + (0.9 - 0.3) / 2) + 6 * (0.5 - (0.5 + 0.4 + 0.3) / 3)) / 10
    assert found.estimate == pytest.approx(estimate)
    half = []
    for first, second in ((0.95 / 3, 0.5 / 4), (1.45 / 3, 0.75 / 4)):  # (1 ∓ 1/4 + 0.2) / (2 + 1) and (0 ∓ 1/4 + 0.5) / (3 + 1)
        variance = 0.4**2 * first * (1 - first) / 2 * (1 - 2 / 4) + 0.6**2 * second * (1 - second) / 3 * (1 - 3 / 6)
        half.append(1.96 * np.sqrt(variance))
    assert found.low == pytest.approx(max(0.1, estimate - half[0]))  # one of ten is known to be wrong
    assert found.high == pytest.approx(estimate + half[1])


def test_what_has_been_found_is_there_and_no_rate_is_beyond_one():
    def of_one_stratum(e, wrong):
        return estimate_error_rate(np.array(e), MeasurementPlan(np.arange(len(wrong)), np.zeros(len(e), np.int64)), wrong)

    e = [0.95, 0.99, 0.97, 0.9, 0.98, 0.96]
    assert of_one_stratum(e, [True, False, False]).estimate == pytest.approx(5.75 / 6 + (1 - 2.91) / 3)
    many = of_one_stratum(e, [True, True, True])
    assert many.estimate == pytest.approx(5.75 / 6 + 0.09 / 3)
    assert many.high == 1.0
    low = of_one_stratum([0.9, 0.8, 0.1, 0.1], [True, False])
    assert low.estimate == low.low == pytest.approx(0.25)  # the formula alone says 0.475 - 0.35
    assert of_one_stratum([0.0, 0.0, 1.0, 1.0], [True, True]).estimate == 1.0  # the formula alone says 1.5


def test_a_stratum_without_items_needs_no_review():
    plan = MeasurementPlan(np.array([0, 2]), np.array([0, 0, 2, 2]))
    found = estimate_error_rate(np.array([0.2, 0.4, 0.6, 0.8]), plan, [False, True])
    assert found.estimate == pytest.approx(0.5 + (-0.2 + 0.4) / 2)


def test_a_domain_without_an_item_in_a_stratum():
    plan = MeasurementPlan(np.array([0, 2]), np.array([0, 0, 1, 1]))
    among = np.array([False, False, True, True])
    e = np.array([0.2, 0.4, 0.6, 0.8])
    found = estimate_error_rate(e, plan, [True, False], among=among)
    assert found.estimate == pytest.approx(0.7 - 0.6)
    assert found == pytest.approx(by_hand(e, plan, [True, False], among))


def test_strata_by_hand():
    """Equal sums of sqrt((e + 0.03)(1.03 - e)): of 0, 0.5, 0.6, 1 and 1 the roots are 0.18, 0.53, 0.52, 0.18 and 0.18."""
    assert strata_of(np.array([0.5, 0.0, 1.0, 0.6, 1.0]), 2).tolist() == [0, 0, 1, 1, 1]
    rng = np.random.default_rng(0)
    e = rng.beta(0.3, 1.0, 200)
    for n_strata in (1, 3, 5, 7):
        spread = np.sqrt((e + 0.03) * (1.03 - e))
        found = strata_of(e, n_strata)
        for i in range(200):
            upto = spread[e <= e[i]].sum() / spread.sum() * n_strata
            assert found[i] == min(int(upto + 1e-12), n_strata - 1)
    assert strata_of(rng.random(500)).max() == 4


def test_the_reviews_go_to_the_strata_in_equal_parts_and_by_chance():
    e = np.concatenate([np.full(300, 0.0), np.full(100, 0.5)])
    drawn = np.zeros(len(e))
    for seed in range(400):
        plan = plan_measurement(e, 241, n_strata=4, random_state=seed)
        assert len(set(plan.index.tolist())) == 241
        drawn[plan.index] += 1
    sizes, counts = np.bincount(plan.stratum), np.bincount(plan.stratum[plan.index])
    assert sorted(sizes.tolist()) == pytest.approx([50, 50, 150, 150], abs=1)
    assert all(count in (70, 71) or count == size < 70 for count, size in zip(counts, sizes, strict=True))
    for h in range(4):
        own = drawn[plan.stratum == h] / 400
        assert np.abs(own - counts[h] / sizes[h]).max() < 4.5 * np.sqrt(0.25 / 400)
    order = plan_measurement(e, 241, n_strata=4, random_state=1).index
    assert np.abs(np.corrcoef(np.arange(241), e[order])[0, 1]) < 0.3  # in random order, not stratum by stratum
    assert np.array_equal(plan_measurement(e, 50).index, plan_measurement(e, 50, random_state=0).index)
    assert not np.array_equal(plan_measurement(e, 50).index, plan_measurement(e, 50, random_state=1).index)


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
        (lambda: plan_measurement(e, 9), "at least 10"),
        (lambda: plan_measurement(e, 5, n_strata=3), "at least 6"),
        (lambda: plan_measurement(np.array([0.5, np.nan]), 2), "between 0 and 1"),
        (lambda: plan_measurement(np.array([0.5, -0.001]), 2), "between 0 and 1"),
        (lambda: plan_measurement(np.array([0.5, 1.001]), 2), "between 0 and 1"),
        (lambda: plan_measurement(np.zeros(0), 2), "between 0 and 1"),
        (lambda: plan_measurement(np.full((5, 5), 0.5), 10), "between 0 and 1"),
        (lambda: estimate_error_rate(e, plan, [[True]]), "true or false"),
        (lambda: estimate_error_rate(e, plan, [True] * 21), "at most 20"),
        (lambda: estimate_error_rate(e, plan, [0.5]), "true or false"),
        (lambda: estimate_error_rate(e, plan, [True]), "Review more"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            call()
    assert len(plan_measurement(e, 10).index) == 10
    assert len(plan_measurement(e, 100).index) == 100
    two = MeasurementPlan(np.array([0, 2]), np.array([0, 0, 1, 1]))
    with pytest.raises(lp.BadInput, match=r"No item of stratum 1 is reviewed yet \(1 reviews in all\)"):
        estimate_error_rate(np.full(4, 0.5), two, [True])
    with pytest.raises(lp.BadInput, match="No item of stratum 1 is reviewed yet"):
        estimate_error_rate(np.full(3, 0.5), MeasurementPlan(np.array([0]), np.array([0, 0, 1])), [True])
