"""An audit of boxes: no noise, no finding; planted errors and their rates; and what is found without predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing.boxes.geometry import iou_of, overlapping
from labelproof.auditing.boxes.matching import assign

SIZE = (1000, 500)
RATES = {"missing": 0.08, "displaced": 0.08, "extra": 0.06, "class": 0.08}


def pictures(n, seed=0, slips=1.0):
    """Boxes of two classes of different size, and a detector that sees nearly all of them, and a little that is not there."""
    rng = np.random.default_rng(seed)
    true, predicted = [], []
    for _ in range(n):
        m = rng.poisson(3)
        code = rng.integers(0, 2, m)
        size = np.array([[60, 40], [80, 160]])[code] * np.exp(rng.normal(0, 0.2, (m, 1)))
        corner = rng.random((m, 2)) * (np.array(SIZE) - size)
        box = np.hstack([corner, corner + size])
        true.append({"boxes": box, "labels": np.array(["cat", "dog"])[code]})
        f = rng.poisson(slips)
        wild = rng.random((f, 2)) * 400
        predicted.append(
            {
                "boxes": np.vstack([box + rng.normal(0, 0.04, (m, 4)) * np.tile(size, 2), np.hstack([wild, wild + 60])]),
                "labels": np.r_[np.where(rng.random(m) < 0.95, code, 1 - code), rng.integers(0, 2, f)],
                "scores": np.r_[rng.beta(6, 1, m), rng.beta(1, 8, f)],
            }
        )
    return true, predicted


@pytest.fixture(scope="module")
def spoiled():
    true, predicted = pictures(400)
    noisy = lp.simulate.boxes(true, RATES, sizes=np.tile(SIZE, (400, 1)), random_state=0)
    return noisy, predicted, lp.audit(lp.Boxes(noisy.labels), predicted, classes=["cat", "dog"])


def test_an_optimal_assignment_is_no_greedy_one():
    # the first takes the best prediction for itself, if nobody asks for the sum
    chosen = assign(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.7]), 2, 2)
    assert chosen.tolist() == [1, 2]


def test_pairs_are_those_of_one_picture(monkeypatch):
    rng = np.random.default_rng(0)
    owner, others = np.sort(rng.integers(0, 6, 40)), np.sort(rng.integers(0, 6, 50))
    corner, corner2 = rng.random((40, 2)), rng.random((50, 2))
    a, b = np.hstack([corner, corner + 0.5]), np.hstack([corner2, corner2 + 0.4])
    expected = {
        (i, j): iou_of(a[[i]], b[[j]])[0]
        for i in range(40)
        for j in range(50)
        if owner[i] == others[j] and iou_of(a[[i]], b[[j]])[0] > 0.2
    }
    for most in (7, 10**6):
        monkeypatch.setattr("labelproof.auditing.boxes.geometry.MOST_PAIRS", most)
        found = overlapping(a, owner, b, others, 0.2)
        assert dict(
            zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.iou, strict=True)
        ) == pytest.approx(expected)


def test_without_noise_there_is_nothing_to_find():
    true, predicted = pictures(300)
    found = lp.audit(lp.Boxes(true), predicted, classes=["cat", "dog"])
    assert found.error_rate.estimate < 0.03
    assert all(rate.estimate < 0.015 for rate in found.noise.rates.values())
    assert (found.issues["error_probability"] > 0.5).sum() <= 0.02 * found.sites


def test_planted_errors_come_first_and_their_rates_are_told(spoiled):
    noisy, _, found = spoiled
    order = np.argsort(-found.items["error_probability"].to_numpy())
    assert noisy.changed[order[: noisy.changed.sum()]].mean() > 0.88
    given = sum(len(one["labels"]) for one in noisy.labels)
    for kind, rate in found.noise.rates.items():
        many = sum(error.kind == kind for error in noisy.errors)
        of = given - sum(error.kind == "extra" for error in noisy.errors) + many if kind == "missing" else given
        assert rate.estimate == pytest.approx(many / of, abs=0.035)
        assert rate.low <= rate.estimate <= rate.high
    kinds = {(error.picture, error.kind) for error in noisy.errors}
    sure = found.issues.filter(found.issues["error_probability"] > 0.9)
    hits = [(index, kind) in kinds for index, kind in sure.select("index", "kind").rows()]
    assert len(hits) > 100 and np.mean(hits) > 0.85


def test_what_is_suggested(spoiled):
    noisy, _, found = spoiled
    table = {(row["index"], row["box"]): row for row in found.issues.to_dicts()}
    near = []
    for error in noisy.errors:
        if error.kind not in ("displaced", "class"):
            continue
        row = table[error.picture, error.number]
        if row["kind"] == error.kind and row["error_probability"] > 0.5:
            suggested = np.array([[row[f"suggested_{edge}"] for edge in ("x1", "y1", "x2", "y2")]])
            near.append(iou_of(suggested, np.array([error.true[:4]]))[0] > 0.6 and row["suggested_label"] == error.true[4])
    assert len(near) > 50 and np.mean(near) > 0.85
    for row in table.values():
        if row["kind"] == "extra":
            assert row["suggested_x1"] is None and row["suggested_label"] is None
        if row["kind"] == "missing":
            assert row["given_label"] is None and row["suggested_x1"] == row["x1"]
        if row["kind"] is None:
            assert (row["suggested_x1"], row["suggested_y2"]) == (row["x1"], row["y2"])


def test_items_hold_what_was_given_and_what_is_suggested(spoiled):
    noisy, _, found = spoiled
    for one, text in zip(noisy.labels, found.items["given_boxes"], strict=True):
        given = json.loads(text)
        assert [box[4] for box in given] == list(one["labels"])
        assert np.array([box[:4] for box in given]).reshape(-1, 4) == pytest.approx(one["boxes"], abs=1e-3)
    missing = found.issues.filter((found.issues["kind"] == "missing") & (found.issues["error_probability"] > 0.5)).row(
        0, named=True
    )
    assert [round(missing[f"x{i}"], 3) for i in (1, 2)] in [
        [box[0], box[2]] for box in json.loads(found.items["suggested_boxes"][missing["index"]])
    ]


def test_the_order_of_boxes_within_pictures_does_not_matter(spoiled):
    noisy, predicted, found = spoiled
    turned = [{key: values[::-1] for key, values in one.items()} for one in noisy.labels]
    again = lp.audit(
        lp.Boxes(turned), [{key: values[::-1] for key, values in one.items()} for one in predicted], classes=["cat", "dog"]
    )
    one, two = (audit.items["error_probability"].to_numpy() for audit in (found, again))
    assert np.corrcoef(one, two)[0, 1] > 0.97
    assert again.error_rate.estimate == pytest.approx(found.error_rate.estimate, abs=0.03)


def test_the_order_of_pictures_does_not_matter(spoiled):
    noisy, predicted, found = spoiled
    order = np.random.default_rng(1).permutation(len(predicted))
    again = lp.audit(lp.Boxes([noisy.labels[i] for i in order]), [predicted[i] for i in order], classes=["cat", "dog"])
    one, two = found.items["error_probability"].to_numpy()[order], again.items["error_probability"].to_numpy()
    assert np.corrcoef(one, two)[0, 1] > 0.93


def test_probs_say_what_scores_do(spoiled):
    noisy, predicted, found = spoiled
    as_probs = [
        {"boxes": one["boxes"], "probs": np.eye(2)[one["labels"].astype(int)] * one["scores"][:, None]} for one in predicted
    ]
    again = lp.audit(lp.Boxes(noisy.labels), as_probs)
    assert again.items["error_probability"].to_numpy() == pytest.approx(found.items["error_probability"].to_numpy(), abs=1e-9)


def test_one_missing_box_is_found_among_good_ones():
    true, predicted = pictures(150, slips=0)
    place = next(i for i, one in enumerate(true) if len(one["labels"]) > 1)
    true[place] = {key: values[1:] for key, values in true[place].items()}
    found = lp.audit(lp.Boxes(true), predicted, classes=["cat", "dog"])
    worst = found.issues.filter(found.issues["kind"] == "missing").row(0, named=True)
    assert worst["index"] == place and worst["error_probability"] > 0.5


def test_what_is_found_without_predictions():
    drawn = [{"boxes": [[10, 10, 60, 90], [100, 50, 180, 120]], "labels": ["a", "b"]} for _ in range(30)]
    wrong = [
        [60, 90, 10, 10],
        [10, 10, 60, 90.5],
        [5, 5, 5, 40],
        [700, 10, 790, 80],
        [0.1, 0.1, 0.4, 0.9],
        [20, 410, 60, 595],
        [-80, 10, 20, 60],
    ]
    drawn[0] = {"boxes": [*drawn[0]["boxes"], *wrong], "labels": ["a", "b", *"aaaaaaa"]}
    with pytest.warns(lp.DoubtWarning, match="No predictions"):
        found = lp.audit(lp.Boxes(drawn, sizes=np.tile([640, 480], (30, 1))), None)
    rows = found.issues.filter(found.issues["error_probability"] > 0).sort("box")
    assert dict(rows.select("box", "reason").rows()) == {
        2: "order", 3: "duplicate", 4: "empty", 5: "outside", 6: "unit", 7: "outside", 8: "outside",
    }  # fmt: skip
    assert rows["kind"].to_list() == ["displaced", "extra", "extra", "extra", "displaced", "displaced", "displaced"]
    suggested = rows.select("suggested_x1", "suggested_y1", "suggested_x2", "suggested_y2").rows()
    assert suggested[0] == (10, 10, 60, 90)
    assert suggested[1] == (None,) * 4
    assert suggested[4] == pytest.approx((64, 48, 256, 432))
    assert suggested[5] == (20, 410, 60, 480)
    assert not found.believed and found.items["error_probability"][1] == 0


def test_exchanged_axes_are_turned_back():
    drawn = [{"boxes": [[500, 100, 600, 200]], "labels": ["a"]}, {"boxes": [[100, 500, 200, 600]], "labels": ["a"]}]
    with pytest.warns(lp.DoubtWarning):
        found = lp.audit(lp.Boxes(drawn, sizes=[[640, 480]] * 2), None)
    worst = found.issues.row(0, named=True)
    assert (worst["index"], worst["reason"], worst["suggested_x1"], worst["suggested_y1"]) == (1, "order", 500, 100)


def test_predictions_that_are_written_otherwise_are_told():
    true, predicted = pictures(60)
    for one in predicted:
        one["boxes"] = np.hstack([one["boxes"][:, :2], one["boxes"][:, 2:] - one["boxes"][:, :2]])
    with pytest.warns(lp.DoubtWarning, match="width and height"):
        found = lp.audit(lp.Boxes(true), predicted, classes=["cat", "dog"])
    assert not found.believed


def test_predictions_of_the_very_labels_and_of_other_classes_are_told():
    true, _ = pictures(60)
    copies = [{**one, "scores": np.ones(len(one["labels"]))} for one in true]
    with pytest.warns(lp.DoubtWarning, match="to the pixel"):
        lp.audit(lp.Boxes(true), copies)
    copies[0] = {"boxes": [[0, 0, 9, 9]], "labels": ["zebra"], "scores": [0.5]}
    with pytest.warns(lp.DoubtWarning, match="zebra"):
        lp.audit(lp.Boxes(true), copies)


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([{"boxes": [[0, 0, 1, 1]], "labels": ["a"]}], "'scores'"),
        ([{"boxes": [[0, 0, 1, 1]], "labels": ["a"], "scores": [2]}], "score of box 0 of picture 0"),
        ([{"boxes": [[0, 0, 1, 1]], "labels": ["z"], "scores": [1]}], "predictions have no class"),
        ([{"boxes": [[0, 0, 1, 1]], "probs": [[0.5, 0.2, 0.1]]}], "columns"),
        ([], "predictions cover 0 pictures"),
        (3, "list"),
    ],
)
def test_predictions_that_are_none_are_refused(predicted, message):
    labels = lp.Boxes([{"boxes": [[0, 0, 1, 1], [3, 3, 9, 9]], "labels": ["a", "b"]}])
    with pytest.raises(lp.BadInput, match=message):
        lp.audit(labels, predicted)


def test_no_box_at_all_is_refused():
    with pytest.raises(lp.BadInput, match="no boxes"):
        lp.audit(lp.Boxes([{"boxes": [], "labels": []}], classes=["a"]), [{"boxes": [], "labels": [], "scores": []}])
