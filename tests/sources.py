"""Sources of each form, written by hand as the tools that they come from write them."""

from __future__ import annotations

import io
import json
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
