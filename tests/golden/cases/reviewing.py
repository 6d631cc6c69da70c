"""Reviews: the page and its queue, spreadsheets, Label Studio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from keep import Keep

from cases import inputs
from cases.case import case
from cases.page import Page


@case()
def review_pictures(keep: Keep) -> None:
    """Two reviewers, every kind of decision, undo, what is refused, and going on after a stop."""
    true = inputs.digit_arrays(Path())
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--pred-probs", "p.npy", "--out", "audit")
    options = ("audit", "--budget", 30, "--overlap", 0.3, "--seed", 5)
    with Page(keep, "first", *options) as page:
        ann, bob = page.enter("Ann"), page.enter("Bob")
        keep.text("fingerprint", page.log[1]["answer"]["fingerprint"], masked=False)  # reviews of before must find their audit
        for item in page.ask(ann, "POST", "next", count=8)["items"]:
            page.decide(ann, item["id"], "relabel", str(true[int(item["id"])]))
        for item, action in zip(
            page.ask(bob, "POST", "next", count=5)["items"], ("keep", "none", "unsure", "skip", "keep"), strict=True
        ):
            page.decide(bob, item["id"], action)
        page.ask(bob, "POST", "undo", uid="an-undo-0001")
        page.figures(ann)
        page.ask(ann, "GET", "items/0/similar")
        page.ask(ann, "GET", "items/0/picture")
        page.ask(ann, "GET", "items/9999")
        page.decide(ann, "0", "relabel", "eleven")
        page.decide(ann, "no such item", "keep")
        page.decide(ann, "0", "keep", audit="another")
        page.ask(ann, "POST", "decide", nonsense=True)
    with Page(keep, "second", *options) as page:
        bob = page.enter("Bob")
        while items := page.ask(bob, "POST", "next", count=20)["items"]:
            for item in items:
                page.decide(bob, item["id"], "relabel", str(true[int(item["id"])]))
        page.figures(bob)
    keep.command("apply", "audit", "--out", "clean.npy")
    keep.path("clean.npy")
    keep.command("apply", "audit", "--obvious", "--explain", "--out", "clean.csv")
    keep.path("clean.csv")


@case(data=True)
def review_table(keep: Keep) -> None:
    """Fields of a table, on the page; then the table is audited anew with the reviews, and the page finds it."""
    inputs.adult(400).drop("true").write_csv("adult.csv")
    command = ("audit", "adult.csv", "--label", "income", "--id", "id", "--folds", 3, "--out", "audit")
    keep.command(*command)
    with Page(keep, "page", "audit", "--budget", 12, "--reviewer", "Ann", "--measure", 0.8) as page:
        ann = page.enter("Ann")
        for item in page.ask(ann, "POST", "next", count=4)["items"]:
            page.decide(ann, item["id"], "keep")
        page.figures(ann)
        page.ask(ann, "GET", "items/1/similar")
        page.ask(ann, "GET", "items/0/picture")
        keep.command(*command, "--seed", 1, "--overwrite")
        page.ask(ann, "GET", "start")
        page.ask(ann, "POST", "next", count=2)
        page.figures(ann)


@case(data=True)
def review_text(keep: Keep) -> None:
    """Sentences on the page, and one reviewer who is always right."""
    texts = inputs.movies(300)
    texts.drop("true").write_csv("movies.csv")
    truth = dict(texts.select("id", "true").iter_rows())
    keep.command("audit", "movies.csv", "--label", "sentiment", "--text", "text", "--id", "id", "--folds", 3, "--out", "audit")
    with Page(keep, "page", "audit", "--budget", 25) as page:
        ann = page.enter("Ann")
        for _ in range(5):
            for item in page.ask(ann, "POST", "next", count=5)["items"]:
                page.decide(ann, item["id"], "relabel", truth[item["id"]])
        page.figures(ann)
        page.ask(ann, "GET", "items/2/similar")
    keep.command("apply", "audit", "--out", "clean.csv")
    keep.change("movies.csv", "clean.csv")


@case(data=True)
def review_tags(keep: Keep) -> None:
    """Tags: decided, refused, applied."""
    names, true = inputs.tag_arrays(Path(), 300)
    command = ("audit", "--tags", "t.npy", "--pred-probs", "p.npy", "--features", "x.npy")
    keep.command(*command, "--classes", ",".join(names), "--out", "audit")
    right = {str(i): [name for name, yes in zip(names, row, strict=True) if yes] for i, row in enumerate(true)}
    with Page(keep, "page", "audit", "--budget", 20, "--seed", 2) as page:
        ann, bob = page.enter("Ann"), page.enter("Bob")
        keep.text("fingerprint", page.log[1]["answer"]["fingerprint"], masked=False)
        for item in page.ask(ann, "POST", "next", count=6)["items"]:
            page.decide(ann, item["id"], "relabel", right[item["id"]])
        for item, action in zip(
            page.ask(bob, "POST", "next", count=4)["items"], ("keep", "none", "unsure", "skip"), strict=True
        ):
            page.decide(bob, item["id"], action)
        page.decide(bob, "7", "relabel", [])
        page.ask(bob, "POST", "undo", uid="an-undo-0001")
        page.decide(bob, "5", "relabel", ["Volcano"])
        page.decide(bob, "5", "relabel", names[0])
        page.ask(ann, "GET", "items/0/similar")
        page.figures(ann)
    keep.command("apply", "audit", "--out", "clean.csv")
    keep.path("clean.csv")
    keep.command("apply", "audit", "--explain", "--out", "explained.parquet")
    keep.path("explained.parquet")
    keep.command("apply", "audit", "--obvious", "--out", "obvious.csv")


@case(data=True)
def exchange_classes(keep: Keep) -> None:
    """To a spreadsheet and to Label Studio, and back."""
    texts = inputs.movies(250)
    texts.drop("true").write_csv("movies.csv")
    truth = dict(texts.select("id", "true").iter_rows())
    keep.command("audit", "movies.csv", "--label", "sentiment", "--text", "text", "--id", "id", "--folds", 3, "--out", "audit")
    keep.command("export", "audit", "--budget", 15, "--out", "queue.csv")
    keep.path("queue.csv")
    fill(Path("queue.csv"), Path("filled.csv"), truth)
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")
    keep.command("export", "audit", "--budget", 25, "--to", "label-studio", "--out", "tasks")
    keep.path("tasks")
    annotate(Path("tasks/tasks.json"), Path("export.json"), lambda item: [truth[item]])
    keep.command("import", "audit", "export.json")
    keep.command("import", "audit", "export.json")
    keep.command("export", "audit", "--budget", 25, "--out", "after.csv")
    keep.path("after.csv")


@case(data=True)
def exchange_tags(keep: Keep) -> None:
    """The same for tags."""
    names, true = inputs.tag_arrays(Path(), 250)
    keep.command("audit", "--tags", "t.npy", "--pred-probs", "p.npy", "--classes", ",".join(names), "--out", "audit")
    right = {str(i): [name for name, yes in zip(names, row, strict=True) if yes] for i, row in enumerate(true)}
    keep.command("export", "audit", "--budget", 10, "--out", "queue.csv")
    keep.path("queue.csv")
    fill(Path("queue.csv"), Path("filled.csv"), {item: "; ".join(own) for item, own in right.items()})
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")
    keep.command("export", "audit", "--budget", 20, "--to", "label-studio", "--out", "tasks")
    keep.path("tasks")
    annotate(Path("tasks/tasks.json"), Path("export.json"), lambda item: right[item])
    keep.command("import", "audit", "export.json")
    keep.command("apply", "audit", "--out", "clean.csv")
    keep.path("clean.csv")


@case()
def export_pictures(keep: Keep) -> None:
    """Pictures travel inside the tasks."""
    inputs.picture_folder(Path("digits"), 100)
    probs = np.random.default_rng(0).dirichlet(np.ones(10), 100)
    np.save("p.npy", probs)
    keep.command("audit", "digits", "--pred-probs", "p.npy", "--out", "audit")
    keep.command("export", "audit", "--budget", 5, "--to", "label-studio", "--out", "tasks")
    keep.path("tasks")
    keep.command("export", "audit", "--budget", 5, "--out", "queue.tsv")
    keep.path("queue.tsv")


def fill(queue: Path, filled: Path, truth: dict[str, str]) -> None:
    """A spreadsheet as a person hands it back: right labels, some doubts, the last lines not done."""
    frame = pl.read_csv(queue, infer_schema=False)
    rows = frame.height
    said = ["none" if i == 2 else "unsure" if i == 4 else "skip" if i == 6 else None for i in range(rows)]
    labels = [
        truth[item.removeprefix("'")] if why is None and i < rows - 3 else None
        for i, (item, why) in enumerate(zip(frame["id"], said, strict=True))
    ]
    frame.with_columns(label=pl.Series(labels, dtype=pl.String), decision=pl.Series(said, dtype=pl.String)).write_csv(filled)


def annotate(tasks: Path, export: Path, truth: Any) -> None:
    """Tasks as Label Studio exports them: answered, doubted, cancelled, not done."""
    found = json.loads(tasks.read_text(encoding="utf-8"))
    for number, task in enumerate(found[:-2]):
        label = {
            "from_name": "label",
            "to_name": "item",
            "type": "choices",
            "value": {"choices": truth(task["data"]["labelproof_id"])},
        }
        doubt = {"from_name": "doubt", "to_name": "item", "type": "choices", "value": {"choices": ["unsure"]}}
        task["id"] = number
        task["annotations"] = [{
            "id": number, "result": [doubt] if number == 1 else [label], "completed_by": {"email": "bob@example.org"}, "lead_time": 3.5,
            "created_at": "2026-01-02T03:04:05Z", "updated_at": f"2026-01-02T03:04:{number:02d}Z", "was_cancelled": number == 3,
        }]  # fmt: skip
    export.write_text(json.dumps(found), encoding="utf-8")
