"""Columns of numbers: read in the forms that files have, and written back in the file's own form."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.data.label_columns.numbers import NumberColumn
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.experiments.simulate_table import simulate_table

ROWS = [("a", 1.5, 10), ("b", None, 20), ("c", -200.0, 30), ("d", 1000.25, 45)]
PLAIN = "id,y,x\n" + "".join(f"{i},{'' if y is None else f'{y:g}'},{x}\n" for i, y, x in ROWS)
COMMAS = "id;y;x\n" + "".join(f"{i};{'' if y is None else f'{y:g}'.replace('.', ',')};{x}\n" for i, y, x in ROWS)


def changed(data, changes):
    given = np.full(len(data), None, dtype=object)
    given[data.labels.owner] = [type(data.labels).to_text(value) for value in data.labels.values]
    return Audited(given, (), changes)


@pytest.mark.filterwarnings("ignore:.*was read as UTF-8")
@pytest.mark.parametrize(("name", "content"), [("t.csv", PLAIN), ("t.csv", COMMAS), ("t.tsv", PLAIN.replace(",", "\t"))])
def test_a_table_is_read_and_written_in_its_own_form(tmp_path, name, content):
    path, target = tmp_path / name, tmp_path / f"out{name[1:]}"
    path.write_text(content)
    options = ReadOptions(label="y", id="id", label_kind="numbers", missing=["-200"])
    data = open_reader(path, options).read()
    assert data.labels.values.tolist() == [1.5, 1000.25]
    assert data.labels.owner.tolist() == [0, 3]
    assert data.x.columns == ["x"]
    again = reader_of(json.loads(json.dumps(data.source)))
    assert again.read().labels == data.labels
    again.write_back(target, changed(data, {0: Change("2.75", ""), 3: Change(None, "")}), overwrite=False)
    mark = "," if ";" in content else "."
    wanted = content.replace(f"1{mark}5", f"2{mark}75").replace(f"1000{mark}25", "")
    assert target.read_text() == wanted
    path.write_text(content.replace("45", "45").replace("1000", "1001"))
    with pytest.raises(lp.BadInput, match="The file has changed"):
        again.write_back(tmp_path / "no.csv", changed(data, {}), overwrite=False)


def test_parquet_json_and_explanations(tmp_path):
    frame = pl.DataFrame({"y": [1.5, None, 2.0], "n": [1, 2, 3]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.parquet", "t.jsonl"):
        data = open_reader(tmp_path / name, ReadOptions(label="y", label_kind="numbers")).read()
        target = tmp_path / f"out-{name}"
        data.reader.write_back(target, changed(data, {2: Change("7.5", "why")}), overwrite=False)
        out = pl.read_parquet(target) if name.endswith("parquet") else pl.read_ndjson(target)
        assert out["y"].to_list() == [1.5, None, 7.5]
        assert out.schema == frame.schema


def test_workbooks_and_columns_of_whole_numbers(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["y", "x"], [1.5, 1], [2, 2], [None, 3]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    data = open_reader(tmp_path / "t.xlsx", ReadOptions(label="y", label_kind="numbers")).read()
    data.reader.write_back(tmp_path / "out.xlsx", changed(data, {0: Change("7.25", "")}), overwrite=False)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert [sheet.cell(i, 1).value for i in range(1, 5)] == ["y", 7.25, 2, None]
    pl.DataFrame({"y": [1, 2], "x": [1, 3]}).write_parquet(tmp_path / "t.parquet")
    data = open_reader(tmp_path / "t.parquet", ReadOptions(label="y", label_kind="numbers")).read()
    with pytest.raises(lp.BadInput, match=r"row 1 is 2\.5 now, but the column 'y' holds only whole numbers"):
        data.reader.write_back(tmp_path / "no.parquet", changed(data, {1: Change("2.5", "")}), overwrite=False)


def test_arrays(tmp_path):
    np.save(tmp_path / "y.npy", np.array([3, 40, 5], np.int16))
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    data = lp.read_arrays(tmp_path / "x.npy", tmp_path / "y.npy", kind="numbers", missing=[40])
    assert data.labels.owner.tolist() == [0, 2]
    reader = reader_of(json.loads(json.dumps(data.source)))
    reader.write_back(tmp_path / "out.npy", changed(data, {0: Change("8", "")}), overwrite=False)
    out = np.load(tmp_path / "out.npy")
    assert (out.dtype, out.tolist()) == (np.int16, [8, 40, 5])
    with pytest.raises(lp.BadInput, match=r"row 0 is now 8\.5, which an array of int16 cannot hold"):
        reader.write_back(tmp_path / "no.npy", changed(data, {0: Change("8.5", "")}), overwrite=False)
    reader.write_back(tmp_path / "out.csv", changed(data, {0: Change("8.5", "seen")}), overwrite=False)
    assert pl.read_csv(tmp_path / "out.csv")["label"].to_list() == [8.5, None, 5.0]


def test_frames_in_memory():
    frame = pl.DataFrame({"y": [1, None, 3], "x": [1.0, 2.0, 4.0]})
    for made in (frame, frame.to_pandas(), frame.to_arrow()):
        data = lp.read_frame(made, "y", kind="numbers")
        assert data.labels.values.tolist() == [1.0, 3.0]


def test_words_that_mean_missing_and_those_that_do_not():
    column = NumberColumn.of_series(pl.Series(["1.0", "NA", "", " 2 ", "unknown"]), "y", ["unknown"])
    assert column.texts.tolist() == ["1", None, None, "2", None]
    with pytest.raises(lp.BadInput, match=r"y row 2 is 'high', which is not a number"):
        NumberColumn.of_series(pl.Series(["1", "2", "high"]), "y", None)
    with pytest.raises(lp.BadInput, match="holds Boolean, not numbers"):
        NumberColumn.of_series(pl.Series([True]), "y", None)


def test_a_column_that_is_the_number_in_another_unit_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    y = np.round(rng.normal(50, 10, 200), 1)
    frame = pl.DataFrame({"y": y, "inches": y / 2.54, "near": y + rng.normal(size=200), "x": rng.random(200)})
    frame.write_csv(tmp_path / "t.csv")
    data = open_reader(tmp_path / "t.csv", ReadOptions(label="y", label_kind="numbers")).read()
    assert [(leak.column, leak.kind, leak.excluded) for leak in data.leaks] == [("inches", "equals", True)]
    assert data.x.columns == ["near", "x"]


def test_a_class_audit_of_numbers_says_what_to_do(tmp_path):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=300), "y": np.round(rng.normal(size=300), 2)})
    with pytest.raises(lp.BadInput, match="--kind numbers"):
        lp.audit(frame, label="y")
    frame = frame.with_columns(y=pl.Series(np.repeat(np.arange(0, 90, 3), 10)))
    with pytest.warns(lp.DoubtWarning, match="30 different numbers"):
        lp.audit(frame, label="y", n_folds=2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a", "b"], "Give numbers"),
        ([[1, 2]], "shape"),
        ([1.0, np.inf], "row 1 is infinite"),
        ([1j], "Give numbers"),
        ([True, False], "Give numbers"),
        ([], "shape"),
    ],
)
def test_what_is_no_number(values, said):
    with pytest.raises(lp.BadInput, match=said):
        lp.Numbers(values)


def test_decimals():
    assert lp.Numbers([1.25, 3.0, None]).decimals == 2
    assert lp.Numbers([100, 250]).decimals == 0
    assert lp.Numbers(np.random.default_rng(0).normal(size=50)).decimals is None
    assert lp.Numbers([1.25, 3.0]).rounded(np.array([2.6789, -0.001])).tolist() == [2.68, 0.0]


def test_findings_are_joined_to_the_frame():
    rng = np.random.default_rng(0)
    x = rng.uniform(10, 50, 120)
    frame = pl.DataFrame({"x": x, "y": np.round(2 * x + rng.normal(size=120), 1)}).with_columns(
        y=pl.when(pl.int_range(120) == 5).then(None).otherwise("y")
    )
    audit = lp.audit(frame, 2 * x, label="y", kind="numbers")
    joined = audit.join(frame)
    assert joined["given_label"].equals(frame["y"], check_names=False)
    assert joined["verdict"].null_count() == 1
    with pytest.raises(lp.BadInput, match="its rows have changed or moved"):
        audit.join(frame.reverse())


def test_a_copy_with_wrong_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("y;x\n" + "".join(f"{i},5;{i}\n" for i in range(10, 210)) + ";7\n-999;8\n")
    with pytest.warns(lp.LabelproofWarning, match="was read as UTF-8"):
        changed, total = simulate_table(
            tmp_path / "t.csv", "y", "numbers", 0.2, tmp_path / "dirty.csv", seed=0, missing=["-999"]
        )
    assert total == 200
    dirty = pl.read_csv(tmp_path / "dirty.csv", separator=";", decimal_comma=True)
    assert (dirty["y"] != dirty["y_clean"]).sum() == changed
    assert 20 < changed < 60
    assert dirty["x"].to_list() == [*range(10, 210), 7, 8]


def test_separators_of_thousands_are_no_decimal_commas(tmp_path):
    (tmp_path / "t.csv").write_text('y,x\n"8,585",1\n"1,919",2\n"986",3\n')
    with pytest.raises(
        lp.BadInput, match=r"row 0 is '8,585', which is not a number\. Write numbers without thousands separators"
    ):
        open_reader(tmp_path / "t.csv", ReadOptions(label="y", label_kind="numbers")).read()


@pytest.mark.filterwarnings("ignore:.*was read as UTF-8")
def test_numbers_keep_their_decimals_and_rows_their_names(tmp_path):
    (tmp_path / "t.csv").write_text("id;y;x\na;1,50;1\nb;2,25;2\nc;2,25;3\n")
    data = open_reader(tmp_path / "t.csv", ReadOptions(label="y", id="id", label_kind="numbers")).read()
    told = replace(changed(data, {1: Change("7", ""), 2: Change("0.5", "")}), ids=np.array(["a", "b", None], dtype=object))
    data.reader.write_back(tmp_path / "out.csv", told, overwrite=False)
    assert (tmp_path / "out.csv").read_text() == "id;y;x\na;1,50;1\nb;7,00;2\nc;0,50;3\n"
    (tmp_path / "t.csv").write_text("id;y;x\na;1,50;1\nc;2,25;3\nb;2,25;2\n")
    with pytest.raises(lp.BadInput, match="row 1 of the data is now the item 'c' but was 'b'"):
        data.reader.write_back(tmp_path / "no.csv", told, overwrite=False)


def test_very_large_and_small_numbers():
    with pytest.raises(lp.BadInput, match=r"row 1 is 1e\+300, beyond the 1e\+100"):
        lp.Numbers([1.0, 1e300])
    assert lp.Numbers([1.5e-299, 2.5e-300]).decimals is None
    assert lp.Numbers.to_text(2.0**55) == "36028797018963968"
    assert lp.Numbers([Decimal("1.5"), None]).values.tolist() == [1.5]
