"""What nobody decided about is handed on unchanged, byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.data.copies import _plain_bounds, copy_table
from labelproof.data.edits import Edits, edits
from labelproof.data.frames import read_raw
from labelproof.data.label_columns.classes import ClassColumn
from labelproof.data.records import scan

NOTHING = np.empty(0, np.int64)
CELLS = st.text(alphabet="ab,\"\n;' é01.", max_size=5)


def nothing(column):
    return Edits(column, NOTHING, NOTHING)


@st.composite
def files(draw):
    """Bytes of a table in any dialect, its separator, and its rows as written."""
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6))
    separator, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=draw(st.sampled_from([0, 1, 2])))
    writer.writerows([[f"c{i}" for i in range(width)], *rows])
    text = buffer.getvalue() if draw(st.booleans()) else buffer.getvalue()[: -len(end)]
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(encoding), encoding, rows


@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")
@given(files())
def test_no_decision_gives_back_the_identical_bytes(tmp_path_factory, file):
    data, encoding, _ = file
    folder = tmp_path_factory.mktemp("c")
    (folder / "t.csv").write_bytes(data)
    raw = read_raw(folder / "t.csv", encoding=encoding)
    copy_table(raw, folder / "copy.csv", nothing(raw.frame.columns[0]))
    assert (folder / "copy.csv").read_bytes() == data


@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")
@given(files(), st.data())
def test_one_decision_changes_one_cell(tmp_path_factory, file, data):
    content, encoding, _ = file
    folder = tmp_path_factory.mktemp("c")
    (folder / "t.csv").write_bytes(content)
    raw = read_raw(folder / "t.csv", encoding=encoding)
    row = data.draw(st.integers(0, raw.frame.height - 1))
    name = data.draw(st.sampled_from(raw.frame.columns))
    new = data.draw(st.sampled_from(["new", 'a "b"', "x,y;z", "two\nlines", None]))
    copy_table(raw, folder / "copy.csv", Edits(name, np.array([row]), np.array([-1]), {row: new}))
    copied = read_raw(folder / "copy.csv", encoding=encoding)
    held = raw.frame[name].to_list()
    held[row] = new
    if copied.frame.height == raw.frame.height:  # a row that became empty is a line that is no row
        assert copied.frame.equals(raw.frame.with_columns(pl.Series(name, held, dtype=pl.String)))
    before, after = content.decode(encoding), (folder / "copy.csv").read_bytes().decode(encoding)
    same = len(after) - (len(new) + 2 + 2 * new.count('"') if new else 2)
    head = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    tail = next(
        (i for i, (a, b) in enumerate(zip(before[::-1], after[::-1], strict=False)) if a != b), min(len(before), len(after))
    )
    assert head + tail >= min(same, len(before) - 14)  # all but one field


def test_a_copy_of_a_byte_order_mark_quotes_and_a_missing_last_line_end(tmp_path):
    data = b'\xef\xbb\xbf"zip",label,flag\r\n"01234","yes",True\r\n\r\n00501,no,  False\r\n"7 ""x""",yes,1.50'
    (tmp_path / "t.csv").write_bytes(data)
    raw = read_raw(tmp_path / "t.csv")
    coded = ClassColumn.of_series(raw.frame["label"], "label", None).coded
    copy_table(raw, tmp_path / "c.csv", edits("label", coded.codes, coded.classes, {0: "no", 2: None}))
    wanted = data.replace(b'"yes",True', b'"no",True').replace(b",yes,1.50", b",,1.50")
    assert (tmp_path / "c.csv").read_bytes() == wanted
    added = {"why": ["a, b", None, 'say "x"']}
    copy_table(raw, tmp_path / "d.csv", edits("label", coded.codes, coded.classes, {}, added))
    lines = data.replace(b"flag\r", b"flag,why\r").replace(b"True\r", b'True,"a, b"\r').replace(b"False\r", b"False,\r")
    assert (tmp_path / "d.csv").read_bytes() == lines + b',"say ""x"""'


