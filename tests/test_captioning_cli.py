"""`labelproof concepts` and `caption`, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from commands import run
from labelproof.data.bags import Bags
from labelproof.errors import BadInput
from labelproof.estimators.captioner.concept_table import ConceptTable

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
LEARN = ("--size", 16, "--epochs", 12, "--noise-epochs", 2, "--batch-size", 8, "--seed", 1)
WRITE = ("--hidden", 48, "--epochs", 140, "--batch-size", 16, "--learning-rate", 0.006)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Videos of two colours, one after the other, and what is said of them."""
    root, rng = tmp_path_factory.mktemp("films"), np.random.default_rng(0)
    names = list(COLOURS)
    videos, sentences = [], []
    for i in range(48):
        first, second = rng.permutation(3)[:2]
        folder = root / "frames" / f"video{i}"
        folder.mkdir(parents=True)
        for frame in range(4):
            colour = COLOURS[names[first if frame < 2 else second]]
            pixels = np.clip(np.array(colour) + rng.normal(0, 10, (20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{frame:03}.png")
        videos.append({"video_id": f"video{i}", "split": "train" if i < 40 else "test"})
        said = f"a {names[first]} wall then a {names[second]} wall"
        sentences += [{"video_id": f"video{i}", "caption": said}] * 2
    videos.append({"video_id": "lost", "split": "train"})
    sentences.append({"video_id": "lost", "caption": "a red wall"})
    (root / "videos.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))
    return root


@pytest.fixture(scope="module")
def written(films):
    done = run(
        "concepts", films / "frames", "--captions", films / "videos.json", "--split", "train", "--k", 6,
        "--model", films / "tagger", "--out", films / "concepts.parquet", *LEARN,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_concepts_of_every_frame_are_written(films, written):
    table = pl.read_parquet(films / "concepts.parquet")
    assert table.shape == (48 * 4, 2 + 6)
    assert table["frame_number"].to_list()[:4] == [0, 1, 2, 3]
    assert set(COLOURS) < set(table.columns)
    truth = {}
    for name in table["item_id"].unique():
        for frame in range(4):
            pixel = np.asarray(Image.open(films / "frames" / name / f"{frame:03}.png"))[10, 10]
            truth[name, frame] = list(COLOURS)[int(pixel.argmax())]
    seen = [max(COLOURS, key=lambda colour: row[colour]) for row in table.iter_rows(named=True)]
    right = [a == truth[row["item_id"], row["frame_number"]] for a, row in zip(seen, table.iter_rows(named=True), strict=True)]
    assert np.mean(right) > 0.95  # learned from tags of whole videos, told for each frame
    assert "lost" in written
    assert "occur always or never" in written


def test_a_saved_tagger_gives_the_same_concepts(films, written):
    assert written
    again = run("concepts", films / "frames", "--model", films / "tagger", "--out", films / "again.csv")
    assert again.returncode == 0, again.stderr
    first, second = ConceptTable.read(films / "concepts.parquet"), ConceptTable.read(films / "again.csv")
    assert first.ids == second.ids
    assert np.allclose(first.frames.instances, second.frames.instances, atol=1e-6)
    exists = run("concepts", films / "frames", "--model", films / "tagger", "--out", films / "again.csv")
    assert exists.returncode == 2
    assert "--overwrite" in exists.stderr


def test_captions_are_learned_and_written(films, written):
    assert written
    done = run(
        "caption", films / "concepts.parquet", "--captions", films / "videos.json", "--split", "train",
        "--model", films / "captioner", "--out", films / "said.csv", "--references", films / "videos.json", *WRITE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 items with 80 captions; 8 items have none" in done.stdout
    assert "CIDEr" in done.stdout
    said = dict(pl.read_csv(films / "said.csv").iter_rows())
    references = {row["video_id"]: row["caption"] for row in json.loads((films / "videos.json").read_text())["sentences"]}
    assert np.mean([said[f"video{i}"] == references[f"video{i}"] for i in range(40, 48)]) > 0.8  # of videos it was not taught
    assert not (films / "captioner.training").exists()
    again = run("caption", films / "concepts.parquet", "--model", films / "captioner", "--out", films / "again2.csv")
    assert again.returncode == 0, again.stderr
    assert pl.read_csv(films / "again2.csv").equals(pl.read_csv(films / "said.csv"))
    table = pl.read_parquet(films / "concepts.parquet")
    table.select(["item_id", "frame_number", *table.columns[:1:-1]]).write_parquet(films / "turned.parquet")
    other = run("caption", films / "turned.parquet", "--model", films / "captioner", "--out", films / "x.csv")
    assert other.returncode == 2
    assert "first that differs" in other.stderr
    assert not (films / "x.csv").exists()


def test_a_model_of_another_kind_is_refused(films, written):
    assert written
    other = run("caption", films / "concepts.parquet", "--model", films / "tagger", "--out", films / "x.csv")
    assert other.returncode == 2
    assert "is a noisy-tag-classifier, not a concept-captioner" in other.stderr


def test_pictures_are_items_of_one_frame(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    images, said = [], []
    for i in range(24):
        name = list(COLOURS)[i % 3]
        Image.fromarray(np.full((20, 20, 3), COLOURS[name], np.uint8)).save(tmp_path / "pictures" / f"{i:02}.png")
        images.append({"id": i, "file_name": f"{i:02}.png"})
        said.append({"image_id": i, "caption": f"something {name}{' and nice' if rng.random() < 0.5 else ''}"})
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": said}))
    (tmp_path / "words.txt").write_text("red\ngreen\nblue\n")
    done = run(
        "concepts", tmp_path / "pictures", "--captions", tmp_path / "c.json", "--words", tmp_path / "words.txt",
        "--model", tmp_path / "t", "--out", tmp_path / "c.csv", "--noise", "none", *LEARN,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = ConceptTable.read(tmp_path / "c.csv")
    assert table.names == ("red", "green", "blue")
    assert table.frames.sizes.tolist() == [1] * 24
    assert (table.frames.instances.argmax(axis=1) == np.arange(24) % 3).all()
    done = run("caption", tmp_path / "c.csv", "--captions", tmp_path / "c.json", "--model", tmp_path / "m",
               "--out", tmp_path / "s.csv", *WRITE)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(
        colour in text for colour, text in zip(list(COLOURS) * 8, pl.read_csv(tmp_path / "s.csv")["caption"], strict=True)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("concepts", "{}/none"), "does not exist"),
        (("concepts", "{}"), "no pictures and no folders of frames"),
        (("concepts", "{}/frames", "--captions", "{}/other.json", "--model", "{}/t2", "--out", "{}/o.csv"), "None of the 1 items can be used"),
        (("concepts", "{}/frames", "--captions", "{}/videos.json", "--split", "nosuch", "--model", "{}/t2", "--out", "{}/o.csv"),
         "There is no split 'nosuch'. The file has test, train"),
        (("concepts", "{}/frames", "--captions", "{}/videos.json", "--words", "{}/no.txt", "--model", "{}/t2", "--out", "{}/o.csv"),
         "list of words"),
        (("concepts", "{}/frames", "--captions", "{}/videos.json", "--weights", "{}/videos.json", "--model", "{}/t2",
          "--out", "{}/o.csv", "--k", "4"), "backbone 'convnet' has no published weights"),
        (("concepts", "{}/frames", "--model", "{}/none", "--out", "{}/o.csv"), "none"),
        (("caption", "{}/bad.csv"), "'item_id' is not a column"),
        (("caption", "{}/split.csv", "--out", "{}/o.csv"), "occurs twice"),
        (("caption", "{}/one.csv", "--captions", "{}/videos.json", "--model", "{}/c2", "--out", "{}/o.csv"), "No item has a caption"),
    ],
)  # fmt: skip
def test_bad_input_is_explained(films, arguments, message):
    (films / "other.json").write_text(
        json.dumps({"videos": [{"video_id": "x"}], "sentences": [{"video_id": "x", "caption": "a"}]})
    )
    (films / "bad.csv").write_text("a,b\n1,2\n")
    (films / "split.csv").write_text("item_id,frame_number,dog\na,0,0.5\nb,0,0.5\na,1,0.5\n")
    (films / "one.csv").write_text("item_id,frame_number,dog\nelsewhere,0,0.5\n")
    done = run(*(argument.format(films) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (films / "o.csv").exists()
    assert not (films / "t2").exists()


def test_a_concept_may_not_take_the_place_of_a_column(tmp_path):
    table = ConceptTable(("a",), Bags(np.zeros((1, 1)), np.array([1])), np.zeros(1, np.int64), ("item_id",))
    with pytest.raises(BadInput, match="the name of another column"):
        table.write(tmp_path / "x.csv")
