"""Every reader: round trip, ids that survive, bad rows named with the line."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from labelproof.data.frames import read_frame
from labelproof.saving.files import load_array

ROWS = [("007", "red", 1.5, "cat"), ("012", "blue", None, "dog"), ("3", "red", 2.0, "cat"), ("4", "", 3.5, "")]


@pytest.fixture(params=[".csv", ".tsv", ".parquet"])
def table(request, tmp_path):
    frame = pl.DataFrame(ROWS, schema=["name", "colour", "size", "kind"], orient="row")
    path = tmp_path / f"t{request.param}"
    if request.param == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="\t" if request.param == ".tsv" else ",")
    return path


def test_table_round_trip(table):
    data = lp.read_table(table, "kind", id="name")
    assert data.ids.tolist() == ["007", "012", "3", "4"]
    assert data.classes == ("cat", "dog")
    assert data.given.tolist() == [0, 1, 0, -1]
    assert data.given_names.tolist() == ["cat", "dog", "cat", None]
    assert data.x.columns == ["colour", "size"]
    assert data.show(0).fields == (("colour", "red"), ("size", "1.5"))
    assert data.show(1).fields[1] == ("size", "")


def test_text_round_trip(table):
    data = lp.read_text(table, "kind", "colour")
    assert data.x.tolist() == ["red", "blue", "red", ""]
    assert data.ids.tolist() == [0, 1, 2, 3]
    assert data.show(1).text == "blue"


def test_numbers_as_labels_stay_numbers_unless_something_is_lost(tmp_path):
    (tmp_path / "n.csv").write_text("x,y\n1,10\n2,9\n3,10\n")
    assert lp.read_table(tmp_path / "n.csv", "y").classes == (9, 10)
    assert lp.read_table(tmp_path / "n.csv", "y", label_as_text=True).classes == ("10", "9")
    (tmp_path / "z.csv").write_text("x,y\n1,01\n2,1\n3,01\n")
    assert lp.read_table(tmp_path / "z.csv", "y").classes == ("01", "1")


def test_quotes_and_line_breaks_in_fields(tmp_path):
    (tmp_path / "q.csv").write_text('text,y\n"a, ""b""\nc",1\nd,0\n')
    assert lp.read_text(tmp_path / "q.csv", "y", "text").x.tolist() == ['a, "b"\nc', "d"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,y\n", "no rows"),
        (b"a,y\n1,x\n1,2,x\n", "line 3 has 3 fields but the header has 2"),
        (b"a,y\n1,x\n1\n", "line 3 has 1 fields"),
        ("a,y\n1,x\ncafé,z\n".encode("latin1"), "line 3 is not UTF-8 text .byte 0xe9.*--encoding cp1252"),
        ("é,y\n1,x\n".encode("latin1"), "line 1 is not UTF-8"),
        (b"a,a,y\n1,2,x\n", "two columns named 'a'"),
        (b"y\n1\n2\n", "nothing to learn from"),
        (b"a,y\n1,x\n2,x\n", "only 'x'"),
    ],
)
def test_bad_tables(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(lp.BadInput, match=message):
        lp.read_table(path, "y")
    assert path.read_bytes() == content


def test_bad_names_suggest_the_nearest(table, tmp_path):
    with pytest.raises(lp.BadInput, match="Did you mean 'kind'"):
        lp.read_table(table, "knd")
    with pytest.raises(lp.BadInput, match="Did you mean 'colour'"):
        lp.read_text(table, "kind", "color")
    with pytest.raises(lp.BadInput, match=r"does not exist.*Did you mean"):
        lp.read_table(table.with_name("tt" + table.suffix), "kind")
    with pytest.raises(lp.BadInput, match="same column"):
        lp.read_text(table, "kind", "kind")
    (tmp_path / "t.docx").write_text("x")
    with pytest.raises(lp.BadInput, match=r"ends in '\.docx'"):
        read_frame(tmp_path / "t.docx")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(lp.BadInput, match="not a readable Parquet"):
        read_frame(tmp_path / "broken.parquet")


@pytest.fixture
def pictures(tmp_path):
    root = tmp_path / "pictures"
    for name, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        (root / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (40, 30), colour).save(root / name / f"{i}.png")
    return root


def test_pictures_in_class_folders(pictures):
    data = lp.read_images(pictures, size=16)
    assert data.classes == ("blue", "red")
    assert data.ids[0] == "blue/0.png"
    assert data.x.shape == (6, 16, 16, 3)
    assert data.x[0, 8, 8].tolist() == [20, 20, 200]
    assert data.show(0).image.startswith((b"\x89PNG", b"\xff\xd8"))


def test_a_corrupt_picture_is_skipped_and_listed(pictures):
    (pictures / "red" / "1.png").write_bytes(b"not a picture")
    whole = (pictures / "red" / "0.png").read_bytes()
    (pictures / "red" / "2.png").write_bytes(whole[: len(whole) // 2])
    data = lp.read_images(pictures)
    assert [name for name, _ in data.skipped] == ["red/1.png", "red/2.png"]
    assert all("cannot be decoded" in reason for _, reason in data.skipped)
    assert data.ids.tolist() == ["blue/0.png", "blue/1.png", "blue/2.png", "red/0.png"]


def test_a_manifest_of_pictures(pictures):
    path = pictures.parent / "manifest.csv"
    path.write_text("file,y\npictures/red/0.png,warm\npictures/blue/0.png,cold\npictures/none.png,cold\n")
    data = lp.read_images(path, label="y", image="file")
    assert data.given_names.tolist() == ["warm", "cold"]
    assert data.skipped == [("pictures/none.png", "does not exist")]


def test_embeddings_go_with_the_pictures_that_were_read(pictures):
    (pictures / "blue" / "1.png").write_bytes(b"")
    vectors = np.arange(12.0).reshape(6, 2)
    data = lp.read_images(pictures, embeddings=vectors)
    assert data.x[:, 0].tolist() == [0, 4, 6, 8, 10]
    assert data.kind == "arrays"
    with pytest.raises(lp.BadInput, match="6 pictures"):
        lp.read_images(pictures, embeddings=vectors[:5])


def test_folders_without_pictures(tmp_path):
    with pytest.raises(lp.BadInput, match="one folder per class"):
        lp.read_images(tmp_path)


def test_arrays_from_files_and_memory(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(6, 20)), np.array(["a", "b"] * 3)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    for features, labels in ((x, y), (tmp_path / "x.npy", y), (f"{tmp_path}/both.npz:x", f"{tmp_path}/both.npz:y")):
        data = lp.read_arrays(features, labels)
        assert np.array_equal(data.x, x)
        assert data.given.tolist() == [0, 1] * 3
    assert data.show(0).fields[-1] == ("…", "8 more")
    picture = lp.read_arrays(np.zeros((2, 8, 8)), [0, 1]).show(0).image
    assert picture.startswith((b"\x89PNG", b"\xff\xd8"))


def test_bad_arrays(tmp_path):
    with pytest.raises(lp.BadInput, match="features has 3 rows but labels has 2"):
        lp.read_arrays(np.zeros((3, 2)), [0, 1])
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(lp.BadInput, match="Python objects"):
        load_array(tmp_path / "objects.npy", "labels")
    whole = tmp_path / "whole.npy"
    np.save(whole, np.zeros((100, 4)))
    (tmp_path / "half.npy").write_bytes(whole.read_bytes()[:500])
    with pytest.raises(lp.BadInput, match="truncated"):
        load_array(tmp_path / "half.npy", "labels")
    np.savez(tmp_path / "two.npz", a=[1], b=[2])
    with pytest.raises(lp.BadInput, match="arrays a, b"):
        load_array(tmp_path / "two.npz", "labels")


def test_ids_must_be_unique(tmp_path):
    (tmp_path / "d.csv").write_text("n,x,y\na,1,0\na,2,1\n")
    with pytest.raises(lp.BadInput, match="'a' in rows 0 and 1"):
        lp.read_table(tmp_path / "d.csv", "y", id="n")
