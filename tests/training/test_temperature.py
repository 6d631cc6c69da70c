"""Temperature scaling under noise: with the transition it is that of the true label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

import labelproof as lp
from labelproof.training.temperature import entropy_of, fit_temperature


def test_with_the_transition_the_temperature_is_that_of_the_true_label():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    true = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    noise = lp.TransitionMatrix.symmetric(4, 0.4)
    given = noise.sample(true, random_state=0)
    assert fit_temperature(2.5 * logits, given, noise) == pytest.approx(2.5, rel=0.06)
    assert fit_temperature(2.5 * logits, given) > 4  # without it the noise is taken for doubt


def test_a_few_items_that_are_all_right_change_little():
    given = np.arange(30) % 3
    assert 0.5 < fit_temperature(4.0 * np.eye(3)[given], given) < 1
    assert fit_temperature(40.0 * np.eye(3)[given], given) == pytest.approx(1.0, abs=0.01)


def test_entropy_is_zero_where_sure_and_log_k_where_not():
    assert entropy_of(np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])) == pytest.approx([0, np.log(3)])
