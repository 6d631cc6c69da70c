"""Words of captions as tags."""

from __future__ import annotations

import pytest

import labelproof as lp
from labelproof.estimators.captioner.concepts import words_of

SAID = lp.Captions(
    (1, 2, 3),
    (("A man's dog runs", "The DOG, running!"), ("a cat-like dog",), ("a ski-run", "snow; a man")),
    ("",) * 3,
    ("",) * 3,
)


def test_words_are_counted_once_a_caption():
    assert words_of("A man's dog, 2nd; naïve_x") == ["a", "man's", "dog", "2nd", "naïve", "x"]
    concepts = lp.Concepts.of(SAID, 3)
    assert concepts.words == ("a", "dog", "cat-like")  # 4 captions, 3, then the first of those with one
    assert concepts.tags(SAID).tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]


def test_a_given_vocabulary_and_parts_of_speech():
    table = {"dog": "NN", "runs": "VB"}
    given = lp.Concepts.of(SAID, words=["Runs", "dog", "the"], groups=table)
    assert given.words == ("runs", "dog", "the")
    assert given.groups == ("VB", "NN", "Others")
    tagged = lp.Concepts.of(SAID, words=["runs", "dog"], groups=lambda words: [table[word] for word in words])
    assert tagged.groups == ("VB", "NN")
    for bad, message in (
        ({"words": ["a", "A"]}, "'a' twice"),
        ({"words": []}, "words is empty"),
        ({"k": 100}, "Give a smaller k"),
        ({"k": 2, "groups": lambda words: ["NN"]}, "gave 1 parts of speech for 2"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            lp.Concepts.of(SAID, **bad)
