"""Audits of every kind of data, from the command line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
from keep import Keep

from cases import inputs
from cases.case import case


@case(data=True)
def audit_table(keep: Keep) -> None:
    """A table of numbers and words, as CSV."""
    inputs.adult().drop("true").write_csv("adult.csv")
    keep.command("audit", "adult.csv", "--label", "income", "--id", "id", "--ignore", "race", "--out", "audit", "--folds", 3)
    keep.path("audit")
    keep.command("audit", "adult.csv", "--label", "income", "--out", "audit")


@case()
def audit_office_table(keep: Keep) -> None:
    """Semicolons, decimal commas, dates, codes, gaps and a group without a label."""
    inputs.shop(Path("shop.csv"))
    keep.command("audit", "shop.csv", "--label", "Gruppe", "--id", "Nummer", "--out", "audit", "--seed", 3)
    keep.path("audit")


@case()
def audit_gzipped_tsv(keep: Keep) -> None:
    """Tabs, gzipped, in an encoding of its own, and words that mean no label; a column gives the label away."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    rows = [
        f"{v + rng.normal(0, 0.3):.3f}\t{'äö'[v]}\t{'?' if i % 25 == 0 else ('gut', 'schlecht')[v]}\t{i % 5}"
        for i, v in enumerate(y)
    ]
    Path("t.tsv.gz").write_bytes(gzip.compress(("wert\tkopie\turteil\tstelle\n" + "\n".join(rows)).encode("cp1252"), mtime=0))
    command = ("audit", "t.tsv.gz", "--label", "urteil", "--missing", "?,unbekannt", "--encoding", "cp1252")
    keep.command(*command, "--out", "audit")
    keep.path("audit")
    keep.command(*command, "--keep", "kopie", "--out", "kept")
    keep.path("kept/summary.json")


@case(data=True)
def audit_parquet(keep: Keep) -> None:
    """The types of a Parquet file, lists of numbers among them, and whole numbers as labels."""
    frame = inputs.adult(500).drop("true", "id")
    rng = np.random.default_rng(0)
    vectors = pl.Series("vector", [v.tolist() for v in rng.normal(size=(500, 3))], dtype=pl.List(pl.Float64))
    grade = (frame["income"] == ">50K").cast(pl.Int64) * 10 - 1
    frame.drop("income").with_columns(vectors, grade=grade).write_parquet("adult.parquet")
    keep.command("audit", "adult.parquet", "--label", "grade", "--out", "audit", "--folds", 3)
    keep.path("audit")


@case(data=True)
def audit_text(keep: Keep) -> None:
    """Sentences, two classes."""
    inputs.movies().drop("true").write_csv("movies.csv")
    keep.command("audit", "movies.csv", "--label", "sentiment", "--text", "text", "--id", "id", "--out", "audit")
    keep.path("audit")


@case(data=True)
def audit_questions(keep: Keep) -> None:
    """Questions, six classes of uneven sizes, without ids, some without a label."""
    questions = inputs.some(pl.read_csv(inputs.real("trec_questions.csv")), 700)
    empty = pl.when(pl.int_range(pl.len()) % 50 == 7).then(pl.lit("NA")).otherwise("type")
    questions.with_columns(type=empty).write_csv("questions.tsv", separator="\t")
    keep.command("audit", "questions.tsv", "--label", "type", "--text", "question", "--out", "audit", "--folds", 4)
    keep.path("audit")


@case()
def audit_pictures(keep: Keep) -> None:
    """A folder of class folders, one file broken."""
    inputs.picture_folder(Path("digits"), 90)
    keep.command("audit", "digits", "--out", "audit", "--folds", 2)
    keep.path("audit")


@case()
def audit_split_pictures(keep: Keep) -> None:
    """Class folders below train and val, with embeddings."""
    given, _ = inputs.digit_labels(120)
    digits = inputs.load_digits()
    names = [f"{'val' if i % 4 == 0 else 'train'}/{own}/{i:04d}.png" for i, own in enumerate(given)]
    for name, pixels in zip(names, digits.images[:120], strict=True):
        inputs.save_picture(Path("digits") / name, pixels * 15)
    np.save("e.npy", digits.data[:120][np.argsort(names)])
    keep.command("audit", "digits", "--embeddings", "e.npy", "--out", "audit", "--folds", 3)
    keep.path("audit")


