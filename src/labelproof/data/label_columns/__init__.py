"""Labels from a column or an array: one file per kind of label that a column can hold, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.label_columns.base import LabelColumn

LABEL_COLUMNS: Registry[type[LabelColumn]] = Registry(
    "kind of label that a column holds",
    {
        "classes": "labelproof.data.label_columns.classes:ClassColumn",
        "numbers": "labelproof.data.label_columns.numbers:NumberColumn",
    },
)
