"""MiniLM: what it makes of real sentences."""

from __future__ import annotations

import numpy as np
import pytest

SAME = [
    ("How far is it from Denver to Aspen?", "What is the distance between Denver and Aspen?"),
    ("The film was dull and far too long.", "A boring movie that never seems to end."),
    ("Who wrote the novel Moby Dick?", "Which author is behind the book Moby Dick?"),
    ("The stock market fell sharply on Monday.", "Shares dropped steeply at the start of the week."),
    ("She cooks pasta with tomatoes and basil.", "Her dish is noodles with basil and tomato sauce."),
    ("The doctor prescribed antibiotics for the infection.", "The physician gave medicine against the bacterial illness."),
]


@pytest.fixture(scope="module")
def unit(opened):
    """Unit features of the first and of the second sentences, around their mean."""
    encoder = opened("minilm")
    features = encoder.encode(encoder.prepare([sentence for pair in SAME for sentence in pair]))
    features = features - features.mean(axis=0)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def test_paraphrases_are_nearer_than_any_other_sentence(unit):
    like = unit @ unit.T - 2 * np.eye(len(unit))
    assert (like.argmax(axis=1) == np.arange(len(unit)) ^ 1).all()


def test_its_last_layer_is_what_the_model_is_known_for(opened):
    """The mean of the last layer is the sentence embedding of the published model, before it is scaled to length one."""
    encoder = opened("minilm")
    sentences = [sentence for pair in SAME for sentence in pair]
    last = encoder.encode(encoder.prepare(sentences))[:, -384:]
    published = encoder.whole.model.encode(sentences, show_progress_bar=False)
    unit = last / np.linalg.norm(last, axis=1, keepdims=True)
    assert np.abs(unit - published / np.linalg.norm(published, axis=1, keepdims=True)).max() < 1e-5


def test_long_texts_are_cut_and_not_refused(opened):
    encoder = opened("minilm")
    long, longer = "the quick brown fox " * 80, "the quick brown fox " * 400
    cut = encoder.encode(encoder.prepare([long, longer]))
    assert np.abs(cut[0] - cut[1]).max() < 1e-4
    assert encoder.prepare([longer])["input_ids"].shape[1] == 256
