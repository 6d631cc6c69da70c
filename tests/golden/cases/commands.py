"""What the commands say of themselves, and of what they cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from keep import Keep

from cases import inputs
from cases.case import case

COMMANDS = [
    "audit",
    "concepts",
    "caption",
    "reproduce",
    "review",
    "apply",
    "export",
    "import",
    "simulate",
    "demo",
    "version",
    "train",
    "predict",
    "methods",
]


@case()
def helps(keep: Keep) -> None:
    """Every help text, the methods, the version."""
    for name in (None, *COMMANDS):
        keep.command(*([name] if name else []), "--help")
    keep.command("methods")
    keep.command("version")
    keep.command()
    keep.command("adit")
    keep.command("audit", "--lable", "x")


@case()
def errors_of_audit(keep: Keep) -> None:
    """Inputs that cannot be."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"id": ["a", "a", *map(str, range(98))], "x": rng.normal(size=100), "y": ["no", "yes"] * 50})
    frame.write_csv("t.csv")
    Path("ragged.csv").write_text("a,b,y\n1,2,x\n1,2\n3,4,z\n")
    Path("empty.csv").write_text("")
    np.save("y.npy", np.arange(100) % 2)
    np.save("p.npy", np.full((99, 2), 0.5))
    np.save("bad.npy", np.full((100, 2), 0.9))
    np.save("tags.npy", np.full((100, 2), 3))
    Path("full").mkdir()
    Path("full/letter.txt").write_text("keep me")
    for arguments in (
        ("missing.csv", "--label", "y"),
        ("t.csv",),
        ("t.csv", "--label", "z"),
        ("t.csv", "--label", "x"),
        ("t.csv", "--label", "y", "--id", "id"),
        ("t.csv", "--label", "y", "--text", "body"),
        ("t.csv", "--label", "y", "--ignore", "nothing"),
        ("t.csv", "--label", "y", "--out", "full", "--overwrite"),
        ("t.csv", "--label", "y", "--layer", "counts"),
        ("t.csv", "--label", "y", "--labels", "y.npy"),
        ("ragged.csv", "--label", "y"),
        ("empty.csv", "--label", "y"),
        ("full",),
        ("--labels", "y.npy"),
        ("--labels", "y.npy", "--pred-probs", "p.npy"),
        ("--labels", "y.npy", "--pred-probs", "bad.npy"),
        ("--labels", "y.npy", "--pred-probs", "t.csv"),
        ("--tags", "tags.npy", "--pred-probs", "bad.npy"),
        ("--tags", "tags.npy"),
        (),
    ):
        keep.command("audit", *arguments)
    keep.path("full")


@case()
def errors_of_others(keep: Keep) -> None:
    """Folders that are none, options that do not fit, results that are there already."""
    inputs.digit_arrays(Path(), 200)
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--pred-probs", "p.npy", "--out", "audit")
    Path("reviews.csv").write_text("id,label\n3,eleven\n")
    Path("tasks.json").write_text('{"a": 1}')
    Path("t.csv").write_text("a,y\n" + "".join(f"{i},{'pq'[i % 2]}\n" for i in range(40)))
    for arguments in (
        ("review", "nowhere"),
        ("review", "audit", "--reviewer", "\x07"),
        ("apply", "audit", "--out", "clean.npy"),
        ("apply", "audit", "--obvious", "--out", "clean.xyz"),
        ("apply", ".", "--obvious"),
        ("export", "audit", "--to", "paper"),
        ("export", "audit", "--out", "queue.txt"),
        ("import", "audit", "reviews.csv"),
        ("import", "audit", "reviews.csv", "--reviewer", "Ann"),
        ("import", "audit", "tasks.json"),
        ("simulate", "t.csv", "--label", "y", "--noise", "loud"),
        ("simulate", "t.csv", "--label", "y", "--rate", "2"),
        ("train", "t.csv", "--label", "y", "--method", "magic"),
        ("train", "t.csv", "--label", "y", "--option", "lambda"),
        ("train", "t.csv", "--label", "y", "--backbone", "resnet18"),
        ("train", "t.csv", "--label", "y", "--reviews", "nowhere"),
        ("train", "--labels", "y.npy"),
        ("predict", "audit", "t.csv"),
        ("predict", "nowhere", "t.csv"),
        ("caption", "t.csv", "--model", "nowhere"),
        ("concepts", "audit"),
        ("reproduce", "nothing"),
    ):
        keep.command(*arguments)


@case(data=True)
def simulate(keep: Keep) -> None:
    """Noise of three kinds."""
    frame = inputs.adult(300).drop("income", "id")
    frame.write_csv("clean.csv")
    frame.write_parquet("clean.parquet")
    keep.command("simulate", "clean.csv", "--label", "true", "--out", "dirty.csv", "--seed", 1)
    keep.change("clean.csv", "dirty.csv")
    keep.command("simulate", "clean.csv", "--label", "true", "--noise", "instance", "--rate", 0.3, "--out", "instance.tsv")
    keep.path("instance.tsv")
    keep.command("simulate", "clean.parquet", "--label", "true", "--noise", "pair", "--out", "pair.parquet")
    keep.path("pair.parquet")


@case(slow=True)
def demo(keep: Keep) -> None:
    """The first thing that users try."""
    keep.command("demo", "--out", "demo")
    keep.path("demo")
