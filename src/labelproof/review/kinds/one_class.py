"""Reviews in which an item has one class."""

from __future__ import annotations

from labelproof.errors import BadInput
from labelproof.review.kinds.base import ReviewPart


class ReviewOfOneClass(ReviewPart):
    """One answer per item."""

    one_choice = True
    may_be_none = True

    def chosen(self, choices: list[str]) -> object | None:
        """The one that is ticked.

        Raises
        ------
        BadInput
            If several are.
        """
        if len(choices) > 1:
            raise BadInput(f"There are {len(choices)} labels in one annotation. Give one class per item.")
        return choices[0] if choices else None
