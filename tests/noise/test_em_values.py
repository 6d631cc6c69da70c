"""EM step by step: what the E step sums, what the M step makes of it, worked out by loops or from E steps of known answers."""

from __future__ import annotations

from math import exp, lgamma, log

import numpy as np
import pytest

from e_step_reference import expected
from labelproof.errors import BadInput
from labelproof.noise import em
from labelproof.noise.e_step import EStep, Expected, NoiseParams
from labelproof.noise.em import NoiseFit, Reading, classifier_probs, item_posterior, two_readings
from labelproof.noise.transition import TransitionMatrix

PROBS = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.05, 0.9, 0.05], [0.6, 0.39, 0.01], [1.0, 0.0, 0.0]])
LABELS = np.array([0, 2, 1, 1, 0])
FREQUENCY = np.array([0.5, 0.3, 0.2])
DENSE = NoiseParams(
    np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.0, 0.4, 0.6]]), FREQUENCY, np.array([1.0, 2.0, 0.5]), 1.5, 0.4
)
POOLED = NoiseParams(np.array([[0.8, 0.2], [0.5, 0.5], [0.9, 0.1]]), FREQUENCY, np.array([1.0, 2.0, 0.5]), 1.5, 0.4)
POOLED_MATRIX = [
    [0.8, 0.2 * 0.3 / 0.5, 0.2 * 0.2 / 0.5],
    [0.5 * 0.5 / 0.7, 0.5, 0.5 * 0.2 / 0.7],
    [0.1 * 0.5 / 0.8, 0.1 * 0.3 / 0.8, 0.9],
]


def believed(p, params):
    powered = [v * q**params.sharpness for v, q in zip(params.class_weights, p, strict=True)]
    return [q / sum(powered) for q in powered]


def test_the_short_form_of_the_noise_in_full():
    assert POOLED.pooled
    assert not DENSE.pooled
    assert np.allclose(POOLED.matrix, POOLED_MATRIX, rtol=1e-9)
    assert np.array_equal(DENSE.matrix, DENSE.systematic)
    assert not NoiseParams(np.eye(2), np.full(2, 0.5), np.ones(2), 1.0, 0.0).pooled  # two classes: the full form


def test_the_classifier_is_sharpened_and_weighted():
    assert np.allclose(classifier_probs(PROBS, DENSE), [believed(p, DENSE) for p in PROBS], rtol=1e-12)


@pytest.mark.parametrize(("params", "matrix"), [(DENSE, DENSE.systematic), (POOLED, np.array(POOLED_MATRIX))])
def test_the_e_step_by_enumeration(params, matrix):
    """Of each item the joint probability of every true class, and of a label given with regard to it or at random."""
    with_regard, at_random, likelihood, posteriors = np.zeros((3, 3)), np.zeros(3), 0.0, []
    for p, z in zip(PROBS, LABELS, strict=True):
        rate = 0.4 * (1 - max(p))
        belief = believed(p, params)
        regard = [belief[y] * (1 - rate) * matrix[y, z] for y in range(3)]
        chance = [belief[y] * rate * FREQUENCY[z] for y in range(3)]
        total = sum(regard) + sum(chance)
        with_regard[:, z] += np.array(regard) / total
        at_random += np.array(chance) / total
        likelihood += log(total)
        posteriors.append([(r + c) / total for r, c in zip(regard, chance, strict=True)])
    if params.pooled:
        own = np.diag(with_regard)
        with_regard = np.stack([own, with_regard.sum(axis=1) - own], axis=1)
    found = expected(PROBS, LABELS, params)
    assert np.allclose(found.systematic, with_regard, rtol=1e-9)
    assert np.allclose(found.random, at_random, rtol=1e-9)
    assert np.allclose(found.classifier, np.sum([believed(p, params) for p in PROBS], axis=0), rtol=1e-12)
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert found.n == 5
    assert np.allclose(item_posterior(PROBS, LABELS, params), posteriors, rtol=1e-9)
    twice = found + found
    for name in ("systematic", "random", "classifier", "log_likelihood", "n"):
        assert np.allclose(getattr(twice, name), 2 * getattr(found, name))


def test_components_weigh_alike():
    other = NoiseParams(DENSE.systematic, FREQUENCY, np.ones(3), 4.0, 0.4)
    fit = NoiseFit(TransitionMatrix(DENSE.systematic), (DENSE, other))
    each = [item_posterior(PROBS, LABELS, params) for params in (DENSE, other)]
    assert np.allclose(fit.posterior(PROBS, LABELS), (each[0] + each[1]) / 2, rtol=1e-12)


