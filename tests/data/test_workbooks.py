"""Workbooks: a sheet by name, and copies in which nothing but cells of the label differs."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import openpyxl
import polars as pl
import pytest

import labelproof as lp
import sources
from labelproof.data.frames import read_raw
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from sources import frame


def write(path, target, changes, *, explain=False, **options):
    data = open_reader(path, ReadOptions(**{"label": "kind", "text": "body", "sheet": "Data", **options})).read()
    given = np.array([None if name is None else str(name) for name in data.given_names], object)
    told = Audited(given, data.classes, {i: Change(name, f"<{name}> & more") for i, name in changes.items()}, explain=explain)
    reader_of(data.source).write_back(target, told, overwrite=True)
    return data


def cells_of(path):
    book = openpyxl.load_workbook(path)
    return {
        (sheet.title, cell.coordinate): (cell.value, cell.fill.fgColor.rgb)
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None or cell.fill.fgColor.rgb != "00000000"
    }


def parts_of(path):
    with zipfile.ZipFile(path) as book:
        return {info.filename: book.read(info) for info in book.infolist()}


@pytest.fixture(params=["texts in the cells", "texts in a list"])
def xlsx(request, tmp_path):
    sources.xlsx(tmp_path / "t.xlsx")
    if request.param == "texts in a list":
        sources.with_shared_strings(tmp_path / "t.xlsx")
    return tmp_path / "t.xlsx"


def test_everything_of_an_xlsx_but_the_labels_stays(xlsx, tmp_path):
    data = write(xlsx, tmp_path / "o.xlsx", {0: "dog", 1: None, 23: 'R&D "<é>"\nx'}, id="key")
    assert data.ids.tolist() == frame()["key"].to_list()
    before, after = cells_of(xlsx), cells_of(tmp_path / "o.xlsx")
    changed = {key: after[key] for key in before if before[key] != after[key]}
    yellow = before["Data", "E4"][1]
    assert changed == {
        ("Data", "E4"): ("dog", yellow),
        ("Data", "E5"): (None, yellow),
        ("Data", "E27"): ('R&D "<é>"\nx', yellow),
    }
    assert before.keys() == after.keys()
    old, new = parts_of(xlsx), parts_of(tmp_path / "o.xlsx")
    assert list(old) == list(new)
    assert {name for name in old if old[name] != new[name]} == {"xl/worksheets/sheet1.xml"}  # chart and notes are as they were
    again = read_raw(tmp_path / "o.xlsx", part="Data").frame
    assert again["kind"].to_list() == ["dog", None, *frame()["kind"].to_list()[2:23], 'R&D "<é>"\nx']
    assert again.drop("kind").equals(read_raw(xlsx, part="Data").frame.drop("kind"))


def test_explained_columns_come_at_the_right(xlsx, tmp_path):
    write(xlsx, tmp_path / "o.xlsx", {0: "dog"}, explain=True)
    sheet = openpyxl.load_workbook(tmp_path / "o.xlsx")["Data"]
    assert [sheet[name].value for name in ("H3", "I3", "H4", "I4", "H5", "I5")] == [
        "kind_given", "kind_change", "cat", "<dog> & more", "dog", None,
    ]  # fmt: skip


def test_formulas_are_worked_out_anew(xlsx, tmp_path):
    with zipfile.ZipFile(xlsx) as book, zipfile.ZipFile(tmp_path / "t2.xlsx", "w") as out:
        for info in book.infolist():
            out.writestr(info, book.read(info).replace(b' fullCalcOnLoad="1"', b""))
    write(tmp_path / "t2.xlsx", tmp_path / "o.xlsx", {0: "dog"})
    assert b'<calcPr fullCalcOnLoad="1"' in parts_of(tmp_path / "o.xlsx")["xl/workbook.xml"]


def test_numbers_dates_and_truth_values_are_typed(tmp_path):
    book = openpyxl.Workbook()
    rows = [("n", "f", "yes", "y"), *((i, i / 2, i % 3 == 0, i % 2) for i in range(6))]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert read_raw(tmp_path / "t.xlsx").frame.dtypes == [pl.Int64, pl.Float64, pl.Boolean, pl.Int64]
    for label, new, cell, value in (("y", "1", "D2", 1), ("yes", "False", "C2", False)):
        data = write(tmp_path / "t.xlsx", tmp_path / "o.xlsx", {0: new}, label=label, text="f", sheet=None)
        assert data.classes in ((0, 1), (False, True))
        assert openpyxl.load_workbook(tmp_path / "o.xlsx").active[cell].value == value


def test_a_label_that_is_a_formula_is_not_overwritten(tmp_path):
    book = openpyxl.Workbook()
    for i in range(6):
        book.active.append(("x", "kind") if i == 0 else (i, "ab"[i % 2]))
    book.save(tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as old, zipfile.ZipFile(tmp_path / "f.xlsx", "w") as out:
        for info in old.infolist():
            sheet = info.filename.endswith("sheet1.xml")
            data = old.read(info)
            old_cell, new_cell = b'<c r="B3" t="inlineStr"><is><t>a</t></is></c>', b'<c r="B3" t="str"><f>"a"</f><v>a</v></c>'
            out.writestr(info, data.replace(old_cell, new_cell) if sheet else data)
    with pytest.raises(lp.BadInput, match=r"row 1 .* has a formula where its label is"):
        write(tmp_path / "f.xlsx", tmp_path / "o.xlsx", {1: "b"}, text="x", sheet=None)
    assert not (tmp_path / "o.xlsx").exists()
    write(tmp_path / "f.xlsx", tmp_path / "o.xlsx", {0: "a", 2: None}, text="x", sheet=None)  # what it says may be taken over
    assert openpyxl.load_workbook(tmp_path / "o.xlsx").active["B2"].value == "a"


def test_the_sheet_must_be_known(xlsx, tmp_path):
    with pytest.raises(lp.BadInput, match=r"has the sheets Data, Notes\. Name one with --sheet"):
        write(xlsx, tmp_path / "o.xlsx", {}, sheet=None)
    with pytest.raises(lp.BadInput, match=r"no sheet 'data'. Did you mean 'Data'"):
        write(xlsx, tmp_path / "o.xlsx", {}, sheet="data")
    with pytest.raises(lp.BadInput, match=r"'Notes' .* has no rows below its header"):
        write(xlsx, tmp_path / "o.xlsx", {}, sheet="Notes")


@pytest.fixture
def ods(tmp_path):
    header = [("size", 1), ("kind", 1), ("other", 1), ("body", 1)]
    rows = [
        [(1.5, 1), ("a", 2), ("x", 1)],
        [(2, 1), ("b", 1), ("c", 1), ("y", 1)],
        [(None, 1), ("a", 1), (None, 1), ("é &amp; z", 1)],
    ]
    sources.ods(tmp_path / "t.ods", [header, *rows], [1, 3, 1, 4])
    return tmp_path / "t.ods"


def test_an_ods_holds_equal_rows_and_cells_once_and_they_are_taken_apart(ods, tmp_path):
    raw = read_raw(ods, part="Data").frame
    assert raw["kind"].to_list() == ["a"] * 3 + ["b"] + ["a"] * 4
    expected = raw["kind"].to_list()
    expected[0], expected[1], expected[3], expected[6], expected[7] = "b", "new\nline", None, "b", "b"
    write(ods, tmp_path / "o.ods", {0: "b", 1: "new\nline", 3: None, 6: "b", 7: "b"})
    after = read_raw(tmp_path / "o.ods", part="Data").frame
    assert after["kind"].to_list() == expected
    assert after.drop("kind").equals(raw.drop("kind"))
    old, new = parts_of(ods), parts_of(tmp_path / "o.ods")
    assert {name for name in old if old[name] != new[name]} == {"content.xml"}
    text = new["content.xml"].decode()
    assert text[: text.index("<table:table-row table:style-name")] == head_of(old["content.xml"].decode())
    assert text.count('table:number-rows-repeated="2"') == 2  # the empty rows at the top, and two of four equal ones
    assert text.endswith(old["content.xml"].decode()[-300:])
    write(ods, tmp_path / "same.ods", {})
    assert parts_of(tmp_path / "same.ods") == old
    with pytest.raises(lp.BadInput, match="--explain adds columns"):
        write(ods, tmp_path / "no.ods", {0: "b"}, explain=True)


def head_of(text):
    return text[: text.index("<table:table-row table:style-name")]


def test_damaged_workbooks_are_refused(xlsx, ods, tmp_path, monkeypatch):
    for path in (xlsx, ods):
        whole = path.read_bytes()
        for content in (b"", b"PK\3\4", whole[: len(whole) // 2], b"\xd0\xcf\x11\xe0" + bytes(600)):
            bad = tmp_path / f"bad{path.suffix}"
            bad.write_bytes(content)
            with pytest.raises(lp.BadInput, match="not a readable workbook"):
                lp.read_text(bad, "kind", "body")
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", bytes(3_000_000))
    monkeypatch.setattr("labelproof.data.tables.workbook.ALWAYS", 1)
    with pytest.raises(lp.BadInput, match="grows over 300 times"):
        lp.read_text(tmp_path / "bomb.xlsx", "kind", "body")


def test_without_fastexcel_the_extra_is_named(xlsx, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(lp.MissingDependency, match=r"pip install 'labelproof\[sheets\]'"):
        lp.read_text(xlsx, "kind", "body")
