"""Reviews of votes: which item is asked for, what a reviewer's vote does, and how answers travel."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.exchange.spreadsheet import read_csv, write_csv
from labelproof.review.plan.queue import make_queue

NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture
def folder(tmp_path):
    """An audit of 90 items, the first of which are split between two classes."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(90):
        for a in range(3):
            wrong = a == 0 if i < 10 else rng.random() < 0.1
            rows.append({"id": f"i{i}", "worker": "ABC"[a], "y": str(NAMES[(i + wrong) % 3])})
    pl.DataFrame(rows).write_csv(tmp_path / "votes.csv")
    lp.audit(lp.read_votes(tmp_path / "votes.csv", item="id", annotator="worker", label="y")).save(tmp_path / "audit")
    return tmp_path / "audit"


def test_the_hunt_goes_by_what_a_vote_is_worth(folder, session_of):
    items = pl.read_parquet(folder / "items.parquet")
    session = session_of(folder, budget=20, measure=0.0)
    asked = [session.candidates.table["id"][rank] for rank in session.next("Ann", 5)]
    worth = dict(items.select("id", "value_of_vote").iter_rows())
    assert [worth[item] for item in asked] == sorted(worth.values(), reverse=True)[:5]
    error, value = np.array([0.6, 0.5, 0.1]), np.array([0.0, 0.2, 0.3])
    assert make_queue(error, 3, measure=0.0).rows.tolist() == [0, 1, 2]
    assert make_queue(error, 3, worth=value, measure=0.0).rows.tolist() == [2, 1, 0]


def test_a_vote_decides_what_is_open_and_not_what_is_clear(folder, session_of):
    session = session_of(folder)
    part, ids = session.candidates.part, session.candidates.table["id"].to_list()
    error = session.candidates.error_probability
    torn, clear = int(np.argmax(part.worth())), int(np.argmin(error))
    posterior = np.array(session.candidates.table["posterior"][torn])
    second = session.candidates.classes[int(np.argsort(-posterior)[1])]
    session.decide("Ann", torn, "relabel", second, "uid-torn-0001")
    other = next(name for name in NAMES.tolist() if name != part.given(clear))
    session.decide("Ann", clear, "relabel", other, "uid-clear-001")
    outcomes = part.outcomes(session.decisions)
    assert outcomes[ids[torn]].label == second
    assert outcomes[ids[clear]].label == part.given(clear)  # three votes against one, and two reviewers overturn anything
    session.decide("Bo", clear, "relabel", other, "uid-clear-002")
    assert part.outcomes(session.decisions)[ids[clear]].label == other
    session.decide("Ann", 3, "none", None, "uid-none-0001")
    assert part.outcomes(session.decisions)[ids[3]].label is None
    assert session.figures().reviewed == 3


def test_the_page_is_told_the_votes(folder, session_of):
    candidates = session_of(folder).candidates
    rank = candidates.ranks_of(["i3"])["i3"]
    told = candidates.part.described(rank)
    assert [(vote["annotator"], vote["label"]) for vote in told["votes"]] == [("A", "bee"), ("B", "ant"), ("C", "ant")]
    assert all(0 < vote["quality"] < 1 for vote in told["votes"])
    assert sorted(told["likely"]) == [0, 1, 2]
    assert told["likely"][0] == told["given"]


def test_another_vote_is_another_data_set(folder, tmp_path):
    table = pl.read_csv(tmp_path / "votes.csv")
    table[0, "y"] = "cat"
    table.write_csv(tmp_path / "votes.csv")
    lp.audit(lp.read_votes(tmp_path / "votes.csv", item="id", annotator="worker", label="y")).save(tmp_path / "other")
    assert open_candidates(folder).fingerprint != open_candidates(tmp_path / "other").fingerprint


def test_answers_come_by_spreadsheet_and_none_of_them_empties(folder, session_of, tmp_path):
    session = session_of(folder, budget=12, measure=0.0)
    write_csv(session, tmp_path / "reviews.csv", False)
    sheet = pl.read_csv(tmp_path / "reviews.csv")
    answered = sheet.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("cat")).otherwise(pl.col("label")).alias("label"),
        pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("none")).otherwise(pl.col("decision")).alias("decision"),
        pl.lit("Ann").alias("reviewer"),
    )
    answered.write_csv(tmp_path / "reviews.csv")
    read_csv(session, tmp_path / "reviews.csv")
    assert {d.action for d in session.decisions} >= {"none"}
    repair(session.candidates, session.store, tmp_path / "clean.csv")
    clean = dict(pl.read_csv(tmp_path / "clean.csv").select("id", "y").iter_rows())
    assert clean[answered["id"][1]] is None
    assert len(clean) == 90
