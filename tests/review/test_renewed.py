"""A new audit under an open page: the decision stays with its item, or is refused, and the page says so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.verified import open_store
from labelproof.review.log.identity import standing

CLASSES = np.array(["cat", "dog"])


@pytest.fixture
def make_audit(tmp_path):
    """Writes the audit of a table into the same folder each time, each in another order."""

    def make(seed, ids=True, flip=()):
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, 80)
        frame = pl.DataFrame({"key": [f"k{i:02d}" for i in range(80)], "size": y + rng.normal(0, 0.1, 80)})
        y[list(flip)] ^= 1
        frame.with_columns(kind=pl.Series(CLASSES[y])).write_csv(tmp_path / "t.csv")
        data = lp.read_table(tmp_path / "t.csv", "kind", id="key" if ids else None, features=["size"])
        probs = np.random.default_rng(seed).dirichlet(np.ones(2), 80)
        lp.audit(data, probs).save(tmp_path / "audit", overwrite=True)
        return tmp_path / "audit"

    return make


def decisions(folder):
    store = open_store(folder, must_exist=True)
    found = {d.item: (d.action, d.label) for d in standing(open_candidates(folder), store)}
    store.close()
    return found


def given_to(page, name="#keep strong"):
    return page.locator(name).inner_text()


NEWS = "document.getElementById('notice').textContent.includes('There is a new audit, so the page was reloaded.')"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_page_goes_on_with_the_new_audit(make_audit, open_page, serve, restarted, width):
    served = serve(make_audit(1), "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link, width=width)
    item, label = shown_item(page), given_to(page)
    until(page, "ahead.length >= 3")
    if restarted:
        served.kill()
        page.keyboard.press("k")
        second, other = shown_item(page, item), given_to(page)
        page.keyboard.press("k")
        until(page, "document.getElementById('notice').textContent.includes('2 decisions are not saved yet')")
        folder = make_audit(2)
        serve(folder, "--reviewer", "Ann", "--port", served.port)
    else:
        folder = make_audit(2)
        page.keyboard.press("k")
        second, other = None, None
    until(page, NEWS)
    first = shown_item(page)
    picture_of(page, f"renewed-{width}-{restarted}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert first not in (item, second)
    wait_until_saved(page)
    done = 1 + (second is not None)  # of the 80 items that there are, though the budget is 200
    until(page, "done => document.getElementById('count').textContent === `${done} of 80 reviewed`", done)
    expected = {item: ("keep", label)} | ({} if second is None else {second: ("keep", other)})
    assert decisions(folder) == expected
    page.keyboard.press("k")
    shown_item(page, first)
    until(page, "document.getElementById('notice').hidden")
    wait_until_saved(page)
    assert set(decisions(folder)) == {*expected, first}


def test_what_was_decided_about_other_labels_is_refused_and_kept_by_the_page(make_audit, open_page, serve):
    folder = make_audit(1, ids=False)
    served = serve(folder, "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    make_audit(2, ids=False, flip=range(3))
    page.keyboard.press("k")
    until(page, NEWS)
    until(page, "document.getElementById('notice').textContent.includes('1 decision was about other labels')")
    shown_item(page)
    picture_of(page, "renewed-refused")
    assert decisions(folder) == {}
    served.kill()
    make_audit(3, ids=False)  # the labels that the decision was made of
    serve(folder, "--reviewer", "Ann", "--port", served.port)
    page.reload()
    until(page, "Object.keys(localStorage).filter(name => name.startsWith('labelproof:')).length === 0")
    assert len(decisions(folder)) == 1


def test_a_picture_is_never_that_of_another_audit(audit_of, open_page, serve):
    folder = audit_of()[0]
    served = serve(folder, "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    addresses = page.evaluate("[...pictures.values()].map(image => image.src)")
    edition = open_candidates(folder).edition
    assert len(addresses) > 2
    assert {address.split("edition=")[1] for address in addresses} == {edition}
    status = "async address => (await fetch(address)).status"
    assert page.evaluate(status, addresses[0]) == 200
    assert page.evaluate(status, addresses[0].replace(edition, "0" * 16)) == 409


def test_two_pages_of_one_reviewer_keep_each_others_decisions(make_audit, open_page, serve):
    folder = make_audit(1)
    served = serve(folder, "--reviewer", "Ann", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    until(page, "ahead.length >= 3")
    context = page.context
    other = context.new_page()
    other.goto(served.link)
    shown_item(other)
    until(other, "ahead.length >= 3")
    served.kill()
    decided = set()
    for one in (page, other, page, other):
        item = shown_item(one)
        decided.add(item)
        one.keyboard.press("k")
        shown_item(one, item)
    page.close()
    other.close()  # neither could send
    served = serve(folder, "--reviewer", "Ann", "--port", served.port)
    again = context.new_page()
    again.goto(served.link)
    shown_item(again)
    wait_until_saved(again)
    assert set(decisions(folder)) == decided
