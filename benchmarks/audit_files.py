"""Files audited through the command line with 10 % of their labels flipped, with and without an encoder, beside cleanlab on the same
probabilities: how well flipped labels are told from others, and how long it takes.

``python benchmarks/audit_files.py`` measures every file over three seeds (``--resume`` keeps the rows that are there); ``--parts`` what each part
of the default model brings.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, precision_recall_curve
from typer.testing import CliRunner

import labelproof as lp
from _table import RESULTS, data_folder, publish
from labelproof.auditing import audit as audit_module
from labelproof.auditing.default_models import Candidates, candidates
from labelproof.auditing.encoded import encoded
from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.out_of_sample import _cross_validated, cross_validate
from labelproof.cli import app

RATE = 0.1
PICTURES = 400  # of each of ten classes
SEEDS = 3
SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def flipped(frame: pl.DataFrame, label: str, path: Path, seed: int) -> np.ndarray:
    """Write the table with flipped labels; return where."""
    names, codes = np.unique(frame[label].to_numpy(), return_inverse=True)
    noisy = lp.simulate.symmetric(codes, RATE, n_classes=len(names), random_state=seed)
    frame.with_columns(pl.Series(label, names[noisy.labels])).write_csv(path)
    return noisy.changed


def jobs(source: Path, work: Path, seed: int) -> Iterator[tuple[str, list[str], np.ndarray]]:
    cancer = load_breast_cancer(as_frame=True)
    frame = pl.from_pandas(cancer.data).with_columns(diagnosis=np.array(cancer.target_names)[cancer.target])
    yield (
        "breast cancer (table)",
        ["cancer.csv", "--label", "diagnosis"],
        flipped(frame, "diagnosis", work / "cancer.csv", seed),
    )
    frame = pl.read_csv(source / "adult.csv")
    yield "adult (table)", ["adult.csv", "--label", "income"], flipped(frame, "income", work / "adult.csv", seed)
    frame = pl.read_csv(source / "trec_questions.csv")
    yield "trec (text)", ["trec.csv", "--label", "type", "--text", "question"], flipped(frame, "type", work / "trec.csv", seed)
    frame = pl.read_csv(source / "movie_reviews.csv")
    arguments = ["movies.csv", "--label", "sentiment", "--text", "text", "--id", "id"]
    yield "movie reviews (text)", arguments, flipped(frame, "sentiment", work / "movies.csv", seed)
    yield "cifar-10 (4,000 JPEGs)", [f"jpegs{seed}"], jpegs(source, work / f"jpegs{seed}", seed)


def jpegs(source: Path, root: Path, seed: int) -> np.ndarray:
    with zipfile.ZipFile(source / "cifar10-jpeg.zip") as archive:
        kinds = sorted(
            {name.split("/")[1] for name in archive.namelist() if name.startswith("train/") and name.count("/") == 2}
        )
        codes = np.repeat(np.arange(len(kinds)), PICTURES)
        noisy = lp.simulate.symmetric(codes, RATE, n_classes=len(kinds), random_state=seed)
        wrong = {}
        for i, (code, given, changed) in enumerate(zip(codes, noisy.labels, noisy.changed, strict=True)):
            name = Path(kinds[given]) / f"{kinds[code]}{i % PICTURES:04d}.jpg"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(archive.read(f"train/{kinds[code]}/{i % PICTURES:04d}.jpg"))
            wrong[name.as_posix()] = changed
    return np.array([wrong[name] for name in sorted(wrong)])


def quality(error: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Average precision, and the best F1 over all thresholds."""
    precision, recall, _ = precision_recall_curve(wrong, error)
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-9)).max()
    return {"AP": float(average_precision_score(wrong, error)), "best_F1": float(best)}


def f1(flagged: np.ndarray, wrong: np.ndarray) -> float:
    return float(2 * (flagged & wrong).sum() / max(1, flagged.sum() + wrong.sum()))


