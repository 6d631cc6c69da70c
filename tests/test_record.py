"""Means of studies, their intervals, and who is ahead."""

from __future__ import annotations

import numpy as np
import pytest

from labelproof.experiments.record import ahead, averaged, gained, half_interval


def test_an_interval_of_few_seeds_is_wide():
    rows = [{"accuracy": value, "seed": seed} for seed, value in enumerate((0.70, 0.74, 0.72))]
    found = averaged(rows, "accuracy")
    assert found["accuracy"] == pytest.approx(0.72)
    assert found["accuracy_±"] == pytest.approx(4.302653 * 0.02 / np.sqrt(3), rel=1e-5)  # t with two degrees of freedom
    assert half_interval(np.array([0.7])) == 0.0
    assert averaged([{"accuracy": None}], "accuracy")["accuracy"] is None


def test_gains_are_paired_by_seed():
    rows = [{"ap": 50.0 + 10 * seed + 1, "seed": seed} for seed in range(4)]
    base = {seed: {"ap": 50.0 + 10 * seed} for seed in range(3)}
    found = gained(rows, "ap", base)
    assert (found["gain"], found["gain_±"]) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-9))


def test_who_is_ahead_beyond_the_paired_interval():
    far_apart = {seed: 10.0 * seed for seed in range(5)}
    steady = {seed: value + 1 + 0.1 * (seed % 2) for seed, value in far_apart.items()}
    assert ahead({"a": far_apart, "b": steady}) == "b"  # seeds differ by ten, the methods always by one
    unsteady = {seed: value + (3 if seed % 2 else -1) for seed, value in far_apart.items()}
    assert ahead({"a": far_apart, "b": unsteady}) is None
    assert ahead({"a": {0: 1.0}, "b": {0: 2.0}}) is None  # one seed says nothing
