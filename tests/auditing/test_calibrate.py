"""Reviews: what they say is certain, and the rest is recalibrated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

import labelproof as lp
from labelproof.auditing.calibrate import Calibration, fit_calibration


def test_a_known_miscalibration_is_undone():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.02, 0.98, 4000)
    stated = expit(0.5 * logit(truth) + 1.0)
    calibration = fit_calibration(stated, rng.random(4000) < truth)
    assert np.abs(calibration(stated) - truth).max() < 0.06
    assert calibration.covariance.shape == (2, 2)


def test_order_is_kept_and_few_reviews_change_little():
    stated = np.linspace(0.01, 0.99, 50)
    few = fit_calibration(np.array([0.9, 0.1]), np.array([True, False]))
    assert np.all(np.diff(few(stated)) > 0)
    assert np.abs(few(stated) - stated).max() < 0.1


def test_choosing_the_worst_for_review_does_no_harm():
    rng = np.random.default_rng(1)
    stated = rng.beta(0.3, 1.5, 20_000)
    wrong = rng.random(20_000) < stated
    worst = np.argsort(-stated)[:500]
    calibration = fit_calibration(stated[worst], wrong[worst])
    assert abs(calibration(stated).mean() - wrong.mean()) < 0.05


FEW = np.array([0.9, 0.8, 0.35, 0.6, 0.05, 0.5, 0.99, 0.2])
FEW_WRONG = np.array([True, True, False, True, False, False, True, True])


def test_a_calibration_is_a_line_in_log_odds():
    calibration = Calibration(0.4, np.log(2.0), np.zeros((2, 2)))
    odds = np.exp(0.4) * np.array([1 / 9, 1.0, 3.0]) ** 2
    assert np.allclose(calibration(np.array([0.1, 0.5, 0.75])), odds / (1 + odds), rtol=1e-12)
    ends = calibration(np.array([0.0, 1.0]))  # a probability of 0 or 1 is taken for one in 10⁹ from it
    assert ends[0] == pytest.approx(np.exp(0.4) * 1e-18, rel=1e-6)
    assert 1 - ends[1] == pytest.approx(0.0, abs=1e-15)


def test_the_fit_is_where_the_slope_of_the_penalised_likelihood_is_zero():
    """With the priors N(0, 2²) of the intercept a and N(0, ½²) of the log slope b: Σ (w - p) = a / 4, Σ (w - p) eᵇ s = 4 b."""
    for stated, wrong in (
        (FEW, FEW_WRONG),
        (FEW, ~FEW_WRONG),
        (FEW[:1], FEW_WRONG[:1]),
        (np.repeat(FEW, 9), np.repeat(FEW_WRONG, 9)),
    ):
        found = fit_calibration(stated, wrong)
        scores = np.log(stated / (1 - stated))
        left = wrong - 1 / (1 + np.exp(-found.intercept - np.exp(found.log_slope) * scores))
        assert left.sum() == pytest.approx(found.intercept / 4, abs=2e-4)
        assert (left * np.exp(found.log_slope) * scores).sum() == pytest.approx(4 * found.log_slope, abs=2e-4)


def test_the_covariance_is_the_inverse_of_information_and_priors():
    """Σ p (1 - p) (1, s eᵇ)ᵀ(1, s eᵇ) + diag(1 / 2², 1 / ½²), an item at a time."""
    found = fit_calibration(FEW, FEW_WRONG)
    information = np.diag([1 / 4, 4.0])
    for stated in FEW:
        slope = np.exp(found.log_slope) * np.log(stated / (1 - stated))
        p = 1 / (1 + np.exp(-found.intercept - slope))
        information += p * (1 - p) * np.outer([1, slope], [1, slope])
    assert np.allclose(np.linalg.inv(found.covariance), information, rtol=1e-9)


def test_fits_to_repeated_reviews_scatter_as_the_covariance_says():
    rng = np.random.default_rng(0)
    stated = rng.uniform(0.02, 0.98, 1500)
    truth = expit(0.7 + 1.3 * logit(stated))
    fits = [fit_calibration(stated, rng.random(1500) < truth) for _ in range(300)]
    scatter = np.cov(np.array([(fit.intercept, fit.log_slope) for fit in fits]).T)
    assert np.allclose(scatter, np.mean([fit.covariance for fit in fits], axis=0), rtol=0.3, atol=2e-4)


def test_sampled_means_follow_the_covariance():
    covariance = np.array([[0.09, 0.03], [0.03, 0.04]])
    calibration = Calibration(-0.5, 0.2, covariance)
    low, high = (logit(calibration.sample_means(np.array([p]), draws=20_000)) for p in (0.5, expit(2.0)))
    # at a score of 0 the mean is expit(a); at a score of 2 it is expit(a + 2 eᵇ)
    drawn = np.stack([low, np.log((high - low) / 2)])
    assert np.allclose(drawn.mean(axis=1), [-0.5, 0.2], atol=0.01)
    assert np.allclose(np.cov(drawn), covariance, atol=0.004)
    assert calibration.sample_means(FEW).shape == (200,)
    assert np.array_equal(calibration.sample_means(FEW), calibration.sample_means(FEW, random_state=0))
    assert not np.array_equal(calibration.sample_means(FEW), calibration.sample_means(FEW, random_state=1))


@pytest.mark.parametrize("n", [19_999, 20_000, 20_001, 70_000])
def test_quantiles_of_many_items_stand_for_all(n):
    calibration = Calibration(0.3, 0.4, np.zeros((2, 2)))
    stated = np.random.default_rng(0).beta(0.2, 1.2, n)
    stated[:9] = 0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 0.0, 0.0, 1.0
    assert np.allclose(
        calibration.sample_means(stated, draws=3), calibration(stated).mean(), rtol=0, atol=2e-5 if n > 20_000 else 1e-12
    )


@pytest.mark.parametrize("as_mapping", [True, False])
def test_reviews_in_an_audit(noisy_problem, as_mapping):
    labels, probs, wrong = noisy_problem(n=2000)
    names = np.array(list("abcd"))
    true = np.where(wrong, (labels - 1) % 4, labels)
    before = lp.audit(names[labels], probs)
    rows = before.issues["index"].to_numpy()[:60].tolist() + list(range(100))
    reviews = (
        {row: names[true[row]] for row in rows}
        if as_mapping
        else [names[t] if i in set(rows) else None for i, t in enumerate(true)]
    )
    after = lp.audit(names[labels], probs, reviews=reviews)
    assert np.array_equal(after.error_probability[rows], wrong[rows].astype(float))
    assert after.suggested[rows].tolist() == names[true[rows]].tolist()
    assert after.error_rate.low <= wrong.mean() <= after.error_rate.high


def test_certain_probabilities_are_one_in_a_milliard_from_the_end():
    stated = np.array([0.0, 1.0, 0.0, 1.0, 0.4])
    wrong = np.array([False, True, True, False, False])
    found, held = fit_calibration(stated, wrong), fit_calibration(np.clip(stated, 1e-9, 1 - 1e-9), wrong)
    assert (found.intercept, found.log_slope) == (held.intercept, held.log_slope)
    assert np.array_equal(found.covariance, held.covariance)
    assert found.log_slope < -1  # two sure ones were wrong
    flat = Calibration(0.0, 0.0, np.zeros((2, 2)))
    assert np.allclose(flat.sample_means(np.array([0.0, 1.0, 1.0]), draws=1), (2 - 1e-9) / 3, rtol=1e-12)


def test_no_reviews_or_too_few_are_refused():
    for stated, wrong in ((np.zeros(0), np.zeros(0, bool)), (FEW, FEW_WRONG[:-1])):
        with pytest.raises(lp.BadInput, match="one of each per reviewed item"):
            fit_calibration(stated, wrong)


def test_bad_reviews(noisy_problem):
    labels, probs, _ = noisy_problem()
    for reviews, message in (
        ({}, "no verified label"),
        ({9999: 1}, "names the item 9999"),
        ({0: 7}, "is 7, which is not one of"),
        ([1, 2], "reviews has 2 rows"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            lp.audit(labels, probs, reviews=reviews)
