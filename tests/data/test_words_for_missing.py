"""Texts are read by words, or by characters where the data have no words that recur."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.data.encoding import TextEncoder
from labelproof.data.words import unit_of, vectorizer_for
from labelproof.errors import LabelproofWarning

RNG = np.random.default_rng(0)
CHINESE = [
    "".join(RNG.choice(["这个", "产品", "我们", "昨天", "电影", "餐厅", "服务", "真的", "觉得", "非常"], 7)) for _ in range(80)
]
ENGLISH = [
    " ".join(RNG.choice(["the", "film", "was", "good", "bad", "a", "very", "long", "story", "that", "nobody", "likes"], 7))
    for _ in range(80)
]
GERMAN = [f"Donaudampfschifffahrtsgesellschaft und Kraftfahrzeughaftpflichtversicherung {w}" for w in ["gut", "schlecht"] * 40]


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (CHINESE, "char"),
        (ENGLISH, "word"),
        (GERMAN, "word"),
        (["😡", "😀"] * 40, "char"),
        (["", " "], "char"),
        (["?", "? ?"], "word"),
    ],
)
def test_the_unit_is_chosen_by_the_data(texts, unit):
    assert unit_of(texts) == unit


def test_characters_are_told_and_kept_with_a_model():
    with pytest.warns(LabelproofWarning, match="groups of one to three characters"):
        vectorizer = vectorizer_for(CHINESE)
    assert "产品" in vectorizer.fit(CHINESE).vocabulary_
    encoder = TextEncoder()
    with pytest.warns(LabelproofWarning):
        encoder.fit(CHINESE)
    plain, arrays = encoder.state()
    again = TextEncoder()
    again.restore(plain, arrays)
    assert np.array_equal(again.transform(CHINESE), encoder.transform(CHINESE))


def test_emoji_are_learned_from(tmp_path):
    y = RNG.integers(0, 2, 80)
    rows = [f"{'😡😀'[v]},{('neg', 'pos')[v]}" for v in y]
    (tmp_path / "t.csv").write_text("text,y\n" + "\n".join(rows) + "\n")
    with pytest.warns(LabelproofWarning, match="characters"):
        assert lp.audit(lp.read_text(tmp_path / "t.csv", "y", "text")).error_rate.estimate < 0.05
