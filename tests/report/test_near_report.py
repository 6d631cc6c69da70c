"""The report's part on neighbours in a real browser: duplicates with different labels, outliers, at both widths."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from browsing import open_report
from labelproof.data.dataset import Shown

EVIL = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def audited():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    features = (rng.normal(size=(3, 20))[true] + rng.normal(size=(300, 20))).astype(np.float32)
    features = np.concatenate([features, features[[0, 1]], [-30 * features[2]]])
    given = np.concatenate([true, [(true[0] + 1) % 3, true[1], true[2]]])
    given[100] = (true[100] + 1) % 3
    probs = np.where(np.eye(3, dtype=bool)[np.concatenate([true, true[[0, 1, 2]]])], 0.9, 0.05)
    return lp.audit(given, probs, features=features)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_duplicates_with_different_labels_are_shown_together(browser, audited, tmp_path, width, scheme):
    audited.to_html(tmp_path / "r.html", show=lambda row: Shown(text=f"text of {row} {EVIL}"))
    page, problems = open_report(browser, tmp_path / "r.html", width, scheme)
    assert problems == []
    assert page.title() != "owned"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    groups = page.locator(".panel:has(.few)")
    assert groups.count() == 1  # of the two groups one has different labels
    assert groups.first.locator(".card").count() == 2
    assert "text of 0" in groups.first.inner_text() and "text of 300" in groups.first.inner_text()
    assert page.get_by_text("Duplicates and outliers").count() == 1
    assert page.get_by_text("2 groups of duplicates, 1 of them with different labels").count() == 1
    page.close()


def test_an_audit_without_evidence_has_no_such_part(audited, noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem()
    lp.audit(labels, probs).to_html(tmp_path / "plain.html")
    assert "Duplicates and outliers" not in (tmp_path / "plain.html").read_text()
    given = np.tile(audited.labels.values[:300], 2)
    given[:200] = (given[:200] + 1) % 3  # two hundred groups with different labels
    probs = np.where(np.eye(3, dtype=bool)[np.tile(audited.labels.values[:300], 2)], 0.9, 0.05)
    twice = np.tile(np.random.default_rng(0).normal(size=(300, 20)), (2, 1))
    many = lp.audit(given, probs, features=twice)
    assert many.summary["neighbours"]["with_different_labels"] == 200
    many.to_html(tmp_path / "many.html", show=lambda row: Shown(text="x" * 200_000))
    assert (tmp_path / "many.html").stat().st_size < 5_000_000
