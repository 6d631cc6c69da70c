"""The log of decisions, on SQLite and on PostgreSQL: append-only, each uid once, undo as an event, leases, versions."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.review.log import store as module
from labelproof.review.log.store import BEGINNING, Decision, Store

NUMBER = itertools.count()


def decision(item="i1", reviewer="ann", label="a", action="keep", uid=None, **more):
    return Decision(item, reviewer, action, label, uid or f"uid-{next(NUMBER):06d}", **more)


def standing(store, audit="A"):
    return {(d.item, d.reviewer): (d.action, d.label) for d in store.current(audit)}


def test_a_uid_is_recorded_once(store):
    one = decision(uid="uid-1", seconds=1.5)
    assert store.record("A", [one, one]) == 1
    assert store.record("A", [one]) == 0
    assert len(store.events("A")) == 1
    kept = store.current("A")[0]
    assert (kept.item, kept.reviewer, kept.action, kept.label, kept.seconds, kept.source) == (
        "i1",
        "ann",
        "keep",
        "a",
        1.5,
        "page",
    )
    assert kept.decided_at.endswith("+00:00")
    with pytest.raises(lp.BadInput, match="another decision"):
        store.record("A", [decision(uid="uid-1", label="b")])


def test_the_last_decision_of_each_reviewer_stands(store):
    store.record("A", [decision(), decision(label="b", action="relabel"), decision(reviewer="bob")])
    store.record("B", [decision(label="z")])
    assert standing(store) == {("i1", "ann"): ("relabel", "b"), ("i1", "bob"): ("keep", "a")}
    assert standing(store, "B") == {("i1", "ann"): ("keep", "z")}


def test_undo_is_an_event_and_what_it_hid_comes_back(store):
    store.record("A", [decision(uid="u-1"), decision(label="b", action="relabel", uid="u-2"), decision(reviewer="bob")])
    assert store.undo("A", "ann", "undo-1").uid == "u-2"
    assert store.undo("A", "ann", "undo-1").uid == "u-2"  # sent twice
    assert standing(store)["i1", "ann"] == ("keep", "a")
    assert store.undo("A", "ann", "undo-2").uid == "u-1"
    assert ("i1", "ann") not in standing(store)
    assert store.undo("A", "ann", "undo-3") is None
    assert [event["action"] for event in store.events("A")] == ["keep", "relabel", "keep", "undo", "undo"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sampled_from(["ann", "bob"]), st.sampled_from(["a", "b", "undo"])), max_size=25
    )
)
def test_the_view_is_what_replaying_the_log_gives(tmp_path_factory, steps):
    store = Store(tmp_path_factory.mktemp("s") / "s.sqlite")
    stacks: dict[str, list[tuple[str, str]]] = {"ann": [], "bob": []}
    for item, reviewer, what in steps:
        if what == "undo":
            undone = store.undo("A", reviewer, f"uid-{next(NUMBER):06d}")
            expected = stacks[reviewer].pop() if stacks[reviewer] else None
            assert (None if undone is None else (undone.item, undone.label)) == expected
        else:
            store.record("A", [decision(item, reviewer, what)])
            stacks[reviewer].append((item, what))
    replayed = {(item, reviewer): label for reviewer, stack in stacks.items() for item, label in stack}
    assert {key: label for key, (_, label) in standing(store).items()} == replayed
    store.close()


def test_the_log_cannot_be_changed(store):
    store.record("A", [decision()])
    for statement in ("UPDATE labelproof_events SET label = 'x'", "DELETE FROM labelproof_events"):
        with pytest.raises(lp.CorruptArtifact, match="append-only"), store._writing() as connection:
            connection.execute(sa.text(statement))
    assert standing(store) == {("i1", "ann"): ("keep", "a")}


def test_quotes_and_other_alphabets_are_only_text(store):
    evil = "x'; DROP TABLE labelproof_events; --"
    for text in (evil, '"', "%_\\", "日本語 🙂", "-- ", "NULL"):
        store.record("A", [decision(item=text, reviewer=text, label=text)])
        assert standing(store)[text, text] == ("keep", text)
        assert [d.label for d in store.current("A", [text])] == [text]
    assert store.claim("A", evil, [(evil, 5)], 1) == []


def test_changes_since_a_place(store):
    store.record("A", [decision("i1"), decision("i2")])
    place, items = store.changed_since("A", BEGINNING)
    assert items == ["i1", "i2"]
    assert store.changed_since("A", place) == (place, [])
    store.undo("A", "ann", "undo-1")
    assert store.changed_since("A", place)[1] == ["i2"]
    with pytest.raises(LookupError):
        store.changed_since("A", (place[0], "of another log"))


def test_an_item_goes_to_one_reviewer_unless_overlap_is_asked_for(store):
    wanted = [("i1", 1), ("i2", 2), ("i3", 1)]
    assert store.claim("A", "ann", wanted, 2) == ["i1", "i2"]
    assert store.claim("A", "bob", wanted, 3) == ["i2", "i3"]
    assert store.claim("A", "cy", wanted, 3) == []
    assert store.claim("A", "ann", wanted, 2) == ["i1", "i2"]  # her own, anew
    store.record("A", [decision("i1", "ann"), decision("i2", "ann"), decision("i2", "bob")])
    store.release("A", "bob")
    assert store.claim("A", "cy", wanted, 3) == ["i3"]
    assert store.claim("B", "cy", wanted, 1) == ["i1"]


def test_a_lease_ends_by_itself_and_skipping_ends_it_at_once(store):
    assert store.claim("A", "ann", [("i1", 1)], 1, seconds=1.5) == ["i1"]
    assert store.claim("A", "bob", [("i1", 1)], 1) == []
    time.sleep(1.6)
    assert store.claim("A", "bob", [("i1", 1)], 1) == ["i1"]
    store.record("A", [decision("i1", "bob", action="skip", label=None)])
    assert store.claim("A", "ann", [("i1", 1)], 1) == ["i1"]


def test_many_claim_at_once_and_nobody_gets_the_same(store):
    wanted = [(f"i{i}", 1) for i in range(200)]
    barrier = threading.Barrier(8)

    def take(name):
        barrier.wait()
        return [item for _ in range(5) for item in _claimed(name)]

    def _claimed(name):
        taken = store.claim("A", name, wanted, 5)
        store.record("A", [decision(item, name) for item in taken])
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = list(itertools.chain(*pool.map(take, [f"r{i}" for i in range(8)])))
    assert sorted(taken) == sorted(item for item, _ in wanted)


def test_a_store_that_is_opened_again_has_everything(database):
    first = Store(database)
    first.record("A", [decision()])
    second = Store(database)
    assert standing(second) == {("i1", "ann"): ("keep", "a")}
    second.record("A", [decision("i2")])
    assert len(first.current("A")) == 2
    assert first.audits() == {"A": 2}
    first.close()
    second.close()


def test_migrations_run_once_each_and_whole_or_not_at_all(database, monkeypatch):
    store = Store(database)
    store.record("A", [decision()])
    store.close()

    def broken(connection):
        connection.execute(sa.text("ALTER TABLE labelproof_events ADD COLUMN note TEXT"))
        raise lp.BadInput("on purpose")

    def mended(connection):
        connection.execute(sa.text("ALTER TABLE labelproof_events ADD COLUMN note TEXT"))

    monkeypatch.setattr(module, "MIGRATIONS", [*module.MIGRATIONS, broken])
    with pytest.raises(lp.BadInput, match="on purpose"):
        Store(database)
    shipped = module.MIGRATIONS[:-1]
    monkeypatch.setattr(module, "MIGRATIONS", [*shipped, mended])
    for _ in range(2):
        opened = Store(database)
        assert standing(opened) == {("i1", "ann"): ("keep", "a")}
        opened.close()
    monkeypatch.setattr(module, "MIGRATIONS", shipped)
    with pytest.raises(
        lp.CorruptArtifact, match=f"schema version {len(shipped) + 1}, but this labelproof knows only {len(shipped)}"
    ):
        Store(database)


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("mysql://h/d", "kind 'mysql'"),
        pytest.param("postgresql://u:secret@127.0.0.1:1/d", "cannot be read", marks=pytest.mark.needs("psycopg")),
        ("://", "not a database URL"),
    ],
)
def test_bad_addresses_are_told_without_the_password(where, problem):
    with pytest.raises(lp.LabelproofError, match=problem) as caught:
        Store(where)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(lp.CorruptArtifact, match="cannot be read"):
        Store(tmp_path / "x.sqlite")
    assert (tmp_path / "x.sqlite").read_bytes() == b"no database at all" * 100
