"""Which data a decision is about: it follows its item through new audits of the same data, and never lands on other data."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.exchange.label_studio import read_label_studio, write_label_studio
from labelproof.review.exchange.spreadsheet import read_csv, write_csv
from labelproof.review.exchange.verified import read_verified
from labelproof.review.log.identity import data_of, standing
from labelproof.review.log.store import Decision, Store

CLASSES = ("cat", "cow", "dog")


class Made:
    """Tables of animals whose names stay, and their audits, each in a new order."""

    def __init__(self, folder, session_of):
        rng = np.random.default_rng(0)
        true = rng.integers(0, 3, 120)
        given = np.where(rng.random(120) < 0.2, (true + 1) % 3, true)
        self.folder, self.open = folder, session_of
        self.frame = pl.DataFrame(
            {
                "key": [f"k{i:03d}" for i in range(120)],
                "size": true + rng.normal(0, 0.1, 120),
                "kind": [CLASSES[g] for g in given],
            }
        )
        self.audits = 0

    def audit(self, frame=None, id="key", label="kind"):
        """A session of a new audit, by a model of its own."""
        self.audits += 1
        frame = self.frame if frame is None else frame
        place = self.folder / f"audit{self.audits}"
        frame.write_csv(self.folder / f"{place.name}.csv")
        data = lp.read_table(self.folder / f"{place.name}.csv", label, id=id, features=["size"])
        lp.audit(data, np.random.default_rng(self.audits).dirichlet(np.ones(len(data.classes)), len(data))).save(place)
        return self.open(place)


@pytest.fixture
def made(tmp_path, session_of):
    return Made(tmp_path, session_of)


def said(session):
    return {(d.item, d.reviewer): d.label for d in session.decisions}


def decided(session):
    """Three items decided by two reviewers."""
    for item, reviewer, label in (
        ("k000", "ann", "cow"),
        ("k001", "bob", "dog"),
        ("k001", "ann", "dog"),
        ("k002", "ann", "cat"),
    ):
        session.decide(reviewer, session.rank_of(item), "relabel", label, f"uid-{item}-{reviewer}")
    return said(session)


def with_kind(frame, **kinds):
    return frame.with_columns(kind=pl.col("key").replace_strict(kinds, default=pl.col("kind")))


CHANGED = {
    "the same": lambda f: f,
    "shuffled": lambda f: f.sample(fraction=1, shuffle=True, seed=1),
    "longer": lambda f: pl.concat([f, f.with_columns(key=pl.lit("new") + pl.col("key"))]),
    "shorter": lambda f: f.head(70),
    "a label mended": lambda f: with_kind(f, k000="cow", k050="dog"),
    "a third mended": lambda f: with_kind(f, **{f"k{i:03d}": CLASSES[i % 3] for i in range(40, 80)}),
    "a new class": lambda f: with_kind(f, k050="emu", k051="emu", k052="emu"),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_decisions_with_an_id_survive_any_number_of_new_audits(made, change):
    before = decided(made.audit())
    again = made.audit(change(made.frame))
    assert again.candidates.table["id"].to_list()[:20] != [f"k{i:03d}" for i in range(20)]
    assert said(again) == before
    assert said(made.audit(change(made.frame))) == before
    again.decide("cy", again.rank_of("k010"), "relabel", "cow", "uid-cy")
    assert said(made.audit())["k010", "cy"] == "cow"


OTHER = {
    "other labels under the same ids": lambda f: f.with_columns(kind=pl.col("kind").shuffle(seed=1)),
    "other ids": lambda f: f.with_columns(key=pl.lit("x") + pl.col("key")),
    "mostly other ids": lambda f: pl.concat([f.head(30), f.tail(90).with_columns(key=pl.lit("x") + pl.col("key"))]),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_decisions_about_other_data_do_not_count(made, change):
    first = made.audit()
    decided(first)
    other = made.audit(change(made.frame))
    assert said(other) == {}
    assert not other.is_about(first.candidates.fingerprint)
    assert said(made.audit()) != {}


def test_two_questions_about_the_same_items_are_kept_apart(made):
    decided(made.audit())
    both = with_kind(made.frame, k030="cow", k031="dog").rename({"kind": "other"})
    assert said(made.audit(both, label="other")) == {}


def test_a_row_number_names_an_item_as_long_as_all_labels_are_the_same(made):
    first = made.audit(id=None)
    first.decide("ann", first.rank_of("7"), "relabel", "cow", "uid-7")
    assert said(made.audit(id=None)) == {("7", "ann"): "cow"}
    for changed in (made.frame.reverse(), with_kind(made.frame, k050="emu"), made.frame.head(119)):
        other = made.audit(changed, id=None)
        assert said(other) == {}
        assert not other.is_about(first.candidates.fingerprint)


def test_ids_that_count_the_rows_are_ids_all_the_same(made):
    frame = made.frame.with_columns(key=pl.int_range(120))
    first = made.audit(frame)
    first.decide("ann", first.rank_of("7"), "relabel", "cow", "uid-7")
    assert said(made.audit(frame.reverse())) == {("7", "ann"): "cow"}


def test_a_decision_for_a_class_that_is_no_more_is_asked_for_again(made):
    first = made.audit()
    first.decide("ann", first.rank_of("k000"), "relabel", "dog", "uid-0")
    first.decide("ann", first.rank_of("k003"), "relabel", "cow", "uid-3")
    again = made.audit(made.frame.filter(pl.col("kind") != "dog"))
    present = again.candidates.ranks_of(["k000", "k003"])
    assert said(again) == {(item, "ann"): "cow" for item in ("k003",) if item in present}
    assert read_verified(again.candidates.folder, str(again.store.where)) == {"k003": "cow"}
    repair(again.candidates, again.store, made.folder / "clean.csv")
    clean = pl.read_csv(made.folder / "clean.csv")
    assert clean.filter(pl.col("key") == "k003")["kind"].item() == "cow"


def test_what_was_kept_is_the_label_that_was_seen(made):
    first = made.audit()
    seen = first.candidates.part.given(first.rank_of("k005"))
    other = next(name for name in CLASSES if name != seen)
    again = made.audit(with_kind(made.frame, k005=other))
    made_ = again.decide("ann", again.rank_of("k005"), "keep", seen, "uid-5")
    assert (made_.action, made_.label) == ("relabel", seen)
    assert again.store.record(again.data, [Decision("k005", "ann", "keep", seen, "uid-5")]) == 0  # sent again after all


def test_a_repaired_table_is_the_same_data(made):
    first = made.audit()
    before = decided(first)
    repair(first.candidates, first.store, made.folder / "clean.csv")
    again = made.audit(pl.read_csv(made.folder / "clean.csv"))
    assert said(again) == before
    assert again.figures().wrong == 0


def test_tags_are_the_same_data_too(made, tmp_path, session_of):
    rng = np.random.default_rng(0)
    given = (rng.random((90, 3)) < 0.4).astype(int)
    names, ids = ["sky", "sea", "sun"], [f"t{i}" for i in range(90)]
    lp.audit_tags(given, np.where(given == 1, 0.9, 0.1), names=names, ids=ids).save(tmp_path / "one")
    first = session_of(tmp_path / "one")
    first.decide("ann", first.rank_of("t4"), "relabel", ["sun"], "uid-4")
    order = rng.permutation(90)
    probs = rng.random((90, 3))
    lp.audit_tags(given[order], probs, names=names, ids=[ids[i] for i in order]).save(tmp_path / "two")
    assert said(session_of(tmp_path / "two")) == {("t4", "ann"): '["sun"]'}
    lp.audit_tags(rng.permutation(given), probs, names=names, ids=ids).save(tmp_path / "three")
    assert said(session_of(tmp_path / "three")) == {}


@pytest.mark.parametrize("id", ["key", None])
def test_a_spreadsheet_of_an_earlier_audit(made, id):
    first = made.audit(id=id)
    first.decide("ann", int(first.queue.rows[0]), "none", None, "uid-0")
    write_csv(first, made.folder / "r.csv")
    sheet = pl.read_csv(made.folder / "r.csv", infer_schema=False)
    sheet = sheet.with_columns(label=pl.Series(["", "cow", "dog", *[""] * (sheet.height - 3)]), reviewer=pl.lit("bob"))
    sheet.write_csv(made.folder / "r.csv")
    sheet.drop("audit").write_csv(made.folder / "old.csv")
    items = sheet["id"].to_list()
    same, changed = made.audit(id=id), made.audit(made.frame.sample(fraction=1, shuffle=True, seed=3), id=id)
    assert read_csv(same, made.folder / "r.csv").recorded == 3
    assert read_csv(same, made.folder / "r.csv").recorded == 0
    if id is None:
        for name in ("r.csv", "old.csv"):
            with pytest.raises(lp.BadInput, match="line 2 belongs to other data"):
                read_csv(changed, made.folder / name)
        assert said(changed) == {}
    else:
        assert read_csv(changed, made.folder / "r.csv").recorded == 0  # all known: the same data
        assert said(changed)[items[1], "bob"] == "cow"
        changed.decide("bob", changed.rank_of(items[1]), "relabel", "cat", "uid-later")
        read_csv(changed, made.folder / "r.csv")
        assert said(changed)[items[1], "bob"] == "cat"  # an old sheet does not win over what was said since


@pytest.mark.parametrize("id", ["key", None])
def test_label_studio_of_an_earlier_audit(made, id):
    first = made.audit(id=id)
    write_label_studio(first, made.folder / "tasks")
    tasks = json.loads((made.folder / "tasks" / "tasks.json").read_text())[:2]
    for number, task in enumerate(tasks):
        result = {"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": ["cow"]}}
        task["annotations"] = [{"id": number, "result": [result], "completed_by": "cy", "created_at": "2026-01-02T03:04:05Z"}]
    (made.folder / "export.json").write_text(json.dumps(tasks))
    items = [task["data"]["labelproof_id"] for task in tasks]
    changed = made.audit(made.frame.sample(fraction=1, shuffle=True, seed=3), id=id)
    if id is None:
        with pytest.raises(lp.BadInput, match="another audit"):
            read_label_studio(changed, made.folder / "export.json")
        assert said(changed) == {}
    else:
        read_label_studio(changed, made.folder / "export.json")
        assert said(changed) == {(item, "cy"): "cow" for item in items}
        assert read_label_studio(made.audit(), made.folder / "export.json").recorded == 0


def test_a_store_of_the_first_version_opens_and_keeps_its_decisions(made):
    candidates = made.audit().candidates
    file = made.folder / "old.sqlite"
    opened = Store(file)
    opened.record(candidates.fingerprint, [Decision("k004", "ann", "none", None, "uid-old")])
    opened.close()
    with sqlite3.connect(file) as old:  # as version 1 left it, its last entries beside the file
        old.execute("DROP TABLE labelproof_audits")
        old.execute("DELETE FROM labelproof_version WHERE version > 1")
        old.execute("PRAGMA journal_mode=WAL")
    old.close()
    opened = Store(file)
    assert [d.item for d in standing(candidates, opened)] == ["k004"]
    assert data_of(candidates, opened) == candidates.fingerprint
    later = open_candidates(made.audit(made.frame.reverse()).candidates.folder)
    assert [d.item for d in standing(later, opened)] == ["k004"]
    opened.close()


def test_several_data_sets_share_a_database_and_ids(made, store):
    places = []
    for seed in range(4):
        frame = made.frame.with_columns(kind=pl.col("kind").shuffle(seed=seed))
        candidates = made.audit(frame).candidates
        again = made.audit(frame.reverse()).candidates
        places.append(data_of(candidates, store))
        assert data_of(again, store) == places[-1]
    assert len(set(places)) == 4