def peer(given: np.ndarray, probs: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """cleanlab on the same probabilities: its best score by hindsight, and its default filter."""
    scores = [quality(1 - get_label_quality_scores(given, probs, method=name), wrong) for name in SCORES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = find_label_issues(given, probs)
    return {
        "cleanlab_AP": max(one["AP"] for one in scores),
        "cleanlab_best_F1": max(one["best_F1"] for one in scores),
        "cleanlab_F1": f1(found, wrong),
    }


def measured(name: str, arguments: list[str], wrong: np.ndarray, work: Path, encoder: str, seed: int) -> dict[str, Any]:
    """One audit by the command."""
    made: list[Any] = []

    def remembered(*given: Any, **how: Any) -> Any:
        made.append(cross_validate(*given, **how))
        return made[-1]

    audit_module.cross_validate = remembered
    goal, started = work / "audit", time.perf_counter()
    command = ["audit", str(work / arguments[0]), *arguments[1:], "--encoder", encoder, "--out", str(goal), "--overwrite"]
    outcome = CliRunner().invoke(app, command, catch_exceptions=False)
    seconds = time.perf_counter() - started
    assert outcome.exit_code == 0, outcome.output
    issues = pl.read_parquet(goal / "issues.parquet").sort("id" if arguments[0].startswith("jpegs") else "index")
    error, verdict = issues["error_probability"].to_numpy(), issues["verdict"]
    flagged, obvious = (verdict != "ok").to_numpy(), (verdict == "obvious").to_numpy()
    rate = lp.Audit.load(goal).error_rate
    _, given = np.unique(issues["given_label"].to_numpy(), return_inverse=True)
    return {
        "data": name,
        "asked": encoder,
        "encoder": made[0].model.encoder or "none",
        "seed": seed,
        "labels": len(wrong),
        "flipped": int(wrong.sum()),
        **quality(error, wrong),
        "F1": f1(flagged, wrong),
        "precision": float(wrong[flagged].mean()),
        "recall": float(flagged[wrong].mean()),
        "obvious": int(obvious.sum()),
        "obvious_precision": float(wrong[obvious].mean()) if obvious.any() else float("nan"),
        "estimated_rate": rate.estimate,
        "low": rate.low,
        "high": rate.high,
        **peer(given, made[0].probs, wrong),
        "accuracy": made[0].model.accuracy,
        "loss": made[0].model.loss,
        "model": made[0].model.name,
        "seconds": seconds,
    }


def whole(source: Path, work: Path) -> None:
    rows: list[dict[str, Any]] = (
        json.loads((RESULTS / "audit_files.json").read_text())["rows"] if "--resume" in sys.argv else []
    )
    done = {(row["data"], row["asked"], row["seed"]) for row in rows}
    for seed in range(SEEDS):
        for name, arguments, wrong in jobs(source, work, seed):
            for encoder in ("none",) if "table" in name else ("auto",) if "JPEG" in name and seed else ("none", "auto"):
                if (name, encoder, seed) in done:
                    continue
                rows.append(measured(name, arguments, wrong, work, encoder, seed))
                print({key: rows[-1][key] for key in ("data", "encoder", "seed", "best_F1", "F1", "seconds")}, flush=True)
                publish(
                    "audit_files",
                    rows,
                    "10 % of the labels flipped at random; precision counts errors that were there before as false alarms. With an "
                    "encoder the first seed makes the features, the others find them in the cache.",
                )


def parts(source: Path, work: Path) -> None:
    """Each part of the default model alone, and joined one by one."""
    rows = []
    for name, arguments, wrong in jobs(source, work, 0):
        if "table" in name:
            continue
        path = work / arguments[0]
        options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        text = options.get("--text")
        dataset = lp.read_text(path, options["--label"], text) if text else lp.read_images(path)
        features, encoder = encoded(dataset, "auto")
        found, plain = candidates(dataset, features, encoder), candidates(dataset)
        own = {group[0].name.partition(",")[0] + " on " + group[0].view: (found, [group]) for group in found.groups}
        if text:
            own |= {f"logistic regression on {g[0].view}": (plain, [g]) for g in plain.groups}
            own["words and characters"] = (plain, plain.groups)
            last = Candidates({"minilm, last layer": features[:, -384:]}, [])
            last.groups.append([type(c)(c.name, "minilm, last layer", c.estimator) for c in found.groups[0]])
            own["logistic regression on minilm, last layer"] = (last, last.groups)
        own["all"] = (found, found.groups)
        for part, (which, groups) in own.items():
            started = time.perf_counter()
            chosen = Candidates(which.views, groups)
            probs, model = _cross_validated(chosen, dataset.given, dataset.classes, None, None, CrossValidation())
            error = lp.audit(dataset, probs).error_probability
            row = {"data": name, "part": part, **quality(error, wrong), "F1": f1(error >= 0.5, wrong)}
            rows.append({**row, "accuracy": model.accuracy, "loss": model.loss, "seconds": time.perf_counter() - started})
            print(rows[-1], flush=True)
    publish("audit_parts", rows, "Seed 0 of audit_files. Features are made before; all: those joined that lower the loss.")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("LABELPROOF_CACHE", f"{folder}/cache")
        (parts if "--parts" in sys.argv else whole)(data_folder(), Path(folder))


if __name__ == "__main__":
    main()
