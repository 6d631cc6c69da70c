"""Review pages of every kind of label can be used by everyone: axe-core finds nothing serious, in both themes and on a phone."""

from __future__ import annotations

import pytest

import labelproof as lp
from browsing import barriers, shown_item
from labelproof.labels import KINDS
from test_every_kind import MADE


@pytest.mark.parametrize("kind", KINDS)
def test_a_review_page_has_no_barriers(open_page, serve, tmp_path, kind):
    made, probs, _, _ = MADE[kind]
    lp.audit(made(), probs).save(tmp_path / "audit")
    served = serve(tmp_path / "audit", "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, bypass_csp=True)
    shown_item(page)
    for width, scheme in ((1280, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert barriers(page) == []
