"""What holds for every kind of label: sites belong to items, roll up to them, and come back from what is saved."""

from __future__ import annotations

import json

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing.kinds import AUDITORS
from labelproof.labels import KINDS

N, K = 40, 3
RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, K, N)
PROBS = 0.7 * np.eye(K)[TRUE] + 0.1
SAID = np.where(RNG.random((N, 4)) < 0.8, TRUE[:, None], RNG.integers(0, K, (N, 4))).astype(object)
SAID[RNG.random((N, 4)) < 0.3] = None
SAID[7] = None
SIZES = RNG.integers(10, 90, N).astype(float)
WORDS = [[] if i == 7 else ["a", "b", "c"] for i in range(N)]
WRITTEN = [["B-0", "I-0", "B-1"][: len(words)] if i % 2 else ["O", "B-2", "O"] for i, words in enumerate(WORDS)]
DRAWN = [
    {"boxes": [] if i == 7 else [[5, 5, 60, 90], [70 + i, 20, 150, 70]], "labels": [] if i == 7 else ["0", "12"[i % 2]]}
    for i in range(N)
]
PREDICTED = [{**one, "scores": [0.9] * len(one["labels"])} for one in DRAWN]
WRITTEN_PROBS = [0.8 * (np.array(one, object).reshape(-1, 1) == ["B-0", "B-1", "B-2", "I-0", "O"]) + 0.04 for one in WRITTEN]
PICTURES = np.where(np.arange(N)[:, None, None] == 7, 9, np.repeat(np.repeat(RNG.integers(0, K, (N, 2, 2)), 8, 1), 8, 2))
PICTURE_PROBS = np.stack([0.7 * (code == PICTURES) + 0.1 for code in range(K)], axis=1)
PICTURE_PROBS /= PICTURE_PROBS.sum(axis=1, keepdims=True)

MADE = {
    "classes": (lambda: lp.Classes(np.where(np.arange(N) == 7, None, TRUE.astype(object)), classes=range(K)), PROBS, "1", "4"),
    "tags": (lambda: lp.Tags((RNG.random((N, K)) < 0.5).astype(int), names=["a", "b", "c"]), PROBS, ["c", "a"], ["d"]),
    "numbers": (lambda: lp.Numbers(np.where(np.arange(N) == 7, np.nan, SIZES + 0.5)), SIZES, 12.0, "a dozen"),
    "votes": (lambda: lp.Votes(SAID, classes=range(K)), PROBS, "1", "4"),
    "spans": (lambda: lp.Spans(WORDS, WRITTEN), WRITTEN_PROBS, [[1, 2, "1"], [0, 1, "0"]], [[0, 1, "4"]]),
    "boxes": (lambda: lp.Boxes(DRAWN), PREDICTED, [[9, 5, 60.5, 90, "1"], [5, 5, 60, 90, "0"]], [[5, 5, 60, 90, "4"]]),
    "masks": (lambda: lp.Masks(PICTURES, void=9), PICTURE_PROBS, [["2", "4 2"], ["0", "0 4 2"]], [["4", "0 6"]]),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_every_kind_has_a_row_here_and_an_auditor():
    assert set(MADE) == set(KINDS) == set(AUDITORS)


def test_sites_and_items(kind):
    made, probs, _, _ = MADE[kind]
    labels = lp.audit(made(), probs).labels if kind == "masks" else made()  # regions are known only by an audit
    assert (labels.kind, len(labels)) == (kind, N)
    assert len(labels.values) == len(labels.owner)
    assert (np.diff(labels.owner) >= 0).all()
    error = np.random.default_rng(1).random(len(labels.values))
    rolled = labels.rollup(error)
    for item in (0, 7, N - 1):
        own = error[labels.owner == item]
        assert np.isnan(rolled[item]) if not len(own) else np.isclose(rolled[item], 1 - np.prod(1 - own))
    assert len(labels.as_given(error, np.nan)) == (len(labels.values) if kind in ("spans", "boxes", "masks") else N)
    assert np.nansum(labels.as_given(error, np.nan)) == pytest.approx(error.sum())
    certain = np.zeros(len(labels.values))
    certain[0] = 1.0
    assert labels.rollup(certain)[labels.owner[0]] == 1.0
    assert set(labels.own_frame(np.arange(3))) == set(labels.own_columns) - set(labels.found_site_columns)
    assert labels != lp.Classes(["a", "b"])


def test_an_audit_comes_back(kind, tmp_path):
    made, probs, _, _ = MADE[kind]
    labels = made()
    found = lp.audit(labels, probs, ids=[f"i{i}" for i in range(N)])
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    labels = found.labels if kind == "masks" else labels
    assert again.labels == labels
    assert again.issues.equals(found.issues)
    for name, values in found.findings._asdict().items():
        assert np.array_equal(getattr(again.findings, name), values)
    assert again.error_rate == found.error_rate
    assert again.noise.to_frame().equals(found.noise.to_frame())
    assert {"true", "given", "probability"} <= set(found.noise.to_frame().columns)
    assert np.array_equal(again.error_probability, found.error_probability, equal_nan=True)
    assert found.issues.height == len(labels.values)
    assert found.items["index"].to_list() == list(range(N))
    assert json.loads((tmp_path / "audit" / "summary.json").read_text())["kind"] == kind
    assert repr(again) == repr(found)
    found.to_html(tmp_path / "report.html")
    assert len((tmp_path / "report.html").read_text()) > 5000


def test_a_persons_label_goes_to_text_and_back(kind):
    _, _, good, bad = MADE[kind]
    names = ["a", "b", "c"] if kind == "tags" else ["0", "1", "2"]
    own = KINDS[kind]
    text = own.to_text(good, names)
    assert own.to_text(own.from_text(text), names) == text
    for wrong in (bad, None, {"a": 1}, *(() if kind == "numbers" else (3,))):
        with pytest.raises(lp.BadInput):
            own.to_text(wrong, names)
