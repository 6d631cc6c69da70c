"""From a file to a repaired one by commands, for every form: audit, a decision, apply; and what options say of the wrong form."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from test_every_reader import FORMS, SOURCES

import sources
from commands import run
from labelproof.data.readers import open_reader
from labelproof.data.readers.base import ReadOptions
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.verified import open_store
from labelproof.review.log.session import ReviewSession
from sources import GIVEN, N, frame, pictures

ALL = {**{name: make for name, (make, _) in FORMS.items()}, **{name: SOURCES[name] for name in ("table", "text", "manifest")}}


def arguments(options: ReadOptions) -> list[object]:
    named = {"label": options.label, "text": options.text, "image": options.image, "id": options.id, "sheet": options.sheet}
    given = [part for name, value in named.items() if value is not None for part in (f"--{name}", value)]
    return given + [part for name in options.ignore for part in ("--ignore", name)]


@pytest.mark.parametrize("name", ALL)
def test_a_decision_is_applied(tmp_path, name):
    path, options, target = ALL[name](tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    np.save(tmp_path / "p.npy", np.eye(2)[(GIVEN == "dog").astype(int)] * 0.8 + 0.1)
    done = run("audit", path, *arguments(options), "--pred-probs", tmp_path / "p.npy", "--out", tmp_path / "audit")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The items cannot be shown" not in (tmp_path / "audit" / "report.html").read_text()
    session = ReviewSession(open_candidates(tmp_path / "audit"), open_store(tmp_path / "audit"), budget=5)
    rank = int(np.flatnonzero(session.candidates.index == 6)[0])
    session.decide("Ann", rank, "relabel", "dog", "uid-1")
    session.store.close()
    done = run("apply", tmp_path / "audit", "--out", target)
    assert done.returncode == 0, done.stderr
    expected = GIVEN.tolist()
    expected[6] = "dog"
    assert open_reader(target, options).read().given_names.tolist() == expected
    done = run("apply", tmp_path / "audit", "--explain", "--out", tmp_path / "table.parquet")
    assert done.returncode == 0, done.stderr
    table = pl.read_parquet(tmp_path / "table.parquet")
    assert table.columns[-1].endswith("_change")
    assert table[table.columns[-1]].to_list()[6].startswith("reviewed by Ann")
    assert run("apply", tmp_path / "audit", "--out", target).returncode == 2  # it is there already
    assert run("apply", tmp_path / "audit", "--overwrite", "--out", path).returncode == 2  # the input
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("name", ["json lines", "xlsx", "parquet folder"])
@pytest.mark.needs("torch")
def test_a_model_trained_on_a_form_predicts_on_it(tmp_path, name):
    path, options, _ = ALL[name](tmp_path)
    trained = run("train", path, *arguments(options), "--epochs", "1", "--out", tmp_path / "model")
    assert trained.returncode == 0, trained.stderr
    sheet = ["--sheet", "Data"] if name == "xlsx" else []
    done = run("predict", tmp_path / "model", path, *sheet, "--out", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(tmp_path / "p.csv")["id"].to_list() == frame()["key"].to_list()


@pytest.mark.needs("torch")
def test_a_model_trained_on_a_tar_predicts_on_one(tmp_path):
    sources.web_dataset(tmp_path / "t.tar")
    assert run("train", tmp_path / "t.tar", "--epochs", "1", "--out", tmp_path / "model").returncode == 0
    done = run("predict", tmp_path / "model", tmp_path / "t.tar", "--out", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(tmp_path / "p.csv")["id"][3] == "a/0003"


def test_features_of_sounds_and_series_are_given_by_the_user(tmp_path):
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 2
    np.save(tmp_path / "x.npy", codes[:, None] + rng.normal(0, 0.1, (60, 4)))
    np.save(tmp_path / "y.npy", np.array(["hum", "beep"])[codes])
    done = run("audit", "--features", tmp_path / "x.npy", "--labels", tmp_path / "y.npy", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert run("apply", tmp_path / "audit", "--obvious", "--out", tmp_path / "clean.csv").returncode == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sheet", "a"], "--sheet applies only to workbooks"),
        (["--query", "select 1"], "--query applies only to databases"),
        (["--images", "p"], "--images is the folder of the pictures"),
    ],
)
def test_options_of_other_forms_are_refused(tmp_path, more, message):
    frame().write_csv(tmp_path / "t.csv")
    done = run("audit", tmp_path / "t.csv", "--label", "kind", "--out", tmp_path / "a", *more)
    assert done.returncode == 2
    assert message in done.stderr


def test_urls_of_pictures_are_refused_and_their_folder_may_be_named(tmp_path):
    names = [f"{i}.png" for i in range(N)]
    pictures(tmp_path / "elsewhere", names)
    table = frame().with_columns(file=pl.Series(names))
    table.write_csv(tmp_path / "t.csv")
    np.save(tmp_path / "p.npy", np.eye(2)[(GIVEN == "dog").astype(int)] * 0.8 + 0.1)
    named = ["--label", "kind", "--image", "file", "--pred-probs", tmp_path / "p.npy"]
    done = run("audit", tmp_path / "t.csv", *named, "--images", tmp_path / "elsewhere", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert run("apply", tmp_path / "audit", "--obvious", "--out", tmp_path / "o.csv").returncode == 0
    table.with_columns(file="https://example.com/" + pl.col("file")).write_csv(tmp_path / "t.csv")
    done = run("audit", tmp_path / "t.csv", *named, "--out", tmp_path / "b")
    assert done.returncode == 2
    assert "labelproof downloads nothing" in done.stderr
