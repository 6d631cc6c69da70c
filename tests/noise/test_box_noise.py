"""Boxes made wrong on purpose, and the noise of an audit of boxes."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.noise.boxes import BoxNoise, Rate, expected_of

CLEAN = [{"boxes": [[10 * i, 10, 10 * i + 40, 60], [200, 50, 260, 90]], "labels": ["cat", "dog"]} for i in range(500)]


def test_each_kind_of_error_does_what_it_says():
    for kind in ("missing", "extra", "displaced", "class"):
        noisy = lp.simulate.boxes(CLEAN, 0.3, kinds=[kind], random_state=0)
        assert {error.kind for error in noisy.errors} == {kind}
        assert len(noisy.errors) == pytest.approx(300, rel=0.2)
        assert set(np.flatnonzero(noisy.changed)) == {error.picture for error in noisy.errors}
        for error in noisy.errors:
            assert (error.true is None) == (kind == "extra") and (error.given is None) == (kind == "missing")
            if error.number is not None:
                own = noisy.labels[error.picture]
                assert (*own["boxes"][error.number].tolist(), own["labels"][error.number]) == error.given
            if kind == "displaced":
                before, after = np.array(error.true[:4]), np.array(error.given[:4])
                far = (after - before)[:2] / (before[2:] - before[:2])
                assert 0.2499 <= np.hypot(*far) <= 0.5001 and after[2:] - after[:2] == pytest.approx(before[2:] - before[:2])
            if kind == "class":
                assert error.given[:4] == error.true[:4] and error.given[4] != error.true[4]


def test_rates_by_kind_and_none():
    noisy = lp.simulate.boxes(CLEAN, {"missing": 0.2, "class": 0.1}, random_state=0)
    counts = {kind: sum(error.kind == kind for error in noisy.errors) for kind in ("missing", "class")}
    assert counts["missing"] == pytest.approx(200, rel=0.2) and counts["class"] == pytest.approx(100, rel=0.3)
    assert not lp.simulate.boxes(CLEAN, 0.0, random_state=0).changed.any()
    with pytest.raises(lp.BadInput, match="kinds"):
        lp.simulate.boxes(CLEAN, 0.1, kinds=["lost"])
    with pytest.raises(lp.BadInput, match="sum to more"):
        lp.simulate.boxes(CLEAN, {"missing": 0.7, "displaced": 0.7})


def test_extra_boxes_lie_in_their_pictures():
    noisy = lp.simulate.boxes(CLEAN, 0.5, kinds=["extra"], sizes=np.tile([300, 200], (500, 1)), random_state=0)
    added = np.array([error.given[:4] for error in noisy.errors])
    assert (added[:, :2] >= 0).all() and (added[:, 2] <= 300).all() and (added[:, 3] <= 200).all()


def noise():
    given = np.array([[0.1, 0.0, 0.5], [0.0, 1.0, 0.0]])
    expected = expected_of(given, np.array([0, 4]), np.array([0.25]), np.array([0]), 2)
    rates = {
        "missing": Rate(0.1, 0.0, 0.2),
        "displaced": Rate(0.05, 0.0, 0.1),
        "extra": Rate(0.5, 0.1, 0.9),
        "class": Rate(0.2, 0, 1),
    }
    return BoxNoise(rates, expected, np.array([[0.5, 0.0], [0.5, 0.0]]), (20.0, 40.0), ("cat", "dog"))


def test_rates_by_class_and_size():
    found = noise()
    assert found.by_size("displaced")[0].tolist() == pytest.approx([0.1, np.nan, np.nan], nan_ok=True)
    assert found.by_size("missing")[0, 0] == pytest.approx(0.25 / 1.25)
    assert np.isnan(found.by_size("missing")[1, 1])  # the only box that was given is extra
    table = found.to_frame()
    whole = table.filter(table["size"].is_null() & table["true"].is_null() & table["given"].is_null())
    assert whole["kind"].to_list() == ["missing", "displaced", "extra", "class"]
    assert whole["probability"].to_list() == [0.1, 0.05, 0.5, 0.2]
    pair = table.filter((table["kind"] == "class") & (table["true"] == "dog"))
    assert (pair["given"][0], pair["probability"][0]) == ("cat", 1.0)


def test_noise_comes_back_from_json():
    found = noise()
    again = BoxNoise.from_json({**found.to_json(), "classes": ["cat", "dog"]})
    assert again.to_frame().equals(found.to_frame()) and again.edges == found.edges
