"""The rate of wrong labels read from what can be seen, and the forest that reads it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

import labelproof as lp
from labelproof.auditing import fold, sharpness
from labelproof.auditing.forest import QuantileForest, quantiles
from labelproof.auditing.sharpness import fitted, read_sharpness, summary
from labelproof.auditing.summary_fits import calibrated_power, each_pair, one_rate, powered


def sample_of(labels, probs):
    return fold.sample(np.asarray(probs, float), np.asarray(labels, np.int64), 0, len(labels))


# ------------------------------------------------------------------------------------------------------------------- forest


def test_a_forest_of_arrays_predicts_what_scikit_learn_does(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    y = x[:, 0] ** 2 + 0.1 * rng.normal(size=400)
    theirs = ExtraTreesRegressor(20, min_samples_leaf=5, random_state=0).fit(x, y)
    ours = QuantileForest.of_sklearn(theirs, x, y[:, None])
    ours.save(tmp_path / "forest.npz")
    again = QuantileForest.load(tmp_path / "forest.npz")
    for one in rng.normal(size=(30, 5)).astype(np.float32):
        weights = again.weights(one)
        assert weights.sum() == pytest.approx(1.0)
        assert weights @ y == pytest.approx(theirs.predict(one[None])[0], abs=1e-5)


def test_quantiles_of_weighted_values():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    assert quantiles(values, weights, [0.1, 0.5, 0.6, 0.85, 1.0]).tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_the_forest_in_the_package_is_small_and_whole():
    assert sharpness.FOREST_FILE.stat().st_size < 1_000_000
    known = fitted()
    assert len(known.forest.targets) > 1000
    assert ((known.forest.targets >= 0) & (known.forest.targets <= 1.5)).all()
    assert known.lowest.shape == known.highest.shape == summary(sample_of(*_problem(400, 3)[:2])).vector.shape
    assert known.forest.feature.max() < len(known.lowest)


# ------------------------------------------------------------------------------------------------------------------- summary


def _problem(n, k, rate=0.15, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    logits = noise * rng.normal(size=(n, k)) + 4 * np.eye(k)[true]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    noisy = lp.simulate.symmetric(true, rate, n_classes=k, random_state=seed)
    return noisy.labels, probs, noisy.changed


def test_the_calibrating_power_is_where_the_labels_are_most_probable():
    labels, probs, _ = _problem(2000, 4)
    logs = np.log(probs) - np.log(probs.max(axis=1, keepdims=True))
    power, likelihood = calibrated_power(logs, labels.astype(np.int64))

    def mean(at):
        raised = probs**at
        return np.log((raised / raised.sum(axis=1, keepdims=True))[np.arange(2000), labels]).mean()

    assert likelihood == pytest.approx(mean(power), abs=1e-4)
    assert mean(power) > max(mean(power * 1.05), mean(power / 1.05))
    assert np.allclose(powered(logs, 1.7), probs**1.7 / (probs**1.7).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("fit", [one_rate, each_pair])
def test_em_of_a_sharp_classifier_finds_the_share_of_wrong_labels(fit):
    labels, _, wrong = _problem(3000, 5, rate=0.2)
    true = np.where(wrong, (labels + 1) % 5, labels)  # any other class
    sharp = np.where(np.eye(5, dtype=bool)[true], 1 - 4e-4, 1e-4)
    frequency, order = np.bincount(labels, minlength=5) / 3000, np.argsort(labels, kind="stable")
    readings = np.stack([sharp[order], np.full((3000, 5), 0.2)]), np.repeat([[0.0], [1.0]], 3000, axis=1)
    likelihood, rate = fit(*readings, labels[order].astype(np.int64), frequency, 30)
    assert rate[0] == pytest.approx(wrong.mean(), abs=0.01)
    nothing = (frequency * np.log(frequency)).sum()  # all at random: nothing but the frequencies
    assert likelihood[1] == pytest.approx(nothing, abs=1e-6)
    assert likelihood[1] < likelihood[0]


def _step_by_step(sharp, rate, given, frequency, iterations):
    """`each_pair` of one reading, label by label."""
    n, k = sharp.shape
    spread = np.tile(frequency, (k, 1))
    np.fill_diagonal(spread, 0)
    spread /= spread.sum(axis=1, keepdims=True)
    matrix, weights = 0.1 * spread + 0.9 * np.eye(k), np.ones(k)
    for iteration in range(iterations):
        believed = sharp * weights / (sharp * weights).sum(axis=1, keepdims=True)
        regard, chance = believed * ((1 - rate)[:, None] * matrix[:, given].T), believed * (rate * frequency[given])[:, None]
        evidence = (regard + chance).sum(axis=1)
        posterior = (regard + chance) / evidence[:, None]
        counts = np.stack([(regard / evidence[:, None])[given == z].sum(axis=0) for z in range(k)], axis=1)
        overall = 1 - np.trace(counts) / counts.sum()
        mean = overall * spread + (1 - overall) * np.eye(k)
        matrix = (counts + 30 * mean) / (counts.sum(axis=1, keepdims=True) + 30)
        if iteration >= 3 and k > 2:
            weights = weights * (posterior.sum(axis=0) + 1) / (believed.sum(axis=0) + 1)
            weights /= np.exp(np.log(weights).mean())
    return np.log(evidence).mean(), 1 - posterior[np.arange(n), given].mean()


@pytest.mark.parametrize("k", [2, 4])
def test_pairs_side_by_side_are_em_step_by_step(k):
    labels, probs, _ = _problem(600, k, rate=0.2)
    order = np.argsort(labels, kind="stable")
    given, frequency = labels[order], np.bincount(labels) / 600
    sharp = np.stack([probs[order], powered(np.log(probs[order]), 2.5)])
    rates = np.stack([np.zeros(600), 1 - probs[order].max(axis=1)])
    found = each_pair(sharp, rates, given, frequency, 9)
    for r in range(2):
        expected = _step_by_step(sharp[r], rates[r], given, frequency, 9)
        assert np.allclose([part[r] for part in found], expected, rtol=1e-9)


def test_a_summary_knows_neither_names_nor_order_of_classes():
    labels, probs, _ = _problem(700, 4)
    plain = summary(sample_of(labels, probs))
    order = np.array([2, 0, 3, 1])
    other = summary(sample_of(np.argsort(order)[labels], probs[:, order]))
    assert np.allclose(plain.vector, other.vector, atol=1e-9)
    assert plain.differ == pytest.approx((probs.argmax(axis=1) != labels).mean())


@pytest.mark.parametrize("k", [2, 300])
def test_a_summary_of_few_rows_and_of_many_classes_is_finite(k):
    labels, probs, _ = _problem(40 if k == 2 else 900, k)
    assert np.isfinite(summary(sample_of(labels, probs)).vector).all()
    sure = np.eye(k)[labels]
    found = summary(sample_of(labels, sure))
    assert np.isfinite(found.vector).all() and found.differ == 0


# ------------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.25])
def test_a_clear_case_is_read_closely(rate):
    labels, probs, wrong = _problem(2000, 5, rate=rate)
    found = read_sharpness(sample_of(labels, probs), range(5))
    low, high = found.error_rate.low, found.error_rate.high
    assert low <= wrong.mean() <= high
    assert abs(found.error_rate.estimate - wrong.mean()) < 0.025
    if rate < 0.2:  # noise by class explains it
        assert {params.ambiguity for params in found.noise.components} == {0.0}


def test_the_findings_agree_with_the_rate():
    labels, probs, _ = _problem(2000, 5, rate=0.15)
    audit = lp.audit(labels, probs)
    assert audit.error_probability.mean() == pytest.approx(audit.error_rate.estimate, abs=0.02)
    assert sum(audit.noise.prior * (1 - np.diag(audit.noise.matrix))) == pytest.approx(audit.error_rate.estimate, abs=0.03)


def test_few_labels_widen_the_interval_and_are_no_doubt():
    def width(n):
        found = lp.audit(*_problem(n, 3, seed=3)[:2])
        assert found.doubts == []
        return found.error_rate.high - found.error_rate.low

    assert width(100) > width(4000)


def test_labels_without_a_difference_are_not_known_to_be_right():
    labels = np.arange(90) % 3
    rate = lp.audit(labels, np.where(np.eye(3, dtype=bool)[labels], 0.9, 0.05)).error_rate
    assert rate.estimate == rate.low == 0
    assert 0 < rate.high <= 2 / 90


def test_a_given_ambiguity_is_the_only_one():
    labels, probs, _ = _problem(500, 3)
    found = read_sharpness(sample_of(labels, probs), range(3), ambiguity=0.7)
    assert {params.ambiguity for params in found.noise.components} == {0.7}
    with pytest.raises(lp.BadInput, match="ambiguity"):
        lp.audit(labels, probs, ambiguity=1.2)
    with pytest.raises(lp.BadInput, match="strength"):
        lp.audit(labels, probs, strength=-1.0)
