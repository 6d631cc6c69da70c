"""`labelproof audit` with encoders, groups, repeats and processes, and what it says of the model that it used."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
import tiny_models
from commands import run
from labelproof.auditing.doubts.base import DoubtWarning

N = 60
KIND = np.array(["bad", "good"])[np.arange(N) % 2]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Sixty short reviews of two kinds, of twelve documents."""
    rng = np.random.default_rng(0)
    words = {"good": ["good", "great", "bright"], "bad": ["bad", "poor", "dull"]}
    body = [f"the {rng.choice(words[kind])} film and {rng.choice(words[kind])} plot number {i}" for i, kind in enumerate(KIND)]
    path = tmp_path_factory.mktemp("texts") / "reviews.csv"
    pl.DataFrame({"body": body, "kind": KIND, "document": np.arange(N) // 5}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sixty pictures, bright or dark."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pictures") / "all"
    for i, kind in enumerate(KIND):
        pixels = rng.integers(0, 90, (10, 12, 3)) + (150 if kind == "good" else 0)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{i:02d}.png")
    return folder


def on_texts(texts, out, *more):
    return run("audit", texts, "--label", "kind", "--text", "body", "--out", out, *more)


ENCODERS = {
    "st": (tiny_models.sentences, "text"),
    "hf": (tiny_models.bert, "text"),
    "onnx": (tiny_models.onnx_text, "text"),
    "hf of pictures": (tiny_models.vit, "pictures"),
    "onnx of pictures": (tiny_models.onnx_pictures, "pictures"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_by_name(name, texts, pictures, tmp_path):
    make, kind = ENCODERS[name]
    encoder = f"{name.split()[0]}:{make(tmp_path / 'model')}"
    started = time.perf_counter()
    if kind == "text":
        done = on_texts(texts, tmp_path / "out", "--encoder", encoder)
    else:
        done = run("audit", pictures, "--encoder", encoder, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    found = lp.Audit.load(tmp_path / "out")
    model = json.loads((tmp_path / "out" / "summary.json").read_text())["model"]
    assert list(model) == ["name", "encoder", "accuracy", "loss", "n_folds", "n_repeats", "seconds", "tried", "judged"]
    assert model == vars(found.model)
    assert model["encoder"] == encoder
    assert (model["n_folds"], model["n_repeats"]) == (5, 1)
    assert 0.5 < model["accuracy"] <= 1
    assert 0 < model["loss"] < np.log(2)
    assert 0 < model["seconds"] < time.perf_counter() - started
    names = [one["name"] for one in model["tried"]]
    assert len(names) == len(set(names)) > 4
    assert set(model["name"].split("; ")) <= set(names)
    assert any(one.endswith(f"on {encoder}") for one in names)
    assert any(one.endswith("on words") for one in names) == (kind == "text")
    assert min(one["loss"] for one in model["tried"]) >= model["loss"] - 1e-3
    for said in (done.stdout, (tmp_path / "out" / "report.html").read_text()):
        line = " ".join(said.split())
        assert f"Out of sample (5 folds) it agrees with {model['accuracy']:.0%} of the given labels" in line
    assert model["name"] in (tmp_path / "out" / "report.html").read_text()
    assert found.error_rate.estimate < 0.2


def test_the_offline_encoders_by_name_and_as_the_default(texts, pictures, tmp_path):
    for arguments, name in (((texts, "--label", "kind", "--text", "body"), "minilm"), ((pictures,), "efficientnet-lite2")):
        found = []
        for encoder in (["--encoder", name], []):
            done = run("audit", *arguments, *encoder, "--overwrite", "--out", tmp_path / "out")
            assert done.returncode == 0, done.stderr
            found.append(lp.Audit.load(tmp_path / "out"))
        assert [one.model.encoder for one in found] == [name, name]
        assert np.array_equal(found[0].error_probability, found[1].error_probability)
    done = on_texts(texts, tmp_path / "none", "--encoder", "none")
    assert done.returncode == 0, done.stderr
    assert lp.Audit.load(tmp_path / "none").model.encoder is None


@pytest.mark.parametrize(
    ("encoder", "told"),
    [
        ("word2vec", "Give auto, none, st:NAME"),
        ("minilm:x", "Give auto, none, st:NAME"),
        ("hf:", "Name a folder or a model after the colon"),
        ("onnx:nowhere/at/all", "nowhere/at/all"),
        ("efficientnet-lite2", "takes pictures, not text. For text give minilm"),
    ],
)
def test_bad_encoders(encoder, told, texts, tmp_path):
    done = on_texts(texts, tmp_path / "out", "--encoder", encoder)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_encoders_of_what_is_neither_text_nor_pictures(texts, tmp_path):
    done = run("audit", texts, "--label", "kind", "--encoder", "minilm", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "takes text or pictures, and the data are table" in done.stderr
    done = run("audit", texts, "--label", "kind", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert lp.Audit.load(tmp_path / "out").model.encoder is None


@pytest.mark.parametrize("option", [("--encoder", "minilm"), ("--group", "document")])
def test_no_option_of_the_model_beside_probabilities(option, texts, tmp_path):
    np.save(tmp_path / "p.npy", 0.8 * np.eye(2)[(KIND == "good").astype(int)] + 0.1)
    done = on_texts(texts, tmp_path / "out", "--pred-probs", tmp_path / "p.npy", *option)
    assert done.returncode == 2
    assert "Remove them, or remove --pred-probs" in done.stderr
    done = on_texts(texts, tmp_path / "out", "--pred-probs", tmp_path / "p.npy")
    assert done.returncode == 0
    assert "model" not in json.loads((tmp_path / "out" / "summary.json").read_text())
    assert lp.Audit.load(tmp_path / "out").model is None


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """What each document is about says nothing of its label, but a model can learn the label of a document by heart."""
    rng = np.random.default_rng(0)
    document = np.repeat(np.arange(40), 5)
    kind = np.array(["no", "yes"])[rng.permutation(np.arange(40) % 2)][document]
    names = np.array(["".join(rng.choice(list("abcdefgh"), 7)) for _ in range(40)])[document]
    body = [f"{name} {name} report of the case, page {i}" for i, name in enumerate(names)]
    number = rng.normal(size=40)[document] + 1e-6 * rng.normal(size=200)
    frame = pl.DataFrame({"body": body, "number": number, "kind": kind, "document": names})
    path = tmp_path_factory.mktemp("documents") / "pages.csv"
    frame.write_csv(path)
    return path


@pytest.mark.parametrize("columns", [("--text", "body"), ("--ignore", "body")])
def test_a_group_is_in_one_fold_and_not_learned_from(columns, documents, tmp_path):
    arguments = ("audit", documents, "--label", "kind", *columns, "--encoder", "none")
    whole = ("--ignore", "document") if columns[0] == "--ignore" else ()
    accuracy = {}
    for name, more in {"apart": whole, "whole": ("--group", "document")}.items():
        done = run(*arguments, *more, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        accuracy[name] = lp.Audit.load(tmp_path / name).model.accuracy
    assert accuracy["apart"] > 0.8
    assert accuracy["whole"] < 0.7
    frame = pl.read_csv(documents).with_columns(pl.col("document").cast(pl.Categorical))
    named = {"text": "body"} if columns[0] == "--text" else {}
    frame = frame if named else frame.drop("body")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)  # it may be no better than chance
        found = lp.audit(frame, label="kind", group="document", encoder="none", **named)
    assert found.model.accuracy == accuracy["whole"]
    source = json.loads((tmp_path / "whole" / "summary.json").read_text())["source"]
    assert source["group"] == "document"


def test_groups_that_are_none(documents, pictures, tmp_path):
    done = run("audit", documents, "--label", "kind", "--text", "body", "--group", "chapter", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "chapter" in done.stderr
    done = run("audit", documents, "--label", "kind", "--text", "body", "--group", "kind", "--encoder", "none", "--out",
               tmp_path / "out")  # fmt: skip
    assert done.returncode in (0, 2)
    one = pl.read_csv(documents).with_columns(document=pl.lit("same"))
    one.write_csv(tmp_path / "one.csv")
    done = run("audit", tmp_path / "one.csv", "--label", "kind", "--text", "body", "--group", "document", "--encoder", "none",
               "--out", tmp_path / "one")  # fmt: skip
    assert done.returncode == 2
    assert "All labelled rows are in one group" in done.stderr
    done = run("audit", pictures, "--group", "document", "--out", tmp_path / "pictures")
    assert done.returncode == 2
    assert "group" in done.stderr


def test_repeats_and_processes(texts, tmp_path):
    for name, more in {"once": (), "twice": ("--repeats", "2"), "at a time": ("--repeats", "2", "--jobs", "2")}.items():
        done = on_texts(texts, tmp_path / name, "--encoder", "none", *more)
        assert done.returncode == 0, done.stderr
        if name != "once":
            assert "(5 folds, 2 times)" in done.stdout
    once, twice, parallel = (lp.Audit.load(tmp_path / name) for name in ("once", "twice", "at a time"))
    assert np.array_equal(twice.error_probability, parallel.error_probability)
    assert not np.array_equal(once.error_probability, twice.error_probability)
    assert (once.model.n_repeats, twice.model.n_repeats) == (1, 2)
    for bad in (("--repeats", "0"), ("--folds", "1"), ("--jobs", "0")):
        assert on_texts(texts, tmp_path / "bad", "--encoder", "none", *bad).returncode == 2
    assert not (tmp_path / "bad").exists()


MANY = """
import sys
from pathlib import Path
from labelproof import cli
try:
    cli.main()
finally:  # the most that was held; what getrusage tells begins with that of the process that started this one
    print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory that was held is read from /proc")
@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "gigabytes", "seconds"), [(4000, 1000, 1.0, 60), (20_000, 2000, 1.5, 90)])
def test_many_classes_of_english_text_stay_within_memory(n, k, gigabytes, seconds, tmp_path):
    rng = np.random.default_rng(0)
    syllables = [a + b for a in "bcdfglmnprst" for b in "aeiou"]
    words = np.array([a + b + c for a in syllables for b in syllables for c in "nrst"])
    own, kind = rng.integers(0, len(words), (k, 6)), rng.permutation(np.arange(n) % k)
    body = [" ".join([*words[rng.choice(own[c], 4)], *words[rng.integers(0, len(words), 8)]]) for c in kind]
    pl.DataFrame({"body": body, "kind": [f"c{c:04d}" for c in kind]}).write_csv(tmp_path / "many.csv")
    command = ["audit", tmp_path / "many.csv", "--label", "kind", "--text", "body", "--out", tmp_path / "out"]
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", MANY, *map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - started < seconds
    assert int(done.stdout.split()[-2]) * 1024 < gigabytes * 1e9
    assert "no encoder is used" in done.stderr
    assert lp.Audit.load(tmp_path / "out").model.encoder is None
