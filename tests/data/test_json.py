"""JSON lines and lists: types, places of values, and copies that leave every other byte alone."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.data import compressed
from labelproof.data.frames import read_raw
from labelproof.data.readers import open_reader
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.data.tables.json_spans import locate

LINES = (
    '{"text": "caf\\u00e9", "label": "cat", "n": 1}\r\n'
    "\n"
    '  {"label":"dog","text":"thé", "n":2.50, "label" : "cat"}  \n'
    '{"text": "x", "n": null, "meta": {"a": 1}}\n'
    '{"text": "y", "label" : null, "meta": {}}\n'
    '{"text": "z", "label": "dog", "more": [1, 2]}'
)


def copy_of(path, target, changes, *, explain=False, **options):
    reader = open_reader(path, ReadOptions(label="label", **options))
    data = reader.read()
    told = Audited(
        np.array([None if v is None else str(v) for v in data.given_names], object), data.classes, changes, explain=explain
    )
    reader.write_back(target, told, overwrite=True)
    return target.read_bytes()


def test_only_the_labels_that_were_decided_differ(tmp_path):
    path, target = tmp_path / "t.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINES.encode())
    changes = {0: Change("dog", ""), 1: Change("dog", ""), 2: Change("cat", ""), 3: Change("cat", ""), 4: Change(None, "")}
    assert copy_of(path, target, {}, text="text") == path.read_bytes()
    assert copy_of(path, target, changes, text="text").decode("utf-8-sig") == (
        '{"text": "caf\\u00e9", "label": "dog", "n": 1}\r\n'
        "\n"
        '  {"label":"dog","text":"thé", "n":2.50, "label" : "dog"}  \n'
        '{"text": "x", "n": null, "meta": {"a": 1}, "label": "cat"}\n'
        '{"text": "y", "label" : "cat", "meta": {}}\n'
        '{"text": "z", "label": null, "more": [1, 2]}'
    )
    explained = copy_of(path, target, {0: Change("dog", "Ann"), 2: Change("cat", "Bo")}, explain=True, text="text")
    rows = [json.loads(line) for line in explained.decode("utf-8-sig").split("\n") if line.strip()]
    assert [row["label_given"] for row in rows] == ["cat", "cat", None, None, "dog"]
    assert [row["label_change"] for row in rows] == ["Ann", "", "Bo", "", ""]
    assert rows[2]["label"] == "cat"


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_lines_are_equal_in_content(tmp_path, compression):
    data = LINES.encode()
    packed = gzip.compress(data) if compression == "gz" else pa.compress(data, codec="zstd", asbytes=True)
    path, target = tmp_path / f"t.jsonl.{compression}", tmp_path / f"out.jsonl.{compression}"
    path.write_bytes(packed)
    assert copy_of(path, target, {}, text="text") == packed
    copy_of(path, target, {0: Change("dog", "")}, text="text")
    assert lp.read_text(target, "label", "text").given_names.tolist() == ["dog", "cat", None, None, "dog"]
    plain = copy_of(path, tmp_path / "out.jsonl", {}, text="text")
    assert plain == data


def test_values_have_the_types_of_the_file(tmp_path):
    rows = [
        {"i": 1, "b": True, "f": 1, "t": "007", "v": [1, 2.5], "big": 2**70, "mixed": 1, "deep": {"a": {"b": "x"}}},
        {"i": None, "b": False, "f": 0.5, "t": "a", "v": [3, 4], "big": 1, "mixed": "1", "deep": {"a": None}},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    frame = read_raw(tmp_path / "t.json").frame
    assert frame.schema == {
        "i": pl.Int64,
        "b": pl.Boolean,
        "f": pl.Float64,
        "t": pl.String,
        "v": pl.List(pl.Float64),
        "big": pl.String,
        "mixed": pl.String,
        "deep.a.b": pl.String,
    }
    assert frame["big"].to_list() == [str(2**70), "1"]
    assert frame["mixed"].to_list() == ["1", "1"]
    assert frame["deep.a.b"].to_list() == ["x", None]


@pytest.mark.parametrize(
    ("values", "classes", "changed", "text"),
    [
        ([1, 2, None, 1], (1, 2), "2", "2"),
        ([True, False, None, True], (False, True), "False", "false"),
        ([1.0, 2.0, None, 1.0], (1, 2), "2", "2.0"),
        (["1", "2", "", "1"], ("1", "2"), "2", '"2"'),
        (["b", "a", "null", "b"], ("a", "b"), "a", '"a"'),
    ],
)
@pytest.mark.filterwarnings("ignore::labelproof.LabelproofWarning")
def test_labels_are_classes_as_in_parquet(tmp_path, values, classes, changed, text):
    frame = pl.DataFrame({"text": ["a", "b", "c", "d"], "label": values})
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in frame.to_dicts()))
    of_json, of_parquet = (lp.read_text(tmp_path / f"t.{end}", "label", "text") for end in ("jsonl", "parquet"))
    assert of_json.classes == of_parquet.classes == classes
    assert of_json.given.tolist() == of_parquet.given.tolist()
    out = copy_of(tmp_path / "t.jsonl", tmp_path / "out.jsonl", {3: Change(changed, "")}, text="text")
    assert out.splitlines()[3].decode() == f'{{"text": "d", "label": {text}}}'


def test_a_nested_label_has_a_dotted_name(tmp_path):
    rows = [{"text": f"t{i}", "meta": {"label": "ab"[i % 2], "n": i}} for i in range(4)]
    (tmp_path / "t.json").write_text(json.dumps({"data": rows, "version": [1]}, indent=2))
    reader = open_reader(tmp_path / "t.json", ReadOptions(label="meta.label", text="text"))
    data = reader.read()
    reader.write_back(tmp_path / "o.json", Audited(data.given_names, data.classes, {0: Change("b", "")}), overwrite=False)
    before, after = (tmp_path / "t.json").read_text(), (tmp_path / "o.json").read_text()
    assert after == before.replace('"label": "a"', '"label": "b"', 1)


def test_lines_in_a_json_file_are_read_as_such(tmp_path):
    (tmp_path / "t.json").write_text('{"a": "x", "y": 0}\n{"a": "y", "y": 1}\n')
    assert lp.read_text(tmp_path / "t.json", "y", "a").x.tolist() == ["x", "y"]


def test_declared_encodings_are_kept(tmp_path):
    (tmp_path / "t.jsonl").write_bytes('{"text": "thé", "label": "a"}\n{"text": "é", "label": "b"}\n'.encode("latin-1"))
    with pytest.raises(lp.BadInput, match=r"line 1 is not text in UTF-8.*--encoding cp1252"):
        lp.read_text(tmp_path / "t.jsonl", "label", "text")
    out = copy_of(tmp_path / "t.jsonl", tmp_path / "o.jsonl", {0: Change("b", "")}, text="text", encoding="latin-1")
    assert out == '{"text": "thé", "label": "b"}\n{"text": "é", "label": "b"}\n'.encode("latin-1")
    (tmp_path / "w.json").write_bytes('[{"text": "é", "label": "a"}, {"text": "e", "label": "b"}]'.encode("utf-16"))
    assert lp.read_text(tmp_path / "w.json", "label", "text").x.tolist() == ["é", "e"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b"", "is empty"),
        ("t.jsonl", b" \n\n", "is empty"),
        ("t.jsonl", b'{"a": 1}\n{"a": }\n', "line 2, column 7 is not JSON"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "line 2 holds a list"),
        ("t.jsonl", b'{"a.b": 1, "a": {"b": 2}}\n', "two members named 'a.b'"),
        ("t.jsonl", b"[" * 100_000, "cannot be read"),
        ("t.jsonl", b'{"y": ' + b"9" * 5000 + b"}", "cannot be read"),
        ("t.json", b'[{"y": 1}, 2]', "entry 1 of the list is 2"),
        ("t.json", b'[{"y": 1}, {"y": ', "is not JSON"),
        ("t.json", b'{"a": [{"y": 1}], "b": [{"y": 2}]}', "several lists of objects: a, b"),
        ("t.json", b'{"a": 1}', "holds no list of objects"),
        ("t.json", b"[]", "holds no objects"),
        ("t.json", b"\x00\xff\xfe", "is not text in UTF-8"),
        ("t.jsonl.gz", gzip.compress(b'{"y": 1}\n' * 1000, mtime=0)[:-20], "not a readable file"),
        ("t.jsonl.zst", pa.compress(b'{"y": 1}\n' * 1000, codec="zstd", asbytes=True)[:-5], "not a readable file"),
    ],
)
def test_bad_files_are_told_by_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(lp.BadInput, match=message):
        lp.read_table(tmp_path / name, "y")
    assert (tmp_path / name).read_bytes() == content


def test_what_grows_beyond_measure_is_not_decompressed(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "ALWAYS", 1 << 16)
    for name, content in (
        ("t.jsonl.gz", gzip.compress(bytes(1 << 20))),
        ("t.csv.zst", pa.compress(bytes(1 << 24), "zstd", True)),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(lp.BadInput, match="grows over 300 times"):
            lp.read_table(tmp_path / name, "y")


def test_halves_of_characters_do_no_harm(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "\\ud83d", "label": "a"}\n{"text": "b", "label": "b"}\n')
    assert lp.read_text(tmp_path / "t.jsonl", "label", "text").x.tolist() == ["�", "b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(
    value=st.dictionaries(st.text(), JSON, min_size=1, max_size=4), indent=st.none() | st.integers(0, 2), ascii=st.booleans()
)
@settings(deadline=None, max_examples=100)
def test_every_value_is_found_where_it_stands(value, indent, ascii):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)

    def check(inner, way):
        start, end = locate(text, 0, way)
        assert json.loads(text[start:end]) == inner
        for key, own in inner.items() if isinstance(inner, dict) else enumerate(inner if isinstance(inner, list) else []):
            check(own, (*way, key))

    check(value, ())
    assert locate(text, 0, ("no such" * 9,)) is None
