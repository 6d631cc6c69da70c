"""A blind review: the page does not show which label was given, which is suggested, or how probably the given one is wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from browsing import barriers, picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.labels import KINDS
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.verified import open_store
from labelproof.review.kinds import REVIEWS
from labelproof.review.page.describe import Describer
from test_every_kind import MADE

BLIND = [kind for kind in KINDS if REVIEWS[kind].may_be_blind]
TELLING = {"given", "suggested", "confidence", "error_probability", "votes", "value", "around", "predicted"}


def test_these_kinds_can_be_reviewed_blindly():
    assert set(BLIND) == {"classes", "tags", "votes", "numbers"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_receives_nothing_that_tells_which_label_was_given(kind, tmp_path):
    made, probs, _, _ = MADE[kind]
    lp.audit(made(), probs).save(tmp_path / "audit")
    if kind not in BLIND:
        done = run("review", tmp_path / "audit", "--blind", "--no-browser")
        assert done.returncode == 2
        assert "cannot be reviewed with --blind" in done.stderr
        return
    candidates = open_candidates(tmp_path / "audit")
    describer = Describer(candidates, blind=True)
    for rank in range(len(candidates)):
        item = describer.item(rank)
        assert not TELLING & set(item)
        if kind in ("classes", "votes"):
            assert item["likely"] == sorted(set(item["likely"]))
            assert candidates.classes.index(candidates.part.given(rank)) in item["likely"]
        elif kind == "numbers":
            assert item["choices"] == sorted(item["choices"], key=float)
            assert candidates.part.given(rank) in item["choices"]
        else:
            assert [tag["name"] for tag in item["tags"]] == candidates.classes
            assert not any(tag["given"] or tag["error"] for tag in item["tags"])


def test_trusted_examples_are_of_two_classes_in_the_order_of_their_names(audit_of):
    folder, _, _ = audit_of()
    candidates = open_candidates(folder)
    blind, seeing = Describer(candidates, blind=True), Describer(candidates)
    doubted = [rank for rank in range(40) if seeing.item(rank)["given"] > seeing.item(rank)["suggested"]]
    assert doubted
    for rank in (*doubted[:5], len(candidates) - 1):
        codes = [group["class"] for group in blind.similar(rank)["trusted"]]
        assert len(codes) == 2
        assert codes == sorted(codes)
    item = seeing.item(doubted[0])
    assert [group["class"] for group in seeing.similar(doubted[0])["trusted"]] == [item["given"], item["suggested"]]


def test_the_folder_of_a_picture_does_not_tell_its_class(open_page, serve, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "p" / ("dark", "light")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    lp.audit(lp.read_images(tmp_path / "p"), np.full((40, 2), 0.5)).save(tmp_path / "audit")
    page = open_page(serve(tmp_path / "audit", "--reviewer", "Ann", "--port", 0, "--blind").link)
    assert re.fullmatch(r"\d\d\.png", shown_item(page))
    assert "/" not in page.locator("#shown img").get_attribute("alt")
    assert "/" not in page.locator("#live").inner_text()
    seeing = Describer(open_candidates(tmp_path / "audit")).item(0)
    assert seeing["id"].startswith(("dark/", "light/"))
    assert "name" not in seeing


@pytest.fixture
def loans(tmp_path):
    """A table with a column that equals the label; audits it with some options."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    path = tmp_path / "loans.csv"
    columns = {"income": rng.normal(3 * y, 1), "debt": rng.normal(0, 1, 300), "status_code": np.array(["D1", "X1"])[y]}
    pl.DataFrame({**columns, "outcome": np.array(["repaid", "default"])[y]}).write_csv(path)

    def audited(*options):
        done = run("audit", path, "--label", "outcome", *options, "--out", tmp_path / "audit")
        assert done.returncode == 0, done.stderr
        return open_candidates(tmp_path / "audit")

    return audited


@pytest.mark.parametrize("options", [(), ("--ignore", "status_code"), ("--keep", "status_code")])
def test_a_column_that_tells_the_label_is_not_shown(loans, options):
    describer = Describer(loans(*options), blind=True)
    for rank in (0, 150, 299):
        similar = describer.similar(rank)
        shown = [describer.item(rank), *similar["nearest"], *(item for group in similar["trusted"] for item in group["items"])]
        assert len(shown) > 5
        for item in shown:
            assert [field["name"] for field in item["fields"]] == ["income", "debt"]


