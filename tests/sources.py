"""Sources of each form, written by hand as the tools that they come from write them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from PIL import Image

N = 24
CLASSES = ["cat", "dog"]
GIVEN = np.array(CLASSES)[np.arange(N) % 2]


def frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = np.array(["purr meow", "bark woof"])[np.arange(N) % 2]
    columns = {"key": [f"k{i:02d}" for i in range(N)], "size": rng.normal(size=N).round(3), "kind": GIVEN, "body": words}
    return pl.DataFrame(columns)


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
