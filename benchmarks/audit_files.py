"""Files audited through the command line with 10 % of their labels flipped: what is recovered, and how long it takes."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer
from typer.testing import CliRunner

import labelproof as lp
from _table import data_folder, publish
from labelproof.cli import app

RATE = 0.1
PICTURES = 400  # of each of ten classes


def flipped(frame: pl.DataFrame, label: str, path: Path) -> np.ndarray:
    """Write the table with flipped labels; return where."""
    names, codes = np.unique(frame[label].to_numpy(), return_inverse=True)
    noisy = lp.simulate.symmetric(codes, RATE, n_classes=len(names), random_state=0)
    frame.with_columns(pl.Series(label, names[noisy.labels])).write_csv(path)
    return noisy.changed


def jobs(source: Path, work: Path) -> Iterator[tuple[str, list[str], np.ndarray]]:
    cancer = load_breast_cancer(as_frame=True)
    frame = pl.from_pandas(cancer.data).with_columns(diagnosis=np.array(cancer.target_names)[cancer.target])
    yield "breast cancer (table)", ["cancer.csv", "--label", "diagnosis"], flipped(frame, "diagnosis", work / "cancer.csv")
    frame = pl.read_csv(source / "adult.csv")
    yield "adult (table)", ["adult.csv", "--label", "income"], flipped(frame, "income", work / "adult.csv")
    frame = pl.read_csv(source / "trec_questions.csv")
    yield "trec (text)", ["trec.csv", "--label", "type", "--text", "question"], flipped(frame, "type", work / "trec.csv")
    frame = pl.read_csv(source / "movie_reviews.csv")
    arguments = ["movies.csv", "--label", "sentiment", "--text", "text", "--id", "id"]
    yield "movie reviews (text)", arguments, flipped(frame, "sentiment", work / "movies.csv")
    yield "cifar-10 (4,000 JPEGs)", ["jpegs"], jpegs(source, work / "jpegs")


def jpegs(source: Path, root: Path) -> np.ndarray:
    with zipfile.ZipFile(source / "cifar10-jpeg.zip") as archive:
        kinds = sorted(
            {name.split("/")[1] for name in archive.namelist() if name.startswith("train/") and name.count("/") == 2}
        )
        codes = np.repeat(np.arange(len(kinds)), PICTURES)
        noisy = lp.simulate.symmetric(codes, RATE, n_classes=len(kinds), random_state=0)
        wrong = {}
        for i, (code, given, changed) in enumerate(zip(codes, noisy.labels, noisy.changed, strict=True)):
            name = Path(kinds[given]) / f"{kinds[code]}{i % PICTURES:04d}.jpg"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(archive.read(f"train/{kinds[code]}/{i % PICTURES:04d}.jpg"))
            wrong[name.as_posix()] = changed
    return np.array([wrong[name] for name in sorted(wrong)])


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, arguments, wrong in jobs(data_folder(), work):
            started = time.perf_counter()
            goal = work / "audit"
            command = ["audit", str(work / arguments[0]), *arguments[1:], "--out", str(goal), "--overwrite"]
            outcome = CliRunner().invoke(app, command, catch_exceptions=False)
            assert outcome.exit_code == 0, outcome.output
            seconds = time.perf_counter() - started
            issues = pl.read_parquet(goal / "issues.parquet").sort("id" if arguments[0] == "jpegs" else "index")
            flagged = (issues["verdict"] != "ok").to_numpy()
            obvious = (issues["verdict"] == "obvious").to_numpy()
            rows.append(
                {
                    "data": name,
                    "labels": len(wrong),
                    "flipped": int(wrong.sum()),
                    "precision": float(wrong[flagged].mean()),
                    "recall": float(flagged[wrong].mean()),
                    "obvious": int(obvious.sum()),
                    "obvious_precision": float(wrong[obvious].mean()) if obvious.any() else float("nan"),
                    "estimated_rate": float(issues["error_probability"].mean()),
                    "seconds": seconds,
                }
            )
    publish(
        "audit_files",
        rows,
        "10 % of the labels flipped at random; precision counts errors that were there before as false alarms.",
    )


if __name__ == "__main__":
    main()
