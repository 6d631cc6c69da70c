"""Which files of a folder are pictures of which class, and the folder copied with pictures moved."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from labelproof.data.picture_files import copy_pictures, list_pictures
from labelproof.errors import LabelproofWarning


def picture(path, value=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), value).save(path, **options)


def test_hidden_folders_are_no_classes_and_other_endings_are_counted(tmp_path):
    for name in (
        "cat/1.png",
        "dog/1.png",
        ".ipynb_checkpoints/1.png",
        "__MACOSX/cat/1.png",
        "cat/.hidden.png",
        "dog/deep/2.png",
    ):
        picture(tmp_path / name)
    picture(tmp_path / "cat" / "2.jfif", format="JPEG")
    (tmp_path / "cat" / "notes.txt").write_text("")
    (tmp_path / "dog" / "x.heic").write_text("")
    (tmp_path / "dog" / "y.heic").write_text("")
    (tmp_path / "README.md").write_text("beside the classes")
    with pytest.warns(LabelproofWarning, match=r"3 files in the class folders .*\.heic \(2\), \.txt \(1\)"):
        found = list_pictures(tmp_path, None, None, None)
    assert found.names.tolist() == ["cat/1.png", "cat/2.jfif", "dog/1.png", "dog/deep/2.png"]
    assert found.labels.tolist() == ["cat", "cat", "dog", "dog"]
    assert found.splits is None


def test_train_and_val_are_splits_of_the_classes_inside_and_a_column(tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png"):
        picture(tmp_path / "p" / name, 200 if "cat" in name else 0)
    data = lp.read_images(tmp_path / "p")
    assert data.classes == ("cat", "dog")
    assert data.split.tolist() == ["train", "train", "val", "val"]
    lp.audit(data, np.eye(2)[data.given] * 0.8 + 0.1).save(tmp_path / "audit")
    issues = pl.read_parquet(tmp_path / "audit" / "issues.parquet").sort("index")
    assert issues["split"].to_list() == ["train", "train", "val", "val"]
    assert lp.Audit.load(tmp_path / "audit").issues.sort("index").equals(issues)


def test_a_class_may_be_called_test_where_it_holds_pictures_itself(tmp_path):
    for name in ("train/1.png", "test/1.png"):
        picture(tmp_path / name)
    assert lp.read_images(tmp_path).classes == ("test", "train")
    picture(tmp_path / "cat" / "x" / "1.png")
    picture(tmp_path / "train" / "x" / "1.png")
    assert lp.read_images(tmp_path).classes == ("cat", "test", "train")


def test_pictures_of_a_manifest_outside_its_folder_are_read_and_shown_alike(tmp_path):
    picture(tmp_path / "pictures" / "a.png", 255)
    picture(tmp_path / "elsewhere" / "b.png", 0)
    (tmp_path / "lists").mkdir()
    manifest = tmp_path / "lists" / "m.csv"
    manifest.write_text(f"file,y\n../pictures/a.png,light\n{tmp_path}/elsewhere/b.png,dark\n")
    data = lp.read_images(manifest, label="y", image="file")
    assert data.skipped == []
    items = data.reader.reopen()
    assert items.show(0).image == items.show(0).image != items.show(1).image
    assert np.array_equal(items.take(np.array([0, 1])), data.x)


def test_a_copied_folder_has_the_same_files_with_pictures_in_the_folder_of_their_class(tmp_path):
    root = tmp_path / "p"
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/3.png"):
        picture(root / name, len(name))
    (root / "licence.txt").write_text("theirs")
    (root / "cat" / "1.xml").write_text("<a/>")
    before = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    copy_pictures(root, tmp_path / "c", {"cat/1.png": "dog", "dog/3.png": None}, overwrite=False)
    copied = {p.relative_to(tmp_path / "c").as_posix(): p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file()}
    del copied[".labelproof"]
    moved = {"cat/1.png": "dog/1 (was cat).png", "dog/3.png": ".unlabelled/3.png"}
    assert copied == {moved.get(name, name): data for name, data in before.items()}
    assert {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
    with pytest.raises(lp.BadInput, match="inside the input"):
        copy_pictures(root, root / "new", {}, overwrite=True)


def test_splits_are_kept_in_a_copied_folder(tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "val/cat/1.png"):
        picture(tmp_path / "p" / name)
    copy_pictures(tmp_path / "p", tmp_path / "c", {"train/cat/1.png": "dog"}, overwrite=False)
    assert sorted(p.relative_to(tmp_path / "c").as_posix() for p in (tmp_path / "c").rglob("*.png")) == [
        "train/dog/1 (was cat).png", "train/dog/1.png", "val/cat/1.png"]  # fmt: skip
