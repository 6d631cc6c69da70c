"""Training from the command line: every reader, going on after a kill, predictions, reviews, and studies that grow."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from commands import apart, outside, run
from labelproof.methods import METHODS
from labelproof.saving.folders import SUMMARY

QUICK = ("--epochs", 8, "--batch-size", 32, "--accelerator", "cpu")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> tuple[Path, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    wrong = rng.random(300) < 0.1
    path = tmp_path_factory.mktemp("t") / "t.csv"
    columns = {
        "name": [f"r{i}" for i in range(300)], "a": rng.normal(4 * y, 1), "town": np.where(y == 1, "Ulm", "Bonn"),
        "kind": np.array(["cat", "dog"])[y ^ wrong],
    }  # fmt: skip
    pl.DataFrame(columns).write_csv(path)
    return path, wrong


def test_train_and_predict_a_table(table, tmp_path):
    path, wrong = table
    before = path.read_bytes()
    done = run("train", path, "--label", "kind", "--id", "name", "--out", tmp_path / "m", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "Trained with elr" in done.stdout
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]
    issues = pl.read_parquet(tmp_path / "m" / "issues.parquet")
    assert {"id", "given_label", "suggested_label", "error_probability", "verdict"} <= set(issues.columns)
    truly = {f"r{i}" for i in np.flatnonzero(wrong)}
    assert len(truly & set(issues["id"].head(20).to_list())) > 14
    new = pl.read_csv(path).drop("kind").head(40)
    new.write_csv(tmp_path / "new.csv")
    for ending in ("csv", "parquet"):
        done = run("predict", tmp_path / "m", tmp_path / "new.csv", "--out", tmp_path / f"p.{ending}", "--sure", 0.9)
        assert done.returncode == 0, done.stderr
    made = pl.read_parquet(tmp_path / "p.parquet")
    assert made.columns == ["id", "prediction", "probability", "entropy", "dont_know", "p_cat", "p_dog"]
    assert made["id"].to_list() == new["name"].to_list()
    assert made["dont_know"].to_list() == (made["probability"] < 0.9).to_list()
    assert np.allclose(made["p_cat"] + made["p_dog"], 1)
    assert np.allclose(pl.read_csv(tmp_path / "p.csv")["entropy"], made["entropy"])
    again = run("predict", tmp_path / "m", tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_train_and_predict_text_pictures_and_arrays(tmp_path, digits):
    words = pl.DataFrame(
        {"body": ["good fine nice", "bad awful poor"] * 30, "mood": ["up", "down"] * 30, "id": [f"t{i}" for i in range(60)]}
    )
    words.write_csv(tmp_path / "words.csv")
    for number, label in enumerate(digits.target[:80] % 2):
        folder = tmp_path / "pictures" / ("odd" if label else "even")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15).astype(np.uint8)).resize((16, 16)).save(folder / f"{number}.png")
    np.save(tmp_path / "x.npy", digits.data[:200])
    np.save(tmp_path / "y.npy", digits.target[:200])
    cases = {
        "t": ([tmp_path / "words.csv", "--label", "mood", "--text", "body", "--id", "id"], tmp_path / "words.csv"),
        "p": ([tmp_path / "pictures", "--augment", "affine"], tmp_path / "pictures"),
        "a": (["--features", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"], tmp_path / "x.npy"),
    }
    for name, (arguments, new) in cases.items():
        done = run("train", *arguments, "--out", tmp_path / name, "--method", "gce", *QUICK)
        assert done.returncode == 0, done.stderr
        done = run("predict", tmp_path / name, new, "--out", tmp_path / f"{name}.csv")
        assert done.returncode == 0, done.stderr
    assert (pl.read_csv(tmp_path / "t.csv")["prediction"] == words["mood"]).all()
    assert pl.read_csv(tmp_path / "p.csv")["id"][0].startswith("even/")
    assert json.loads((tmp_path / "p" / SUMMARY).read_text())["params"]["augment"] == "affine"
    refused = run("train", *cases["a"][0], "--out", tmp_path / "no", "--augment", 2)
    assert refused.returncode == 2
    assert "only pictures can be transformed" in refused.stderr
    assert (pl.read_csv(tmp_path / "a.csv")["prediction"].to_numpy() == digits.target[:200]).mean() > 0.7


def test_the_same_command_goes_on_where_a_killed_one_stopped(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 4000)
    np.save(tmp_path / "x.npy", rng.normal(size=(4000, 40)) + y[:, None])
    np.save(tmp_path / "y.npy", y)
    command = [
        "train",
        "--features",
        tmp_path / "x.npy",
        "--labels",
        tmp_path / "y.npy",
        "--epochs",
        30,
        "--accelerator",
        "cpu",
    ]
    whole = apart(*command, "--out", tmp_path / "whole")
    whole.communicate()
    assert whole.poll() == 0
    killed = apart(*command, "--out", tmp_path / "m")
    checkpoint = tmp_path / "m.training" / "checkpoint.safetensors"
    while not checkpoint.exists():
        assert killed.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    assert killed.poll() is None
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "m").exists()
    other = run(*command[:-4], "--epochs", 7, "--accelerator", "cpu", "--out", tmp_path / "m")
    assert other.returncode == 2
    assert "unfinished run with epochs 30, now 7" in other.stderr
    assert outside(*command, "--out", tmp_path / "m").returncode == 0
    assert not checkpoint.parent.exists()
    models = [lp.NoisyLabelClassifier.load(tmp_path / name) for name in ("whole", "m")]
    x = np.load(tmp_path / "x.npy")[:100]
    assert np.array_equal(models[0].predict_proba(x), models[1].predict_proba(x))
    assert np.array_equal(models[0].history_.margin, models[1].history_.margin)


def test_reviews_are_taken_as_true(table, tmp_path):
    path, wrong = table
    frame = pl.read_csv(path)
    other = {"cat": "dog", "dog": "cat"}
    truth = [other[kind] if bad else kind for kind, bad in zip(frame["kind"], wrong, strict=True)]
    pl.DataFrame({"id": frame["name"], "label": truth}).head(150).write_csv(tmp_path / "reviews.csv")
    options = ("--label", "kind", "--id", "name", "--reviews", tmp_path / "reviews.csv", *QUICK)
    done = run("train", path, *options, "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    issues = pl.read_parquet(tmp_path / "m" / "issues.parquet")
    reviewed = issues.filter(pl.col("id").is_in([f"r{i}" for i in range(150)]))
    assert set(reviewed["error_probability"].unique()) <= {0.0}
    (tmp_path / "bad.csv").write_text("id,label\nr1,fish\n")
    bad = run("train", path, *options[:4], "--reviews", tmp_path / "bad.csv", "--out", tmp_path / "b", *QUICK)
    assert bad.returncode == 2
    assert "'fish', which is not one of the 2 classes" in bad.stderr
    (tmp_path / "bad.csv").write_text("id,label\nr999,cat\n")
    bad = run("train", path, *options[:4], "--reviews", tmp_path / "bad.csv", "--out", tmp_path / "b", *QUICK)
    assert bad.returncode == 2
    assert "'r999', which the data do not have" in bad.stderr


def test_methods_lists_them_all():
    done = run("methods")
    assert done.returncode == 0
    assert all(name in done.stdout for name in METHODS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "elrr"), "Did you mean 'elr'"),
        (("--option", "strength"), "no '='"),
        (("--option", "strenth=3"), "does not take these options"),
        (("--backbone", "resnet18"), "takes pictures"),
        (("--logger", "cvs"), "Did you mean 'csv'"),
    ],
)
def test_bad_arguments_exit_2_with_one_message(table, tmp_path, arguments, message):
    done = run("train", table[0], "--label", "kind", "--id", "name", "--out", tmp_path / "m", *QUICK, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "m").exists()


def test_logs_come_with_the_model(table, tmp_path):
    done = run("train", table[0], "--label", "kind", "--id", "name", "--logger", "csv", "--out", tmp_path / "m", *QUICK)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "m" / "log" / "metrics.csv").read_text().splitlines()) == 9


def test_a_model_that_is_none_and_data_that_does_not_fit(table, tmp_path):
    assert run("predict", tmp_path, table[0], "--out", tmp_path / "p.csv").returncode == 2
    run("train", table[0], "--label", "kind", "--id", "name", "--out", tmp_path / "m", *QUICK)
    pl.read_csv(table[0]).drop("town").write_csv(tmp_path / "new.csv")
    done = run("predict", tmp_path / "m", tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert done.returncode == 2
    assert "'town' is not a column" in done.stderr


@pytest.mark.slow
def test_a_study_is_written_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.delenv("LABELPROOF_DATA", raising=False)
    command = ["reproduce", "memorization", "--quick", "--seeds", "1", "--out", str(tmp_path)]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "memorization.json").read_text())
    rows = {row["study"]: row for row in content["rows"]}
    assert rows["random labels"]["final_training"] > 0.8  # memorised
    order = rows["40 % wrong"]
    assert order["right labels"][2] > order["wrong labels"][2] + 0.4  # patterns first
    assert order["wrong labels"][-1] > order["wrong labels"][2] + 0.1  # noise later
    assert order["final_test"] < order["best_test"]
    assert Image.open(tmp_path / "memorization.png").width > 1000
    content["rows"] = content["rows"][:-1]
    (tmp_path / "memorization.json").write_text(json.dumps(content))
    assert run(*command).returncode == 0
    after = json.loads((tmp_path / "memorization.json").read_text())["rows"]
    assert after[:-1] == content["rows"]
    assert len(after) == 4
    unknown = run("reproduce", "memorisation")
    assert unknown.returncode == 2
    assert "Did you mean 'memorization'" in unknown.stderr


@pytest.mark.slow
def test_the_study_of_real_labels_runs_on_a_few_pictures(real_data, tmp_path):
    done = run("reproduce", "cifar10n", "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "cifar10n.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["cross-entropy", "forward", "elr", "sop", "dividemix"]
    assert all(0.3 < row["noise_rate"] < 0.5 for row in rows)
    if rows[0]["device"].startswith("cpu"):
        refused = run("reproduce", "cifar10n", "--data", real_data, "--out", tmp_path)
        assert refused.returncode == 2
        assert "Run cifar10n-reduced" in " ".join(refused.stderr.split())
