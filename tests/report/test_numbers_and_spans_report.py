"""The reports of numbers and of spans, in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

import labelproof as lp
from browsing import open_report
from labelproof.report.html import part_of
from labelproof.report.kinds.spans import pieces_of


@pytest.fixture(scope="module")
def sizes():
    rng = np.random.default_rng(0)
    expected = rng.uniform(10, 90, 900)
    given = np.round(expected + rng.normal(0, 1, 900), 1)
    given[:20] *= 100
    given[20:30] *= -1
    return lp.audit(lp.Numbers(given), expected)


@pytest.fixture(scope="module")
def sentences():
    words, names = ["<i>Ann", "met", "Bo", "Li", "today"], ["B-LOC", "B-PER", "I-PER", "O"]
    right = ["B-PER", "O", "B-PER", "I-PER", "O"]
    given = [list(right) for _ in range(300)]
    given[5][0], given[6][0], given[7][3], given[8][1] = "O", "B-LOC", "O", "B-LOC"
    probs = [np.array([[0.97 if tag == name else 0.01 for name in names] for tag in right]) for _ in given]
    return lp.audit(lp.Spans([words] * 300, given), probs)


@pytest.mark.parametrize("width", [390, 1280])
def test_numbers(sizes, browser, tmp_path, width):
    sizes.to_html(tmp_path / "report.html")
    page, problems = open_report(browser, tmp_path / "report.html", width=width)
    assert re.search(r"About 3\.\d\s% of the 900 numbers are wrong", page.locator(".headline").inner_text())
    rows = [row.split("\t") for row in page.locator("section:has(h2:text-is('Kinds of error')) tbody tr").all_inner_texts()]
    found = {row[0]: int(row[3]) for row in rows}
    assert (found["factor"], found["sign"]) == (20, 10)
    assert page.locator("svg.numbers circle").count() == sizes.counts["obvious"] + sizes.counts["possible"]
    assert page.locator(".histogram.strays > div").count() == 31
    card = page.locator(".card").first.inner_text()
    assert "decimal mark is in the wrong place" in card
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
    page.close()


def test_spans(sentences, browser, tmp_path):
    sentences.to_html(tmp_path / "report.html")
    page, problems = open_report(browser, tmp_path / "report.html", width=390)
    assert "sentences have a wrong span" in page.locator(".headline").inner_text()
    cards = page.locator(".card").all_inner_texts()
    assert any("“<i>Ann” is missing" in card for card in cards)
    assert any("is rather PER" in card for card in cards)
    assert any("“Bo” is rather “Bo Li”" in card for card in cards)
    assert any("“met” is no entity" in card for card in cards)
    assert page.locator(".piece.gone s").first.inner_text() == "met"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert problems == []
    page.close()
    assert (
        part_of(sentences).counts(sentences) == "spans 1 missing, 1 that are none, 1 with another boundary, 1 of another type"
    )
    assert "2.0" not in sentences._repr_html_()


def test_long_sentences_are_cut_where_nothing_is_marked():
    words = [str(i) for i in range(100)]
    pieces = pieces_of(words, [(50, 51, "A")], [(50, 52, "A")])
    assert [piece.state for piece in pieces] == ["plain", "same", "new", "plain"]
    assert pieces[0].words.startswith("… 36")
    assert pieces[-1].words.endswith("65 …")
