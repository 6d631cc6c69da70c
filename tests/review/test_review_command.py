"""What the commands of a review print: before it, after it, and when there is nothing to apply."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from browsing import shown_item, until, wait_until_saved
from commands import run
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.verified import open_store
from labelproof.review.log.session import ReviewSession
from test_every_kind import MADE

NO_REVIEWS = ("has no reviews yet", "labelproof review", "--obvious")


def decide(folder, action="keep"):
    session = ReviewSession(open_candidates(folder), open_store(folder), budget=5)
    session.decide("Ann", 0, action, None, f"uid-{action}")
    return session


def test_apply_needs_a_decision_whether_the_page_was_opened_or_not(audit_of, serve, tmp_path):
    folder = audit_of()[0]
    store = folder.with_name(f"{folder.name}.reviews.sqlite")

    def refused():
        done = run("apply", folder, "--out", tmp_path / "clean.npy")
        assert done.returncode == 2
        assert all(words in done.stderr for words in NO_REVIEWS), done.stderr
        assert not (tmp_path / "clean.npy").exists()

    refused()
    assert not store.exists()
    assert "Next: labelproof apply" not in serve(folder, "--port", 0).stop()
    assert store.exists()
    refused()
    session = decide(folder, "skip")
    refused()
    session.decide("Ann", 0, "keep", None, "uid-undone")
    session.undo("Ann", "uid-undo")
    session.store.close()
    refused()
    assert run("apply", folder, "--obvious", "--out", tmp_path / "obvious.npy").returncode == 0
    decide(folder).store.close()
    assert "Next: labelproof apply" in serve(folder, "--port", 0).stop()
    assert run("apply", folder, "--out", tmp_path / "clean.npy").returncode == 0
    assert (np.load(tmp_path / "clean.npy") == np.load(tmp_path / "audit.y.npy")).all()


def test_an_audit_without_a_source_is_not_said_to_be_applicable(serve, tmp_path):
    made, probs, _, _ = MADE["classes"]
    lp.audit(made(), probs).save(tmp_path / "audit")
    decide(tmp_path / "audit").store.close()
    assert run("apply", tmp_path / "audit", "--out", tmp_path / "clean.csv").returncode == 2
    said = serve(tmp_path / "audit", "--port", 0).stop()
    assert "1 label reviewed, 0 of them wrong" in said
    assert "by the audit alone" in said
    assert "Next:" not in said


@pytest.mark.parametrize("blind", [False, True])
def test_a_blind_review_says_beforehand_only_how_many_reviews_there_are(audit_of, serve, blind):
    folder = audit_of()[0]
    served = serve(folder, "--port", 0, "--budget", 30, *(["--blind"] if blind else []))
    assert "30 of 30 reviews to do, 0 labels reviewed." in served.printed
    for words in ("expect", "wrong labels remain"):
        assert (words in served.printed) != blind
    assert "wrong labels remain" in served.stop()


def test_the_page_counts_one_review(audit_of, open_page, serve):
    page = open_page(serve(audit_of()[0], "--reviewer", "Ann", "--port", 0, "--budget", 40).link)
    item = shown_item(page)
    page.keyboard.press("k")
    shown_item(page, item)
    wait_until_saved(page)
    until(page, "document.getElementById('interval').textContent.includes('of 1 reviewed')")
    labels = page.locator("#chart text").all_text_contents()
    assert "1 review" in labels
    assert "more reviews" in page.locator("#ahead text").all_text_contents()[-1]
