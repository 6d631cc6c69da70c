"""Reports of every kind of label can be read by everyone: axe-core finds nothing serious, in both themes and on a phone."""

from __future__ import annotations

import pytest

import labelproof as lp
from browsing import barriers, open_report
from labelproof.labels import KINDS
from test_every_kind import MADE


@pytest.fixture(scope="module", params=KINDS)
def report(request, tmp_path_factory):
    made, probs, _, _ = MADE[request.param]
    path = tmp_path_factory.mktemp(request.param) / "report.html"
    lp.audit(made(), probs).to_html(path)
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "light"), (1280, "dark")])
def test_a_report_has_no_barriers(browser, report, width, scheme):
    page, problems = open_report(browser, report, width, scheme)
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []
    page.close()
