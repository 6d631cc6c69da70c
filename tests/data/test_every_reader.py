"""What holds for every reader: it is found, remembered as JSON, opens its items again, and writes them back with other labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

import labelproof as lp
import sources
from labelproof.data.compressed import compressing
from labelproof.data.readers import READERS, open_reader, reader_of
from labelproof.data.readers.base import VERSION, Audited, Change, ReadOptions
from labelproof.data.tables import form_of
from sources import GIVEN, KIND, STRING, N, arrow_stream, class_codes, frame, image_values, pictures, saved_dataset


def table(tmp_path):
    frame().write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv", ReadOptions(label="kind", id="key", ignore=("body",)), tmp_path / "out.csv"


def text(tmp_path):
    frame().write_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet", ReadOptions(label="kind", text="body"), tmp_path / "out.parquet"


def manifest(tmp_path):
    names = [f"p/{i:02d}.png" for i in range(N)]
    pictures(tmp_path, names)
    frame().with_columns(file=pl.Series(names)).write_csv(tmp_path / "m.csv")
    return tmp_path / "m.csv", ReadOptions(label="kind", image="file"), tmp_path / "out.csv"


def images(tmp_path):
    pictures(tmp_path / "p", [f"{name}/{i:02d}.png" for i, name in enumerate(GIVEN)])
    return tmp_path / "p", ReadOptions(), tmp_path / "out"


def cells(tmp_path):
    anndata = pytest.importorskip("anndata")
    rng = np.random.default_rng(0)
    names = [f"c{i:02d}" for i in range(N)]
    adata = anndata.AnnData(rng.poisson(3, (N, 6)).astype(np.float32))
    adata.obs_names, adata.var_names = names, [f"g{j}" for j in range(6)]
    adata.obs["kind"] = GIVEN
    adata.write_h5ad(tmp_path / "c.h5ad")
    return tmp_path / "c.h5ad", ReadOptions(label="kind"), tmp_path / "out.csv"


def compressed(tmp_path):
    with (tmp_path / "t.tsv.zst").open("wb") as out, compressing(out, "zstd") as sink:
        frame().write_csv(sink, separator="\t")
    return tmp_path / "t.tsv.zst", ReadOptions(label="kind", id="key", ignore=("body",)), tmp_path / "out.tsv.zst"


def json_lines(tmp_path):
    frame().write_ndjson(tmp_path / "t.jsonl")
    return tmp_path / "t.jsonl", ReadOptions(label="kind", id="key", text="body"), tmp_path / "out.jsonl"


def json_list(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({"version": 1, "items": frame().to_dicts()}, indent=1))
    return tmp_path / "t.json", ReadOptions(label="kind", id="key", ignore=("body",)), tmp_path / "out.json"


def arrow(tmp_path):
    arrow_stream(tmp_path / "t.arrow", frame().with_columns(pl.col("kind").cast(pl.Categorical)).to_arrow())
    return tmp_path / "t.arrow", ReadOptions(label="kind", id="key", ignore=("body",)), tmp_path / "out.arrow"


def feather(tmp_path):
    pa.feather.write_feather(frame().to_arrow(), tmp_path / "t.feather", chunksize=7)
    return tmp_path / "t.feather", ReadOptions(label="kind", text="body"), tmp_path / "out.feather"


def parquet_folder(tmp_path):
    (tmp_path / "t").mkdir()
    for i in range(3):
        frame().slice(8 * i, 8).write_parquet(tmp_path / "t" / f"part-{i}.parquet")
    return tmp_path / "t", ReadOptions(label="kind", id="key", ignore=("body",)), tmp_path / "out"


def saved_texts(tmp_path):
    saved_dataset(tmp_path / "t", {"body": (STRING, pa.array(frame()["body"].to_list())), "kind": (KIND, class_codes())})
    return tmp_path / "t", ReadOptions(), tmp_path / "out"


def saved_images(tmp_path):
    for split in ("train", "test"):
        columns = {"image": ({"_type": "Image"}, image_values()), "kind": (KIND, class_codes())}
        half = slice(0, 12) if split == "train" else slice(12, 24)
        saved_dataset(tmp_path / "t" / split, {name: (kind, values[half]) for name, (kind, values) in columns.items()})
    (tmp_path / "t" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    return tmp_path / "t", ReadOptions(), tmp_path / "out"


def sheet_of(write, name):
    """A sheet of a workbook."""

    def make(tmp_path):
        pytest.importorskip("fastexcel")
        write(tmp_path / name)
        return (
            tmp_path / name,
            ReadOptions(label="kind", id="key", sheet="Data", text="body"),
            tmp_path / f"out{Path(name).suffix}",
        )

    return make


def export_of(write, name):
    """A source that says by itself where its labels are."""

    def make(tmp_path):
        write(tmp_path / name)
        return tmp_path / name, ReadOptions(), tmp_path / f"out{Path(name).suffix}"

    return make


SOURCES = {"table": table, "text": text, "manifest": manifest, "images": images, "cells": cells}
FORMS = {  # forms of tables, and the reader that reads their columns
    "compressed": (compressed, "table"),
    "json lines": (json_lines, "text"),
    "json": (json_list, "table"),
    "arrow": (arrow, "table"),
    "feather": (feather, "text"),
    "parquet folder": (parquet_folder, "table"),
    "saved dataset, text": (saved_texts, "text"),
    "saved dataset, pictures": (saved_images, "manifest"),
    "xlsx": (sheet_of(sources.xlsx, "t.xlsx"), "text"),
    "ods": (sheet_of(sources.ods, "t.ods"), "text"),
    "label studio": (export_of(sources.label_studio, "export.json"), "text"),
    "argilla": (export_of(sources.argilla, "records.json"), "text"),
    "prodigy": (export_of(sources.prodigy, "annotations.jsonl"), "text"),
    "coco": (export_of(sources.coco, "annotations.json"), "manifest"),
    "cvat": (export_of(sources.cvat, "annotations.xml"), "manifest"),
    "webdataset": (export_of(sources.web_dataset, "t.tar"), "manifest"),
}


def audited(data, changes=None, given=None):
    names = data.given_names if given is None else given
    return Audited(np.array([None if name is None else str(name) for name in names], object), data.classes, changes or {})


def labels_of(target: Path, options: ReadOptions):
    """Names by id, of what was written."""
    if form_of(target) is not None or target.suffix == ".zst":
        return open_reader(target, options).read().given_names.tolist()
    if target.is_dir():
        again = lp.read_images(target)
    elif target.suffix == ".npy":
        return np.load(target).tolist()
    else:
        frame = pl.read_parquet(target) if target.suffix == ".parquet" else pl.read_csv(target)
        return frame["kind"].to_list()
    return sorted(zip([Path(name).name for name in again.ids], again.given_names, strict=True))


@pytest.fixture(params=[*SOURCES, *FORMS])
def source(request, tmp_path):
    """Name of the reader, path, options, and where to write."""
    if request.param in FORMS:
        make, reader = FORMS[request.param]
        return reader, *make(tmp_path)
    return request.param, *SOURCES[request.param](tmp_path)


def test_it_is_found_and_remembered(source):
    name, path, options, _ = source
    reader = open_reader(path, options)
    assert type(reader) is READERS[name]
    data = reader.read()
    assert len(data) == N
    assert data.given_names.tolist() == GIVEN[np.argsort(GIVEN, kind="stable") if name == "images" else slice(None)].tolist()
    told = json.loads(json.dumps(data.source))
    assert (told["kind"], told["version"]) == (name, VERSION)
    assert reader_of(told).to_json() == told
    again = reader_of(told).read()
    assert again.labels == data.labels
    assert again.ids.tolist() == data.ids.tolist()
    with pytest.raises(lp.BadInput, match="a later version of labelproof"):
        reader_of({**told, "version": VERSION + 1})


def test_its_items_are_opened_again(source):
    _, path, options, _ = source
    data = open_reader(path, options).read()
    items = reader_of(data.source).reopen()
    assert items.n == N
    one, other = data.show(3), items.show(3)
    assert (bool(other.image), other.text, other.fields) == (bool(one.image), one.text, one.fields)
    assert len(items.take(np.array([0, 5]))) == 2


def test_it_is_written_back_with_other_labels_alone(source):
    _, path, options, target = source
    data = open_reader(path, options).read()
    reader = reader_of(data.source)
    reader.write_back(target, audited(data), overwrite=False)
    as_it_was = labels_of(target, options)
    other = target.with_name(target.name.replace("out", "more"))
    changed = "dog" if data.given_names[5] == "cat" else "cat"
    reader.write_back(other, audited(data, {5: Change(changed, "reviewed by Ann")}), overwrite=False)
    now = labels_of(other, options)
    assert [a for a, b in zip(as_it_was, now, strict=True) if a != b] in (
        ["cat"],
        ["dog"],
        [(Path(str(data.ids[5])).name, data.given_names[5])],
    )
    with pytest.raises(lp.BadInput, match="The file has changed"):
        reader.write_back(
            target.with_name(target.name.replace("out", "no")), audited(data, given=data.given_names[::-1]), overwrite=False
        )
    with pytest.raises(lp.BadInput, match="Audit them again"):
        reader.write_back(
            target.with_name(target.name.replace("out", "no")), audited(data, given=data.given_names[1:]), overwrite=False
        )


def test_arrays_are_written_into_arrays_of_their_type(tmp_path):
    np.save(tmp_path / "y.npy", np.arange(N, dtype=np.int16) % 3)
    np.save(tmp_path / "x.npy", np.zeros((N, 2)))
    data = lp.read_arrays(tmp_path / "x.npy", tmp_path / "y.npy")
    reader = reader_of(json.loads(json.dumps(data.source)))
    assert reader.reopen().n == N
    reader.write_back(tmp_path / "out.npy", audited(data, {4: Change("2", "")}), overwrite=False)
    out = np.load(tmp_path / "out.npy")
    assert out.dtype == np.int16
    assert np.flatnonzero(out != np.load(tmp_path / "y.npy")).tolist() == [4]
    assert out[4] == 2


def test_tags_in_an_array_are_written_into_one(tmp_path):
    tags = (np.random.default_rng(0).random((N, 3)) < 0.4).astype(np.uint8)
    np.save(tmp_path / "t.npy", tags)
    reader = reader_of({"kind": "tag arrays", "version": 1, "tags": str(tmp_path / "t.npy")})
    names = ["sea", "sky", "sun"]
    given = np.array([json.dumps([n for n, own in zip(names, row, strict=True) if own]) for row in tags], dtype=object)
    told = Audited(given, names, {2: Change('["sea", "sun"]', "reviewed by Ann")})
    reader.write_back(tmp_path / "out.npy", told, overwrite=False)
    out = np.load(tmp_path / "out.npy")
    assert out.dtype == np.uint8
    assert out[2].tolist() == [1, 0, 1]
    assert np.array_equal(np.delete(out, 2, axis=0), np.delete(tags, 2, axis=0))
    reader.write_back(tmp_path / "out.csv", told, overwrite=False)
    frame = pl.read_csv(tmp_path / "out.csv")
    assert frame.columns == ["id", *names, "tags_change"]
    assert frame["tags_change"][2] == "reviewed by Ann"
    with pytest.raises(lp.BadInput, match="The file has changed"):
        reader.write_back(tmp_path / "no.npy", replace(told, given=given[::-1]), overwrite=False)
    with pytest.raises(lp.BadInput, match=r"A tag is called 'id', like a column that the table adds. Give a target in .npy."):
        reader.write_back(tmp_path / "no.csv", Audited(given, ["sea", "id", "sun"], {}), overwrite=False)


def test_what_version_0_1_remembered_is_understood():
    folder = {"kind": "images", "path": "p", "label": None, "image": None, "id": None, "size": 32, "embeddings": False}
    assert type(reader_of(folder)) is READERS["images"]
    assert type(reader_of({**folder, "label": "kind", "image": "file"})) is READERS["manifest"]
    assert type(reader_of({"kind": "arrays", "labels": "y.npy", "features": None, "ids": None})) is READERS["arrays"]
    assert type(reader_of({"kind": "arrays", "tags": "t.npy", "features": None, "ids": None})) is READERS["tag arrays"]
    assert reader_of({}) is None
    assert reader_of(None) is None
