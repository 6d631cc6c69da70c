"""A column's type is decided once, and every later file is read by it."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

import labelproof as lp
from labelproof.data.frames import read_raw
from labelproof.data.schema import Schema
from labelproof.errors import LabelproofWarning


@pytest.mark.parametrize(
    ("values", "kind", "converted"),
    [
        (["1", "-2", "+3"], "integer", [1, -2, 3]),
        (["1", " 2 ", "NA"], "integer", [1, 2, None]),
        (["1.5", "2e3", "inf", "nan"], "number", [1.5, 2000.0, float("inf"), None]),
        (["01", "2", "30"], "text", ["01", "2", "30"]),
        (["10000000000000000001", "5", "6"], "text", ["10000000000000000001", "5", "6"]),
        (["True", "false", None], "boolean", [True, False, None]),
        (["2020-01-31", "1999-12-01"], "date", [date(2020, 1, 31), date(1999, 12, 1)]),
        (["2020-01-31 10:00:00", "null"], "datetime", [datetime(2020, 1, 31, 10), None]),
        (["2020-13-31", "x"], "text", ["2020-13-31", "x"]),
        (["NA", "BE", None], "text", ["NA", "BE", None]),
        (["", None, "n/a"], "empty", ["", None, "n/a"]),
    ],
)
def test_types_of_text_columns(values, kind, converted):
    frame = pl.DataFrame({"a": pl.Series(values, dtype=pl.String)})
    types = Schema.infer(frame, ",")
    assert types.columns[0].type == kind
    assert types.convert(frame, "t.csv")["a"].to_list() == converted
    assert Schema.from_json(types.to_json()) == types


def test_decimal_commas_where_they_cannot_be_thousands():
    semicolons = Schema.infer(pl.DataFrame({"a": ["1,500", "1.234,25", "7"]}), ";")
    assert semicolons.convert(pl.DataFrame({"a": ["1,500", "1.234,25", "7"]}), "t")["a"].to_list() == [1.5, 1234.25, 7.0]
    assert "decimal commas: 'a'" in semicolons.for_learning(pl.DataFrame({"a": ["1,5", "2,5"]})).said()
    assert Schema.infer(pl.DataFrame({"a": ["1,500", "2,250"]}), ",").columns[0].type == "text"  # may be thousands
    assert Schema.infer(pl.DataFrame({"a": ["1,5", "2,250"]}), ",").columns[0].type == "number"


def test_a_value_that_does_not_fit_is_named_or_missing_where_there_were_gaps():
    types = Schema.infer(pl.DataFrame({"a": ["1", "2"], "b": ["1", None]}), ",")
    with pytest.raises(lp.BadInput, match=r"new\.csv row 1, column 'a' is 'x', not an integer.*1 such"):
        types.convert(pl.DataFrame({"a": ["1", "x"], "b": ["1", "1"]}), "new.csv")
    with pytest.warns(LabelproofWarning, match="1 in 'b'"):
        assert types.convert(pl.DataFrame({"a": ["1", ""], "b": ["?", "1"]}), "new.csv").to_dicts() == [
            {"a": 1, "b": None},
            {"a": None, "b": 1},
        ]


def test_columns_that_are_absent_empty_or_new():
    types = Schema.infer(pl.DataFrame({"a": ["1", "2"], "b": ["1", None]}), ",")
    with pytest.raises(lp.BadInput, match=r"'a' is not a column of new\.csv"):
        types.convert(pl.DataFrame({"b": ["1"]}), "new.csv")
    with pytest.warns(LabelproofWarning, match="no column b, which is taken as missing"):
        frame = types.convert(pl.DataFrame({"z": ["?"], "a": [None]}, schema={"z": pl.String, "a": pl.String}), "new.csv")
    assert frame.to_dicts() == [{"a": None, "b": None}]


def test_a_code_column_stays_text_in_a_new_file_that_holds_only_digits(tmp_path):
    (tmp_path / "train.csv").write_text("code,when,y\n01,2020-01-01,a\nA4,2020-01-02,b\n02,,a\nA4,2020-03-02,b\n")
    source = lp.read_table(tmp_path / "train.csv", "y").reader
    (tmp_path / "new.csv").write_text("when,code\n2021-05-01,01\n,02\n")
    frame, ids = source.read_new(tmp_path / "new.csv")
    assert frame.to_dicts() == [{"code": "01", "when": date(2021, 5, 1)}, {"code": "02", "when": None}]
    assert ids.tolist() == [0, 1]
    pl.DataFrame({"code": [1, 2], "when": [date(2021, 5, 1), None]}).write_parquet(tmp_path / "new.parquet")
    assert source.read_new(tmp_path / "new.parquet")[0]["code"].to_list() == ["1", "2"]


def test_columns_that_tell_nothing_are_left_out_and_named(tmp_path):
    frame = pl.DataFrame({
        "e": [None] * 4, "c": ["k"] * 4, "raw": [b"x", b"y", b"z", b""], "emb": [[0.5, 1.0], [1.0, 2.0], [0.0, 1.0], [3.0, 4.0]],
        "uneven": [[1], [1, 2], [], [3]], "a": [1, 2, 3, 5], "y": ["u", "v", "u", "v"],
    }, schema_overrides={"e": pl.String})  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.warns(
        LabelproofWarning, match=r"'e' \(empty\), 'c' \(the same everywhere\), 'raw' \(bytes\), 'uneven' \(lists of diff"
    ):
        data = lp.read_table(tmp_path / "t.parquet", "y")
    assert data.x.columns == ["emb[0]", "emb[1]", "a"]
    assert data.x["emb[1]"].to_list() == [1.0, 2.0, 1.0, 4.0]
    assert [name for name, _ in data.show(0).fields] == ["emb", "a", "e", "c", "raw", "uneven"]
    frame.select("e", "c", "y").write_parquet(tmp_path / "n.parquet")
    with pytest.raises(lp.BadInput, match=r"nothing to learn from.*'e' \(empty\)"):
        lp.read_table(tmp_path / "n.parquet", "y")


def test_rows_are_shown_as_they_stand_in_the_file(tmp_path):
    (tmp_path / "t.csv").write_text("zip,n,y\n01234,1.50,a\n00501,2,b\n")
    assert lp.read_table(tmp_path / "t.csv", "y").show(0).fields == (("zip", "01234"), ("n", "1.50"))


@pytest.mark.parametrize(
    "dtype", [pl.UInt64, pl.Int8, pl.Float32, pl.Decimal(10, 2), pl.Duration, pl.Time, pl.Categorical, pl.Datetime("ns", "UTC")]
)
def test_columns_of_every_type_of_parquet_are_read(tmp_path, dtype):
    if dtype == pl.Categorical:
        values = pl.Series(["a", None, "b", "a"], dtype=dtype)
    else:
        values = pl.Series([1, None, 3, 4], dtype=pl.Int64).cast(dtype)
    pl.DataFrame({"a": values, "y": ["u", "v", "u", "v"]}).write_parquet(tmp_path / "t.parquet")
    data = lp.read_table(tmp_path / "t.parquet", "y")
    again, _ = data.reader.read_new(tmp_path / "t.parquet")
    assert again.equals(data.x)
    assert data.x["a"].null_count() == 1
    assert read_raw(tmp_path / "t.parquet").frame["a"].dtype == dtype
