"""Votes of several annotators, audited vote by vote."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import labelproof as lp


@pytest.fixture
def voted():
    """True classes, and what three annotators of falling quality said of some of the items."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    names = np.array(["ant", "bee", "cat"], dtype=object)
    columns = {}
    for name, right in (("Ann", 0.95), ("Bo", 0.8), ("Cem", 0.55)):
        said = np.where(rng.random(600) < right, true, (true + rng.integers(1, 3, 600)) % 3)
        columns[name] = np.where(rng.random(600) < 0.8, names[said], None)
    columns["Ann"][0] = columns["Bo"][0] = columns["Cem"][0] = None
    return true, names, pl.DataFrame(columns)


def test_every_vote_is_judged_by_the_others(voted):
    true, names, table = voted
    labels = lp.Votes(table)
    found = lp.audit(labels)
    assert found.error_probability.shape == (600, 3)
    said = table.to_numpy()
    given = np.array([[value is not None for value in row] for row in said])
    assert (~np.isnan(found.error_probability) == given).all()
    wrong = said != names[true][:, None]
    flagged = found.error_probability > 0.5
    assert wrong[given & flagged].mean() > 0.85
    assert flagged[given & wrong].mean() > 0.7
    rates = (
        found.noise.to_frame().filter(pl.col("true") == pl.col("given")).group_by("annotator").agg(pl.col("probability").mean())
    )
    right = dict(rates.iter_rows())
    assert right["Ann"] > right["Bo"] > right["Cem"]
    assert found.issues["error_probability"].is_sorted(descending=True)
    assert np.isnan(found.items["error_probability"][0])  # nobody looked at it
    assert repr(found).startswith(f"Audit of {given.sum():,} votes of 3 annotators on 600 items")


def test_a_model_is_heard_beside_the_annotators(voted):
    true, names, table = voted
    rng = np.random.default_rng(1)
    logits = 3 * np.eye(3)[true] + rng.normal(0, 1, (600, 3))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    alone, heard = lp.audit(lp.Votes(table)), lp.audit(lp.Votes(table), probs)
    looked = 1 + np.flatnonzero(~np.isnan(alone.items["error_probability"].to_numpy()[1:]))

    def right(found):
        best = dict(zip(found.issues["index"], found.issues["suggested_label"], strict=True))
        return np.mean([best[row] == names[true[row]] for row in looked])

    assert right(heard) > right(alone) + 0.03
    with pytest.raises(lp.BadInput, match="pred_probs is"):
        lp.audit(lp.Votes(table), probs[:, :2] / probs[:, :2].sum(axis=1, keepdims=True))


def test_there_and_back(voted, tmp_path):
    found = lp.audit(lp.Votes(voted[2].head(80)), ids=[f"i{i}" for i in range(80)])
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.labels == found.labels
    assert again.labels.annotators == found.labels.annotators
    assert (again.labels.table == found.labels.table).all()
    assert again.issues.equals(found.issues)
    assert again.noise.to_frame().equals(found.noise.to_frame())
    assert np.array_equal(again.error_probability, found.error_probability, equal_nan=True)
    again.to_html(tmp_path / "report.html")
    assert "votes" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("votes", "more", "message"),
    [
        ([["a", "b"]], {"annotators": ["Ann"]}, "2 different names"),
        ([["a", "b"]], {"annotators": ["Ann", "Ann"]}, "2 different names"),
        (["a", "b"], {}, "one row per item and one column per reviewer"),
    ],
)
def test_bad_input(votes, more, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Votes(votes, **more)


def test_votes_that_cannot_be_compared_are_doubted(voted):
    true, names, table = voted
    rows = np.arange(600)
    with pytest.warns(lp.DoubtWarning, match="nothing shows which votes are wrong"):
        found = lp.audit(lp.Votes.from_long(rows, rows % 4, names[true]))
    assert [doubt.kind for doubt in found.doubts] == ["votes that nothing can be compared with"]
    probs = 0.85 * np.eye(3)[true] + 0.05
    assert lp.audit(lp.Votes.from_long(rows, rows % 4, names[true]), probs).doubts == []
    assert lp.audit(lp.Votes(table)).doubts == []


def test_votes_at_random_are_doubted():
    said = np.random.default_rng(0).integers(0, 3, (500, 6))
    with pytest.warns(lp.DoubtWarning, match="hardly agree more than by chance"):
        assert lp.audit(lp.Votes(said)).doubts[0].evidence["gain"] < 0.02


def test_what_is_found_of_items(voted, tmp_path):
    true, names, table = voted
    found = lp.audit(lp.Votes(table))
    items = found.items
    assert items.columns == [
        "index",
        "id",
        "consensus",
        "error_probability",
        "votes",
        "agreement",
        "value_of_vote",
        "posterior",
    ]
    posterior = items["posterior"].to_numpy()
    assert np.allclose(posterior.sum(axis=1), 1, atol=1e-5)
    assert items["consensus"][0] is None  # nobody looked at it
    assert (items["votes"][0], np.isnan(items["agreement"][0])) == (0, True)
    known = items[1:].filter(pl.col("votes") > 0)
    assert np.allclose(known["error_probability"], 1 - known["posterior"].to_numpy().max(axis=1), atol=1e-6)
    said = table.to_numpy()
    row = known.row(5, named=True)
    own = [value for value in said[row["index"]] if value is not None]
    assert row["votes"] == len(own)
    assert row["agreement"] == pytest.approx(np.mean([value == row["consensus"] for value in own]))
    right = (known["consensus"].to_numpy() == names[true[known["index"]]]).mean()
    assert abs(known["error_probability"].mean() - (1 - right)) < 0.04
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.items.equals(items)
    assert again.noise.quality.equals(found.noise.quality)
    assert np.array_equal(again.noise.matrices, found.noise.matrices)
    assert again.noise.fitted == found.noise.fitted


def test_a_model_speaks_of_items_without_a_vote(voted):
    true, names, table = voted
    probs = 0.85 * np.eye(3)[true] + 0.05
    first = lp.audit(lp.Votes(table), probs).items.row(0, named=True)
    assert first["consensus"] == names[true[0]]
    assert 0 < first["error_probability"] < 0.2
    assert first["value_of_vote"] >= 0
