"""Scores of captions, beside the reference tool's own evaluation."""

from __future__ import annotations

import shutil

import pytest

import labelproof as lp

pytest.importorskip("pycocoevalcap")
REFERENCES = [
    ["A dog runs across the green grass.", "The brown dog is running on a lawn!", "a dog, running"],
    ["Two people ride bicycles down a street.", "A couple riding bikes on the road."],
    ["A man's hat is red.", "The man wears a red hat."],
]
CAPTIONS = ["A dog is running on the grass.", "two people on a street", "a red car"]
with_java = pytest.mark.skipif(shutil.which("java") is None, reason="no Java")


@with_java
def test_scores_are_those_of_the_reference_tool():
    from pycocoevalcap.eval import COCOEvalCap
    from pycocotools.coco import COCO

    truth, found = COCO(), COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(3)],
        "annotations": [
            {"id": 10 * i + j, "image_id": i, "caption": t} for i, own in enumerate(REFERENCES) for j, t in enumerate(own)
        ],
    }
    found.dataset = {**truth.dataset, "annotations": [{"id": i, "image_id": i, "caption": t} for i, t in enumerate(CAPTIONS)]}
    truth.createIndex()
    found.createIndex()
    tool = COCOEvalCap(truth, found)
    # SPICE, which downloads models, is the last of its scorers
    from pycocoevalcap import eval as module

    module.Spice, spice = _nothing, module.Spice
    try:
        tool.evaluate()
    finally:
        module.Spice = spice
    ours = lp.caption_scores(CAPTIONS, REFERENCES, tokenizer="ptb").values
    for theirs, name in {
        "Bleu_1": "BLEU-1",
        "Bleu_4": "BLEU-4",
        "ROUGE_L": "ROUGE-L",
        "CIDEr": "CIDEr",
        "METEOR": "METEOR",
    }.items():
        assert ours[name] == pytest.approx(tool.eval[theirs], abs=1e-9)


class _nothing:
    def method(self):
        return "SPICE"

    def compute_score(self, wanted, written):
        return 0.0, [{"All": {"f": 0.0}}] * len(wanted)


def test_perfect_captions_have_perfect_scores():
    said = ["a dog runs on the grass", "two people ride bicycles"]
    found = lp.caption_scores(said, [[text] for text in said], meteor=False)
    assert found.values == pytest.approx({**{f"BLEU-{n}": 1 for n in range(1, 5)}, "ROUGE-L": 1, "CIDEr": 10}, abs=1e-6)
    assert found.missing == {}


def test_case_and_punctuation_do_not_count():
    plain = lp.caption_scores(["a dog runs", "the cat"], [["a dog sat"], ["the cat ran"]], meteor=False)
    other = lp.caption_scores(["A dog runs!", "The cat."], [["a dog sat"], ["the cat, ran"]], meteor=False)
    assert plain == other


def test_without_java_meteor_is_not_available_rather_than_zero(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = lp.caption_scores(CAPTIONS, REFERENCES)
    assert "METEOR" not in found.values
    assert "needs Java" in found.missing["METEOR"]
    with pytest.raises(lp.MissingDependency, match="tokenizer needs Java"):
        lp.caption_scores(CAPTIONS, REFERENCES, tokenizer="ptb")


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        (["a"], [["a"], ["b"]], "1 captions but references of 2"),
        (["a", "b"], [["a"], []], "item 1 has the references"),
        (["a"], ["a"], "item 0 has the references 'a'"),
    ],
)
def test_bad_input_is_explained(captions, references, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.caption_scores(captions, references)
    with pytest.raises(lp.BadInput, match="Give one of words, ptb"):
        lp.caption_scores(CAPTIONS, REFERENCES, tokenizer="x")
