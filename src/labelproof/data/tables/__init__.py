"""Forms of tables besides delimited text and Parquet files: one file a form, one line here. The most particular are asked first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.tables.base import TableForm

TABLES: Registry[type[TableForm]] = Registry(
    "form of table",
    {
        "json lines": "labelproof.data.tables.json_lines:JsonLines",
        "json": "labelproof.data.tables.json_list:JsonList",
        "prodigy": "labelproof.data.tables.prodigy:Prodigy",
        "label studio": "labelproof.data.tables.label_studio:LabelStudio",
        "argilla": "labelproof.data.tables.argilla:Argilla",
        "coco": "labelproof.data.tables.coco:Coco",
        "cvat": "labelproof.data.tables.cvat:Cvat",
        "sql": "labelproof.data.tables.sql:SqlQuery",
        "ods": "labelproof.data.tables.ods:Ods",
        "xlsx": "labelproof.data.tables.xlsx:Xlsx",
        "webdataset": "labelproof.data.tables.web_dataset:WebDataset",
        "arrow": "labelproof.data.tables.arrow_file:ArrowFile",
        "parquet folder": "labelproof.data.tables.parquet_folder:ParquetFolder",
        "saved dataset": "labelproof.data.tables.hugging_face:SavedDataset",
    },
)


def form_of(path: str | os.PathLike[str]) -> TableForm | None:
    """The format of a table in a path; ``None`` for delimited text, a Parquet file, and paths that hold no table."""
    place = os.fspath(path)
    return next((TABLES[name]() for name in reversed(list(TABLES)) if TABLES[name].fits(place)), None)
