"""Boxes: from COCO instances through a real browser and back into them, and by spreadsheet and Label Studio."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.review.exchange.label_studio import read_label_studio, write_label_studio
from labelproof.review.exchange.spreadsheet import read_csv, write_csv

SIZE = (200, 150)
COLOURS = {"ball": (200, 70, 60), "brick": (60, 90, 190)}
MISSED, MOVED, NONE, SWAPPED = 11, 40, 52, 63


def written(folder, n=120):
    """Pictures of balls and bricks; in four of them a box is wrong. Their true boxes."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    true, images, annotations, results = [], [], [], []
    for i in range(n):
        picture = Image.new("RGB", SIZE, (228, 226, 220))
        draw, own = ImageDraw.Draw(picture), []
        for column in range(3):
            name = ("ball", "brick")[int(rng.integers(2))]
            x, y, w, h = (
                10 + 62 * column + int(rng.integers(8)),
                int(rng.integers(8, 70)),
                int(rng.integers(30, 46)),
                int(rng.integers(30, 60)),
            )
            (draw.ellipse if name == "ball" else draw.rectangle)([x, y, x + w, y + h], fill=COLOURS[name])
            own.append((x, y, x + w, y + h, name))
        picture.save(folder / "images" / f"p{i:03d}.png")
        images.append({"id": i, "file_name": f"p{i:03d}.png", "width": SIZE[0], "height": SIZE[1]})
        true.append(own)
        for x1, y1, x2, y2, name in own:
            a, b, c, d = np.array([x1, y1, x2, y2]) + rng.normal(0, 0.8, 4)
            results.append(
                {
                    "image_id": i,
                    "category_id": ["ball", "brick"].index(name),
                    "bbox": [a, b, c - a, d - b],
                    "score": float(rng.uniform(0.85, 0.99)),
                }
            )
        if rng.random() < 0.4:
            x, y = rng.integers(0, 150), rng.integers(0, 100)
            results.append(
                {
                    "image_id": i,
                    "category_id": int(rng.integers(2)),
                    "bbox": [int(x), int(y), 30, 30],
                    "score": float(rng.uniform(0.02, 0.2)),
                }
            )
    given = [list(own) for own in true]
    del given[MISSED][1]
    x1, y1, x2, y2, name = given[MOVED][0]
    given[MOVED][0] = (x1 + 14, y1 + 12, x2 + 14, y2 + 12, name)
    given[NONE].append((20, 118, 44, 140, "ball"))
    given[SWAPPED][2] = (*given[SWAPPED][2][:4], "brick" if given[SWAPPED][2][4] == "ball" else "ball")
    for i, own in enumerate(given):
        for x1, y1, x2, y2, name in own:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": ["ball", "brick"].index(name),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 0, "name": "ball"}, {"id": 1, "name": "brick"}]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    (folder / "results.json").write_text(json.dumps(results))
    return true


def given_in(path):
    return [sorted(own) for own in lp.read_boxes(path).labels.given_boxes()]


@pytest.fixture
def folder(tmp_path):
    written(tmp_path / "data")
    lp.audit(lp.read_boxes(tmp_path / "data" / "instances.json"), tmp_path / "data" / "results.json").save(tmp_path / "audit")
    return tmp_path / "audit"


