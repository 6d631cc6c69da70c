"""`lp.Masks`: what is taken for masks, what is void, and a person's label of a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import labelproof as lp
from labelproof.labels.run_length import encode

PICTURES = np.random.default_rng(0).integers(0, 4, (3, 5, 7))


class Asked:
    """Pictures that are made when they are asked for."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return len(PICTURES)

    def __getitem__(self, i):
        self.asked.append(i)
        return PICTURES[i]


@pytest.fixture(params=["array", "list", "nested lists", "grey", "palette", "sequence"])
def masks(request, tmp_path):
    if request.param in ("grey", "palette"):
        paths = [tmp_path / f"{i}.png" for i in range(3)]
        for picture, path in zip(PICTURES, paths, strict=True):
            made = Image.fromarray(picture.astype(np.uint8))
            if request.param == "palette":
                made.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9])
            made.save(path)
        return paths
    ways = {"array": PICTURES, "list": list(PICTURES), "nested lists": PICTURES.tolist(), "sequence": Asked()}
    return ways[request.param]


def test_every_form_is_the_same(masks):
    labels = lp.Masks(masks, void=3)
    assert (labels.n, labels.classes, labels.labelled) == (3, (0, 1, 2), 3)
    assert labels.sizes.tolist() == [[7, 5]] * 3
    for i in range(3):
        assert labels.mask(i).dtype == np.int64
        assert np.array_equal(labels.mask(i), np.where(PICTURES[i] == 3, -1, PICTURES[i]))
    assert labels == lp.Masks(PICTURES, void=3)
    assert labels != lp.Masks(PICTURES[:, ::-1], void=3)
    assert len(labels.values) == len(labels.owner) == len(labels.rle) == 0


def test_pictures_may_differ_in_size():
    labels = lp.Masks([np.zeros((2, 3), int), np.ones((4, 1), np.uint8)], classes=["road", "car"])
    assert labels.sizes.tolist() == [[3, 2], [1, 4]]
    assert labels.to_json() == {"sizes": [[3, 2], [1, 4]]}


def test_files_are_named_by_their_names(tmp_path):
    for name in ("b.png", "a.png"):
        Image.fromarray(PICTURES[0].astype(np.uint8)).save(tmp_path / name)
    assert lp.Masks([tmp_path / "b.png", tmp_path / "a.png"]).item_names.tolist() == ["b.png", "a.png"]


def test_nothing_is_void_unless_it_is_named():
    assert lp.Masks([[[0, 255]]]).classes[-1] == 255
    assert lp.Masks([[[0, 255]]], void=255).mask(0).tolist() == [[0, -1]]
    assert lp.Masks([[[0, -7, 1]]], void=[0, -7]).mask(0).tolist() == [[-1, -1, 1]]


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        ([[[0, 0], [0, 5]]], {"classes": ["a", "b"]}, "picture 0 has the value 5 at row 1, column 1.* 0 to 1.*void=5"),
        ([[[0]], [[1, -1]]], {}, "picture 1 has the value -1 at row 0, column 1.*void=-1"),
        ([[[0]]], {"classes": ["a", "a"]}, "a name twice"),
        ([[[0.5]]], {}, "mask 0 is float64"),
        ([[0, 1]], {}, r"mask 0 has shape \(2,\)"),
        (np.zeros((2, 2), int), {}, r"masks has shape \(2, 2\)"),
        ([], {}, "no picture"),
        ("masks", {}, "a list of paths"),
        (3, {}, "masks is a int"),
        (["nowhere.png"], {}, "nowhere.png"),
        ([[[0]]], {"void": "none"}, "void names 'none'"),
    ],
)
def test_what_is_no_mask_is_refused(masks, options, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Masks(masks, **options)


def test_colours_are_no_classes(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(lp.BadInput, match=r"holds colours \(RGB\)"):
        lp.Masks([tmp_path / "a.png"])
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(lp.BadInput, match="not a readable picture"):
        lp.Masks([tmp_path / "b.png"])


def test_a_label_is_what_differs_by_class():
    names = ["sky", "road", "car"]
    road, car = np.zeros((2, 3, 4), bool)
    road[0], car[1, 1:3] = True, True
    text = lp.Masks.to_text([["car", encode(car)], ["road", encode(road)], ["sky", "12"]], names)
    assert json.loads(text) == [["road", encode(road)], ["car", encode(car)]]
    assert lp.Masks.to_text(lp.Masks.from_text(text), names) == text
    assert lp.Masks.to_text([], names) == "[]"


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({}, "list of patches"),
        ("[]", "list of patches"),
        ([["car"]], "not a patch"),
        ([["tree", "1 3"]], "not one of the classes"),
        ([[0, "1 3"]], "not a patch"),
        ([["car", "1 3 x"]], "[Rr]un lengths"),
        ([["car", [1, 3]]], "[Rr]un lengths"),
        ([["car", "1 3"], ["car", "0 1 3"]], "Two patches have the same class"),
        ([["car", "1 3"], ["road", "1 4"]], "different sizes"),
        ([["car", "1 2 1"], ["road", "2 2"]], "Two patches overlap"),
    ],
)
def test_what_is_no_label_is_refused(label, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Masks.to_text(label, ["road", "car"])
