"""Run lengths: as pycocotools counts them, there and back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import labelproof as lp
from labelproof.labels.run_length import Runs, decode, encode

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def test_runs_go_down_the_columns_zeros_first():
    assert encode(np.array([[0, 0, 1], [0, 1, 1]], bool)) == "3 3"
    assert encode(np.array([[1, 0], [0, 0]], bool)) == "0 1 3"
    assert encode(np.zeros((2, 3), bool)) == "6"
    assert encode(np.ones((2, 3), bool)) == "0 6"


@given(MASKS)
def test_as_pycocotools_counts(mask):
    pycoco = pytest.importorskip("pycocotools.mask")
    height, width = mask.shape
    counts = [int(count) for count in encode(mask).split(" ")]
    compressed = pycoco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    assert compressed["counts"] == pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert np.array_equal(pycoco.decode(compressed).astype(bool), mask)


@given(MASKS)
def test_there_and_back(mask):
    assert np.array_equal(decode(encode(mask), *mask.shape), mask)
    assert Runs.of_text(encode(mask)).text == encode(mask)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_empty_runs_are_written_away(counts):
    text, total = " ".join(map(str, counts)), sum(counts)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    assert np.array_equal(decode(text, total, 1)[:, 0], flat)
    if total:
        assert Runs.of_text(text).text == encode(flat[:, None])


@pytest.mark.parametrize("text", ["", "a", "1 -2", "1  2", " 1", "1,2", "1.5", None, 3, "9" * 30])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(lp.BadInput, match="Run lengths"):
        decode(text, 2, 2)


def test_another_size_is_refused():
    with pytest.raises(lp.BadInput, match="5 pixels do not fit a mask of 3 x 2"):
        decode("1 4", 2, 3)
