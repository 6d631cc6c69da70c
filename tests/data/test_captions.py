"""Captions of COCO's and MSR-VTT's form."""

from __future__ import annotations

import json

import numpy as np
import pytest

import labelproof as lp


@pytest.fixture
def coco(tmp_path):
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.jpg"}],
        "annotations": [
            {"image_id": 7, "caption": "A dog runs. "},
            {"image_id": 9, "caption": "two cats"},
            {"image_id": 7, "caption": "the dog"},
            {"image_id": 8, "caption": "   "},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    return tmp_path / "coco.json"


def test_coco(coco, tmp_path):
    found = lp.read_captions(coco)
    assert found.ids == (7, 9)
    assert found.captions == (("A dog runs.", "the dog"), ("two cats",))
    assert found.files == ("a.jpg", "c.jpg")
    assert found.skipped == [("8", "no caption")]
    (tmp_path / "c.jpg").write_bytes(b"x")
    there = lp.read_captions(coco, folder=tmp_path)
    assert there.ids == (9,)
    assert ("7", "a.jpg not found") in there.skipped


def test_msr_vtt(tmp_path):
    content = {
        "videos": [{"video_id": "video1", "split": "validate"}, {"video_id": "video0", "split": "train"}],
        "sentences": [
            {"video_id": "video0", "caption": "a car", "sen_id": 0},
            {"video_id": "video1", "caption": "a man sings", "sen_id": 1},
        ],
    }
    (tmp_path / "v.json").write_text(json.dumps(content))
    found = lp.read_captions(tmp_path / "v.json")
    assert found.ids == ("video1", "video0")
    assert found.split("train").captions == (("a car",),)
    with pytest.raises(lp.BadInput, match="has train, validate"):
        found.split("test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [}', "line 1, column 13"),
        ("[1, 2]", "Give a caption file of COCO"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 2, "caption": "x"}]}', "caption 0 .* belongs to 2"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1}]}', "caption 0 .* has no 'caption'"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": 5}]}', "is 5. Give text"),
        ('{"images": [{"id": 1}], "annotations": []}', "None of the 1 items can be used"),
    ],
)
def test_files_that_are_broken(tmp_path, text, message):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(lp.BadInput, match=message):
        lp.read_captions(tmp_path / "broken.json")


def test_captions_are_replaced_by_those_of_others():
    n = 400
    own = lp.Captions(tuple(range(n)), tuple(tuple(f"{i} {j}" for j in range(5)) for i in range(n)), ("",) * n, ("",) * n)
    for rate, changed in ((0.2, 1), (0.4, 2), (0.6, 3), (0.8, 4), (0.0, 0)):
        mixed = own.with_replaced(rate, random_state=0)
        foreign = [sum(text.split()[0] != str(i) for text in texts) for i, texts in enumerate(mixed.captions)]
        assert set(foreign) == {changed}
    assert own.with_replaced(0.4, random_state=1).captions == own.with_replaced(0.4, random_state=1).captions
    places = np.array([[text != before for text, before in zip(*pair, strict=True)] for pair in zip(
        own.with_replaced(0.2, random_state=0).captions, own.captions, strict=True)])  # fmt: skip
    assert (places.mean(axis=0) > 0.1).all()  # any of the five
