"""A long table of votes: read, reopened, audited by commands, written back as a consensus."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from commands import run
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions

NAMES = ReadOptions(item="id", annotator="worker", label="y")


def frame(n=60, seed=0):
    rng = np.random.default_rng(seed)
    true = np.array(["cat", "dog"])[np.arange(n) % 2]
    rows = [
        {"id": f"i{i}", "worker": w, "y": true[i] if rng.random() < right else str(rng.choice(["cat", "dog"])),
         "body": f"{'purrs' if true[i] == 'cat' else 'barks'} {i}", "weight": float(i % 2 * 5 + rng.integers(3) * 0 + i / 100), "seconds": int(rng.integers(90))}
        for i in range(n)
        for w, right in (("Ann", 0.9), ("Bo", 0.8), ("Cem", 0.6))
        if rng.random() < 0.8 or w == "Ann"
    ]  # fmt: skip
    return pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=seed)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("text", [None, "body"])
def test_it_is_read_and_reopened(tmp_path, ending, text):
    table, path = frame(), tmp_path / f"votes.{ending}"
    {"csv": table.write_csv, "parquet": table.write_parquet, "jsonl": table.write_ndjson}[ending](path)
    options = ReadOptions(item="id", annotator="worker", label="y", text=text)
    with pytest.warns(lp.LabelproofWarning, match="seconds differ between the votes on one item"):
        data = open_reader(path, options).read()
    assert data.ids.tolist() == table["id"].unique(maintain_order=True).to_list()
    assert data.labels == lp.Votes.from_long(table["id"], table["worker"], table["y"])
    body = dict(table.select("id", "body").iter_rows())
    if text:
        assert list(data.x) == [body[name] for name in data.ids]
    else:
        assert "seconds" not in data.x.columns
        assert {"weight"} <= set(data.x.columns) <= {"weight", "body"}
    items = reader_of(data.source).reopen()
    assert items.n == len(data)
    shown = items.show(3)
    assert body[data.ids[3]] in (shown.text, *dict(shown.fields).values())


def test_votes_alone_are_audited_where_nothing_describes_the_items(tmp_path):
    table = frame().select("worker", "id", "y")
    table.write_csv(tmp_path / "votes.csv")
    found = lp.audit(open_reader(tmp_path / "votes.csv", NAMES).read())
    assert found.model is None
    direct = lp.audit(lp.Votes.from_long(table["id"], table["worker"], table["y"]))
    assert found.items.equals(direct.items)
    assert found.items["id"].to_list() == table["id"].unique(maintain_order=True).to_list()
    assert lp.audit(lp.read_votes(table, item="id", annotator="worker", label="y")).items.equals(direct.items)


def test_a_classifier_of_the_items_is_trained_on_the_consensus(tmp_path):
    frame(n=200).write_csv(tmp_path / "votes.csv")
    done = run("audit", tmp_path / "votes.csv", "--item", "id", "--annotator", "worker", "--label", "y", "--text", "body",
               "--encoder", "none", "--out", tmp_path / "audit")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "items have a wrong consensus" in done.stdout
    found = lp.Audit.load(tmp_path / "audit")
    assert found.model is not None
    assert found.noise.fitted["classifier_power"] > 0
    true = np.array(["cat", "dog"])[found.items["id"].str.slice(1).cast(pl.Int64).to_numpy() % 2]
    assert (found.items["consensus"].to_numpy() == true).mean() > 0.95
    probs = np.where(true[:, None] == np.array(["cat", "dog"]), 0.9, 0.1)
    np.save(tmp_path / "p.npy", probs)
    done = run("audit", tmp_path / "votes.csv", "--item", "id", "--annotator", "worker", "--label", "y",
               "--pred-probs", tmp_path / "p.npy", "--out", tmp_path / "other")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (lp.Audit.load(tmp_path / "other").items["consensus"].to_numpy() == true).mean() > 0.98


@pytest.mark.filterwarnings("ignore:.*differ between the votes")
def test_the_consensus_is_written_with_what_describes_the_items(tmp_path):
    table = frame()
    table.write_csv(tmp_path / "votes.csv")
    before = (tmp_path / "votes.csv").read_bytes()
    data = open_reader(tmp_path / "votes.csv", NAMES).read()
    reader = reader_of(data.source)
    given = np.array(["cat"] * len(data), dtype=object)
    audited = Audited(given, data.classes, {2: Change("dog", "reviewed"), 3: Change(None, "none")}, explain=True)
    reader.write_back(tmp_path / "clean.csv", audited, overwrite=False)
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert clean.columns == ["id", "body", "weight", "y", "y_given", "y_change"]
    assert clean["id"].to_list() == data.ids.tolist()
    assert clean["y"].to_list() == ["cat", "cat", "dog", None, *["cat"] * (len(data) - 4)]
    assert clean["y_change"].fill_null("").to_list()[:4] == ["", "", "reviewed", "none"]
    assert (tmp_path / "votes.csv").read_bytes() == before
    table.with_columns(pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("fox")).otherwise("y").alias("y")).write_csv(
        tmp_path / "votes.csv"
    )
    with pytest.raises(lp.BadInput, match="not those that were audited"):
        reader.write_back(tmp_path / "again.csv", audited, overwrite=False)


@pytest.mark.filterwarnings("ignore:.*differ between the votes")
def test_the_order_of_the_rows_is_no_other_vote(tmp_path):
    table = frame()
    table.write_csv(tmp_path / "votes.csv")
    reader = reader_of(open_reader(tmp_path / "votes.csv", NAMES).read().source)
    table.with_columns(pl.col("seconds") + 1).write_csv(tmp_path / "votes.csv")  # what is no vote may change
    audited = Audited(np.array(["cat"] * table["id"].n_unique(), dtype=object), ("cat", "dog"), {})
    reader.write_back(tmp_path / "clean.csv", audited, overwrite=False)


def test_pictures_that_cannot_be_read_are_skipped_with_their_votes(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        name = f"{i}.png"
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / name)
        rows += [{"id": f"i{i}", "worker": w, "y": ["cat", "dog"][i % 2], "file": name} for w in ("Ann", "Bo")]
    (tmp_path / "5.png").write_bytes(b"gone")
    pl.DataFrame(rows).write_csv(tmp_path / "votes.csv")
    data = open_reader(tmp_path / "votes.csv", ReadOptions(item="id", annotator="worker", label="y", image="file")).read()
    assert len(data) == 11
    assert data.skipped[0][0] == "i5"
    assert data.labels.n == 11
    assert data.labels.values.tolist() == [i % 2 for i in range(12) for _ in range(2) if i != 5]
    audited = Audited(np.array(["cat"] * 11, dtype=object), data.classes, {10: Change("dog", "")}, frozenset({"i5"}))
    reader_of(data.source).write_back(tmp_path / "clean.csv", audited, overwrite=False)
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert clean["y"].to_list() == ["cat"] * 5 + [None] + ["cat"] * 5 + ["dog"]


def test_the_same_vote_twice_counts_once():
    with pytest.warns(lp.LabelproofWarning, match="1 votes are duplicates"):
        twice = lp.Votes.from_long(["x", "x", "y", "x"], ["Ann", "Bo", "Bo", "Ann"], ["a", "b", "b", "a"])
    assert len(twice.values) == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["x", "x"], ["Ann", "Ann"], ["a", "b"]), "rows 0 and 1 are different votes of the same annotator"),
        ((["x", None], ["Ann", "Bo"], ["a", "b"]), "item row 1 is missing"),
        ((["x", "y"], ["Ann", ""], ["a", "b"]), "annotator row 1 is missing"),
        ((["x", "y", "z"], ["Ann", "Bo"], ["a", "b"]), "item has shape"),
    ],
)
def test_bad_columns(columns, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Votes.from_long(*columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--item", "id", "--label", "y"], "--item, --annotator or --label is missing"),
        (["--annotator", "worker", "--label", "y"], "--item, --annotator or --label is missing"),
        (["--item", "id", "--annotator", "worker"], "--label is missing"),
        (["--item", "id", "--annotator", "id", "--label", "y"], "three different columns"),
        (["--item", "id", "--annotator", "wroker", "--label", "y"], "worker"),
    ],
)
def test_bad_commands(tmp_path, options, message):
    frame().write_csv(tmp_path / "votes.csv")
    done = run("audit", tmp_path / "votes.csv", *options, "--out", tmp_path / "audit")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "audit").exists()