COUNTS = np.array([[40.0, 6.0, 2.0], [3.0, 20.0, 5.0], [1.0, 1.0, 12.0]])
RANDOM = np.array([4.0, 2.0, 1.0])
GIVEN = np.array([50.0, 30.0, 20.0])


class Answers:
    """An E step that always answers the same, and keeps what it was asked."""

    def __init__(self, counts=COUNTS, random=RANDOM, classifier=None, likelihood=lambda power: 0.0):
        self.counts, self.random, self.likelihood, self.asked = counts, random, likelihood, []
        self.classifier = counts.sum(axis=1) + random if classifier is None else classifier

    def __call__(self, models):
        self.asked.extend(models)
        n = int(GIVEN.sum())
        return [Expected(self.counts, self.random, self.classifier, self.likelihood(one.sharpness), n) for one in models]


def fit_noise(step, given, classes, *, sharpness=None, ambiguity=0.5, **how):
    """Of one reading, or of the two that are made where none is given."""
    readings = [Reading(sharpness, ambiguity)] if sharpness is not None else two_readings(step, given, ambiguity)
    return em.fit_noise(step, given, classes, readings, **how)


def one_rate(error):
    """Rows (1 - ε) e + ε q, with q the frequencies of the other classes."""
    q = np.array([[FREQUENCY[j] / (1 - FREQUENCY[i]) if i != j else 0.0 for j in range(3)] for i in range(3)])
    return (1 - error) * np.eye(3) + error * q


def pulled(strength):
    total = COUNTS + strength * one_rate(1 - 72 / 90)
    return total / total.sum(axis=1, keepdims=True)


def test_it_starts_from_one_error_in_ten():
    step = Answers()
    fit_noise(step, GIVEN, "abc", strength=7.0, sharpness=2.0, ambiguity=0.3, max_iter=1)
    (start,) = step.asked
    assert np.allclose(start.systematic, one_rate(0.1), rtol=1e-9)
    assert np.allclose(start.given_prior, FREQUENCY)
    assert start.class_weights.tolist() == [1.0, 1.0, 1.0]
    assert (start.sharpness, start.ambiguity) == (2.0, 0.3)
    fit_noise(step, GIVEN, "abc", sharpness=1.0, max_iter=1)
    assert step.asked[1].ambiguity == 0.5


@pytest.mark.parametrize(("strength", "used"), [(7.0, 7.0), (0.0, 0.0), (None, 100.0)])
def test_the_m_step_by_hand(strength, used):
    fit = fit_noise(Answers(), GIVEN, ("a", "b", "c"), strength=strength, sharpness=1.0, max_iter=1)
    (params,) = fit.components
    assert np.allclose(params.systematic, pulled(used), rtol=1e-7)
    joint = (COUNTS.sum(axis=1) + 1 / 3)[:, None] * pulled(used) + np.outer(RANDOM, FREQUENCY)
    assert np.allclose(fit.transition.matrix, joint / joint.sum(axis=1, keepdims=True), rtol=1e-7)
    assert np.allclose(fit.transition.prior, joint.sum(axis=1) / joint.sum(), rtol=1e-7)
    assert fit.transition.classes == ("a", "b", "c")


def evidence(counts, strength):
    """log p(counts | strength): a Dirichlet-multinomial of each row."""
    total = 0.0
    for row, mean in zip(counts, one_rate(1 - np.trace(counts) / counts.sum()), strict=True):
        total += lgamma(strength) - lgamma(strength + row.sum())
        total += sum(lgamma(strength * m + c) - lgamma(strength * m) for c, m in zip(row, mean, strict=True))
    return total


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ((0.1, 0.1, 0.1), 3000.0),
        ((0.076, 0.12, 0.124), 1000.0),
        ((0.07, 0.12, 0.13), 300.0),
        ((0.05, 0.1, 0.2), 100.0),
        ((0.03, 0.1, 0.3), 30.0),
        ((0.02, 0.1, 0.5), 10.0),
        ((0.01, 0.1, 0.8), 3.0),
    ],
)
def test_the_strength_is_that_of_the_highest_evidence(rates, best):
    """Classes that err at one rate are drawn hard to it, classes that differ less."""
    rate = np.array(rates)[:, None]
    counts = np.array([[900.0], [500.0], [400.0]]) * ((1 - rate) * np.eye(3) + rate * one_rate(1.0))
    assert best == max((3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0), key=lambda strength: evidence(counts, strength))
    fit = fit_noise(Answers(counts), GIVEN, "abc", sharpness=1.0, max_iter=6)
    total = counts + best * one_rate(1 - np.trace(counts) / counts.sum())
    assert np.allclose(fit.components[0].systematic, total / total.sum(axis=1, keepdims=True), rtol=1e-7)
    early = fit_noise(Answers(counts), GIVEN, "abc", sharpness=1.0, max_iter=5)
    total = counts + 100 * one_rate(1 - np.trace(counts) / counts.sum())
    assert np.allclose(early.components[0].systematic, total / total.sum(axis=1, keepdims=True), rtol=1e-7)


