"""What is worked out of the rows of M-VAE's figure 1: paired differences, slopes, rates."""

from __future__ import annotations

import numpy as np
import pytest

from labelproof.experiments.m_vae import BEST, BEST_CLAMPED, RATES, CurveRecord, pairs
from labelproof.experiments.m_vae_advantage import MAJORITY, TOGETHER, advantages, estimated_rates, guided_alphas, slopes_of

TRUE, LEARNED = "M-VAE, true matrix", "M-VAE, learned matrix"


def row(method, p1, seed, value, **more):
    return {"problem": "a", "labels": 25, "p1": p1, "method": method, "seed": seed, "balanced_accuracy": value, **more}


@pytest.fixture
def record(tmp_path):
    """M-VAE is ahead of the better α by a tenth of the imbalance and .01 times the seed; learned and true matrix are alike."""
    rows = []
    for p1 in RATES:
        for seed in range(3):
            worth = 0.9 - 0.3 * p1 + 0.05 * (seed % 2)
            ahead = 0.1 * abs(p1 - 0.2) + 0.01 * seed
            rows += [
                row(TRUE, p1, seed, worth + ahead),
                row(LEARNED, p1, seed, worth + ahead, estimated_p0=0.3, estimated_p1=p1),
            ]
            rows += [row("M1+M2, α = 1", p1, seed, worth), row("M1+M2, α = 4", p1, seed, worth - 0.1)]
            if seed < 2:
                rows += [row("M1+M2 clamped, α = 2", p1, seed, worth - 0.02)]
    return CurveRecord(tmp_path / "x.json", rows)


def test_differences_are_paired_and_their_slope_is_of_the_imbalance(record):
    found = {(r["model"], r["baseline"]): r for r in advantages(record) if r["problem"] == "a"}
    assert set(found) == {(model, baseline) for model in (TRUE, LEARNED) for baseline in (BEST, BEST_CLAMPED)}
    plain = found[TRUE, BEST]
    assert plain["seeds"] == 3
    assert plain["at"][0.2][0] == pytest.approx(0.01)
    assert plain["at"][0.8] == pytest.approx((0.07, 4.3027 * 0.01 / np.sqrt(3)), rel=1e-3)  # t of 2 degrees of freedom
    assert plain["slope"] == pytest.approx(0.1)
    assert plain["slope_±"] == pytest.approx(0, abs=1e-9)
    clamped = found[TRUE, BEST_CLAMPED]
    assert clamped["seeds"] == 2
    assert clamped["at"][0.2][0] == pytest.approx(0.025)


def test_the_last_row_is_the_mean_of_all_settings(record):
    record.rows += [{**r, "problem": "b", "balanced_accuracy": 0.5 + r["seed"] / 100} for r in record.rows if r["seed"] < 2]
    one = {r["problem"]: r for r in advantages(record) if (r["model"], r["baseline"]) == (TRUE, BEST)}
    assert [one[name]["seeds"] for name in ("a", "b", TOGETHER)] == [3, 2, 2]
    assert one["b"]["at"][0.6] == pytest.approx((0, 0), abs=1e-9)
    assert one[TOGETHER]["at"][0.6][0] == pytest.approx((0.04 + 0.05) / 2 / 2)
    assert one[TOGETHER]["slope"] == pytest.approx(0.05)


def test_both_kinds_of_m1m2_have_a_best_of_their_own(record):
    point = record.points("balanced_accuracy")["a", 25, 0.0]
    assert {r["method"] for r in point[BEST]} == {"M1+M2, α = 1"}
    assert {r["method"] for r in point[BEST_CLAMPED]} == {"M1+M2 clamped, α = 2"}


def test_the_slope_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    gaps = {p1: {seed: rng.normal() for seed in range(4)} for p1 in RATES}
    expected = [np.polyfit([abs(p1 - 0.2) for p1 in RATES], [gaps[p1][seed] for p1 in RATES], 1)[0] for seed in range(4)]
    assert np.allclose(slopes_of(gaps, [0, 1, 2, 3]), expected)


def test_the_alpha_of_the_noise_is_beside_the_best(record):
    found = {r["p1"]: r for r in guided_alphas(record)}
    assert found[0.2]["f"] == pytest.approx(np.log(4))
    assert [found[p1]["alpha"] for p1 in RATES] == [1, 1, 1, 1, 1]  # of 1 and 4
    record.rows = [{**r, "balanced_accuracy": 0.95} if r["method"] == "M1+M2, α = 4" else r for r in record.rows]
    found = {r["p1"]: r for r in guided_alphas(record)}
    assert found[0.0]["best"] == 4
    assert found[0.0]["gap"] == pytest.approx(np.mean([-0.05, 0.0, -0.05]))


def test_rates_of_the_three_forms(record):
    found = {r["method"]: r for r in estimated_rates(record) if r["p1"] == 0.6}
    assert (found[TRUE]["estimated_p0"], found[TRUE]["estimated_p1"]) == pytest.approx((0.2, 0.6))
    assert (found[LEARNED]["estimated_p0"], found[LEARNED]["estimated_p1"]) == pytest.approx((0.3, 0.6))
    assert found[BEST]["estimated_p0"] == pytest.approx(1 / (1 + np.e))  # f(ε) = 1
    assert BEST_CLAMPED not in found  # it has no noise model


def test_the_commoner_kind_has_the_share_that_is_shown(real_data):
    pytest.importorskip("anndata")
    for cells in pairs(real_data):
        assert MAJORITY[cells.name] == np.bincount(cells.true).max() / len(cells.true)
