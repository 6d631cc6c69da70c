"""Boxes as labels: what is refused, sites for what is missing, and the JSON of a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelproof as lp
from labelproof.labels.boxes import as_json, json_of_pictures

EDGE = st.floats(-5000, 5000, allow_nan=False)


def test_sites_are_in_the_order_of_picture_and_number():
    labels = lp.Boxes(
        [
            {"boxes": [[10, 10, 50, 90], [60, 5, 80, 40]], "labels": ["dog", "cat"]},
            {"boxes": [], "labels": []},
            {"boxes": np.array([[1, 2, 3, 4]]), "labels": np.array(["dog"])},
        ]
    )
    assert labels.classes == ("cat", "dog")
    assert labels.values.tolist() == [1, 0, 1]
    assert labels.owner.tolist() == [0, 0, 2]
    assert labels.number.tolist() == [0, 1, 0]
    assert (labels.n, labels.labelled) == (3, 3)
    assert labels.given_boxes() == [[(10, 10, 50, 90, "dog"), (60, 5, 80, 40, "cat")], [], [(1, 2, 3, 4, "dog")]]


def test_missing_boxes_are_numbered_on_after_the_given_ones():
    labels = lp.Boxes([{"boxes": [[0, 0, 1, 1]] * 2, "labels": [0, 1]}, {"boxes": [], "labels": []}])
    more, order = labels.with_missing(np.array([1, 0, 1]), np.array([[5, 5, 6, 6], [7, 7, 8, 8], [9, 9, 10, 10.0]]))
    assert more.owner.tolist() == [0, 0, 0, 1, 1]
    assert more.number.tolist() == [0, 1, 2, 0, 1]
    assert more.values.tolist() == [0, 1, -1, -1, -1]
    assert order.tolist() == [0, 1, 3, 2, 4]
    assert more.box[:, 0].tolist() == [0, 0, 7, 5, 9]


def test_classes_by_name_and_by_number():
    drawn = [{"boxes": [[0, 0, 1, 1]] * 2, "labels": [1, 0]}]
    assert lp.Boxes(drawn).classes == (0, 1)
    named = lp.Boxes(drawn, classes=["dog", "cat"])
    assert named.classes == ("dog", "cat") and named.values.tolist() == [1, 0]
    with pytest.raises(lp.BadInput, match="not one of the classes"):
        lp.Boxes(drawn, classes=["dog"])


def test_sizes_may_be_unknown():
    drawn = [{"boxes": [], "labels": [], "size": (640, 480)}, {"boxes": [], "labels": []}]
    sizes = lp.Boxes(drawn).sizes
    assert sizes is not None and sizes[0].tolist() == [640, 480] and np.isnan(sizes[1]).all()
    assert lp.Boxes(drawn[1:]).sizes is None
    with pytest.raises(lp.BadInput, match="size of picture 1"):
        lp.Boxes(drawn, sizes=[[640, 480], [0, 480]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([{"boxes": [[1, 2, 3]], "labels": ["a"]}], "picture 0.*shape"),
        ([{"boxes": [], "labels": []}, {"boxes": [[1, 2, 3, np.nan]], "labels": ["a"]}], "box 0 of picture 1"),
        ([{"boxes": [[1, 2, 3, np.inf]], "labels": ["a"]}], "box 0 of picture 0"),
        ([{"boxes": [[1, 2, 3, 4]], "labels": []}], "picture 0.*differ in number"),
        ([{"boxes": [[1, 2, 3, 4]], "labels": [1.5]}], "label of box 0"),
        ([{"boxes": [[1, 2, 3, 4]]}], "no 'labels'"),
        ([{"labels": ["a"]}], "boxes"),
        ([[1, 2, 3, 4]], "dict"),
        ({"boxes": []}, "dict"),
    ],
)
def test_what_is_no_box_is_refused_by_picture_and_box(wrong, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Boxes(wrong)


def test_boxes_that_cannot_be_right_are_taken():
    labels = lp.Boxes([{"boxes": [[50, 90, 10, 10], [-9, -9, -1, -1], [5, 5, 5, 5]], "labels": ["a"] * 3}])
    assert len(labels.values) == 3


@given(st.lists(st.tuples(EDGE, EDGE, EDGE, EDGE, st.sampled_from(["cat", 'a "dog"', "Ä"])), max_size=4))
def test_the_json_of_all_pictures_is_that_of_each(boxes):
    classes = ("cat", 'a "dog"', "Ä")
    corners = np.array([box[:4] for box in boxes], float).reshape(-1, 4)
    codes = np.array([classes.index(box[4]) for box in boxes], np.int64)
    found = json_of_pictures(np.ones(len(boxes), np.int64), corners, codes, classes, 3)
    assert found.to_list() == ["[]", as_json(boxes), "[]"]
    assert json.loads(found[1]) == json.loads(as_json(boxes))


def test_text_is_sorted_and_whole_numbers_have_no_decimals():
    text = lp.Boxes.to_text([[10, 5.25, 30, 40.0, "dog"], [1.00049, 2, 3, 4, "cat"]], ["cat", "dog"])
    assert text == '[[1, 2, 3, 4, "cat"], [10, 5.25, 30, 40, "dog"]]'
    assert lp.Boxes.to_text(lp.Boxes.from_text(text), ["cat", "dog"]) == text


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, "bird"]],
        [[3, 2, 1, 4, "cat"]],
        [[1, 4, 3, 4, "cat"]],
        [[1, 2, 1.0001, 4, "cat"]],
        [[1, 2, float("nan"), 4, "cat"]],
        [[1, 2, True, 4, "cat"]],
        [["1", 2, 3, 4, "cat"]],
        ["abcde"],
    ],
)
def test_what_is_no_label_of_a_picture_is_refused(wrong):
    with pytest.raises(lp.BadInput):
        lp.Boxes.to_text(wrong, ["cat", "dog"])
