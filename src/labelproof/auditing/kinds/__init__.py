"""Audits by kind of label: one file per kind, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from typing import Any

    from labelproof.auditing.kinds.base import Auditor

AUDITORS: Registry[Auditor[Any]] = Registry(
    "kind of label that is audited",
    {
        "classes": "labelproof.auditing.kinds.classes:AUDITOR",
        "numbers": "labelproof.auditing.kinds.numbers:AUDITOR",
        "tags": "labelproof.auditing.kinds.tags:AUDITOR",
        "votes": "labelproof.auditing.kinds.votes:AUDITOR",
        "spans": "labelproof.auditing.kinds.spans:AUDITOR",
        "masks": "labelproof.auditing.kinds.masks:AUDITOR",
        "boxes": "labelproof.auditing.kinds.boxes:AUDITOR",
    },
)
