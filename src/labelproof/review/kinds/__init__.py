"""Reviews by kind of label: one file per kind, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.review.kinds.base import ReviewPart as ReviewPart

REVIEWS: Registry[type[ReviewPart]] = Registry(
    "kind of label that is reviewed",
    {
        "classes": "labelproof.review.kinds.classes:ReviewOfClasses",
        "numbers": "labelproof.review.kinds.numbers:ReviewOfNumbers",
        "spans": "labelproof.review.kinds.spans:ReviewOfSpans",
        "boxes": "labelproof.review.kinds.boxes:ReviewOfBoxes",
        "masks": "labelproof.review.kinds.masks:ReviewOfMasks",
        "tags": "labelproof.review.kinds.tags:ReviewOfTags",
        "votes": "labelproof.review.kinds.votes:ReviewOfVotes",
    },
)
