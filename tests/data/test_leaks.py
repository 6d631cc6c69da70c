"""Columns that give the label away are found, left out where they are copies, and told in everything that shows figures."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.data.leaks import find_leaks
from labelproof.report.html import part_of

CODES = np.array([0, 1, 2] * 20)


def kinds(frame, codes=CODES):
    return [(leak.column, leak.kind) for leak in find_leaks(frame, codes)]


def test_copies_row_numbers_and_columns_with_one_label_a_value():
    rows = np.arange(60)
    frame = pl.DataFrame(
        {"copy": np.array(["x", "y", "z"])[CODES], "finer": CODES * 2 + rows % 2, "row": rows, "other": rows % 7}
    )
    assert kinds(frame) == [("copy", "equals"), ("finer", "tells")]
    by_label = np.argsort(CODES, kind="stable")
    assert kinds(pl.DataFrame({"row": rows, "down": -rows, "mixed": rows[::-1] % 50}), CODES[by_label]) == [
        ("row", "counts rows"), ("down", "counts rows")]  # fmt: skip


def test_what_only_goes_with_the_label_is_no_copy():
    noisy = CODES.copy()
    noisy[:3] = (noisy[:3] + 1) % 3
    assert kinds(pl.DataFrame({"a": noisy})) == []
    assert kinds(pl.DataFrame({"name": [f"n{i}" for i in range(60)]})) == []
    assert kinds(pl.DataFrame({"copy": CODES[:10]}), CODES[:10]) == []
    some = np.where(np.arange(60) < 6, -1, CODES)
    assert kinds(pl.DataFrame({"copy": np.where(some < 0, 0, CODES)}), some) == [("copy", "equals")]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, 2, 200))
    path = tmp_path / "t.csv"
    pl.DataFrame({"": np.arange(200), "a": y + rng.normal(0, 0.4, 200), "copy": y + 5, "y": np.array(["n", "p"])[y]}).write_csv(
        path
    )
    return path


def test_copies_are_left_out_unless_the_caller_keeps_them(table):
    data = lp.read_table(table, "y")
    assert data.x.columns == ["a"]
    assert [(leak.column, leak.excluded) for leak in data.leaks] == [("", True), ("copy", True)]
    assert lp.read_table(table, "y", keep=["copy"]).x.columns == ["a", "copy"]
    assert lp.read_table(table, "y", features=["a", "copy"]).x.columns == ["a", "copy"]
    assert lp.read_table(table, "y", ignore=["a", ""], keep=["copy"]).x.columns == ["copy"]
    with pytest.raises(lp.BadInput, match="--ignore 'cpy' is not a column"):
        lp.read_table(table, "y", ignore=["cpy"])


def test_the_audit_says_so_wherever_it_shows_figures(table, tmp_path):
    data = lp.read_table(table, "y", features=["a", "copy"])
    with pytest.warns(lp.DoubtWarning, match="'copy' equals the label"):
        audit = lp.audit(data, np.eye(2)[data.given] * 0.8 + 0.1)
    assert [doubt.kind for doubt in audit.doubts] == ["a column equals the label"]
    assert audit.doubts[0].evidence == {"column": "copy", "excluded": False, "values": 2}
    audit.save(tmp_path / "audit")
    assert lp.Audit.load(tmp_path / "audit").doubts == audit.doubts
    audit.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.index("equals the label") < page.index('class="headline"')
    assert "equals the label" in audit._repr_html_()


def test_columns_of_a_frame_are_ignored_and_kept_by_an_audit_in_memory():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400)
    given = np.where(rng.random(400) < 0.1, 1 - true, true)
    frame = pl.DataFrame({"a": true + rng.normal(0, 0.4, 400), "code": np.array(["X", "D"])[given], "y": given})
    with pytest.warns(lp.DoubtWarning, match="so it was excluded"):
        found = lp.audit(frame, label="y")
    assert part_of(found).trust(found).startswith(("high", "moderate"))  # it was not learned from
    with pytest.warns(lp.DoubtWarning, match="which hides errors") as seen:
        kept = lp.audit(frame, label="y", keep=["code"])
    assert seen[0].filename == __file__  # the warning names the line of the caller
    assert not kept.believed
    quiet = lp.audit(frame, label="y", ignore=["code"])
    assert quiet.doubts == []
    assert np.array_equal(quiet.error_probability, found.error_probability)
    with pytest.raises(lp.BadInput, match="ignore and keep name columns of a frame"):
        lp.audit(given, np.full((400, 2), 0.5), ignore=["code"])
    with pytest.raises(lp.BadInput, match=r"'id' is no option of an audit of classes\. Did you mean 'ids'"):
        lp.audit(frame, label="y", id="a")
    with pytest.raises(lp.BadInput, match="is a file of items"):
        lp.audit("loans.csv", label="y")


def test_a_column_of_names_that_is_not_given_as_the_id_is_noted():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    frame = pl.DataFrame({"name": [f"L{i:03}" for i in range(60)], "a": y + rng.normal(0, 0.4, 60), "y": y})
    with pytest.warns(lp.LabelproofWarning, match="same value of the column 'name'"):
        lp.read_frame(frame, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lp.read_frame(frame, "y", ids="name")
        lp.read_frame(frame.with_columns(name=pl.col("name") + " Smith"), "y")  # texts may well differ
