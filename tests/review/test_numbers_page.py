"""Numbers: from a table through a real browser to a table in its own form, and by spreadsheet and Label Studio."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from browsing import picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.exchange.label_studio import read_label_studio, write_label_studio
from labelproof.review.exchange.spreadsheet import read_csv, write_csv

TENFOLD, LOST, SIGN = 7, 20, 33


def measured(path, n=400):
    """Sizes with decimal commas, one ten times too large, one a sentinel, one with the wrong sign; the true ones."""
    rng = np.random.default_rng(0)
    x = rng.uniform(10, 50, n)
    true = np.round(2 * x + rng.normal(0, 1, n), 1)
    given = true.copy()
    given[TENFOLD] *= 10
    given[[LOST, *range(300, 306)]] = -999
    given[SIGN] *= -1
    rows = [f"r{i};{g:.1f};{v:.3f}".replace(".", ",") for i, (g, v) in enumerate(zip(given, x, strict=True))]
    path.write_text("id;size;x\n" + "\n".join(rows) + "\n")
    return true


@pytest.fixture
def folder(tmp_path):
    true = measured(tmp_path / "sizes.csv")
    done = run(
        "audit", tmp_path / "sizes.csv", "--label", "size", "--id", "id", "--kind", "numbers", "--out", tmp_path / "audit"
    )
    assert done.returncode == 0, done.stderr
    assert "numbers look wrong" in done.stdout
    return tmp_path / "audit", true


def test_from_the_table_to_the_table(folder, open_page, serve, tmp_path):
    place, true = folder
    issues = pl.read_parquet(place / "issues.parquet")
    kinds = dict(issues.filter(pl.col("verdict") != "ok").select("id", pl.col("kind").cast(pl.String)).iter_rows())
    assert kinds[f"r{TENFOLD}"] == "factor"
    assert kinds[f"r{SIGN}"] == "sign"
    assert kinds[f"r{LOST}"] == "sentinel"
    served = serve(place, "--budget", 30, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    answers: dict[str, str | None] = {}
    item = None
    for _ in range(30):
        item = shown_item(page, item)
        assert page.locator("svg.near circle.given-item").count() == 1
        number = int(item[1:])
        if number == TENFOLD:
            picture_of(page, "review-numbers")
            assert page.locator("#accept strong").inner_text() == f"{true[TENFOLD]:g}"
            page.keyboard.press("Enter")
            answers[item] = f"{true[TENFOLD]:g}"
        elif number == SIGN:
            page.locator("#typed").fill(f"{true[SIGN]:g}".replace(".", ","))
            page.locator("#typed").press("Enter")
            answers[item] = f"{true[SIGN]:g}"
        elif item in kinds and kinds[item] == "sentinel":
            page.keyboard.press("n")
            answers[item] = None
        else:
            page.keyboard.press("k")
    assert len(answers) >= 9
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wait_until_saved(page)
    assert page.problems == []
    served.stop()
    assert run("apply", place, "--out", tmp_path / "clean.csv").returncode == 0
    before, after = ((tmp_path / name).read_text().splitlines() for name in ("sizes.csv", "clean.csv"))
    changed = {b.split(";")[0]: b.split(";")[1] for a, b in zip(before, after, strict=True) if a != b}
    assert changed == {item: "" if label is None else label.replace(".", ",") for item, label in answers.items()}


def test_a_field_that_holds_no_number_says_so(folder, open_page, serve):
    served = serve(folder[0], "--budget", 3, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link)
    item = shown_item(page)
    page.keyboard.press("/")
    until(page, "document.activeElement.id === 'typed'")
    page.keyboard.type("twelve")
    page.keyboard.press("Enter")
    assert page.evaluate("document.getElementById('typed').validationMessage") == "Type a number, such as 12.5."
    assert page.locator("#item-id").inner_text() == item
    served.stop()


def test_obvious_errors_are_undone_and_nothing_is_made_up(folder, session_of, tmp_path):
    place, true = folder
    session = session_of(place)
    repair(session.candidates, session.store, tmp_path / "clean.csv", obvious=True, explain=True)
    clean = pl.read_csv(tmp_path / "clean.csv", separator=";", decimal_comma=True)
    changed = clean.filter(pl.col("size_change").fill_null("") != "")
    assert set(changed["id"]) == {f"r{TENFOLD}", f"r{SIGN}"}  # what stood there before the sentinel nobody knows
    values = dict(changed.select("id", "size").iter_rows())
    assert values == {f"r{TENFOLD}": true[TENFOLD], f"r{SIGN}": true[SIGN]}


def test_spreadsheets_and_label_studio(folder, session_of, tmp_path):
    session = session_of(folder[0], budget=10, measure=0.0)
    write_csv(session, tmp_path / "reviews.csv", False)
    sheet = pl.read_csv(tmp_path / "reviews.csv", infer_schema=False)
    first, second = sheet["id"][:2]
    filled = sheet.with_columns(
        label=pl.when(pl.col("id") == first).then(pl.lit("12,5")).otherwise(pl.col("label")),
        decision=pl.when(pl.col("id") == second).then(pl.lit("none")).otherwise(pl.col("decision")),
        reviewer=pl.lit("Ann"),
    )
    filled.write_csv(tmp_path / "reviews.csv")
    read_csv(session, tmp_path / "reviews.csv")
    assert {d.item: (d.action, d.label) for d in session.decisions} == {first: ("relabel", "12.5"), second: ("none", None)}
    filled.with_columns(label=pl.lit("a dozen")).write_csv(tmp_path / "bad.csv")
    with pytest.raises(lp.BadInput, match="line 2: label 'a dozen' is not a number"):
        read_csv(session, tmp_path / "bad.csv")

    write_label_studio(session, tmp_path / "studio")
    assert '<Number name="label" toName="item"/>' in (tmp_path / "studio" / "config.xml").read_text()
    tasks = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    assert tasks[0]["predictions"][0]["result"][0]["type"] == "number"
    result = {"from_name": "label", "to_name": "item", "type": "number", "value": {"number": 7.25}}
    tasks[0]["annotations"] = [{"id": 1, "completed_by": 3, "created_at": "2026-01-01T00:00:00Z", "result": [result]}]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    read_label_studio(session, tmp_path / "export.json")
    assert {d.label for d in session.decisions if d.item == tasks[0]["data"]["labelproof_id"]} == {"7.25"}


def test_the_same_numbers_are_the_same_data(folder, tmp_path):
    again = run(
        "audit",
        tmp_path / "sizes.csv",
        "--label",
        "size",
        "--id",
        "id",
        "--kind",
        "numbers",
        "--seed",
        1,
        "--out",
        tmp_path / "b",
    )
    assert again.returncode == 0
    assert open_candidates(folder[0]).fingerprint == open_candidates(tmp_path / "b").fingerprint
