"""Reviews: what they say is certain, and the rest is recalibrated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

import labelproof as lp
from labelproof.auditing.calibrate import fit_calibration


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