def test_from_the_file_to_the_file(open_page, serve, tmp_path):
    true = written(tmp_path / "data")
    done = run(
        "audit",
        tmp_path / "data" / "instances.json",
        "--predictions",
        tmp_path / "data" / "results.json",
        "--out",
        tmp_path / "audit",
    )
    assert done.returncode == 0, done.stderr
    served = serve(tmp_path / "audit", "--budget", 10, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    item, seen = None, set()
    for place in range(10):
        item = shown_item(page, item)
        number = int(item[1:4])
        seen.add(number)
        until(page, "document.querySelectorAll('#drawing .own').length > 0")
        if place == 0:
            until(page, "document.querySelector('#drawing image') && pictures.get(current.rank)?.complete")
            picture_of(page, "review-boxes-phone")
        if number in (MISSED, MOVED, NONE, SWAPPED):
            page.evaluate("boxes => { kind.draft = boxes; kind.select(null); }", [list(box) for box in true[number]])
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("k")
    assert seen >= {MISSED, MOVED, NONE, SWAPPED}
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wait_until_saved(page)
    assert page.problems == []
    served.stop()
    done = run("apply", tmp_path / "audit", "--out", tmp_path / "clean.json")
    assert done.returncode == 0, done.stderr
    assert given_in(tmp_path / "clean.json") == [sorted(own) for own in true]
    before, after = (json.loads(path.read_text()) for path in (tmp_path / "data" / "instances.json", tmp_path / "clean.json"))
    kept = [one for one in after["annotations"] if one in before["annotations"]]
    assert len(before["annotations"]) - len(kept) == 3  # one moved, one is none, one has another class
    assert before["images"] == after["images"]


def test_boxes_are_drawn_moved_changed_and_removed(folder, open_page, serve):
    served = serve(folder, "--budget", 3, "--measure", 0, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link)
    shown_item(page)
    until(page, "document.querySelectorAll('#drawing .own').length > 0")
    until(page, "pictures.get(current.rank)?.complete")
    picture_of(page, "review-boxes")

    def draft():
        return [tuple(box) for box in page.evaluate("kind.draft")]

    def at(x, y):
        """Where a pixel of the picture is on the screen."""
        return page.evaluate(
            "([x, y]) => { const p = new DOMPoint(x, y).matrixTransform(kind.svg.getScreenCTM()); return [p.x, p.y]; }", [x, y]
        )

    def drag(start, end):
        page.mouse.move(*at(*start))
        page.mouse.down()
        page.mouse.move(*at(*end), steps=5)
        page.mouse.up()

    begun = draft()
    drag((150, 110), (190, 140))
    drawn = draft()[-1]
    assert len(draft()) == len(begun) + 1
    assert np.allclose(drawn[:4], (150, 110, 190, 140), atol=1.5)
    page.keyboard.press("2")
    assert draft()[-1][4] == "brick"
    drag((170, 125), (160, 120))  # inside of it: it moves
    moved = draft()[-1]
    assert np.allclose(np.array(moved[:4]) - drawn[:4], (-10, -5, -10, -5), atol=1.5)
    drag((moved[2], moved[3]), (moved[2] + 8, moved[3] + 6))  # a handle
    assert np.allclose(np.array(draft()[-1][:4]) - moved[:4], (0, 0, 8, 6), atol=1.5)
    page.keyboard.press("Shift+ArrowLeft")
    assert draft()[-1][0] == pytest.approx(moved[0] - 1)
    page.mouse.move(*at(170, 125))
    page.mouse.wheel(0, -400)
    until(page, "kind.view.width < kind.size[0]")
    page.keyboard.press("f")
    until(page, "kind.view.width === kind.size[0]")
    page.keyboard.press("Delete")
    assert draft() == begun
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelectorAll('#drawing .own.selected').length === 1")
    page.keyboard.press("0")
    assert len(draft()) == len(begun) - 1
    page.keyboard.press("r")
    assert draft() == begun
    page.keyboard.press("g")
    assert sorted(draft()) == sorted(map(tuple, page.evaluate("current.given")))
    assert page.locator("#accept").is_hidden()
    page.locator(".found button").first.click()
    until(page, "kind.view.width < kind.size[0]")
    assert page.problems == []
    served.stop()


def test_boxes_are_drawn_by_touch(folder, open_page, serve):
    served = serve(folder, "--budget", 3, "--measure", 0, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    shown_item(page)
    until(page, "document.querySelectorAll('#drawing .own').length > 0")
    before = page.evaluate("kind.draft.length")
    touch = """([type, id, x, y]) => {
      const p = new DOMPoint(x, y).matrixTransform(kind.svg.getScreenCTM());
      const event = new PointerEvent(type, { pointerId: id, pointerType: "touch", clientX: p.x, clientY: p.y, bubbles: true, cancelable: true, button: type === "pointermove" ? -1 : 0 });
      kind.svg.setPointerCapture = () => {};
      (document.elementFromPoint(p.x, p.y) ?? kind.svg).dispatchEvent(event);
    }"""
    for event in (
        ["pointerdown", 5, 5, 120],
        ["pointermove", 5, 30, 140],
        ["pointermove", 5, 45, 148],
        ["pointerup", 5, 45, 148],
    ):
        page.evaluate(touch, event)
    assert page.evaluate("kind.draft.length") == before + 1
    for event in (
        ["pointerdown", 5, 90, 70],
        ["pointerdown", 6, 110, 80],
        ["pointermove", 6, 150, 110],
        ["pointerup", 5, 90, 70],
        ["pointerup", 6, 150, 110],
    ):
        page.evaluate(touch, event)  # two fingers apart: nearer
    assert page.evaluate("kind.view.width < kind.size[0]")
    assert page.evaluate("kind.draft.length") == before + 1
    assert page.problems == []
    served.stop()


def test_spreadsheets_and_label_studio(folder, session_of, tmp_path):
    session = session_of(folder, budget=6, measure=0.0)
    part, items = session.candidates.part, session.candidates.table["id"].to_list()
    assert {f"p{i:03d}.png" for i in (MISSED, MOVED, NONE, SWAPPED)} <= set(items[:6])
    write_csv(session, tmp_path / "reviews.csv", False)
    sheet = pl.read_csv(tmp_path / "reviews.csv", infer_schema=False)
    mine = '[[1, 2, 30, 40.5, "ball"]]'
    sheet.with_columns(
        label=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(mine)).otherwise(pl.lit("")), reviewer=pl.lit("Ann")
    ).write_csv(tmp_path / "reviews.csv")
    read_csv(session, tmp_path / "reviews.csv")
    assert [(d.item, d.label) for d in session.decisions] == [(sheet["id"][0], mine)]
    for wrong, said in (
        ('[[1, 2, 30, 40, "dog"]]', "'dog' is not one of the classes"),
        ('[[30, 2, 1, 40, "ball"]]', "has no area"),
        ("[[1, 2]]", "is not a box"),
    ):
        sheet.with_columns(label=pl.lit(wrong), reviewer=pl.lit("Ann")).write_csv(tmp_path / "bad.csv")
        with pytest.raises(lp.BadInput, match=said):
            read_csv(session, tmp_path / "bad.csv")

    write_label_studio(session, tmp_path / "studio")
    assert '<RectangleLabels name="label" toName="item">' in (tmp_path / "studio" / "config.xml").read_text()
    tasks = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    for task in tasks:
        task["annotations"] = [
            {"id": 1, "completed_by": "Bo", "created_at": "2030-01-01T00:00:00Z", "result": task["predictions"][0]["result"]}
        ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    read_label_studio(session, tmp_path / "export.json")
    said = {d.item: d.label for d in session.decisions if d.reviewer == "Bo"}
    for task in tasks:
        rank = session.candidates.ranks_of([task["data"]["labelproof_id"]])[task["data"]["labelproof_id"]]
        assert said[task["data"]["labelproof_id"]] == part.suggested_cell(rank)  # to the last decimal


def test_what_was_given_can_be_kept_even_where_it_could_not_be_drawn(session_of, tmp_path):
    given = [{"boxes": [[10, 10, 50, 50]], "labels": ["a"]}] * 30 + [{"boxes": [[50, 10, 10, 50]], "labels": ["a"]}]
    lp.audit(lp.Boxes(given, sizes=[[100, 100]] * 31), None).save(tmp_path / "audit")
    session = session_of(tmp_path / "audit", budget=3, measure=0.0)
    rank = session.candidates.ranks_of(["30"])["30"]
    assert rank == 0
    session.decide("Fay", rank, "keep", [[50, 10, 10, 50, "a"]], "uid-00000001", 1.0)
    assert [d.action for d in session.decisions] == ["keep"]
    with pytest.raises(lp.BadInput, match="has no area"):
        session.decide("Fay", rank, "relabel", [[50, 10, 10, 51, "a"]], "uid-00000002", 1.0)