@case()
def audit_manifest(keep: Keep) -> None:
    """A table of picture files and their labels."""
    found = inputs.picture_folder(Path("digits"), 80)
    rows = [(f"digits/{name}", name.split("/")[0], f"k{i}") for i, name in enumerate(found)]
    frame = pl.DataFrame(
        [*rows, ("digits/digit 3/broken.png", "digit 3", "bad"), ("digits/absent.png", "digit 4", "gone")], orient="row"
    )
    frame.rename({"column_0": "file", "column_1": "what", "column_2": "key"}).write_csv("m.csv")
    keep.command("audit", "m.csv", "--label", "what", "--image", "file", "--id", "key", "--out", "audit", "--folds", 2)
    keep.path("audit")


@case(data=True)
def audit_probabilities(keep: Keep) -> None:
    """Labels and ready-made probabilities, of a real set whose errors are known."""
    with np.load(inputs.real("label_errors.npz"), allow_pickle=False) as known:
        np.savez("known.npz", p=known["romannumeral.resnet18.pred_probs"], y=known["romannumeral.resnet18.labels"])
        np.save("y.npy", known["romannumeral.resnet18.labels"])
        np.save("p.npy", known["romannumeral.resnet18.pred_probs"])
    keep.command("audit", "--labels", "y.npy", "--pred-probs", "p.npy", "--out", "audit")
    keep.path("audit")
    keep.command(
        "audit", "--labels", "known.npz:y", "--pred-probs", "known.npz:p", "--classes", ",".join("0123456789"), "--out", "named"
    )
    keep.path("named/summary.json")


@case()
def audit_features(keep: Keep) -> None:
    """Features and labels as arrays; pictures and probabilities as arrays."""
    inputs.digit_arrays(Path(), pictures=False)
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--out", "audit", "--folds", 3)
    keep.path("audit")
    inputs.digit_arrays(Path())
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--pred-probs", "p.npy", "--out", "shown")
    keep.path("shown")


@case(data=True, module="anndata")
def audit_cells(keep: Keep) -> None:
    """Cells, some unlabelled."""
    inputs.cells(Path("cells.h5ad"))
    keep.command("audit", "cells.h5ad", "--label", "cell_type", "--unlabeled", "unknown", "--out", "audit", "--folds", 3)
    keep.path("audit")


@case(data=True)
def audit_tags(keep: Keep) -> None:
    """Tags of scenes, with and without their names."""
    names, _ = inputs.tag_arrays(Path())
    command = ("audit", "--tags", "t.npy", "--pred-probs", "p.npy")
    keep.command(*command, "--features", "x.npy", "--classes", ",".join(names), "--out", "audit")
    keep.path("audit")
    keep.command(*command, "--out", "numbered")
    keep.path("numbered")


@case()
def audit_larger_than_memory(keep: Keep) -> None:
    """Labels and probabilities that are read in blocks: one file of several blocks, and a folder of files."""
    n, k = 120_000, 100
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    probs = rng.random((n, k), dtype=np.float32)
    probs[np.arange(n), np.where(rng.random(n) < 0.9, true, rng.integers(0, k, n))] += 60
    probs /= probs.sum(axis=1, keepdims=True)
    np.save("p.npy", probs)
    np.save("y.npy", np.where(rng.random(n) < 0.05, (true + 1) % k, true))
    Path("parts").mkdir()
    for part in range(3):
        rows = slice(part * 40_000, (part + 1) * 40_000)
        pl.DataFrame(probs[rows], schema=[str(c) for c in range(k)]).write_parquet(f"parts/{part}.parquet")
    keep.command("audit", "--labels", "y.npy", "--pred-probs", "p.npy", "--out", "audit")
    keep.path("audit")
    keep.command("audit", "--labels", "y.npy", "--pred-probs", "parts", "--out", "parted")
    keep.path("parted/issues.parquet")


@case(slow=True, module="ray")
def audit_on_ray(keep: Keep) -> None:
    """On a cluster of this machine: probabilities at hand, and cross-validation."""
    inputs.digit_arrays(Path())
    keep.command("audit", "--labels", "y.npy", "--pred-probs", "p.npy", "--ray", "local", "--out", "audit")
    keep.path("audit/issues.parquet")
    keep.path("audit/summary.json")
    inputs.shop(Path("shop.csv"))
    keep.command("audit", "shop.csv", "--label", "Gruppe", "--folds", 2, "--ray", "local", "--out", "table")
    keep.path("table/issues.parquet")