def test_class_weights_bring_the_classifier_in_line_after_five_steps():
    step = Answers(classifier=np.array([60.0, 25.0, 12.0]))
    factors = (COUNTS.sum(axis=1) + RANDOM + 1) / (step.classifier + 1)
    factors /= np.prod(factors) ** (1 / 3)  # their product stays one
    for steps, power in ((5, 0), (6, 1), (7, 2), (9, 4)):
        fit = fit_noise(step, GIVEN, "abc", strength=1.0, sharpness=1.0, max_iter=steps)
        assert np.allclose(fit.components[0].class_weights, factors**power, rtol=1e-9)
    two = Answers(np.array([[40.0, 5.0], [5.0, 20.0]]), np.ones(2), np.array([60.0, 11.0]))
    fit = fit_noise(two, np.array([45.0, 27.0]), "ab", strength=1.0, sharpness=1.0)
    assert fit.components[0].class_weights.tolist() == [1.0, 1.0]


def test_it_stops_when_nothing_changes_but_not_before_ten_steps():
    still = Answers()
    fit_noise(still, GIVEN, "abc", strength=1.0, sharpness=1.0)
    assert len(still.asked) == 10
    for change, steps in ((1.9e-3, 10), (2.1e-3, 60)):  # of the log of a class weight: ten times tol is 2e-3
        mass = COUNTS.sum(axis=1) + RANDOM + 1
        moving = Answers(classifier=mass / np.exp([change, -change, 0.0]) - 1)
        fit_noise(moving, GIVEN, "abc", strength=1.0, sharpness=1.0)
        assert len(moving.asked) == steps
    restless = Answers()
    calls = []

    def wobbling(models):
        calls.append(1)
        change = 3e-4 * COUNTS.sum(axis=1)[0] * (len(calls) % 2)
        counts = COUNTS + change * np.array([[1, -1, 0], [0, 0, 0], [0, 0, 0]])
        return [Expected(counts, RANDOM, restless.classifier, 0.0, 100)] * len(models)

    fit_noise(wobbling, GIVEN, "abc", strength=0.0, sharpness=1.0, max_iter=40)
    assert len(calls) == 40  # an entry of T moves by 3e-4
    calls.clear()
    fit_noise(wobbling, GIVEN, "abc", strength=0.0, sharpness=1.0, tol=4e-4)
    assert len(calls) == 10


@pytest.mark.parametrize(
    ("best", "powers"),
    [
        (1.3, (2.0, 5.25)),  # 1.95 and 5.2 to the nearest quarter
        (0.8, (1.25, 3.25)),  # 1.2 and 3.2
        (2.56, (3.75, 10.25)),  # 3.84 and 10.24
        (0.01, (0.5, 1.0)),  # below a quarter: a quarter
        (9.0, (9.0, 24.0)),  # above six: six
        (0.52, (0.75, 2.0)),  # 0.78 and 2.08
        (5.7, (8.5, 22.75)),  # 8.55 and 22.8
    ],
)
def test_two_readings_around_the_power_at_which_the_classifier_is_calibrated(best, powers):
    step = Answers(likelihood=lambda power: -((power - best) ** 2))
    fit = fit_noise(step, GIVEN, "abc", strength=1.0)
    assert tuple(params.sharpness for params in fit.components) == powers
    asked = [params for params in step.asked if params.ambiguity == 0.0]
    assert 3 <= len(asked) <= 14  # found by halving
    assert np.allclose(asked[0].systematic, one_rate(1e-4), rtol=1e-6)  # labels taken as they are
    assert asked[0].class_weights.tolist() == [1.0, 1.0, 1.0]
    assert {params.sharpness for params in step.asked if params.ambiguity == 0.5} == set(powers)


def test_a_flat_likelihood_needs_no_parabola():
    fit = fit_noise(Answers(likelihood=lambda power: 0.0), GIVEN, "abc", strength=1.0)
    assert all(params.sharpness > 0 for params in fit.components)


def test_an_even_power_stays_itself():
    fit = fit_noise(Answers(), GIVEN, "abc", strength=1.0, sharpness=1.37)
    assert fit.components[0].sharpness == 1.37


