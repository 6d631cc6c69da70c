"""The report of each kind of label: one file and one line per kind. Other kinds get the common report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.report.kinds.base import ReportPart

REPORTS: Registry[ReportPart] = Registry(
    "kind of label with a report of its own",
    {
        "classes": "labelproof.report.kinds.classes:REPORT",
        "numbers": "labelproof.report.kinds.numbers:REPORT",
        "spans": "labelproof.report.kinds.spans:REPORT",
        "boxes": "labelproof.report.kinds.boxes:REPORT",
        "masks": "labelproof.report.kinds.masks:REPORT",
        "tags": "labelproof.report.kinds.tags:REPORT",
        "votes": "labelproof.report.kinds.votes:REPORT",
    },
)
