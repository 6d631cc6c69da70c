"""Encoders: what they do to values, what they refuse, and that JSON and arrays hold all of them."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.data.encoding import ENCODERS, FrameEncoder, NumbersEncoder, PicturesEncoder, TextEncoder, kind_of


def frame(n: int = 120) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "age": [None if i % 10 == 0 else float(v) for i, v in enumerate(rng.normal(40, 10, n))],
            "whole": rng.integers(0, 1000, n),
            "town": [None if i == 3 else ["Bonn", "Ulm"][i % 2] for i in range(n)],
            "name": [f"person {i}" for i in range(n)],
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(n)],
            "at": [dt.datetime(2024, 1, 1, i % 24) for i in range(n)],
            "flag": [i % 3 == 0 for i in range(n)],
        }
    )


EXAMPLES = {
    "numbers": np.random.default_rng(0).normal(5, 3, (50, 4)),
    "pictures": np.random.default_rng(0).integers(0, 256, (20, 9, 7, 3)).astype(np.uint8),
    "text": ["the cat sat", "the dog sat", "a dog ran", "a cat ran away"] * 10,
    "frame": frame(),
    "raw": np.random.default_rng(0).normal(size=(5, 2, 3)),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_json_and_arrays_hold_all_of_it(kind):
    encoder = ENCODERS[kind]().fit(EXAMPLES[kind])
    made = encoder.transform(EXAMPLES[kind])
    assert made.dtype == np.float32
    assert made.shape[1:] == encoder.shape
    plain, arrays = encoder.state()
    again = ENCODERS[kind]()
    again.restore(json.loads(json.dumps(plain)), arrays)
    assert np.array_equal(again.transform(EXAMPLES[kind]), made)
    assert again.shape == encoder.shape
    assert tuple(again.cardinalities) == tuple(encoder.cardinalities)
    if kind != "raw":
        assert kind_of(EXAMPLES[kind]) == kind


def test_numbers_are_standardised_and_constants_stay_finite():
    x = np.c_[np.arange(10.0), np.full(10, 7.0)]
    made = NumbersEncoder().fit(x).transform(x)
    assert np.allclose(made[:, 0].mean(), 0, atol=1e-6)
    assert np.allclose(made[:, 0].std(), 1, atol=1e-6)
    assert (made[:, 1] == 0).all()


def test_pictures_have_their_channels_first():
    x = EXAMPLES["pictures"]
    made = PicturesEncoder().fit(x).transform(x)
    assert np.allclose(made[3, 2, 4, 5], x[3, 4, 5, 2] / 255 - 0.5)


def test_columns_of_a_frame():
    encoder = FrameEncoder().fit(frame())
    made = encoder.transform(frame())
    assert encoder.numbers == ["age", "whole"]
    assert encoder.hashed == ["name"]
    assert list(encoder.categories) == ["town", "flag"]
    assert encoder.cardinalities == (3, 3)
    assert made[3, -2] == 0  # a missing town
    assert made[4, -2] == 1  # Bonn, the first in order
    assert made[0, 0] == 0  # a missing age is the mean, and marked
    assert np.isfinite(made).all()
    far = frame()[:1].with_columns(pl.lit(1e12).alias("age"), pl.lit("Paris").alias("town"))
    assert encoder.transform(far)[0, 0] < 4.01
    assert encoder.transform(far)[0, -2] == 0


def test_same_words_same_place_and_other_words_elsewhere():
    encoder = TextEncoder().fit(EXAMPLES["text"])
    a, b, c = encoder.transform(["the cat sat", "the cat sat", "a dog ran"])
    assert np.array_equal(a, b)
    assert a @ c < 0.5 * (a @ a)
    assert (encoder.transform(["zebra"]) == 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.warns(lp.LabelproofWarning), pytest.raises(lp.BadInput, match="2 texts with 1 different words are too few"):
        TextEncoder().fit(["", "!"])
    with pytest.raises(lp.BadInput, match="row 1 is 3, but the model reads text"):
        TextEncoder().fit(EXAMPLES["text"]).transform(["a", 3])
    with pytest.raises(lp.BadInput, match="row 2 holds an infinite value"):
        FrameEncoder().fit(pl.DataFrame({"a": [1.0, 2.0, float("inf")], "b": ["x", "y", "z"]}))
    with pytest.raises(lp.BadInput, match="Give a frame"):
        FrameEncoder().fit(frame()).transform(np.zeros((2, 7)))
    with pytest.raises(lp.BadInput, match="Items of x have shape"):
        NumbersEncoder().fit(EXAMPLES["numbers"]).transform(np.zeros((2, 3)))
