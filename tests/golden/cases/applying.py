"""Repaired copies of every kind of data: what differs from the original, and that nothing else does."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
from keep import Keep

from cases import inputs
from cases.case import case
from cases.reviewing import fill


def decide(keep: Keep, truth: dict[str, str], budget: int = 12) -> None:
    """Decisions about the worst items of ``audit``, by way of a spreadsheet."""
    keep.command("export", "audit", "--budget", budget, "--out", "queue.csv")
    fill(Path("queue.csv"), Path("filled.csv"), truth)
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")


@case()
def apply_csv(keep: Keep) -> None:
    """A file of an office, byte for byte but for the labels."""
    true = inputs.shop(Path("shop.csv"))
    keep.command("audit", "shop.csv", "--label", "Gruppe", "--folds", 3, "--out", "audit")
    decide(keep, {str(i): name for i, name in enumerate(true)})
    for name, options in (("clean", ()), ("explained", ("--explain",)), ("obvious", ("--obvious", "--explain"))):
        keep.command("apply", "audit", *options, "--out", f"{name}.csv")
        keep.change("shop.csv", f"{name}.csv")
    keep.command("apply", "audit", "--out", "clean.csv")
    Path("shop.csv").write_text("Nummer;Gruppe\n1;Garten\n")
    keep.command("apply", "audit", "--out", "other.csv")


@case(data=True)
def apply_parquet(keep: Keep) -> None:
    """Types and order of a Parquet file, whole numbers as labels."""
    frame = inputs.adult(300)
    truth = dict(frame.select("id", (pl.col("true") == ">50K").cast(pl.Int64).cast(pl.String)).iter_rows())
    made = frame.drop("true").with_columns(income=(pl.col("income") == ">50K").cast(pl.Int8), day=pl.date(2024, 1, 1))
    made.write_parquet("adult.parquet")
    keep.command("audit", "adult.parquet", "--label", "income", "--id", "id", "--folds", 3, "--out", "audit")
    decide(keep, truth)
    for name in ("clean.parquet", "clean.csv"):
        keep.command("apply", "audit", "--out", name)
        keep.path(name)


@case()
def apply_arrays(keep: Keep) -> None:
    """An array of labels, its type kept; an item that is none of the classes has no place in it."""
    true = inputs.digit_arrays(Path(), 200)
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--pred-probs", "p.npy", "--out", "audit")
    pl.DataFrame({"id": [str(i) for i in range(200)], "label": [str(v) for v in true]}).write_csv("filled.csv")
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")
    keep.command("apply", "audit", "--out", "clean.npy")
    keep.path("clean.npy")
    pl.DataFrame({"id": ["3"], "label": [None], "decision": ["none"]}).write_csv("none.csv")
    keep.command("import", "audit", "none.csv", "--reviewer", "Bob")
    keep.command("import", "audit", "none.csv", "--reviewer", "Ann")
    keep.command("apply", "audit", "--out", "none.npy")


@case()
def apply_pictures(keep: Keep) -> None:
    """A folder of pictures, copied with pictures moved; and its list."""
    truth = inputs.picture_folder(Path("digits"), 120)
    model_probs(sorted(truth))
    keep.command("audit", "digits", "--pred-probs", "p.npy", "--out", "audit")
    decide(keep, truth)
    keep.command("apply", "audit", "--out", "clean")
    before, after = (_hashes(Path(name)) for name in ("digits", "clean"))
    moved = {name: next((new for new, own in after.items() if own == digest), None) for name, digest in before.items()}
    keep.value("moved", {name: new for name, new in moved.items() if new != name})
    keep.value("counts", {"before": len(before), "after": len(after)})
    keep.command("apply", "audit", "--explain", "--out", "clean.csv")
    keep.path("clean.csv")


@case()
def apply_manifest(keep: Keep) -> None:
    """The table of a manifest, with the broken file still in it."""
    truth = inputs.picture_folder(Path("digits"), 120)
    rows = [*truth, "digit 3/broken.png"]
    frame = pl.DataFrame(
        {"file": [f"digits/{name}" for name in rows], "what": [name.split("/")[0] for name in rows], "note": "a, b"}
    )
    frame.write_csv("m.csv")
    model_probs(list(truth))
    keep.command("audit", "m.csv", "--label", "what", "--image", "file", "--pred-probs", "p.npy", "--out", "audit")
    decide(keep, {f"digits/{name}": own for name, own in truth.items()} | {str(i): own for i, own in enumerate(truth.values())})
    keep.command("apply", "audit", "--out", "clean.csv")
    keep.change("m.csv", "clean.csv")


@case(data=True, module="anndata")
def apply_cells(keep: Keep) -> None:
    """Cells: a table of the annotation."""
    import anndata

    inputs.cells(Path("cells.h5ad"), 300)
    obs = anndata.read_h5ad("cells.h5ad").obs
    keep.command("audit", "cells.h5ad", "--label", "cell_type", "--unlabeled", "unknown", "--folds", 3, "--out", "audit")
    decide(keep, {str(name): str(own) for name, own in zip(obs.index, obs["true"], strict=True)})
    keep.command("apply", "audit", "--explain", "--out", "clean.csv")
    keep.path("clean.csv")


def model_probs(names: list[str]) -> None:
    """Probabilities of the digits whose numbers the names hold, as ``p.npy``, columns in the order of the classes."""
    n = len(names)
    inputs.digit_arrays(Path(), n)
    rows = [int(Path(name).stem) for name in names]
    np.save("p.npy", np.load("p.npy")[rows])


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
