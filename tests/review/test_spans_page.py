"""Spans: from CoNLL columns through a real browser and back into them, and by spreadsheet and Label Studio."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.review.exchange.label_studio import read_label_studio, write_label_studio
from labelproof.review.exchange.spreadsheet import read_csv, write_csv

PEOPLE, PLACES = ["Ann", "Bo", "Cem", "Dee", "Eve"], ["Paris", "Rome", "Bonn", "Oslo", "Lima"]
MISSED, SWAPPED = 11, 40


def written(path, n=360):
    """Sentences of two people and a place; in one a person is missing, in one the place is a person. Their true tags."""
    rng = np.random.default_rng(0)
    tokens, tags = [], []
    for i in range(n):
        one, other = rng.choice(PEOPLE, 2, replace=False)
        tokens.append([str(one), "Lee", "and", str(other), "went" if i % 2 else "drove", "to", str(rng.choice(PLACES)), "."])
        tags.append(["B-PER", "I-PER", "O", "B-PER", "O", "O", "B-LOC", "O"])
    given = [list(own) for own in tags]
    given[MISSED][3], given[SWAPPED][6] = "O", "B-PER"
    lines = ["\n".join(f"{a} _ {b}" for a, b in zip(*pair, strict=True)) for pair in zip(tokens, given, strict=True)]
    path.write_text("\n\n".join(lines) + "\n")
    return tokens, tags, given


@pytest.fixture
def folder(tmp_path):
    _, _, given = written(tmp_path / "news.conll")
    true = given.copy()
    names = ["B-LOC", "B-PER", "I-PER", "O"]
    true[MISSED], true[SWAPPED] = given[0], given[0]
    probs = [np.array([[0.94 if tag == name else 0.02 for name in names] for tag in own]) for own in true]
    lp.audit(lp.read_spans(tmp_path / "news.conll"), probs).save(tmp_path / "audit")
    return tmp_path / "audit"


@pytest.mark.needs("pycrfsuite")
def test_from_the_file_to_the_file(open_page, serve, tmp_path):
    _, tags, _ = written(tmp_path / "news.conll")
    done = run("audit", tmp_path / "news.conll", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    served = serve(tmp_path / "audit", "--budget", 8, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    item, seen = None, set()
    for _ in range(8):
        item = shown_item(page, item)
        seen.add(int(item))
        if int(item) == MISSED:
            picture_of(page, "review-spans")
            page.locator("#draft-sentence [data-token='3']").click()
            page.keyboard.press("2")  # PER
            assert (
                "Yours" in page.locator("#draft-name").inner_text() or "Suggested" in page.locator("#draft-name").inner_text()
            )
            page.keyboard.press("Enter")
        elif int(item) == SWAPPED:
            page.locator("#draft-sentence [data-token='6']").click()
            page.locator("#types button", has_text="LOC").click()
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("k")
    assert {MISSED, SWAPPED} <= seen
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wait_until_saved(page)
    assert page.problems == []
    served.stop()
    assert run("apply", tmp_path / "audit", "--out", tmp_path / "clean.conll").returncode == 0
    before, after = ((tmp_path / name).read_text() for name in ("news.conll", "clean.conll"))
    assert sum(a != b for a, b in zip(before.splitlines(), after.splitlines(), strict=True)) == 2
    assert [[line.split()[2] for line in own.splitlines()] for own in after.strip().split("\n\n")] == tags


def test_spans_are_drawn_by_mouse_and_keyboard(folder, open_page, serve):
    served = serve(folder, "--budget", 3, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link)
    shown_item(page)

    def draft():
        return [tuple(span) for span in page.evaluate("kind.draft")]

    begun = draft()
    token = page.locator("#draft-sentence [data-token='1']").bounding_box()
    end = page.locator("#draft-sentence [data-token='3']").bounding_box()
    page.mouse.move(token["x"] + 3, token["y"] + 5)
    page.mouse.down()
    page.mouse.move(end["x"] + 3, end["y"] + 5, steps=6)
    page.mouse.up()
    until(page, "document.querySelectorAll('.token.selected').length === 3")
    page.keyboard.press("1")
    assert (1, 4, "LOC") in draft()
    assert all(not (a < 4 and b > 1) for a, b, name in draft() if name != "LOC")  # what it cut into gave way
    page.locator("#draft-sentence [data-token='2']").click()
    page.keyboard.press("Delete")
    assert (1, 4, "LOC") not in draft()
    page.keyboard.press("ArrowLeft")  # the last token, when nothing is selected
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    until(page, "document.querySelectorAll('.token.selected').length === 2")
    page.keyboard.press("2")
    assert (5, 7, "PER") in draft()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('.token.selected').length === 0")
    assert draft() != begun
    page.keyboard.press("z")
    assert page.problems == []
    served.stop()


def test_spreadsheets_and_label_studio(folder, session_of, tmp_path):
    session = session_of(folder, budget=6, measure=0.0)
    part, items = session.candidates.part, session.candidates.table["id"].to_list()
    assert set(items[:2]) == {str(MISSED), str(SWAPPED)}
    write_csv(session, tmp_path / "reviews.csv", False)
    sheet = pl.read_csv(tmp_path / "reviews.csv", infer_schema=False)
    sheet.with_columns(
        label=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit('[[0, 2, "PER"]]')).otherwise(pl.lit("")), reviewer=pl.lit("Ann")
    ).write_csv(tmp_path / "reviews.csv")
    read_csv(session, tmp_path / "reviews.csv")
    assert [(d.item, d.label) for d in session.decisions] == [(sheet["id"][0], '[[0, 2, "PER"]]')]
    sheet.with_columns(label=pl.lit('[[0, 2, "DOG"]]'), reviewer=pl.lit("Ann")).write_csv(tmp_path / "bad.csv")
    with pytest.raises(lp.BadInput, match="type 'DOG' is not one of the classes"):
        read_csv(session, tmp_path / "bad.csv")

    sheet.with_columns(label=pl.lit('[[0, 99, "PER"]]'), reviewer=pl.lit("Ann")).write_csv(tmp_path / "bad.csv")
    with pytest.raises(lp.BadInput, match="ends beyond the sentence, which has 8 tokens"):
        read_csv(session, tmp_path / "bad.csv")

    write_label_studio(session, tmp_path / "studio")
    assert "none of these classes" not in (tmp_path / "studio" / "config.xml").read_text()
    assert '<Label value="LOC"/>' in (tmp_path / "studio" / "config.xml").read_text()
    tasks = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    task = next(task for task in tasks if task["data"]["labelproof_id"] in (str(MISSED), str(SWAPPED)))
    regions = task["predictions"][0]["result"]
    rank = session.candidates.ranks_of([task["data"]["labelproof_id"]])[task["data"]["labelproof_id"]]
    assert [region["value"]["labels"] for region in regions] == [["PER"], ["PER"], ["LOC"]]
    assert [task["data"]["text"][r["value"]["start"] : r["value"]["end"]] for r in regions] == [
        r["value"]["text"] for r in regions
    ]
    task["annotations"] = [{"id": 1, "completed_by": 3, "created_at": "2026-01-01T00:00:00Z", "result": regions}]
    (tmp_path / "export.json").write_text(json.dumps([task]))
    read_label_studio(session, tmp_path / "export.json")
    made = {d.item: d.label for d in session.decisions}
    assert made[task["data"]["labelproof_id"]] == part.suggested_cell(rank)
