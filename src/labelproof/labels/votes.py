"""What several annotators said of each item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.labels.classes import class_codes
from labelproof.validation import UNLABELLED, AnyArray, IntArray, Json, check_vote_table


class Votes(Labels):
    """A class by each annotator who looked at an item: every vote is a site.

    Parameters
    ----------
    votes : array-like, shape (n, m)
        What each of m annotators said of each item; missing as in `labelproof.audit` (``None``, NaN, "" or -1).
    classes : sequence, optional
        In the order of their codes; sorted where left out.
    annotators : sequence of length m, optional
        Their names; the columns of a frame, or numbers, where left out.

    Attributes
    ----------
    annotator : ndarray of int64, shape (s,)
        Who gave each vote, as a place in ``annotators``.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> votes = Votes([["a", "b"], [None, "b"]], annotators=["Ann", "Bo"])
    >>> votes.values.tolist(), votes.owner.tolist(), votes.annotator.tolist()
    ([0, 1, 1], [0, 0, 1], [0, 1, 1])
    """

    kind = "votes"
    own_columns = ("annotator",)
    key_columns = ("annotator",)
    annotator: IntArray
    annotators: tuple[str, ...]

    def __init__(
        self, votes: object, *, classes: Sequence[object] | None = None, annotators: Sequence[object] | None = None
    ) -> None:
        codes, self.classes = check_vote_table(votes, classes)
        self.n, m = codes.shape
        named = getattr(votes, "columns", None) if annotators is None else annotators
        self.annotators = tuple(map(str, range(m) if named is None else named))
        if len(set(self.annotators)) != m or len(self.annotators) != m:
            raise BadInput(
                f"annotators are {', '.join(self.annotators)[:200]}. Give {m} different names, one per column of votes."
            )
        self.owner, self.annotator = np.nonzero(codes != UNLABELLED)
        self.values = codes[self.owner, self.annotator]

    def __eq__(self, other: object) -> bool:
        """Whether the same annotators gave the same votes."""
        if not isinstance(other, Votes) or not super().__eq__(other):
            return False
        return self.annotators == other.annotators and np.array_equal(self.annotator, other.annotator)

    __hash__ = None

    @property
    def table(self) -> npt.NDArray[np.int64]:
        """A code for each item and annotator, -1 where there is no vote, shape (n, m)."""
        return self.as_given(self.values, UNLABELLED)

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """One value for each item and annotator, shape (n, m)."""
        whole = np.full((self.n, len(self.annotators)), empty, values.dtype)
        whole[self.owner, self.annotator] = values
        return whole

    @property
    def described(self) -> str:
        """How many of what, for a person."""
        return f"{len(self.values):,} votes of {len(self.annotators)} annotators on {self.n:,} items"

    def named(self, values: IntArray) -> pl.Series:
        """The class names."""
        return pl.Series(list(self.classes)).gather(values)

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """Who gave the vote."""
        return {"annotator": pl.Series(list(self.annotators)).gather(self.annotator[sites])}

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By item, then by annotator."""
        return issues.sort("index", pl.col("annotator").cast(pl.Enum(summary["annotators"])).to_physical())

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """Codes of a column of class names, int32."""
        return class_codes(names, classes).to_numpy()

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one vote."""
        given = cls.codes_of(issues["given_label"], summary["classes"]).astype(np.int64)
        made = cls.of_sites(given, issues["index"].to_numpy(), summary["n"], summary["classes"])
        made.annotators = tuple(summary["annotators"])
        made.annotator = class_codes(issues["annotator"], made.annotators).to_numpy().astype(np.int64)
        return made

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The class that is true of the item."""
        if not isinstance(label, str) or label not in classes:
            raise BadInput(f"label {str(label)[:80]!r} is none of the classes.")
        return label
