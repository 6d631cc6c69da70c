"""The reports of boxes and of masks, in a real browser."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

import labelproof as lp
from browsing import open_report
from labelproof.data.dataset import Shown
from labelproof.report.crops import View
from labelproof.report.html import part_of
from labelproof.report.kinds.masks import colour_of


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 100, (200, 2, 2)) + np.array([[0, 0], [350, 0]])
    true = np.concatenate([corner, corner + rng.uniform(60, 200, (200, 2, 2))], axis=2)
    names = ["<b>cat", "dog"]
    predictions = [{"boxes": one + rng.normal(0, 2, (2, 4)), "labels": names, "scores": rng.uniform(0.6, 1, 2)} for one in true]
    given = [{"boxes": one, "labels": names} for one in true]
    given[7] = {"boxes": true[7, :1], "labels": names[:1]}
    given[31] = {"boxes": true[31] + [[25, 25, 25, 25], [0, 0, 0, 0]], "labels": names}
    given[40] = {"boxes": true[40], "labels": ["dog", "dog"]}
    given[50] = {"boxes": np.vstack([true[50], true[50, :1]]), "labels": [*names, names[0]]}
    return lp.audit(lp.Boxes(given, sizes=[[600, 320]] * 200), predictions)


@pytest.fixture(scope="module")
def masked():
    rng = np.random.default_rng(0)
    true = np.zeros((40, 48, 64), int)
    for i, mask in enumerate(true):
        y, x = rng.integers(4, 26, 2)
        mask[y : y + 16, x : x + 16] = 1 + i % 2
    probs = np.where(np.arange(3)[:, None, None] == true[:, None], 0.8, 0.1) * rng.uniform(0.8, 1.2, (40, 3, 48, 64))
    given = true.copy()
    given[5][given[5] == 2] = 1
    given[8] = 0
    return lp.audit(lp.Masks(given, classes=["ground", "<i>tree", "lake"]), probs / probs.sum(axis=1, keepdims=True))


def picture(row: int) -> Shown:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 160), (row % 256, 120, 90)).save(buffer, format="PNG")
    return Shown(image=buffer.getvalue())


@pytest.mark.parametrize("width", [390, 1280])
def test_boxes(drawn, browser, tmp_path, width):
    drawn.to_html(tmp_path / "report.html", show=picture if width == 390 else None)
    page, problems = open_report(browser, tmp_path / "report.html", width=width)
    assert "boxes, given or missing, are wrong" in page.locator(".headline").inner_text()
    cards = {card.split("\n")[0]: card for card in page.locator(".card").all_inner_texts()}
    assert "“dog” is missing" in cards["7"]
    assert "“<b>cat” lies elsewhere" in cards["31"]
    assert "“dog” is rather “<b>cat”" in cards["40"]
    assert "“<b>cat” stands twice" in cards["50"]
    assert page.locator("svg.boxes rect.gone").count() == 3  # moved, of another class, twice
    assert page.locator("svg.boxes rect.new").count() == 3  # missing, moved, of another class
    assert page.locator("svg.boxes image").count() == (len(cards) if width == 390 else 0)
    rows = page.locator("section:has(h2:text-is('How classes go wrong')) tbody tr").all_inner_texts()
    assert {row.split("\t")[0] for row in rows} == {"<b>cat", "dog"}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
    page.close()
    assert re.fullmatch(r"boxes 1 missing, 1 that are none, 1 displaced, 1 of another class", part_of(drawn).counts(drawn))


@pytest.mark.parametrize("width", [390, 1280])
def test_masks(masked, browser, tmp_path, width):
    masked.to_html(tmp_path / "report.html", show=picture if width == 390 else None)
    page, problems = open_report(browser, tmp_path / "report.html", width=width)
    assert "regions are wrong" in page.locator(".headline").inner_text()
    cards = {card.split("\n")[0]: card for card in page.locator(".card").all_inner_texts()}
    assert set(cards) == {"5", "8"}
    assert "“<i>tree” is rather “lake” (256 pixels" in cards["5"]
    assert "“<i>tree” is missing in “ground”" in cards["8"]
    assert page.locator(".pair img").count() == 4
    loaded = page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 20)")
    assert loaded
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
    page.close()


def test_an_audit_of_masks_that_was_loaded_shows_where_without_pixels(masked, tmp_path):
    masked.save(tmp_path / "audit")
    lp.Audit.load(tmp_path / "audit").to_html(tmp_path / "report.html")
    assert "as suggested" in (tmp_path / "report.html").read_text()


def test_what_is_shown_stays_inside_of_the_picture():
    view = View.around([(0, 0, 20, 10)], (640, 480))
    assert view.x == view.y == 0
    assert view.width / view.height == pytest.approx(4 / 3)
    assert View.around([(600, 470, 700, 500)], (640, 480)).x + View.around([(600, 470, 700, 500)], (640, 480)).width <= 640
    assert View.around([(5, 5, 8, 8)], (10, 10)) == (0, 0, 10, 10)


def test_colours_are_apart():
    colours = np.array([colour_of(code) for code in range(-1, 20)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 999 * np.eye(len(colours))
    assert apart.min() > 25
