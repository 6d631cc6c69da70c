"""The report in a real browser: it shows what was found, at both widths, and never runs what a data set holds."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from browsing import open_report, picture_of
from commands import run
from labelproof.data.dataset import Dataset, Shown
from labelproof.labels.classes import Classes
from labelproof.report.html import part_of
from labelproof.report.page import percent

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def audited(noisy_problem):
    labels, probs, _ = noisy_problem()
    return lp.audit(np.array(list("abcd"))[labels], probs, ids=[f"item{i}" for i in range(600)])


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_and_loads_nothing_from_elsewhere(browser, audited, tmp_path, width, scheme):
    audited.to_html(tmp_path / "r.html", title="A title")
    page, problems = open_report(browser, tmp_path / "r.html", width, scheme)
    assert problems == []
    assert page.title() == "A title"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".card").count() == min(120, 600 - audited.counts["ok"])
    assert "wrong" in page.locator(".headline").inner_text()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 384) == (scheme == "dark")
    page.close()


def test_everything_of_the_user_is_escaped(browser, noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem(k=2)
    classes = (EVIL, "<b>fine</b>")
    data = Dataset(
        x=probs,
        labels=Classes.of_codes(labels, classes),
        ids=np.array([f"{EVIL}{i}" for i in range(600)], dtype=object),
        show_item=lambda i: Shown(text=EVIL) if i % 2 else Shown(fields=((EVIL, EVIL),)),
        kind="text",
        skipped=[(EVIL, EVIL)],
    )
    lp.audit(data, probs).to_html(tmp_path / "r.html", title=f"T {EVIL}")
    page, problems = open_report(browser, tmp_path / "r.html")
    page.wait_for_timeout(200)
    assert problems == []
    assert page.title() == f"T {EVIL}"
    assert page.locator("main script, main b:text-is('fine'), main img").count() == 0
    assert EVIL in page.locator(".card").first.inner_text()
    page.close()
    assert "<script" not in lp.audit(data, probs)._repr_html_()


def test_many_rows_and_classes_stay_under_five_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(60, 0.05), 100_000).astype(np.float32)
    data = lp.read_arrays(rng.integers(0, 255, (100_000, 24, 24, 3), dtype=np.uint8), rng.integers(0, 60, 100_000))
    with pytest.warns(lp.DoubtWarning, match="class frequencies"):
        found = lp.audit(data, probs)
    found.to_html(tmp_path / "r.html")
    assert "cannot be estimated" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 100_000 < (tmp_path / "r.html").stat().st_size < 5_000_000


def test_the_short_version_names_rate_and_worst_items(audited):
    short = audited._repr_html_()
    assert percent(audited.error_rate.estimate) in short
    assert str(audited.issues["id"][0]) in short
    assert len(short) < 10_000


def test_shares_as_text():
    texts = [percent(share).replace("\u00a0", " ") for share in (0.1234, 0.0, 0.0001, 0.99991, 1.0)]
    assert texts == ["12.3 %", "0.0 %", "< 0.1 %", "> 99.9 %", "100.0 %"]
    assert percent(1.0, 0) == "100\u00a0%"


def test_unwritable_path(audited):
    with pytest.raises(lp.BadInput, match="cannot be written"):
        audited.to_html("/proc/none/r.html")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_suspects_lie_on_a_map_of_the_latent_space(browser, noisy_problem, tmp_path, width, scheme):
    labels, probs, _ = noisy_problem()
    labels[:50] = -1
    noise = lp.TransitionMatrix.symmetric(4, 0.1, classes=["a", "<b>", "c", "d"])
    latent = np.random.default_rng(0).normal(0, 1, (600, 7))
    names = [None if code < 0 else noise.classes[code] for code in labels]
    found = lp.audit_posterior(names, probs, noise, latent=latent)
    found.to_html(tmp_path / "r.html")
    page, problems = open_report(browser, tmp_path / "r.html", width, scheme)
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".map circle").count() == 550 - found.counts["ok"]
    assert page.locator(".legend li").all_inner_texts() == ["no label", "a", "<b>", "c", "d"]
    worst = page.locator(".map circle").last  # on top
    assert str(found.issues["id"][0]) in worst.locator("title").text_content()
    strokes = sum(len(path.get_attribute("d").split("M")) - 1 for path in page.locator(".map path").all())
    assert strokes == 600 - page.locator(".map circle").count()
    boxes = [circle.bounding_box() for circle in page.locator(".map circle").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    page.close()
    with pytest.raises(lp.BadInput, match="one row per item"):
        lp.audit_posterior(names, probs, noise, latent=latent[:9])


def test_there_is_no_map_without_a_latent_space(audited, tmp_path):
    audited.to_html(tmp_path / "r.html")
    assert 'class="map"' not in (tmp_path / "r.html").read_text()


def test_findings_show_what_was_given_what_it_should_be_and_why(browser, tmp_path):
    """The picture of the README."""
    done = run("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    page, problems = open_report(browser, tmp_path / "demo" / "report.html", 1180)
    assert problems == []
    first = page.locator(".card").first
    assert first.locator(".labels s").count() == 1  # given
    assert first.locator(".labels b").count() == 1  # suggested
    assert "never saw this label" in first.inner_text()
    boxes = [page.locator(".card").nth(i).bounding_box() for i in range(3)]
    assert len({round(box["y"]) for box in boxes}) == 1  # side by side
    whole = {"x": boxes[0]["x"] - 8, "y": boxes[0]["y"] - 8, "width": boxes[2]["x"] + boxes[2]["width"] - boxes[0]["x"] + 16}
    page.set_viewport_size({"width": 1180, "height": 3000})
    picture_of(page, "findings", clip={**whole, "height": max(box["height"] for box in boxes) + 16})
    page.close()


def test_the_headline_says_how_far_to_trust_it_doubts_first(tmp_path):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 3000)
    given = np.where(rng.random(3000) < 0.05, (true + 1) % 3, true)
    good = np.full((3000, 3), 0.01)
    good[np.arange(3000), true] = 0.98
    part = part_of(lp.audit(given, good))
    assert part.trust(lp.audit(given, good)).startswith("high. Nothing looks doubtful, and the interval is narrow.")
    assert part.trust(lp.audit(given[:60], good[:60])).startswith("moderate. Nothing looks doubtful, but the interval is wide.")
    with pytest.warns(lp.DoubtWarning):
        shuffled = lp.audit(given, rng.permutation(good))
    assert part.trust(shuffled) == "none while this doubt stands: no better than the class frequencies."
    with pytest.warns(lp.DoubtWarning):
        few = lp.audit(
            np.append(given, [3] * 4), np.pad(np.append(good, good[:4], axis=0), ((0, 0), (0, 1)), constant_values=1e-9)
        )
    assert part.trust(few) == f"limited. Doubts: {few.doubts[0].kind}."
    for found in (shuffled, few):
        assert part.trust(found) in found._repr_html_()
        found.to_html(tmp_path / "r.html")
        page = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert page.index("Read this first") < page.index("Trust:") < page.index(part.trust(found))


def test_a_printed_report_is_light_and_cuts_nothing_off(audited, tmp_path, browser):
    audited.to_html(tmp_path / "r.html")
    page, _ = open_report(browser, tmp_path / "r.html", scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.set_viewport_size({"width": 690, "height": 900})  # A4 without its margins
    cut = "[...document.querySelectorAll('.panel, .card blockquote')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert page.evaluate(cut) == 0
    page.close()
