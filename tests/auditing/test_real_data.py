"""Audits of real data, through the command line where a user would use it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score
from typer.testing import CliRunner

import labelproof as lp
from labelproof.cli import app

LABEL_ERRORS = ("cifar10naggregate.resnet18", "romannumeral.resnet18", "romannumeral.swin", "cifar10.resnet18")


def recovered(folder: Path, truth: np.ndarray) -> tuple[float, float]:
    """Precision and recall of what the written findings call obvious or possible, joined by id."""
    issues = pl.read_parquet(folder / "issues.parquet").sort("index")
    flagged = (issues["verdict"] != "ok").to_numpy()
    return float(truth[flagged].mean()), float(flagged[truth].mean())


def audit(*arguments: object) -> None:
    outcome = CliRunner().invoke(app, ["audit", *map(str, arguments)], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output


def flip_file(source: Path, label: str, folder: Path, rows: int | None = None) -> tuple[Path, np.ndarray]:
    frame = pl.read_csv(source)
    frame = frame if rows is None else frame.sample(rows, seed=0)
    data = lp.read_table(write(frame, folder / "clean.csv"), label)
    noisy = lp.simulate.symmetric(data.given, 0.1, n_classes=len(data.classes), random_state=0)
    names = pl.Series(label, [str(data.classes[c]) for c in noisy.labels])
    return write(frame.with_columns(names), folder / "dirty.csv"), noisy.changed


def write(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_csv(path)
    return path


def test_breast_cancer_through_the_command_line(tmp_path):
    table = load_breast_cancer(as_frame=True)
    noisy = lp.simulate.symmetric(table.target.to_numpy(), 0.1, random_state=0)
    frame = pl.from_pandas(table.data).with_columns(diagnosis=np.array(["malignant", "benign"])[noisy.labels])
    path = write(frame, tmp_path / "cancer.csv")
    audit(path, "--label", "diagnosis", "--out", tmp_path / "audit")
    precision, recall = recovered(tmp_path / "audit", noisy.changed)
    assert precision >= 0.6
    assert recall >= 0.6


@pytest.mark.slow
def test_adult_with_mixed_columns_and_missing_values(real_data, tmp_path):
    path, wrong = flip_file(real_data / "adult.csv", "income", tmp_path, rows=8000)
    audit(path, "--label", "income", "--out", tmp_path / "audit")
    precision, recall = recovered(tmp_path / "audit", wrong)
    assert precision >= 0.45  # the clean labels have errors and much that no model can know
    assert recall >= 0.6


@pytest.mark.slow
def test_text_of_six_unbalanced_classes(real_data, tmp_path):
    path, wrong = flip_file(real_data / "trec_questions.csv", "type", tmp_path)
    audit(path, "--label", "type", "--text", "question", "--encoder", "none", "--out", tmp_path / "audit")
    precision, recall = recovered(tmp_path / "audit", wrong)
    assert precision >= 0.55
    assert recall >= 0.85


@pytest.mark.filterwarnings("ignore:No two rows have the same value")  # read once more without the id
@pytest.mark.slow
def test_text_with_ids(real_data, tmp_path):
    path, wrong = flip_file(real_data / "movie_reviews.csv", "sentiment", tmp_path, rows=6000)
    named = ("--label", "sentiment", "--text", "text", "--id", "id", "--encoder", "none")
    audit(path, *named, "--out", tmp_path / "audit")
    precision, recall = recovered(tmp_path / "audit", wrong)
    assert precision >= 0.33, (precision, recall)  # more than three times as good as chance, with words alone
    assert recall >= 0.25
    assert pl.read_parquet(tmp_path / "audit" / "issues.parquet")["id"].str.starts_with("mr").all()


@pytest.mark.slow
def test_a_folder_of_jpegs_with_a_corrupt_one(real_data, tmp_path):
    rng = np.random.default_rng(0)
    wrong: dict[str, bool] = {}
    with zipfile.ZipFile(real_data / "cifar10-jpeg.zip") as archive:
        kinds = ("airplane", "automobile", "frog")
        for kind in kinds:
            for i in range(100):
                flip = rng.random() < 0.1
                folder = kinds[(kinds.index(kind) + 1) % 3] if flip else kind
                name = f"{folder}/{kind}{i:04d}.jpg"
                wrong[name] = flip
                (tmp_path / "jpegs" / folder).mkdir(parents=True, exist_ok=True)
                (tmp_path / "jpegs" / name).write_bytes(archive.read(f"train/{kind}/{i:04d}.jpg"))
    (tmp_path / "jpegs" / "frog" / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    audit(tmp_path / "jpegs", "--out", tmp_path / "audit")
    found = lp.Audit.load(tmp_path / "audit")
    assert found.skipped[0][0] == "frog/broken.jpg"
    ids = found.issues.sort("index")["id"].to_list()
    precision, recall = recovered(tmp_path / "audit", np.array([wrong[i] for i in ids]))
    assert recall >= 0.6
    assert precision >= 0.3


def test_labels_that_people_rejected_rank_in_the_head_of_mnist(real_data):
    reviews = np.load(real_data / "mnist_test_reviews.npz")
    found = lp.audit(reviews["mnist.labels"], reviews["mnist.pred_probs"])
    reviewed = reviews["mnist.reviewed_index"]
    rejected = reviews["mnist.votes_given"] <= 1  # four or five of five people
    score = found.error_probability[reviewed]
    assert roc_auc_score(rejected, score) > 0.65
    head = set(found.issues.head(300)["index"].to_list())
    assert np.mean([i in head for i in reviewed[rejected]]) > 0.8


@pytest.mark.parametrize("name", LABEL_ERRORS)
def test_known_label_errors_rank_no_worse_than_by_self_confidence(real_data, name):
    data = np.load(real_data / "label_errors.npz")
    probs, labels, is_error = (data[f"{name}.{part}"] for part in ("pred_probs", "labels", "is_error"))
    found = lp.audit(labels, probs)
    own = average_precision_score(is_error, -probs[np.arange(len(labels)), labels])
    assert average_precision_score(is_error, found.error_probability) >= own - 0.01
    assert found.error_rate.low <= is_error.mean() <= found.error_rate.high
    obvious = (found.issues.sort("index")["verdict"] == "obvious").to_numpy()
    assert is_error[obvious].sum() >= 0.95 * obvious.sum()