def test_in_an_open_review_such_a_column_is_marked(loans, open_page, serve):
    candidates = loans()
    notes = {field["name"]: field["note"] for field in Describer(candidates).item(0)["fields"]}
    assert notes == {"income": "", "debt": "", "status_code": "equals the label"}
    page = open_page(serve(candidates.folder, "--reviewer", "Ann", "--port", 0).link)
    shown_item(page)
    assert page.locator("mark.note").inner_text() == "equals the label"
    assert barriers(page) == []


@pytest.mark.parametrize(("evidence", "ignore"), [({"column": "notes"}, None), ({}, ["notes"])])
def test_columns_of_items_with_votes_are_hidden_too(evidence, ignore, tmp_path):
    """A votes reader keeps what is ignored, and not what was learned from."""
    votes = pl.DataFrame({"item": [f"i{i // 2}" for i in range(80)], "annotator": ["ann", "bob"] * 40, "vote": ["x", "y"] * 40})
    notes = pl.DataFrame({"size": [float(i // 2) for i in range(80)], "notes": [f"n{i // 20}" for i in range(80)]})
    votes.hstack(notes).write_csv(tmp_path / "v.csv")
    data = lp.read_votes(tmp_path / "v.csv", label="vote", item="item", annotator="annotator", ignore=ignore or ())
    lp.audit(data.labels).save(tmp_path / "bare")
    found = open_candidates(tmp_path / "bare")
    doubts = [{"kind": "a column tells the label", "text": "", "evidence": evidence}]
    summary = {**found.summary, "source": data.reader.to_json(), "doubts": doubts}
    item = Describer(replace(found, summary=summary), blind=True).item(0)
    assert [field["name"] for field in item["fields"]] == ["size"]


def test_a_row_of_which_nothing_may_be_seen(loans):
    candidates = loans("--ignore", "income", "--ignore", "debt", "--keep", "status_code")
    assert "shows none" in Describer(candidates, blind=True).item(0)["problem"]
    assert len(Describer(candidates).item(0)["fields"]) == 3


def test_a_blind_answer_is_kept_or_changed_by_what_was_given(audit_of, open_page, serve):
    folder, noisy, true = audit_of()
    served = serve(folder, "--reviewer", "Ann", "--port", 0, "--blind")
    page = open_page(served.link, bypass_csp=True)
    decided = []
    for _ in range(8):
        item = shown_item(page)
        until(page, "!document.getElementById('similar').hidden")
        text = page.locator("main").inner_text()
        assert not any(word in text for word in ("Suggested", "given", "Probability", "%"))
        page.keyboard.press("k")  # there is nothing to keep, and nothing to accept
        page.keyboard.press("Enter")
        assert page.locator("#item-id").inner_text() == item
        if not decided:
            assert barriers(page) == []
            picture_of(page, "review-blind")
        page.keyboard.press(str(true[int(item)]))
        shown_item(page, item)
        decided.append(int(item))
    wait_until_saved(page)
    assert page.problems == []
    for path in ("figures", "classes"):
        assert page.evaluate("async (path) => (await fetch(`/api/${path}`)).status", path) == 404
    store = open_store(folder, must_exist=True)
    stood = {int(d.item): d for d in store.current(open_candidates(folder).fingerprint)}
    store.close()
    assert set(stood) == set(decided)
    for item, decision in stood.items():
        assert decision.label == str(true[item])
        assert decision.action == ("keep" if noisy[item] == true[item] else "relabel")
    assert {decision.action for decision in stood.values()} == {"keep", "relabel"}


@pytest.mark.parametrize("kind", [kind for kind in BLIND if kind != "classes"])
def test_other_kinds_are_answered_blindly(kind, open_page, serve, tmp_path):
    made, probs, _, _ = MADE[kind]
    lp.audit(made(), probs).save(tmp_path / "audit")
    served = serve(tmp_path / "audit", "--reviewer", "Ann", "--port", 0, "--blind")
    page = open_page(served.link)
    item = shown_item(page)
    assert page.locator(".tags input:checked").count() == 0
    assert page.locator("#keep").count() == 0
    if kind == "tags":
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        expected = '["b"]'
    elif kind == "votes":
        page.keyboard.press("2")
        expected = "2"
    else:
        expected = page.locator(".choice strong").first.inner_text()
        page.locator(".choice").first.click()
    shown_item(page, item)
    wait_until_saved(page)
    store = open_store(tmp_path / "audit", must_exist=True)
    (decision,) = store.current(open_candidates(tmp_path / "audit").fingerprint)
    store.close()
    assert (decision.item, decision.label) == (item, expected)
