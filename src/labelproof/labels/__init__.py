"""Kinds of label: one file per kind, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.labels.base import Labels

KINDS: Registry[type[Labels]] = Registry(
    "kind of label",
    {
        "classes": "labelproof.labels.classes:Classes",
        "numbers": "labelproof.labels.numbers:Numbers",
        "tags": "labelproof.labels.tags:Tags",
        "votes": "labelproof.labels.votes:Votes",
        "spans": "labelproof.labels.spans:Spans",
        "boxes": "labelproof.labels.boxes:Boxes",
        "masks": "labelproof.labels.masks:Masks",
    },
)
