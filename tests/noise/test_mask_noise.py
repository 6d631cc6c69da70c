"""Regions, what is expected of a model whose true masks are known, what ratios are worth, and simulated errors."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import labelproof as lp
from labelproof.labels.masks import KINDS_OF_ERROR
from labelproof.noise.masks.fitting import fit_response
from labelproof.noise.masks.noise import MaskNoise
from labelproof.noise.masks.regions import regions_of, ring
from labelproof.noise.masks.response import blurred, pooled


@settings(max_examples=40)
@given(arrays(np.int64, (6, 7), elements=st.integers(-1, 2)))
def test_regions_are_connected_pixels_of_one_class_in_order(mask):
    found = regions_of(mask)
    assert np.array_equal(found.number < 0, mask < 0)
    first = [np.flatnonzero(found.number.ravel() == r)[0] for r in range(len(found.value))]
    assert first == sorted(first)
    for r, (value, area, (x1, y1, x2, y2)) in enumerate(zip(found.value, found.area, found.bounds, strict=True)):
        inside = found.number == r
        assert (mask[inside] == value).all()
        assert inside.sum() == area == inside[y1:y2, x1:x2].sum()
        assert ndimage.label(inside, np.ones((3, 3)))[1] == 1
        around = ring(inside, 1)
        assert not (mask[around] == value).any()


def test_pixels_are_pooled_to_their_means():
    values = np.arange(30.0).reshape(1, 5, 6)
    assert pooled(values, 2)[0, 0].tolist() == [3.5, 5.5, 7.5]
    assert pooled(values, 2).shape == (1, 3, 3)
    assert np.array_equal(pooled(values, 1), values)


def test_a_blur_is_that_of_scipy():
    channels = np.random.default_rng(0).random((2, 20, 30)).astype(np.float32)
    expected = ndimage.gaussian_filter(channels, (0, 2, 2), mode="constant")
    assert np.allclose(blurred(channels, 2.0), expected, atol=5e-3)


def test_the_response_of_a_model_is_recovered():
    rng = np.random.default_rng(0)
    confusion = np.array([[0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [0.3, 0.0, 0.7]])
    pictures = []
    for _ in range(12):
        mask = np.kron(rng.integers(0, 3, (4, 4)), np.ones((15, 15), int))
        shares = ndimage.gaussian_filter((mask == np.arange(3)[:, None, None]).astype(float), (0, 2, 2))
        probs = np.tensordot(confusion.T, shares, axes=1) * np.exp(0.1 * rng.standard_normal(shares.shape))
        pictures.append((mask, (probs / probs.sum(axis=0)).astype(np.float32)))
    found = fit_response(pictures, 3)
    assert found.blur == 2.0
    assert np.abs(found.mean - confusion).max() < 0.03
    assert found.together < 40


NOISE = MaskNoise(
    np.arange(16.0).reshape(4, 2, 2) * (1 - np.eye(2)),
    np.array([30.0, 50.0]),
    KINDS_OF_ERROR,
    (0.2, 0.1, 0.3),
    1.5,
    40.0,
    ("road", "car"),
)


def test_noise_goes_to_json_and_back():
    again = MaskNoise.from_json({**NOISE.to_json(), "classes": ["road", "car"]})
    assert again.to_frame().equals(NOISE.to_frame())
    assert (again.wrong_pictures, again.tolerance, again.together) == (NOISE.wrong_pictures, 1.5, 40.0)


def test_rates_are_of_the_regions_of_the_true_class():
    frame = NOISE.to_frame()
    assert frame.height == 8
    row = frame.row(by_predicate=(pl.col("kind") == "extra") & (pl.col("true") == "car"), named=True)
    assert row["given"] == "road"
    assert row["probability"] == pytest.approx(6 / (50 + 2 + 6 + 10 + 14))
    assert NOISE.rate("missing") == pytest.approx(3 / (80 + 3 + 11 + 19 + 27))


CLEAN = np.zeros((6, 50, 50), int)
for _i, _mask in enumerate(CLEAN):
    _mask[5 + _i : 20 + _i, 10:25] = 1
    _mask[30:42, 20 : 32 + _i] = 2
    _mask[:, :2] = 255


@pytest.mark.parametrize("kind", ["class", "drop", "extra", "shift"])
def test_simulated_errors_are_told_with_their_pixels(kind):
    noisy = lp.simulate.masks(CLEAN, 1.0, kinds=[kind], void=255, random_state=0)
    assert {error.kind for error in noisy.errors} == {kind}
    for i, (before, after) in enumerate(zip(CLEAN, noisy.labels, strict=True)):
        told = np.zeros(before.size, bool)
        for error in noisy.errors:
            told[error.pixels if error.picture == i else []] = True
        assert np.array_equal(told.reshape(before.shape), before != after)
        assert np.array_equal(before == 255, after == 255)
        assert noisy.changed[i] == told.any()
    of_kind = {"extra": lambda e: e.true == 0, "class": lambda e: e.true != e.given}
    assert all(of_kind.get(kind, bool)(error) for error in noisy.errors)


def test_simulation_depends_on_its_seed_alone():
    one, other, third = (lp.simulate.masks(CLEAN, 0.5, void=255, random_state=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.labels, other.labels)
    assert not np.array_equal(one.labels, third.labels)
    assert not lp.simulate.masks(CLEAN, 0.0, void=255).changed.any()


@pytest.mark.parametrize("options", [{"rate": 2.0}, {"rate": 0.1, "kinds": ["bent"]}, {"rate": 0.1, "kinds": []}])
def test_bad_options_are_refused(options):
    with pytest.raises(lp.BadInput):
        lp.simulate.masks(CLEAN, **options)
