"""The SQLite file under a running server: deleted, replaced, locked, copied, and leases of clocks that run ahead."""

from __future__ import annotations

import shutil
import sqlite3
import time

import pytest
from test_server import Client

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from labelproof.review.log import database
from labelproof.review.log.store import Decision, Store


def in_file(file):
    """Uids of the decisions that a copy of the one file holds."""
    copy = file.with_name("copy.sqlite")
    shutil.copy(file, copy)
    with sqlite3.connect(copy) as opened:
        found = {row[0] for row in opened.execute("SELECT uid FROM labelproof_events")}
    opened.close()
    copy.unlink()
    return found


@pytest.fixture
def reviewed(audit_of, serve):
    """A served audit with two decisions, a reviewer's client, and the file."""
    folder = audit_of()[0]
    served = serve(folder, "--port", 0)
    client = Client(served, "Ann")
    for rank in range(2):
        assert client.decide(rank, uid=f"uid-{rank:06d}").status_code == 200
    return served, client, folder.with_name("audit.reviews.sqlite")


def test_the_one_file_of_a_running_or_killed_server_has_every_acknowledged_decision(reviewed):
    served, client, file = reviewed
    assert in_file(file) == {"uid-000000", "uid-000001"}
    client.decide(2, uid="uid-000002")
    assert in_file(file) == {"uid-000000", "uid-000001", "uid-000002"}
    served.kill()
    assert in_file(file) == {"uid-000000", "uid-000001", "uid-000002"}


def test_a_deleted_store_is_told_and_goes_on_when_it_is_back(reviewed):
    served, client, file = reviewed
    kept = file.read_bytes()
    file.unlink()
    for _ in range(3):
        answer = client.decide(2, uid="uid-000002")
        assert answer.status_code == 503
        assert "was deleted or replaced" in answer.json()["error"]
        assert not file.exists()  # no empty one is made in its place
    assert client.post("next", count=1).status_code == 503
    file.write_bytes(kept)
    assert client.decide(2, uid="uid-000002").status_code == 200
    assert in_file(file) == {"uid-000000", "uid-000001", "uid-000002"}
    assert "was deleted or replaced" in served.stop()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_store_replaced_by_an_older_copy_of_it(reviewed, tmp_path, in_place):
    _, client, file = reviewed
    older = file.read_bytes()
    client.decide(2, uid="uid-000002")
    client.decide(3, uid="uid-000003")
    if not in_place:
        file.unlink()
    file.write_bytes(older)
    assert client.post("next", count=1).json()["left"] == 198
    for uid in ("uid-000003", "uid-000004"):
        answer = client.decide(int(uid[-1]), uid=uid)
        assert answer.status_code == 200
        assert uid in in_file(file)
    assert answer.json()["left"] == 196
    assert client.get("/api/figures").json()["figures"]["reviewed"] == 4


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("content", [b"", b"broken" * 4000, None], ids=["empty", "no database", "a folder"])
def test_nothing_is_acknowledged_that_is_not_in_the_file(reviewed, content, in_place):
    _, client, file = reviewed
    body = client.body(2, uid="uid-000002")
    if not in_place or content is None:
        file.unlink()
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    for _ in range(3):
        assert client.http.post("/api/decide", json=body).status_code == 503
    if content is not None:
        assert file.read_bytes() == content


def test_a_store_deleted_in_the_middle_of_a_write(tmp_path):
    store = Store(tmp_path / "s.sqlite")
    store.record("A", [Decision("i1", "ann", "none", None, "uid-1")])
    with pytest.raises(lp.Unavailable, match="was deleted or replaced"), store._writing() as connection:
        store._append(connection, row("uid-2"))
        (tmp_path / "s.sqlite").rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(lp.Unavailable, match="was deleted or replaced"):
        store.current("A")
    store.close()


def row(uid):
    return {
        "uid": uid, "audit": "A", "item": "i2", "reviewer": "ann", "action": "none", "label": None, "decided_at": "",
        "seconds": None, "source": "page", "undoes": None,
    }  # fmt: skip


def test_a_write_ahead_log_of_an_earlier_version_is_taken_in(tmp_path):
    store = Store(tmp_path / "s.sqlite")
    store.record("A", [Decision("i1", "ann", "none", None, "uid-1")])
    store.close()
    old = sqlite3.connect(tmp_path / "s.sqlite")
    old.execute("PRAGMA journal_mode=WAL")
    old.execute("INSERT INTO labelproof_events SELECT 9, 'uid-9', audit, 'i9', reviewer, action, label, decided_at, seconds, "
                "source, undoes FROM labelproof_events")  # fmt: skip
    old.commit()
    for end in ("", "-wal"):  # as a killed server leaves them
        shutil.copy(tmp_path / f"s.sqlite{end}", tmp_path / f"t.sqlite{end}")
    old.close()
    assert in_file(tmp_path / "t.sqlite") == {"uid-1"}
    store = Store(tmp_path / "t.sqlite")
    assert {d.uid for d in store.current("A")} == {"uid-1", "uid-9"}
    assert in_file(tmp_path / "t.sqlite") == {"uid-1", "uid-9"}
    store.close()


def test_a_locked_store_is_unavailable_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = Store(tmp_path / "s.sqlite")
    other = sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for act in (lambda: store.record("A", [Decision("i1", "ann", "none", None, "uid-1")]), lambda: store.current("A")):
        with pytest.raises(lp.Unavailable, match="Another program has locked"):
            act()
    other.execute("COMMIT")
    assert store.record("A", [Decision("i1", "ann", "none", None, "uid-1")]) == 1
    other.close()
    store.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_keeps_a_decision_while_the_store_is_locked(audit_of, open_page, serve, width):
    folder = audit_of()[0]
    page = open_page(serve(folder, "--reviewer", "Ann", "--port", 0).link, width=width)
    item = shown_item(page)
    until(page, "ahead.length >= 3")
    file = folder.with_name("audit.reviews.sqlite")
    before = in_file(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    page.keyboard.press("k")
    shown_item(page, item)
    until(page, "document.getElementById('notice').textContent.includes('1 decision is not saved yet')")
    assert "Another program has locked" in page.locator("#notice").inner_text()
    assert page.evaluate("outbox.length") == 1
    picture_of(page, f"locked-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    other.execute("COMMIT")
    other.close()
    wait_until_saved(page)
    until(page, "document.getElementById('notice').hidden")
    assert len(in_file(file) - before) == 1


def test_a_lease_of_a_clock_that_runs_ahead_ends_like_any_other(store):
    week = 7 * 24 * 3600.0
    assert store.claim("A", "ann", [("i1", 1)], 1, seconds=week) == ["i1"]
    assert store.claim("A", "bob", [("i1", 1)], 1, seconds=0.2) == []  # from now on it ends in 0.2 s, by our clock
    time.sleep(0.3)
    assert store.claim("A", "bob", [("i1", 1)], 1, seconds=0.2) == ["i1"]
    assert store.claim("B", "ann", [("i1", 1)], 1, seconds=week) == ["i1"]
    assert store.claim("B", "bob", [("i1", 1)], 1) == []  # one that is in use stays so
