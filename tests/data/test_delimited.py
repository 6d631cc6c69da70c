"""Delimited text: read as Python's own reader does where files are regular, and every line a row where a quote is not closed."""

from __future__ import annotations

import csv
import gzip
import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.data.delimited import Dialect, detect, records
from labelproof.data.frames import read_raw
from labelproof.data.records import scan
from labelproof.errors import LabelproofWarning

CELLS = st.text(alphabet="ab,\"\n\r;' é0", max_size=5)


@st.composite
def tables(draw):
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6))
    return [[f"c{i}" for i in range(width)], *rows]


def written(rows, separator=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return buffer.getvalue()


@settings(max_examples=300, deadline=None)
@given(tables(), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([",", ";"]), st.sampled_from([0, 1]), st.booleans())
def test_records_are_those_of_pythons_reader(rows, end, separator, quoting, last_end):
    text = written(rows, separator, end, quoting)
    text = text if last_end else text[: -len(end)]
    expected = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    found = scan(text.encode(), separator, final=True)
    assert found.regular
    assert [found.values(i) for i in range(len(found))] == expected


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet='ab,"\n\r', max_size=40), block=st.sampled_from([1, 2, 5, 11]))
def test_blocks_make_no_difference_and_cover_every_byte(tmp_path_factory, text, block):
    path = tmp_path_factory.mktemp("d") / "t.csv"
    path.write_bytes(text.encode())
    whole, cut = list(records(path, Dialect(","))), list(records(path, Dialect(","), block))
    values = [[part.values(i) for part in parts for i in range(len(part))] for parts in (whole, cut)]
    assert values[0] == values[1]
    assert b"".join(part.text for part in cut) == text.encode()


@settings(max_examples=100, deadline=None)
@given(tables(), st.sampled_from(["\n", "\r\n"]))
def test_a_frame_has_the_values_of_pythons_reader(tmp_path_factory, rows, end):
    path = tmp_path_factory.mktemp("f") / "t.csv"
    path.write_bytes(written(rows, ",", end, csv.QUOTE_ALL).encode())
    expected = [row for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline="")) if row][1:]
    frame = read_raw(path).frame
    assert [list(row) for row in frame.iter_rows()] == [[value or None for value in row] for row in expected]


def test_a_quote_that_is_never_closed_leaves_every_line_a_row(tmp_path):
    lines = ["text,y", '"good",1', '"bad,0', "fine,1", 'say ""hi"",0', '"two', 'lines",1', 'last,"0']
    path = tmp_path / "q.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.warns(LabelproofWarning, match="line 3 has a quote that is never closed"):
        frame = read_raw(path).frame
    assert frame["text"].to_list() == ["good", '"bad', "fine", 'say ""hi""', "two\nlines", "last"]
    assert frame["y"].to_list() == ["1", "0", "1", "0", "1", '"0']


def test_a_quote_that_would_swallow_whole_rows_is_taken_as_it_is_but_a_text_of_many_lines_is_not(tmp_path):
    rows = ["a,b", 'x,"5 inch', *(f"r{i},{i}" for i in range(5)), 'y,3"']
    (tmp_path / "q.csv").write_text("\n".join(rows) + "\n")
    with pytest.warns(LabelproofWarning, match="line 2"):
        frame = read_raw(tmp_path / "q.csv").frame
    assert frame.height == 7
    assert frame["b"].to_list() == ['"5 inch', *"01234", '3"']
    (tmp_path / "long.csv").write_text('a,b\n"one, two\nthree\nfour, five\nsix, seven\neight, nine\nten, eleven",1\nx,2\n')
    assert read_raw(tmp_path / "long.csv").frame["b"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("a;b\n1,5;x\n2,25;y\n".encode("utf-16"), r"UTF-16, fields separated by ';' \(semicolon\)"),
        ("a;b\n1,5;x\n2,25;y\n".encode("utf-16-be"), r"UTF-16, fields separated by ';'"),
        (b"a|b\n1|x\n2|y\n", r"UTF-8, fields separated by '\|' \(bar\)"),
        (b"a\tb\n1\tx\n2\ty\n", r"separated by '\\t' \(tab\)"),
    ],
)
def test_what_was_inferred_is_said(tmp_path, data, said):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.warns(LabelproofWarning, match=said):
        frame = read_raw(tmp_path / "t.csv").frame
    assert frame.columns == ["a", "b"]
    assert frame["b"].to_list() == ["x", "y"]


def test_other_encodings_are_declared_and_the_message_says_how(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes("text,y\ncafé,1\nthé,0\n".encode("latin-1"))
    with pytest.raises(lp.BadInput, match=r"line 2 is not UTF-8 text \(byte 0xe9\).*--encoding cp1252"):
        read_raw(path)
    for name in ("cp1252", "latin-1"):
        with pytest.warns(LabelproofWarning, match="was read as"):
            assert read_raw(path, encoding=name).frame["text"].to_list() == ["café", "thé"]
    with pytest.raises(lp.BadInput, match="--encoding 'klingon' is unknown"):
        read_raw(path, encoding="klingon")
    path.write_bytes(b"PK\x00\x01\x02\x00,\n\x00" * 30)
    with pytest.raises(lp.BadInput, match="zero bytes"):
        read_raw(path)


def test_gzipped_files_and_byte_order_marks(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfa,b\n1,x\n"))
    assert read_raw(tmp_path / "t.csv.gz").frame.to_dicts() == [{"a": "1", "b": "x"}]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n")[:-6])
    with pytest.raises(lp.BadInput, match="cannot be read"):
        read_raw(tmp_path / "t.csv.gz")


def test_a_field_of_any_size(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "x" * 20_000_000 + ',1\n"' + "y\n" * 3_000_000 + '",2\n')
    frame = read_raw(path).frame
    assert frame["a"].str.len_bytes().to_list() == [20_000_000, 6_000_000]
    assert frame["b"].to_list() == ["1", "2"]


def test_a_trailing_separator_and_columns_without_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;;\n1;x;;\n2;y;;\n")
    with pytest.warns(LabelproofWarning, match="semicolon"):
        assert read_raw(path).frame.columns == ["a", "b", "column 3", "column 4"]


def test_the_separator_that_the_name_promises_is_kept_where_it_fits(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text,y\n"a; b; c",1\n"d; e; f",0\n')
    assert detect(path, ",").separator == ","
    assert read_raw(path).frame["text"].to_list() == ["a; b; c", "d; e; f"]
    path.write_text("y\n1\n2\n")
    assert read_raw(path).frame.equals(pl.DataFrame({"y": ["1", "2"]}))
