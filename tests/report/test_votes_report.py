"""The report of votes: annotators with intervals, who votes at random, the consensus."""

from __future__ import annotations

import re

import numpy as np
import pytest

import labelproof as lp
from browsing import open_report


@pytest.fixture(scope="module")
def crowd():
    """An audit of four annotators who are right, one who votes at random and one with a habit."""
    rng = np.random.default_rng(0)
    names = np.array(["ant", "bee", "cat", "dog"])
    true = rng.integers(0, 4, 800)
    said = [np.where(rng.random(800) < right, true, rng.integers(0, 4, 800)) for right in (0.9, 0.85, 0.8, 0.75)]
    said += [rng.integers(0, 4, 800), np.where((true == 0) & (rng.random(800) < 0.7), 2, true)]
    return lp.audit(lp.Votes(names[np.stack(said, axis=1)], annotators=["Ann", "Bo", "Cem", "Dee", "Eve", "Fay & <i>"]))


def test_annotators_consensus_and_habits(crowd, browser, tmp_path):
    crowd.to_html(tmp_path / "report.html")
    page, problems = open_report(browser, tmp_path / "report.html", width=390)
    text = page.locator("body").inner_text()
    assert "Votes at random: Eve." in text
    rows = page.locator("section:has(h2:text-is('Annotators')) tbody tr").all_inner_texts()
    assert len(rows) == 6
    assert rows[0].startswith("Eve")
    shown = {row.split("\t")[0]: row for row in rows}
    quality = {row["annotator"]: row for row in crowd.noise.quality.to_dicts()}
    low, high = (f"{100 * quality['Ann'][end]:.1f}" for end in ("low", "high"))
    assert re.search(rf"{low}\s% to {high}\s%", shown["Ann"])
    habits = page.locator("section:has(h2:text-is('Who confuses what')) tbody tr").all_inner_texts()
    fay = [row.split("\t") for row in habits if row.startswith("Fay & <i>")]
    assert fay[0][1:3] == ["ant", "cat"]
    assert abs(float(fay[0][3].split("\xa0")[0]) - 70) < 15  # drawn to the pool
    assert "items are expected to have a wrong consensus" in text
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert problems == []
    page.close()


def test_the_summary_in_words(crowd):
    from labelproof.report.html import part_of

    said = part_of(crowd).counts(crowd)
    assert re.search(r"of 800 items have a wrong consensus; 1 of 6 annotators vote at random \(Eve\)$", said)
