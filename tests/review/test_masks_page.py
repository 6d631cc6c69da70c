"""Masks: from a folder of PNGs through a real browser and back into them, and by spreadsheet."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.labels.run_length import encode
from labelproof.review.exchange.label_studio import write_label_studio
from labelproof.review.exchange.spreadsheet import read_csv, write_csv
from labelproof.review.page.describe import Describer

SHAPE = (48, 64)
CLASSES = ["ground", "tree", "lake"]
COLOURS = np.array([[196, 180, 140], [70, 130, 60], [70, 110, 190]], np.uint8)
DROPPED, SWAPPED = 7, 21


def written(folder, n=40):
    """Pictures of trees and lakes; a tree was not drawn in one, a lake is called a tree in another. The true masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks", "probs"):
        (folder / name).mkdir(parents=True)
    true = []
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for i in range(n):
        mask = np.zeros(SHAPE, np.uint8)
        for code, column in ((1, 16), (2, 46)):
            cx, cy, r = column + rng.integers(-4, 5), rng.integers(16, 32), rng.integers(8, 12)
            mask[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = code
        given = mask.copy()
        if i == DROPPED:
            given[mask == 1] = 0
        if i == SWAPPED:
            given[mask == 2] = 1
        noise = rng.normal(0, 12, (*SHAPE, 3))
        Image.fromarray(np.clip(COLOURS[mask] + noise, 0, 255).astype(np.uint8)).save(folder / "images" / f"p{i:02d}.png")
        Image.fromarray(given).save(folder / "masks" / f"p{i:02d}.png")
        logits = 3.0 * (np.arange(3)[:, None, None] == mask) + rng.normal(0, 0.6, (3, *SHAPE))
        probs = np.exp(logits) / np.exp(logits).sum(0)
        np.save(folder / "probs" / f"p{i:02d}.npy", probs.astype(np.float32))
        true.append(mask)
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return true


@pytest.fixture
def folder(tmp_path):
    written(tmp_path / "data")
    lp.audit(lp.read_masks(tmp_path / "data"), tmp_path / "data" / "probs").save(tmp_path / "audit")
    return tmp_path / "audit"


def loaded(page):
    until(page, "kind.draft !== null")


def test_from_the_folder_to_the_folder(open_page, serve, tmp_path):
    true = written(tmp_path / "data")
    done = run("audit", tmp_path / "data", "--predictions", tmp_path / "data" / "probs", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    served = serve(tmp_path / "audit", "--budget", 5, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    item, seen = None, set()
    for place in range(5):
        item = shown_item(page, item)
        seen.add(int(item[1:3]))
        loaded(page)
        if place == 0:
            until(page, "pictures.get(current.rank)?.complete")
            picture_of(page, "review-masks-phone")
        if int(item[1:3]) in (DROPPED, SWAPPED):
            page.evaluate(
                "codes => { kind.draft = Int32Array.from(codes); kind.draw(); }", true[int(item[1:3])].ravel().tolist()
            )
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("k")
    assert seen >= {DROPPED, SWAPPED}
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wait_until_saved(page)
    assert page.problems == []
    served.stop()
    done = run("apply", tmp_path / "audit", "--out", tmp_path / "clean")
    assert done.returncode == 0, done.stderr
    for i, mask in enumerate(true):
        file = f"masks/p{i:02d}.png"
        assert (np.asarray(Image.open(tmp_path / "clean" / file)) == mask).all()
        same = (tmp_path / "clean" / file).read_bytes() == (tmp_path / "data" / file).read_bytes()
        assert same == (i not in (DROPPED, SWAPPED))


def test_a_brush_suggestions_and_views(folder, open_page, serve):
    served = serve(folder, "--budget", 3, "--measure", 0, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    loaded(page)
    until(page, "pictures.get(current.rank)?.complete")
    picture_of(page, "review-masks")

    def changed():
        return page.evaluate("kind.draft.reduce((sum, code, i) => sum + (code !== kind.codes[i]), 0)")

    suggested = changed()
    assert suggested > 50
    assert page.locator("#accept small").inner_text() == "Accept the suggestion"
    page.locator(".found input").first.uncheck()
    assert changed() < suggested
    page.locator(".found input").first.check()
    assert changed() == suggested
    page.keyboard.press("g")
    assert changed() == 0
    assert page.locator("#accept").is_hidden()
    page.keyboard.press("3")  # lake
    frame = page.locator("#stage").bounding_box()
    spot = lambda x, y: (frame["x"] + frame["width"] * x / SHAPE[1], frame["y"] + frame["height"] * y / SHAPE[0])  # noqa: E731
    page.mouse.move(*spot(5, 40))
    page.mouse.down()
    page.mouse.move(*spot(20, 40), steps=6)
    page.mouse.up()
    painted = changed()
    assert 60 < painted < 260
    assert page.evaluate(f"kind.draft[40 * {SHAPE[1]} + 12]") == 2
    assert page.locator("#accept small").inner_text() == "Save yours"
    assert page.evaluate("kind.answer().map(([name]) => name)") == ["lake"]
    page.keyboard.press("]")
    assert page.evaluate("kind.radius") > 4
    page.keyboard.press("x")
    assert changed() == 0
    page.keyboard.press("t")
    assert page.evaluate("kind.seen") == "given"
    page.keyboard.press("+")
    assert page.evaluate("kind.zoomed.scale") > 1
    page.keyboard.press("f")
    assert page.evaluate("kind.zoomed.scale") == 1
    page.locator(".found button").first.click()
    assert page.evaluate("kind.zoomed.scale") > 1
    page.keyboard.press("r")
    assert changed() == suggested
    assert page.problems == []
    served.stop()


def test_what_the_page_answers_is_what_we_read(folder, open_page, serve):
    """Run lengths in JavaScript and in Python."""
    served = serve(folder, "--budget", 3, "--measure", 0, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    loaded(page)
    given = np.array(page.evaluate("Array.from(kind.codes)")).reshape(SHAPE)
    rng = np.random.default_rng(3)
    new = np.where(rng.random(SHAPE) < 0.2, rng.integers(0, 3, SHAPE), given)
    page.evaluate("codes => { kind.draft = Int32Array.from(codes); }", new.ravel().tolist())
    wanted = [
        [CLASSES[code], encode((new == code) & (given != code))] for code in range(3) if ((new == code) & (given != code)).any()
    ]
    assert page.evaluate("kind.answer()") == wanted
    page.evaluate("kind.draft = kind.codes.slice()")
    for name, runs in wanted:
        page.evaluate("([code, runs]) => kind.eachPixel(runs, (i) => (kind.draft[i] = code))", [CLASSES.index(name), runs])
    assert page.evaluate("Array.from(kind.draft)") == new.ravel().tolist()
    served.stop()


def test_spreadsheets(folder, session_of, tmp_path):
    session = session_of(folder, budget=4, measure=0.0)
    items = session.candidates.table["id"].to_list()
    assert set(items[:2]) == {f"p{DROPPED:02d}", f"p{SWAPPED:02d}"}
    write_csv(session, tmp_path / "reviews.csv", False)
    sheet = pl.read_csv(tmp_path / "reviews.csv", infer_schema=False)
    mine = json.dumps([["tree", encode(np.ones(SHAPE, bool))]])
    sheet.with_columns(
        label=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(mine)).otherwise(pl.lit("")), reviewer=pl.lit("Ann")
    ).write_csv(tmp_path / "reviews.csv")
    read_csv(session, tmp_path / "reviews.csv")
    assert [(d.item, d.label) for d in session.decisions] == [(sheet["id"][0], mine)]
    sheet.with_columns(label=pl.lit('[["tree", "5 5"]]'), reviewer=pl.lit("Ann")).write_csv(tmp_path / "bad.csv")
    with pytest.raises(lp.BadInput, match="not fit a picture with 3,072 pixels"):
        read_csv(session, tmp_path / "bad.csv")
    with pytest.raises(lp.BadInput, match="cannot express changes to a mask"):
        write_label_studio(session, tmp_path / "studio")


def test_masks_that_changed_since_are_refused(folder, session_of, tmp_path):
    file = tmp_path / "data" / "masks" / "p05.png"
    changed = np.asarray(Image.open(file)).copy()
    changed[0, 0] = 2
    Image.fromarray(changed).save(file)
    done = run("apply", folder, "--out", tmp_path / "clean", "--obvious")
    assert done.returncode == 2
    assert "have changed" in done.stderr
    describer = Describer(session_of(folder, budget=40, measure=0.0).candidates)
    ranks = describer.candidates.ranks_of(["p05", "p06"])
    assert describer.mask(ranks["p05"]) == b""  # and so the page lets nobody paint on it
    assert describer.mask(ranks["p06"])


def test_masks_without_predictions_are_told_what_to_give(tmp_path):
    written(tmp_path / "data", n=2)
    done = run("audit", tmp_path / "data", "--out", tmp_path / "audit")
    assert done.returncode == 2
    assert "a folder with one .npy file per picture" in " ".join(done.stderr.split())