def test_compressed_files_are_copied_compressed_and_others_converted(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,label\n01,x\n2,y\n"))
    raw = read_raw(tmp_path / "t.csv.gz")
    change = edits("label", np.array([0, 1]), ["x", "y"], {1: "x"})
    copy_table(raw, tmp_path / "c.csv.gz", change)
    assert gzip.decompress((tmp_path / "c.csv.gz").read_bytes()) == b"a,label\n01,x\n2,x\n"
    copy_table(raw, tmp_path / "c.csv", change)
    assert (tmp_path / "c.csv").read_bytes() == b"a,label\n01,x\n2,x\n"
    copy_table(raw, tmp_path / "c.tsv", change)
    assert (tmp_path / "c.tsv").read_bytes() == b"a\tlabel\n01\tx\n2\tx\n"
    copy_table(raw, tmp_path / "c.parquet", change)
    assert pl.read_parquet(tmp_path / "c.parquet").to_dicts() == [{"a": "01", "label": "x"}, {"a": "2", "label": "x"}]


def test_a_name_that_the_encoding_cannot_hold_is_refused_and_nothing_written(tmp_path):
    (tmp_path / "t.csv").write_bytes("a,label\n1,é\n2,b\n".encode("latin-1"))
    with pytest.warns(lp.LabelproofWarning):
        raw = read_raw(tmp_path / "t.csv", encoding="latin-1")
    with pytest.raises(lp.BadInput, match="cannot be written in iso8859-1"):
        copy_table(raw, tmp_path / "c.csv", Edits("label", np.array([0]), np.array([-1]), {0: "Ω"}))
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


LABELS = {
    "text": pa.array(["a", "b", None, "a", "b", "a"]),
    "integers": pa.array([3, 5, None, 3, 5, 3], pa.int16()),
    "floats with a gap": pa.array([0.0, 1.0, None, 0.0, 1.0, 0.0]),
    "booleans": pa.array([True, False, None, True, False, True]),
    "categories": pa.array(["a", "b", None, "a", "b", "a"]).dictionary_encode(),
    "dates": pa.array([date(2020, 1, 1), date(2021, 1, 1), None, date(2020, 1, 1), date(2021, 1, 1), date(2020, 1, 1)]),
    "times": pa.array([1, 2, None, 1, 2, 1], pa.timestamp("ns", "UTC")),
    "decimals": pa.array([Decimal("1.00"), Decimal("2.00"), None, Decimal("1.00"), Decimal("2.00"), Decimal("1.00")]),
}


@pytest.mark.parametrize("name", LABELS)
def test_parquet_labels_of_every_type_go_round_with_schema_metadata_and_row_groups(tmp_path, name):
    other = pa.array([bytes([i]) for i in range(6)])
    codes = pa.array(["007", "08", "9", "1", "2", "3"]).dictionary_encode()
    table = pa.table({"label": LABELS[name], "raw": other, "code": codes, "list": pa.array([[1], [], None, [2], [3], [4, 5]])})
    table = table.replace_schema_metadata({"mine": "kept"})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=4, compression="gzip")
    raw = read_raw(tmp_path / "t.parquet")
    coded = ClassColumn.of_series(raw.frame["label"], "label", None).coded
    assert coded.codes.tolist()[2] == -1
    other_class = str(coded.classes[1 - coded.codes[0]])
    copy_table(raw, tmp_path / "c.parquet", edits("label", coded.codes, coded.classes, {0: other_class, 5: None}))
    source, copy = pq.ParquetFile(tmp_path / "t.parquet"), pq.ParquetFile(tmp_path / "c.parquet")
    assert copy.schema_arrow.equals(source.schema_arrow, check_metadata=True)
    assert [copy.metadata.row_group(i).num_rows for i in range(copy.num_row_groups)] == [4, 2]
    assert copy.metadata.row_group(0).column(0).compression == "GZIP"
    before, after = table["label"].to_pylist(), copy.read()["label"].to_pylist()
    assert after[0] == before[1]
    assert after[5] is None
    assert after[1:5] == before[1:5]
    assert copy.read().drop(["label"]).equals(table.drop(["label"]))
    copy_table(raw, tmp_path / "same.parquet", nothing("label"))
    assert (tmp_path / "same.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()


def test_lists_and_bytes_are_no_labels(tmp_path):
    pl.DataFrame({"a": [1, 2], "label": [["x"], ["y"]], "raw": [b"x", b"y"]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(lp.BadInput, match="'label' holds lists, but a label is one name"):
        lp.read_table(tmp_path / "t.parquet", "label")
    with pytest.raises(lp.BadInput, match="'raw' holds bytes"):
        lp.read_table(tmp_path / "t.parquet", "raw")


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS, min_size=3, max_size=3), st.sampled_from([0, 1, 2]), st.sampled_from(["\n", "\r\n"]), st.integers(0, 2))
def test_the_quick_way_to_a_field_is_that_of_the_map(cells, quoting, end, field):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=end, quoting=quoting).writerow(cells)
    record = buffer.getvalue().encode()
    quick = _plain_bounds(record, b",", field)
    assert quick is None or quick == scan(record, ",", final=True).bounds(0, field)
