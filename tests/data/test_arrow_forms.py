"""Arrow files, folders of Parquet, and data sets saved by `datasets`: what stays as it was, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

import labelproof as lp
from labelproof.data.frames import read_raw
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from sources import GIVEN, KIND, STRING, arrow_stream, class_codes, frame, image_values, saved_dataset


def write(path, target, changes, *, explain=False, **options):
    reader = open_reader(path, ReadOptions(**{"label": "kind", **options}))
    data = reader.read()
    given = np.array([None if name is None else str(name) for name in data.given_names], object)
    reader_of(data.source).write_back(target, Audited(given, data.classes, changes, explain=explain), overwrite=False)
    return data


def files_of(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".labelproof"
    }


@pytest.mark.filterwarnings("ignore::labelproof.LabelproofWarning")
@pytest.mark.parametrize("name", ["stream.arrow", "file.ipc", "t.feather"])
def test_arrow_files_keep_schema_metadata_and_batches(tmp_path, name):
    table = pa.table(
        {
            "x": pa.array(range(10), pa.int16()),
            "kind": pa.array(["a", "b", None, "a", "b"] * 2).dictionary_encode(),
            "raw": pa.array([b"\0"] * 10),
        }
    ).replace_schema_metadata({"made": "by hand"})
    path = tmp_path / name
    if name == "stream.arrow":
        arrow_stream(path, table, 4)
    elif name == "file.ipc":
        with path.open("wb") as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    else:
        pa.feather.write_feather(table, path, chunksize=4)
    target = path.with_name("out" + path.suffix)
    write(path, target, {0: Change("b", ""), 9: Change(None, "")})
    before, after = path.read_bytes(), target.read_bytes()
    assert before[:6] == after[:6]
    opened = pa.ipc.open_stream(target) if name == "stream.arrow" else pa.ipc.open_file(target)
    written = opened.read_all()
    assert written.schema.equals(table.schema, check_metadata=True)
    assert [len(batch) for batch in written.to_batches()] == [4, 4, 2]
    expected = ["b", "b", None, "a", "b", "a", "b", None, "a", None]
    assert written["kind"].to_pylist() == expected
    assert written.drop_columns("kind").equals(table.drop_columns("kind"))
    write(path, path.with_name("same" + path.suffix), {})
    assert path.with_name("same" + path.suffix).read_bytes() == before


def test_bad_arrow_files_are_refused(tmp_path):
    arrow_stream(tmp_path / "t.arrow", frame().to_arrow())
    whole = (tmp_path / "t.arrow").read_bytes()
    for name, content, message in (
        ("cut.arrow", whole[: len(whole) // 2], "not a readable Arrow file"),
        ("not.arrow", b"hello there", "not a readable Arrow file"),
        ("empty.arrow", b"", "not a readable Arrow file"),
        ("old.feather", b"FEA1\0\0\0\0", "version 1"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(lp.BadInput, match=message):
            lp.read_table(tmp_path / name, "kind")
    with pytest.raises(lp.BadInput, match="does not exist"):
        lp.read_table(tmp_path / "none.arrow", "kind")


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(3):
        frame().slice(8 * i, 8).write_parquet(folder / f"part-{i}.parquet", compression="gzip")
    (folder / "_SUCCESS").write_text("")
    return folder


def test_parquet_files_without_a_change_are_copied_as_they_are(parts, tmp_path):
    data = write(parts, tmp_path / "out", {9: Change("cat", ""), 23: Change(None, "")}, id="key")
    assert data.ids.tolist() == frame()["key"].to_list()
    before, after = files_of(parts), files_of(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"part-1.parquet", "part-2.parquet"}
    assert before.keys() == after.keys()
    expected = frame()["kind"].to_list()
    expected[9], expected[23] = "cat", None
    assert read_raw(tmp_path / "out").frame["kind"].to_list() == expected


def test_a_class_that_only_another_file_holds_is_written_in_the_type_of_the_column(tmp_path):
    for dtype, new in ((pl.Int32, 1), (pl.Boolean, True), (pl.Float64, 1.0), (pl.Categorical, "1")):
        folder = tmp_path / str(dtype)
        folder.mkdir()
        for value in (0, 1):
            own = (
                pl.Series("y", [str(value)] * 4).cast(dtype)
                if dtype == pl.Categorical
                else pl.Series("y", [value] * 4).cast(dtype)
            )
            pl.DataFrame({"x": range(4), "y": own}).write_parquet(folder / f"{value}.parquet")
        write(folder, tmp_path / f"{dtype} out", {0: Change(str(bool(new)) if dtype == pl.Boolean else "1", "")}, label="y")
        after = pl.read_parquet(tmp_path / f"{dtype} out" / "0.parquet")["y"]
        assert after.dtype == dtype
        assert after[0] == new


def test_folders_that_are_no_one_table_are_refused(parts, tmp_path):
    with pytest.raises(lp.BadInput, match="is inside the input"):
        write(parts, parts / "out", {}, id="key")
    frame().drop("size").write_parquet(parts / "part-3.parquet")
    with pytest.raises(lp.BadInput, match=r"'part-0.parquet' and 'part-3.parquet' .* differ in the column 'size' or its type"):
        lp.read_table(parts, "kind")
    frame().with_columns(size=pl.lit("x")).write_parquet(parts / "part-3.parquet")
    with pytest.raises(lp.BadInput, match="differ in the column 'size'"):
        lp.read_table(parts, "kind")
    (tmp_path / "hive" / "year=2020").mkdir(parents=True)
    frame().write_parquet(tmp_path / "hive" / "year=2020" / "0.parquet")
    with pytest.raises(lp.BadInput, match=r"partitions \('year=2020'"):
        lp.read_table(tmp_path / "hive", "kind")


@pytest.fixture
def saved(tmp_path):
    columns = {"body": (STRING, pa.array(frame()["body"].to_list())), "kind": (KIND, class_codes())}
    saved_dataset(tmp_path / "saved", columns)
    return tmp_path / "saved"


def test_a_saved_data_set_names_its_own_columns_and_keeps_its_form(saved, tmp_path):
    data = write(saved, tmp_path / "out", {0: Change("dog", ""), 1: Change(None, "")}, label=None)
    assert (data.kind, data.classes) == ("text", ("cat", "dog"))
    before, after = files_of(saved), files_of(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"data-00000-of-00002.arrow", "state.json"}
    written = pa.ipc.open_stream(tmp_path / "out" / "data-00000-of-00002.arrow").read_all()
    expected = [KIND["names"].index(name) for name in GIVEN[:12]]
    expected[:2] = [0, -1]
    assert written["kind"].to_pylist() == expected
    assert written.schema.metadata == pa.ipc.open_stream(saved / "data-00000-of-00002.arrow").schema.metadata
    state = json.loads(after["state.json"])
    assert (
        state["_fingerprint"] != json.loads(before["state.json"])["_fingerprint"]
    )  # what was computed of the old is not reused
    assert lp.read_text(tmp_path / "out", "kind", "body").given_names.tolist() == ["dog", None, *GIVEN[2:]]


def test_explained_columns_are_features_of_the_saved_data_set(saved, tmp_path):
    write(saved, tmp_path / "out", {0: Change("dog", "Ann")}, explain=True, label=None)
    assert json.loads((tmp_path / "out" / "dataset_info.json").read_text())["features"]["kind_change"] == STRING
    for name in ("data-00000-of-00002.arrow", "data-00001-of-00002.arrow"):
        table = pa.ipc.open_stream(tmp_path / "out" / name).read_all()
        assert table.column_names == ["body", "kind", "kind_given", "kind_change"]
        assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["kind_given"] == STRING


def test_pictures_of_a_saved_data_set_are_read_when_they_are_looked_at(tmp_path):
    images = image_values().to_pylist()
    images[3] = {"bytes": b"no picture", "path": None}
    images[4] = {"bytes": None, "path": "gone.png"}
    column = pa.array(images, image_values().type)
    saved_dataset(tmp_path / "saved", {"image": ({"_type": "Image"}, column), "kind": (KIND, class_codes())})
    data = open_reader(tmp_path / "saved", ReadOptions()).read()
    assert [name for name, _ in data.skipped] == ["3", "4"]
    assert "gone.png" in data.skipped[1][1]
    assert data.x[0, 0, 0].tolist() == [0, 0, 0]
    assert data.x[-1, 0, 0].tolist() == [230, 230, 230]
    reader = reader_of(data.source)
    told = Audited(data.given_names, data.classes, {3: Change("cat", "")}, frozenset({"3", "4"}))
    reader.write_back(tmp_path / "out", told, overwrite=False)
    again = reader_of({**data.source, "path": str(tmp_path / "out")}).read()
    assert np.flatnonzero(again.given_names != data.given_names).tolist() == [3]
    assert again.ids[3] == "5"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("state.json", '{"_data_files": []}', "names no data files"),
        ("state.json", "{", "not a readable file of a saved data set"),
        ("state.json", '{"_data_files": [{"filename": "../../etc/passwd"}]}', "does not exist|not a readable|cannot|No such"),
        ("state.json", '{"_data_files": [{"filename": "a"}], "_indices_data_files": [1]}', "flatten_indices"),
        ("dataset_info.json", "{}", "names no features"),
        ("dataset_dict.json", '{"splits": ["train"]}', "has no split 'train'"),
    ],
)
def test_damaged_saved_data_sets_are_refused(saved, file, content, message):
    (saved / file).write_text(content)
    with pytest.raises(lp.BadInput, match=message):
        open_reader(saved, ReadOptions(label="kind", text="body")).read()


def test_a_class_without_a_number_is_refused(saved, tmp_path):
    with pytest.raises(lp.BadInput, match="not one of the class names"):
        write(saved, tmp_path / "out", {0: Change("cow", "")}, label=None)
    assert not (tmp_path / "out").exists()
