"""Votes: from a file of votes through a real browser to a table of the consensus."""

from __future__ import annotations

import numpy as np
import polars as pl

from browsing import picture_of, shown_item, until, wait_until_saved
from commands import run
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.verified import open_store
from labelproof.review.log.identity import data_of

NAMES = ["ant", "bee", "cat"]


def voted(path, n=120):
    """Three votes an item of annotators of whom one votes at random; the true class of each item by name."""
    rng = np.random.default_rng(0)
    true = {f"item-{i:03d}": NAMES[i % 3] for i in range(n)}
    right = {"Ann": 0.9, "Bo": 0.8, "Cem": 0.75, "Dee": 0.7, "Eve": 1 / 3}
    rows = [
        {
            "id": item,
            "worker": name,
            "y": y if rng.random() < right[name] else str(rng.choice(NAMES)),
            "body": f"A text of {item}.",
        }
        for item, y in true.items()
        for name in rng.choice(list(right), 3, replace=False)
    ]
    pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=0).write_csv(path)
    return true


def command(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_more_vote_where_it_pays(open_page, serve, tmp_path):
    true = voted(tmp_path / "votes.csv")
    names = ["--item", "id", "--annotator", "worker", "--label", "y"]
    command("audit", tmp_path / "votes.csv", *names, "--text", "body", "--encoder", "none", "--out", tmp_path / "audit")
    items = pl.read_parquet(tmp_path / "audit" / "items.parquet")
    served = serve(tmp_path / "audit", "--budget", 6, "--reviewer", "Fay", "--port", 0)
    page = open_page(served.link, width=390)
    item = shown_item(page)
    assert item == items.sort("value_of_vote", descending=True)["id"][0]
    until(page, "document.getElementById('shown').innerText")
    assert page.locator("#shown").inner_text() == f"A text of {item}."
    votes = pl.read_csv(tmp_path / "votes.csv").filter(pl.col("id") == item)
    lines = [line.split("\n") for line in page.locator(".votes li").all_inner_texts()]
    assert {(who, label) for who, label, _ in lines} == set(votes.select("worker", "y").iter_rows())
    assert page.locator("#keep strong").inner_text() == items.filter(pl.col("id") == item)["consensus"][0]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture_of(page, "review-votes")
    answered = {}
    for _ in range(6):
        answered[item] = true[item]
        page.keyboard.press(str(NAMES.index(true[item]) + 1))
        until(page, "before => document.getElementById('item-id').textContent !== before", item)
        item = page.locator("#item-id").inner_text()
    wait_until_saved(page)
    assert page.problems == []
    served.stop()

    candidates, store = open_candidates(tmp_path / "audit"), open_store(tmp_path / "audit", must_exist=True)
    assert {d.item: d.label for d in store.current(data_of(candidates, store))} == answered
    store.close()
    command("apply", tmp_path / "audit", "--explain", "--out", tmp_path / "clean.csv")
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert clean.columns == ["id", "body", "y", "y_given", "y_change"]
    assert clean["id"].to_list() == pl.read_csv(tmp_path / "votes.csv")["id"].unique(maintain_order=True).to_list()
    said = dict(clean.select("id", "y").iter_rows())
    assert {name: said[name] for name in answered} == answered
    unchanged = clean.filter(~pl.col("id").is_in(list(answered)))
    consensus = dict(items.select("id", "consensus").iter_rows())
    assert dict(unchanged.select("id", "y").iter_rows()) == {name: consensus[name] for name in unchanged["id"]}
    changed = clean.filter(pl.col("y") != pl.col("y_given"))
    assert set(changed["y_change"].str.slice(0, 15)) <= {"reviewed by Fay"}
