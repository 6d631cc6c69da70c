"""The review behind a page when the audit in its folder is replaced."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from labelproof.auditing.findings import ISSUES_FILE
from labelproof.errors import CorruptArtifact, Unavailable
from labelproof.review.page.desk import Desk


@pytest.fixture
def desk(audit_of, session_of):
    return Desk(session_of(audit_of()[0]))


def touch(desk):
    os.utime(desk.now().session.candidates.folder / ISSUES_FILE, ns=(1, 1))


def test_nobody_is_given_the_old_review_while_the_new_one_is_opened(desk, monkeypatch):
    old = desk.now().session
    begun, go_on = threading.Event(), threading.Event()
    renewed = type(old).renewed

    def slowly(session):
        begun.set()
        assert go_on.wait(10)
        return renewed(session)

    monkeypatch.setattr(type(old), "renewed", slowly)
    touch(desk)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(desk.now)
        assert begun.wait(10)
        second = pool.submit(desk.now)
        assert not second.done()
        go_on.set()
        assert first.result().session is second.result().session is not old


def test_a_store_that_cannot_be_reached_is_tried_again(desk, monkeypatch):
    old = desk.now().session
    with monkeypatch.context() as patch:
        patch.setattr(type(old), "renewed", lambda session: (_ for _ in ()).throw(Unavailable("the store is locked.")))
        touch(desk)
        with pytest.raises(Unavailable):
            desk.now()
    assert desk.now().session is not old


def test_an_audit_that_cannot_be_read_leaves_the_review_as_it_was(desk, monkeypatch):
    old = desk.now().session

    def damaged(session):
        raise CorruptArtifact("damaged.")

    monkeypatch.setattr(type(old), "renewed", damaged)
    touch(desk)
    assert desk.now().session is old
