"""Copies are found, values that recur are none, and no copy defends a wrong label."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.auditing import out_of_sample
from labelproof.auditing.duplicates import copies_of
from labelproof.data.dataset import Dataset, Shown
from labelproof.labels.classes import Classes


def dataset(x, kind: str, given=None) -> Dataset:
    labels = Classes(np.arange(len(x)) % 2 if given is None else given)
    return Dataset(x, labels, np.arange(len(x)), lambda i: Shown(text=str(x[i])), kind)


def together(group: np.ndarray) -> list[list[int]]:
    """The groups of two and more."""
    return [np.flatnonzero(group == g).tolist() for g in np.unique(group) if (group == g).sum() > 1]


SENTENCES = [f"{a} {b} number {i}" for i, (a, b) in enumerate([("the sea", "was cold"), ("a dog", "barked twice")] * 20)]


def test_texts_with_the_same_letters_and_digits():
    texts = [*SENTENCES, "The sea -- was COLD, number 0!", "the sea was cold number 00", "  A dog\tbarked twice\nnumber 1", "", "?", "!",
             "", "ÉTÉ à Paris", "été, à paris"]  # fmt: skip
    assert together(copies_of(dataset(np.array(texts, dtype=object), "text"))) == [[0, 40], [1, 42], [43, 46], [47, 48]]


def test_rows_of_a_table_that_are_equal():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=40), "b": rng.choice(["x", "y"], 40), "c": [None, 1.0] * 20})
    frame = pl.concat([frame, frame[[3, 17, 3]], frame[[5]].with_columns(a=pl.col("a") + 1e-9)])
    assert together(copies_of(dataset(frame, "table"))) == [[3, 40, 42], [17, 41]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pictures_that_are_equal(dtype):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3)).astype(dtype)
    pictures[29] = pictures[2]
    pictures[28] = pictures[2]
    pictures[28, 0, 0, 0] += 1
    assert together(copies_of(dataset(pictures, "images"))) == [[2, 29]]


def test_near_copies_by_their_features():
    rng = np.random.default_rng(0)
    features = rng.normal(3, 1, (200, 64)).astype(np.float32)  # far from the origin: all alike but for the mean
    features[150] = features[7] + 0.05 * rng.normal(size=64)
    features[151] = features[150] + 0.05 * rng.normal(size=64)
    features[152] = 3 + 1.01 * (features[9] - 3)
    texts = np.array([f"text {i}" for i in range(200)], dtype=object)
    assert together(copies_of(dataset(texts, "text"), features)) == [[7, 150, 151], [9, 152]]
    assert together(copies_of(dataset(texts, "text"))) == []


def test_blocks_of_many_items_are_all_compared(monkeypatch):
    from labelproof.auditing import duplicates

    rng = np.random.default_rng(0)
    features = rng.normal(size=(101, 32)).astype(np.float32)
    features[[100, 60]] = features[[3, 59]]
    whole = copies_of(dataset(np.arange(101.0)[:, None], "arrays"), features)
    monkeypatch.setattr(duplicates, "BLOCK", 7)
    assert (
        together(whole) == together(copies_of(dataset(np.arange(101.0)[:, None], "arrays"), features)) == [[3, 100], [59, 60]]
    )


@pytest.mark.parametrize(("times", "found"), [(20, 1), (21, 0)])
def test_what_stands_more_than_twenty_times_recurs_and_is_no_copy(times, found):
    texts = np.array([*SENTENCES, *["ok"] * times], dtype=object)
    groups = together(copies_of(dataset(texts, "text")))
    assert len(groups) == found
    assert all(len(group) == 20 for group in groups)


def test_few_features_tell_no_copies():
    """In a line or a plane, items point the same way by chance."""
    rng = np.random.default_rng(0)
    texts = np.array([f"text {i}" for i in range(30)], dtype=object)
    for d in (1, 2, 4):
        features = rng.normal(size=(30, d)).astype(np.float32)
        features[29] = features[0]
        assert together(copies_of(dataset(texts, "text"), features)) in ([], [[0, 29]])
    assert together(copies_of(dataset(texts, "text"), np.ones((30, 64), np.float32))) == []


def test_unrelated_real_sentences_are_no_copies(real_data):
    texts = pl.read_csv(real_data / "trec_questions.csv")["question"].to_numpy()[:1000]
    groups = together(copies_of(dataset(texts, "text")))
    assert all(len({"".join(c for c in text.lower() if c.isalnum()) for text in texts[group]}) == 1 for group in groups)
    assert len(groups) < 30


def test_a_copy_with_the_same_wrong_label_does_not_defend_it(monkeypatch):
    """Ten texts stand twice, both times with the wrong label."""
    rng = np.random.default_rng(0)
    words = {0: "wave salt tide harbour reef sail".split(), 1: "oak moss fern bark acorn pine".split()}  # noqa: SIM905
    true = np.tile([0, 1], 100)
    own = [f"{''.join(rng.choice(list('bcdfgklmnp'), 6))} {i}x" for i in range(200)]
    texts = [" ".join([*rng.choice(words[c], 3), name]) for c, name in zip(true, own, strict=True)]
    given = true.copy()
    given[:10] = 1 - true[:10]
    wrong = np.r_[0:10, 200:210]
    data = dataset(
        np.array(texts + [text.upper() + "!" for text in texts[:10]], dtype=object), "text", np.r_[given, given[:10]]
    )

    def mean_error() -> float:
        probs = lp.out_of_sample_probs(data, encoder="none")
        return float(lp.audit(data, probs).error_probability[wrong].mean())

    whole = mean_error()
    monkeypatch.setattr(out_of_sample, "copies_of", lambda *_: np.arange(len(data)))
    assert whole > 0.75
    assert whole > mean_error() + 0.1
