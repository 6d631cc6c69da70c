"""Captions from concepts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import labelproof as lp
from labelproof.estimators.captioner.s2vt import S2VT
from labelproof.estimators.captioner.vocabulary import BEGIN, END, PAD, UNKNOWN, Vocabulary

SMALL = {"hidden": 48, "concept_size": 24, "word_size": 16, "min_count": 1, "dropout": 0.0, "accelerator": "cpu"}


def videos(n: int = 10, k: int = 6, seed: int = 0) -> tuple[list[np.ndarray], list[list[str]]]:
    """Videos of three to six frames in which one thing becomes another, and two ways to say so."""
    rng = np.random.default_rng(seed)
    frames, said = [], []
    pairs = [(a, b) for a in range(k) for b in range(k) if a != b]
    for a, b in [pairs[i] for i in rng.permutation(len(pairs))[:n]]:
        half = rng.integers(2, 4, 2)
        shown = np.eye(k)[[a] * half[0] + [b] * half[1]]
        frames.append(shown + rng.normal(0, 0.02, shown.shape))
        said.append([f"a thing{a} becomes a thing{b}"])
    return frames, said


@pytest.fixture(scope="module")
def fitted():
    frames, said = videos()
    return lp.ConceptCaptioner(**SMALL, epochs=250, batch_size=5, learning_rate=5e-3).fit(frames, said), frames, said


@pytest.fixture
def network():
    torch.manual_seed(0)
    return S2VT(5, 9, hidden=16, concept_size=8, word_size=8).eval()


def test_ten_videos_are_learned_by_heart(fitted):
    model, frames, said = fitted
    assert model.caption(frames) == [own[0] for own in said]


def test_one_beam_is_the_best_word_each_time(network):
    frames = torch.randn(20, 4, 5)
    assert torch.equal(network.write(frames, beam=1, most=9), greedy(network, frames, 9))


def greedy(network: S2VT, frames: torch.Tensor, most: int) -> torch.Tensor:
    """The most probable word each time, padded after the end."""
    words = torch.full((len(frames), 1), BEGIN)
    for _ in range(most):
        with torch.no_grad():
            logits = network(frames, words)[:, -1]
        logits[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
        done = (words == END).any(dim=1)
        words = torch.cat([words, torch.where(done, PAD, logits.argmax(dim=1))[:, None]], dim=1)
    return words[:, 1:]


def test_a_wide_beam_finds_the_most_probable_caption(network):
    """All captions of up to three words, by enumeration."""
    frames = torch.randn(6, 3, 5)
    words = list(range(UNKNOWN + 1, 9))
    for video in frames:
        best, found = -np.inf, None
        captions = [[END]] + [[a, END] for a in words] + [[a, b, END] for a in words for b in words]
        captions += [[a, b, c] for a in words for b in words for c in words]
        for caption in captions:
            value = score(network, video, caption)
            if value > best:
                best, found = value, caption
        written = network.write(video[None], beam=200, most=3, length_penalty=0.0)[0].tolist()
        assert written == found + [PAD] * (3 - len(found))


def score(network: S2VT, video: torch.Tensor, caption: list[int]) -> float:
    with torch.no_grad():
        logits = network(video[None], torch.tensor([[BEGIN, *caption[:-1]]]))[0]
    logits[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
    return float(torch.log_softmax(logits, 1)[range(len(caption)), caption].sum())


def test_padding_changes_nothing(network):
    """Alone or beside a longer video: the same logits and the same words."""
    short, long = torch.randn(2, 5), torch.randn(6, 5)
    together = torch.full((2, 6, 5), torch.nan)
    together[0, :2], together[1] = short, long
    words = torch.tensor([[BEGIN, 5, 6], [BEGIN, 7, 8]])
    both = network(together, words)
    assert torch.allclose(both[:1], network(short[None], words[:1]), atol=1e-6)
    assert torch.allclose(both[1:], network(long[None], words[1:]), atol=1e-6)
    assert torch.equal(network.write(together, beam=3)[:1], network.write(short[None], beam=3))


def test_what_is_said_depends_on_the_frames_and_their_order(fitted):
    model, frames, said = fitted
    turned = model.caption([own[::-1] for own in frames])
    assert sum(now == own[0] for now, own in zip(turned, said, strict=True)) < 5


def test_it_obeys_its_seed():
    frames, said = videos(4)
    first, second = (lp.ConceptCaptioner(**SMALL, epochs=3, random_state=4).fit(frames, said).network_ for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def test_every_caption_of_a_video_is_learned():
    frames, _ = videos(2)
    said = [["one", "one", "one two"], ["three"]]
    model = lp.ConceptCaptioner(**SMALL, epochs=120, batch_size=4).fit(frames, said)
    assert model.caption(frames) == ["one", "three"]
    assert model.vocabulary_.words == ("one", "three", "two")


def test_rare_words_are_unknown():
    vocabulary = Vocabulary.of(["a dog", "a cat", "a dog"], min_count=2)
    assert vocabulary.words == ("a", "dog")
    assert vocabulary.encoded(["a cat ran"], 2).tolist() == [[BEGIN, 4, UNKNOWN, END]]
    assert vocabulary.encoded(["cat"], 2).tolist() == [[PAD] * 4]
    assert vocabulary.text([4, UNKNOWN, 5, END, 4]) == "a dog"


@pytest.mark.parametrize(
    ("frames", "said", "message"),
    [
        ([np.ones((2, 3)), np.ones((0, 3))], [["a"], ["a"]], "bag 1 has shape .* no instances"),
        (np.ones((2, 4, 3)), [["a"]], "2 videos but captions of 1"),
        (np.ones((2, 4, 3)), [["a"], []], "video 1 has no caption"),
        (np.ones((2, 4, 3)), [["a"], "a dog"], "video 1 has no caption: 'a dog'"),
        (np.ones((2, 4, 3)), [["a", "a"], ["zebra"]], "video 1 have only unknown words"),
        (np.ones((2, 4, 3, 3)), [["a"], ["a"]], "Give one vector of concept probabilities"),
        (np.full((2, 4, 3), np.nan), [["a"], ["a"]], "instances"),
        (np.ones((2, 4, 3)), [["a"], ["b"]], "No word is in 2 captions"),
    ],
)
def test_bad_input_is_explained(frames, said, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.ConceptCaptioner(**{**SMALL, "min_count": 2}, epochs=1).fit(frames, said)


def test_videos_of_other_concepts_are_refused(fitted):
    with pytest.raises(lp.BadInput, match="4 concepts, but the captioner was trained with 6"):
        fitted[0].caption(np.ones((1, 2, 4)))
    with pytest.raises(lp.BadInput, match="beam is 0"):
        fitted[0].caption(np.ones((1, 2, 6)), beam=0)
