"""Sources of each form, written by hand as the tools that they come from write them."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

N = 24
CLASSES = ["cat", "dog"]
GIVEN = np.array(CLASSES)[np.arange(N) % 2]


def frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = np.array(["purr meow", "bark woof"])[np.arange(N) % 2]
    columns = {"key": [f"k{i:02d}" for i in range(N)], "size": rng.normal(size=N).round(3), "kind": GIVEN, "body": words}
    return pl.DataFrame(columns)


def tensor(values: object, **options: object) -> Any:
    """A tensor, where torch is installed."""
    return pytest.importorskip("torch").tensor(values, **options)


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), shade).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png())


def arrow_stream(path: Path, table: pa.Table, rows: int = 5) -> None:
    with path.open("wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


def saved_dataset(folder: Path, columns: dict[str, tuple[object, pa.Array]], files: int = 2) -> None:
    """A folder as `datasets` saves one: columns by name, each with its feature and its values."""
    folder.mkdir(parents=True)
    table = pa.table({name: values for name, (_, values) in columns.items()})
    features = {name: feature for name, (feature, _) in columns.items()}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    names = [f"data-{i:05d}-of-{files:05d}.arrow" for i in range(files)]
    size = -(-table.num_rows // files)
    for i, name in enumerate(names):
        arrow_stream(folder / name, table.slice(i * size, size))
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}, indent=2))
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "937e822fc590ba98", "_split": None}
    (folder / "state.json").write_text(json.dumps(state, indent=2))


STRING = {"dtype": "string", "_type": "Value"}
KIND = {"names": ["dog", "cat"], "_type": "ClassLabel"}  # not in alphabetical order


def class_codes() -> pa.Array:
    return pa.array([KIND["names"].index(name) for name in GIVEN], pa.int64())


def image_values() -> pa.Array:
    fields = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": png(10 * i), "path": None} for i in range(N)], fields)


def label_studio(path: Path) -> None:
    """As `export?exportType=JSON` gives it."""
    tasks = []
    for i, (name, body) in enumerate(zip(GIVEN, frame()["body"], strict=True)):
        result = {"value": {"choices": [str(name)]}, "id": f"r{i}", "from_name": "kind", "to_name": "text", "type": "choices"}
        annotation = {"id": 100 + i, "completed_by": 1, "result": [result], "was_cancelled": False, "lead_time": 1.5}
        annotation |= {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}
        tasks.append({"id": 1 + i, "annotations": [annotation], "predictions": [], "data": {"text": body}, "project": 7})
    path.write_text(json.dumps(tasks, indent=2))


def argilla(path: Path) -> None:
    """As `dataset.records.to_json` writes it."""
    records = []
    for i, (name, body) in enumerate(zip(GIVEN, frame()["body"], strict=True)):
        record = {"id": f"r{i}", "fields": {"text": body}, "metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}}
        if i % 3:
            record["responses"] = {"kind": [{"value": str(name), "user_id": "u"}]}
            record["suggestions"] = {"kind": {"value": "cat", "score": 0.9, "agent": "m"}}
        else:
            record["suggestions"] = {"kind": {"value": str(name), "score": None, "agent": None}}
        records.append({**record, "_server_id": f"s{i}"})
    path.write_text(json.dumps(records))


def prodigy(path: Path) -> None:
    """As `prodigy db-out` writes what was chosen."""
    options = [{"id": name, "text": name.title()} for name in CLASSES]
    rows = [
        {"text": body, "_input_hash": i, "_task_hash": -i, "options": options, "accept": [str(name)], "answer": "accept"}
        for i, (name, body) in enumerate(zip(GIVEN, frame()["body"], strict=True))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def coco(path: Path) -> None:
    """Images in a folder beside the file, each with one annotation without a box."""
    names = [f"{i:02d}.png" for i in range(N)]
    pictures(path.parent / "images", names)
    content = {
        "info": {"year": 2024},
        "images": [{"id": 7 + i, "file_name": name, "width": 8, "height": 8} for i, name in enumerate(names)],
        "annotations": [{"id": i, "image_id": 7 + i, "category_id": 3 + CLASSES.index(name)} for i, name in enumerate(GIVEN)],
        "categories": [{"id": 3 + i, "name": name} for i, name in enumerate(CLASSES)],
    }
    path.write_text(json.dumps(content, indent=1))


def cvat(path: Path) -> None:
    """As "CVAT for images 1.1" packs it."""
    names = [f"p/{i:02d}.png" for i in range(N)]
    pictures(path.parent / "images", names)
    images = [
        f'''  <image id="{i}" name="{name}" subset="default" task_id="1" width="8" height="8">
    <tag label="{kind}" source="manual">
      <attribute name="sure">true</attribute>
    </tag>
  </image>
'''
        for i, (name, kind) in enumerate(zip(names, GIVEN, strict=True))
    ]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><job/></meta>\n'
    path.write_text(head + "".join(images) + "</annotations>\n")


def tar(path: Path, files: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as out:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


def web_dataset(path: Path, *, json_labels: bool = False) -> None:
    """Keys with a picture and a label each, as webdataset.TarWriter packs them."""
    files = []
    for i, name in enumerate(GIVEN):
        label = ("json", json.dumps({"label": str(name), "n": i}).encode()) if json_labels else ("cls", str(name).encode())
        files += [(f"a/{i:04d}.png", png(i)), (f"a/{i:04d}.{label[0]}", label[1])]
    tar(path, files)


def xlsx(path: Path) -> None:
    """A sheet that begins in C3, with formats, a formula, a chart, and a second sheet that counts."""
    openpyxl = pytest.importorskip("openpyxl")
    from openpyxl.chart import BarChart, Reference
    from openpyxl.styles import PatternFill

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    for row, values in enumerate([frame().columns, *frame().rows()], start=3):
        for column, value in enumerate(values, start=3):
            sheet.cell(row, column, value).fill = PatternFill("solid", fgColor="FFFF00")
        sheet.cell(row, 7, "twice" if row == 3 else f"=2*D{row}")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=4, min_row=3, max_row=9))
    sheet.add_chart(chart, "J5")
    notes = book.create_sheet("Notes")
    notes["A1"], notes["B1"] = "cats", '=COUNTIF(Data!E:E,"cat")'
    book.save(path)


NAMES = "urn:oasis:names:tc:opendocument:xmlns:"
EMPTY = (
    '<table:table-row table:number-rows-repeated="{}"><table:table-cell table:number-columns-repeated="6"/></table:table-row>'
)
ODS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<office:document-content xmlns:office="{NAMES}office:1.0" xmlns:table="{NAMES}table:1.0" xmlns:text="{NAMES}text:1.0" '
    'office:version="1.3"><office:body><office:spreadsheet><table:table table:name="Notes"><table:table-row><table:table-cell '
    'office:value-type="string"><text:p>cat</text:p></table:table-cell></table:table-row></table:table>'
    '<table:table table:name="Data"><table:table-column table:number-columns-repeated="6"/>'
    + EMPTY.format(2)
    + "{rows}"
    + EMPTY.format(1048000)
    + "</table:table></office:spreadsheet></office:body></office:document-content>"
)


def ods(path: Path, rows: list[list[tuple[object, int]]] | None = None, times: list[int] | None = None) -> None:
    """A sheet that begins in B3; cells are values and how often they stand side by side, rows may stand for several."""
    if rows is None:
        rows = [[(value, 1) for value in row] for row in [frame().columns, *frame().rows()]]
    text = ""
    for number, row in enumerate(rows):
        repeated = "" if times is None or times[number] == 1 else f' table:number-rows-repeated="{times[number]}"'
        text += f'<table:table-row{repeated} table:style-name="ro1"><table:table-cell/>'
        for value, count in row:
            often = "" if count == 1 else f' table:number-columns-repeated="{count}"'
            kind = "string" if isinstance(value, str) else f'float" office:value="{value}'
            shown = f'<table:table-cell table:style-name="ce1"{often} office:value-type="{kind}"><text:p>{value}</text:p></table:table-cell>'
            text += f'<table:table-cell table:style-name="ce1"{often}/>' if value is None else shown
        text += "</table:table-row>"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        book.writestr("content.xml", ODS.format(rows=text), zipfile.ZIP_DEFLATED)
        manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        book.writestr("META-INF/manifest.xml", manifest)


def with_shared_strings(path: Path) -> None:
    """An .xlsx file as Excel itself writes it: texts are in a list, and cells name their numbers; some are in several fonts."""
    with zipfile.ZipFile(path) as book:
        parts = {info.filename: book.read(info).decode() for info in book.infolist()}
    texts: list[str] = []

    def shared(found: re.Match[str]) -> str:
        if found[2] not in texts:
            texts.append(found[2])
        return f'{found[1]} t="s"><v>{texts.index(found[2])}</v></c>'

    for name in [name for name in parts if "worksheets/sheet" in name and name.endswith(".xml")]:
        parts[name] = re.sub(r'(<c [^>]*?) t="inlineStr"[^>]*><is><t[^>]*>([^<]*)</t></is></c>', shared, parts[name])
    items = [f"<si><r><t>{text[:1]}</t></r><r><t>{text[1:]}</t></r><rPh sb='0' eb='1'><t>no</t></rPh></si>" for text in texts]
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts["xl/sharedStrings.xml"] = f'<?xml version="1.0" encoding="UTF-8"?>\n<sst {main}>{"".join(items)}</sst>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    if kind not in parts["[Content_Types].xml"]:
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace("</Types>", override)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in parts.items():
            out.writestr(name, text)
