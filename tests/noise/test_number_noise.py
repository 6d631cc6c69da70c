"""The noise model of numbers: planted errors are recovered and undone, and what should not matter does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from labelproof.noise.numbers.expected import expected, rows_alike, running_median
from labelproof.noise.numbers.fit import find_wrong
from labelproof.noise.numbers.hypotheses import KINDS, Hypothesis, Numbers, density
from labelproof.noise.numbers.mixture import first_hypotheses, fit_mixture, t_density
from labelproof.noise.numbers.noise import NumberNoise
from labelproof.noise.numbers.written import decimals_of, swaps
from labelproof.noise.simulate import numbers


def world(n=4000, seed=0, decimals=1, scale=1.0, tail=6):
    """What is expected, and good numbers that stray the farther the larger they are."""
    rng = np.random.default_rng(seed)
    centre = rng.gamma(4, 10, n) + 5
    good = np.round(centre + scale * rng.standard_t(tail, n) * (0.5 + centre / 40), decimals)
    return centre, good, rng


def named(found):
    return np.array(KINDS)[found.kind]


def test_the_mixture_recovers_shares_and_the_tail():
    centre, good, _ = world(20_000, tail=4)
    wrong = numbers(good, 0.08, kinds=["shift", "factor"], random_state=1)
    scale = 0.5 + centre / 40
    one = Numbers.in_rows(wrong.labels, centre, scale, np.arange(len(good)))
    fit = fit_mixture(one, first_hypotheses())
    assert abs(1 - fit.shares[0] - wrong.changed.mean()) < 0.006
    assert fit.tail in (3.0, 4.0, 5.0)
    assert abs(fit.stretch - 1) < 0.1
    factors = sum(share for way, share in zip(fit.hypotheses, fit.shares[1:], strict=True) if way.kind == "factor")
    assert abs(factors - np.mean(wrong.kind == "factor")) < 0.005


def test_densities_integrate_to_one():
    def good(values, centre, scale):
        return t_density(values, centre, scale, 5.0)

    for way in (Hypothesis("factor", 10.0), Hypothesis("factor", 0.1), Hypothesis("sign"), Hypothesis("unit", 1.8, 32.0)):

        def at(z, way=way):
            one = np.array([z])
            far = np.array([np.nan])
            return float(density(way, Numbers(one, np.array([4.0]), np.array([0.5]), far, far, far, far, None), good)[0])

        slope = -1.0 if way.kind == "sign" else way.slope
        middle, width = slope * 4.0 + way.intercept, abs(slope) * 0.5
        total = quad(at, middle - 200 * width, middle + 200 * width, points=[middle], limit=200)[0]
        assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("slope", [10.0, 100.0, 0.1, -1.0])
def test_a_factor_and_a_sign_are_undone_exactly(slope):
    centre, good, rng = world()
    z, rows = good.copy(), rng.choice(len(good), 20, replace=False)
    z[rows] = np.round(good[rows] * slope, 3)
    found = find_wrong(z, centre)
    assert np.allclose(found.suggested[rows], good[rows])
    assert set(named(found)[rows]) == {"sign" if slope < 0 else "factor"}
    assert (found.error_probability[rows] > 0.9).all()


@pytest.mark.parametrize("unit", [(1.8, 32.0), (2.54, 0.0), (1 / 2.54, 0.0), (0.7, 0.0)])
def test_a_unit_is_found_from_the_data(unit):
    centre, good, rng = world(scale=0.5)
    z, rows = good.copy(), rng.choice(len(good), 60, replace=False)
    z[rows] = np.round(unit[0] * good[rows] + unit[1], 1)
    found = find_wrong(z, centre)
    ways = [way for way in found.noise.ways if way.kind == "unit"]
    assert len(ways) == 1
    assert ways[0].slope == pytest.approx(unit[0], rel=0.02)
    flagged = rows[found.error_probability[rows] > 0.5]
    assert len(flagged) >= 50
    assert np.mean(named(found)[flagged] == "unit") > 0.9


def test_swapped_digits_and_sentinels_are_named():
    centre, good, rng = world(scale=0.3)
    z, rows = good.copy(), rng.choice(len(good), 40, replace=False)
    z[rows[:20]] = -999
    low, high = np.floor(good) % 10, np.floor(good / 10) % 10
    z[rows[20:]] = np.round(good + (low - high) * 9, 1)[rows[20:]]
    clear = rows[20:][np.abs(z - good)[rows[20:]] > 10]
    found = find_wrong(z, centre)
    assert set(named(found)[rows[:20]]) == {"sentinel"}
    assert np.mean(named(found)[clear] == "swapped digits") > 0.7
    right = clear[named(found)[clear] == "swapped digits"]
    assert np.mean(np.isclose(found.suggested[right], good[right])) > 0.9


def test_copies_of_the_row_before_are_named():
    centre, good, _ = world(scale=0.1, decimals=2)
    z, rows = good.copy(), np.arange(10, 4000, 100)
    z[rows] = good[rows - 1]
    found = find_wrong(z, centre)
    flagged = rows[found.error_probability[rows] > 0.5]
    assert len(flagged) > 0.9 * len(rows)
    assert np.mean(named(found)[flagged] == "copied") > 0.9


def test_many_equal_numbers_that_can_be_right_are_no_sentinel():
    rng = np.random.default_rng(0)
    wet = rng.random(3000) < 0.4
    rain = np.where(wet, np.round(rng.gamma(2, 5, 3000), 1), 0.0)
    expected_rain = np.where(wet, rain + rng.normal(size=3000), np.abs(rng.normal(size=3000) * 0.3))
    found = find_wrong(rain, expected_rain)
    assert not [way for way in found.noise.ways if way.kind == "sentinel"]
    assert found.error_probability.mean() < 0.02


@pytest.mark.parametrize("tail", [3, 6, 100])
def test_without_noise_there_is_little_to_find(tail):
    centre, good, _ = world(tail=tail)
    found = find_wrong(good, centre)
    assert found.error_probability.mean() < 0.012
    assert np.mean(found.error_probability > 0.5) < 0.008
    assert found.expected_errors.min() / len(good) < 0.004


def test_the_rate_is_within_its_readings():
    inside = 0
    for seed in range(8):
        centre, good, _ = world(3000, seed=seed, tail=[3, 5, 8, 50][seed % 4])
        wrong = numbers(good, [0.03, 0.1][seed % 2], random_state=seed)
        found = find_wrong(wrong.labels, centre)
        half = 1.96 * np.sqrt(np.sum(found.error_probability * (1 - found.error_probability)))
        inside += found.expected_errors.min() - half <= wrong.changed.sum() <= found.expected_errors.max() + half
    assert inside >= 7


def test_the_order_of_independent_rows_does_not_matter():
    centre, good, rng = world(scale=0.7, decimals=2)
    z = numbers(good, 0.05, kinds=["shift", "factor", "sign"], random_state=0).labels
    order = rng.permutation(len(z))
    first, second = find_wrong(z, centre), find_wrong(z[order], centre[order])
    assert np.abs(first.error_probability[order] - second.error_probability).max() < 0.02
    assert np.mean(first.kind[order] == second.kind) > 0.99


@pytest.mark.parametrize("factor", [64.0, 0.001, 0.3])
def test_findings_scale_with_the_numbers(factor):
    centre, good, _ = world(decimals=15)
    z = numbers(good, 0.05, kinds=["shift", "factor", "sign"], random_state=0).labels
    first, second = find_wrong(z, centre), find_wrong(z * factor, centre * factor)
    assert np.abs(first.error_probability - second.error_probability).max() < 0.02
    sure = first.error_probability > 0.95
    assert np.allclose(first.suggested[sure] * factor, second.suggested[sure], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.sampled_from([1e-8, 1.0, 1e12]))
def test_few_numbers_of_any_size_give_probabilities(values, scale):
    z = np.array(values) * scale
    found = find_wrong(z, np.full(len(z), np.median(z)))
    for column in (found.error_probability, found.suggested, found.centre, found.low, found.high, found.expected_errors):
        assert np.isfinite(column).all()
    assert ((found.error_probability >= 0) & (found.error_probability <= 1)).all()


@pytest.mark.parametrize("z", [np.full(500, 7.0), np.r_[np.full(499, 7.0), 70.0], np.arange(500.0) // 100])
def test_constant_numbers_and_ties(z):
    found = find_wrong(z, np.full(len(z), 7.0))
    assert np.isfinite(found.error_probability).all()
    if z[-1] == 70:
        assert found.error_probability.argmax() == 499
        assert found.suggested[-1] == 7


def test_the_scale_follows_the_prediction():
    centre, good, _ = world(20_000)
    hoped = expected(good, centre)
    assert np.corrcoef(hoped.scale, 0.5 + centre / 40)[0, 1] > 0.9


def test_predictions_that_are_off_are_corrected_by_features():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 3))
    good = 5 * x[:, 0] + 2 * x[:, 1] ** 2 + rng.normal(size=3000)
    hoped = expected(good, 5 * x[:, 0], x)
    assert hoped.corrected
    assert np.median(np.abs(good - hoped.centre)) < 0.75 * np.median(np.abs(good - 5 * x[:, 0]))


def test_rows_beside_one_another_are_used_where_they_are_alike():
    rng = np.random.default_rng(0)
    slow = np.convolve(rng.normal(size=3030), np.ones(31) / 5, mode="valid")
    assert rows_alike(slow)
    assert not rows_alike(rng.permutation(slow))
    hoped = expected(slow + 0.1 * rng.normal(size=3000), np.zeros(3000) + 0.01 * rng.normal(size=3000))
    assert hoped.in_order
    assert np.median(np.abs(slow - hoped.centre)) < 0.5 * np.median(np.abs(slow))


def test_running_median():
    level = np.arange(6000.0)
    assert np.abs(running_median(level, level) - level)[100:-100].max() < 40


def test_how_numbers_are_written():
    assert decimals_of(np.array([1200.0, 3400.0])) == -2
    assert decimals_of(np.array([1.25, 3.0])) == 2
    assert decimals_of(np.array([1 / 3, 2 / 3])) is None
    assert decimals_of(1e4 * np.array([1 / 3, 2 / 3])) is None
    made = [one.tolist() for one in swaps(np.array([123.0]), 0)]
    assert made == [[132.0], [213.0]]


def test_noise_comes_back_from_json():
    centre, good, _ = world()
    noise = find_wrong(numbers(good, 0.1, random_state=0).labels, centre).noise
    again = NumberNoise.from_json(noise.to_json())
    assert again == noise
    assert again.to_frame()["probability"].sum() == pytest.approx(sum(noise.shares))