def test_more_than_256_classes_share_their_errors_out():
    for k, shape in ((256, (256, 256)), (257, (257, 2))):
        given = np.arange(1.0, k + 1)
        frequency = given / given.sum()
        wide = k > 256
        counts = np.stack([9 * given, given], axis=1) if wide else np.diag(9 * given) + np.outer(given, frequency)
        random = np.full(k, 2.0)
        step = Answers(counts, random)
        fit = fit_noise(step, given, range(k), strength=50.0, sharpness=1.0, max_iter=1)
        assert fit.components[0].systematic.shape == shape
        if wide:
            assert np.allclose(step.asked[0].systematic, [[0.9, 0.1]] * k)
            assert np.allclose(fit.components[0].systematic, [[0.9, 0.1]] * k, rtol=1e-9)
            mass = 10 * given + 1 / k + 2.0
            kept = (10 * given + 1 / k) * 0.9 + 2.0 * frequency
            errors, marginal = fit.transition.factors
            assert np.allclose(errors, 1 - kept / mass, rtol=1e-9)
            assert np.allclose(marginal, frequency)
            assert np.allclose(fit.transition.prior, mass / mass.sum(), rtol=1e-9)


def test_rows_of_many_classes_are_drawn_to_the_overall_rate():
    k = 300
    given = np.full(k, 10.0)
    counts = np.tile([8.0, 2.0], (k, 1))
    counts[0] = 2.0, 8.0
    fit = fit_noise(Answers(counts, np.zeros(k)), given, range(k), strength=30.0, sharpness=1.0, max_iter=1)
    rate = (2 * (k - 1) + 8) / (10 * k)
    assert np.allclose(fit.components[0].systematic[0], [(2 + 30 * (1 - rate)) / 40, (8 + 30 * rate) / 40], rtol=1e-7)
    assert np.allclose(fit.components[0].systematic[1], [(8 + 30 * (1 - rate)) / 40, (2 + 30 * rate) / 40], rtol=1e-7)


def test_arguments_at_their_limits():
    fit_noise(Answers(), GIVEN, "abc", strength=0.0, sharpness=1e-3, ambiguity=1.0, max_iter=1)
    for wrong in ({"strength": -1e-9}, {"sharpness": 0.0}, {"ambiguity": 1.01}, {"strength": float("nan")}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            fit_noise(Answers(), GIVEN, "abc", **wrong)


def test_weights_are_a_geometric_mean_of_one():
    fit = fit_noise(Answers(classifier=np.array([10.0, 10.0, 70.0])), GIVEN, "abc", strength=1.0, sharpness=1.0, max_iter=20)
    assert exp(np.log(fit.components[0].class_weights).mean()) == pytest.approx(1.0)


@pytest.mark.parametrize("k", [3, 300])
def test_readings_side_by_side_find_what_each_finds_alone(k):
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet(np.full(k, 0.2), 900), rng.integers(0, k, 900)
    counts = np.bincount(labels, minlength=k).astype(float)
    readings = [Reading(1.0, 0.0), Reading(4.0, 1.0), Reading(2.25, 0.5)]
    together = em.run_em(EStep(probs, labels), counts, readings)
    for reading, (params, found) in zip(readings, together, strict=True):
        ((alone, own),) = em.run_em(EStep(probs, labels), counts, [reading])
        assert (params.sharpness, params.ambiguity) == (reading.sharpness, reading.ambiguity)
        assert np.allclose(params.systematic, alone.systematic, rtol=1e-9, atol=1e-12)
        assert np.allclose(params.class_weights, alone.class_weights, rtol=1e-9)
        assert found.log_likelihood == pytest.approx(own.log_likelihood, rel=1e-12)


def test_of_many_items_em_begins_on_some_and_ends_where_it_ends_without(monkeypatch):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 6000)
    probs = rng.dirichlet(np.ones(4), 6000)
    probs[np.arange(6000), true] += 2
    probs /= probs.sum(axis=1, keepdims=True)
    labels = np.where(rng.random(6000) < 0.2, rng.integers(0, 4, 6000), true)
    counts, readings = np.bincount(labels).astype(float), [Reading(2.0, 0.0), Reading(4.0, 1.0)]
    asked = []
    real = em.EStep.__call__
    monkeypatch.setattr(em.EStep, "__call__", lambda self, models: asked.append(len(self._given)) or real(self, models))
    whole = em.em_of(probs, labels, counts, readings)
    assert {*asked} == {6000}
    before = len(asked)
    asked.clear()
    monkeypatch.setattr(em, "FEW_CELLS", 6000)
    begun = em.em_of(probs, labels, counts, readings)
    assert {*asked} == {750, 6000}  # every eighth
    assert asked.count(6000) < before
    for (one, found), (other, again) in zip(whole, begun, strict=True):
        assert np.abs(one.systematic - other.systematic).max() < 5e-3
        assert again.right == pytest.approx(found.right, rel=2e-3)
