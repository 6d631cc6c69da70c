"""The report of an audit of tags in a real browser."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import labelproof as lp
from browsing import open_report
from labelproof.data.dataset import Shown

EVIL = "<script>document.title='owned'</script>"
NAMES = ["sky", "sea", EVIL, "never"]


@pytest.fixture(scope="module")
def audited():
    """Missing and incorrect tags; the last is never given."""
    rng = np.random.default_rng(0)
    true = (rng.random((400, 4)) < 0.4).astype(int)
    true[:, 3] = 0
    given = lp.simulate.missing_tags(true, 0.2, random_state=0).labels
    given[:, :3] = lp.simulate.incorrect_tags(given[:, :3], 0.05, random_state=1).labels
    return lp.audit_tags(given, np.clip(0.9 * true + 0.05 + rng.normal(0, 0.02, true.shape), 0, 1), names=NAMES)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_cards_say_which_tags_should_go_and_which_should_be_there(browser, audited, tmp_path, width, scheme):
    audited.to_html(tmp_path / "r.html", title=f"T {EVIL}", show=lambda row: Shown(text=f"{EVIL} item {row}"))
    page, problems = open_report(browser, tmp_path / "r.html", width, scheme)
    assert problems == []
    assert page.title() == f"T {EVIL}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wrong, given = audited.error_probability >= 0.5, audited.labels.matrix == 1
    assert wrong[given].any()
    assert wrong[~given].any()
    cards = page.locator(".card")
    assert cards.count() == min(120, wrong.any(axis=1).sum())
    for card in [cards.nth(i) for i in range(0, cards.count(), 10)]:
        row = int(card.locator("header span").first.inner_text())
        assert f"item {row}" in card.locator("blockquote").inner_text()
        said = {tag: set(card.locator(f".tags {tag}").all_inner_texts()) for tag in ("b", "s", "span")}
        names = np.array(NAMES, dtype=object)
        assert said["b"] == {f"+ {name}" for name in names[~given[row] & wrong[row]]}
        assert said["s"] == set(names[given[row] & wrong[row]])
        assert said["span"] == set(names[given[row] & ~wrong[row]])
    headline = page.locator(".headline").inner_text()
    missing, incorrect = (np.where(kind, audited.error_probability, 0) for kind in (~given, given))
    assert f"{missing.sum():.0f} tags" in headline
    assert f"and {incorrect.sum():.0f} of the {given.sum()} given ones" in headline
    table = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    assert {row[0]: (row[1], row[2], row[4]) for row in table} == {
        NAMES[j]: (f"{given[:, j].sum()}", f"≈ {missing[:, j].sum():.0f}", f"≈ {incorrect[:, j].sum():.0f}") for j in range(3)
    }
    page.close()


def test_items_are_read_from_where_the_audit_found_them(audited, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (400, 8, 8), dtype=np.uint8))
    kept = dataclasses.replace(audited, source={"kind": "arrays", "features": str(tmp_path / "x.npy")})
    kept.to_html(tmp_path / "r.html")
    doubtful = (audited.error_probability >= 0.5).any(axis=1).sum()
    assert (tmp_path / "r.html").read_text().count("data:image/png") == min(120, doubtful)
    np.save(tmp_path / "x.npy", np.zeros((399, 8, 8), np.uint8))
    kept.to_html(tmp_path / "r.html")
    assert "there are 399 now, but 400 were audited" in (tmp_path / "r.html").read_text()
    (tmp_path / "x.npy").unlink()
    kept.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "cannot be shown" in page
    assert "data:image" not in page


def test_a_notebook_shows_the_headline_and_the_worst(audited):
    short = audited._repr_html_()
    assert str(audited.issues["id"][0]) in short
    assert "<script" not in short
    assert len(short) < 10_000
    assert repr(audited).startswith("Audit of 4 tags of 400 items: ")


def test_tags_that_are_right_have_no_cards(tmp_path):
    tags = np.tile([[0, 1], [1, 0]], (50, 1))
    lp.audit_tags(tags, np.clip(tags, 0.01, 0.99)).to_html(tmp_path / "r.html")
    assert "No tag is more likely wrong than right." in (tmp_path / "r.html").read_text()
