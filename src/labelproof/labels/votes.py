"""Labels of several annotators for each item."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.base import Labels
from labelproof.labels.classes import class_codes
from labelproof.validation import UNLABELLED, AnyArray, IntArray, Json, check_labels, check_vote_table, to_numpy

MOST_CELLS = 200_000_000  # of a table of items and annotators


class Votes(Labels):
    """Votes: a class from each annotator who labelled an item. Every vote is a site.

    Parameters
    ----------
    votes : array-like, shape (n, m)
        The label of each item by each of m annotators; missing as in `labelproof.audit` (``None``, NaN, "" or -1). For a long
        table, a row for each vote, use `from_long`.
    classes : sequence, optional
        In the order of their codes. By default sorted.
    annotators : sequence of length m, optional
        Their names. By default the columns of a frame, or numbers.

    Attributes
    ----------
    annotator : ndarray of int64, shape (s,)
        The annotator of each vote, as a position in ``annotators``.
    item_names : ndarray, shape (n,), or None
        For a long table: the items, in order of first appearance.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> votes = Votes([["a", "b"], [None, "b"]], annotators=["Ann", "Bo"])
    >>> votes.values.tolist(), votes.owner.tolist(), votes.annotator.tolist()
    ([0, 1, 1], [0, 0, 1], [0, 1, 1])
    >>> Votes.from_long(item=["x", "x", "y"], annotator=["Ann", "Bo", "Bo"], label=["a", "b", "b"]) == votes
    True
    """

    kind = "votes"
    own_columns = ("annotator",)
    found_columns = ("consensus", "error_probability", "votes", "agreement", "value_of_vote", "posterior")
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

    @classmethod
    def from_long(
        cls,
        item: object,
        annotator: object,
        label: object,
        *,
        classes: Sequence[object] | None = None,
        missing: Sequence[object] | None = None,
    ) -> Self:
        """Make votes from a long table: a row for each vote.

        Parameters
        ----------
        item, annotator : array-like, shape (r,)
            Names of any kind. Items are numbered in order of first appearance (``item_names``), annotators in sorted order.
        label : array-like, shape (r,)
            The annotator's label; a missing one is no vote.
        classes, missing : sequence, optional
            As in `labelproof.validation.check_labels`.

        Raises
        ------
        BadInput
            If the columns differ in length, a name is missing, or an annotator gave two different labels to an item.

        Warns
        -----
        LabelproofWarning
            If a vote is a duplicate: it counts once.
        """
        coded = check_labels(label, classes=classes, missing=missing, name="label")
        owner, items = _places(item, "item", len(coded.codes), in_order=True)
        who, names = _places(annotator, "annotator", len(coded.codes))
        rows = np.flatnonzero(coded.codes != UNLABELLED)
        rows = rows[np.lexsort((rows, who[rows], owner[rows]))]
        rows = rows[_first_of(owner[rows] * len(names) + who[rows], coded.codes[rows], rows)]
        made = cls.of_sites(coded.codes[rows], owner[rows], len(items), coded.classes)
        made.annotator, made.annotators = who[rows], tuple(map(str, names.tolist()))
        made.item_names = items
        if len(set(made.annotators)) != len(made.annotators):
            raise BadInput("Two annotators have names that are the same as text. Give names that differ.")
        return made

    def __eq__(self, other: object) -> bool:
        """Whether the same annotators gave the same votes."""
        if not isinstance(other, Votes) or not super().__eq__(other):
            return False
        return self.annotators == other.annotators and np.array_equal(self.annotator, other.annotator)

    __hash__ = None

    @property
    def table(self) -> npt.NDArray[np.int64]:
        """A code for each item and annotator, -1 for no vote, shape (n, m)."""
        return self.as_given(self.values, UNLABELLED)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of votes for each class, shape (n, k)."""
        k = len(self.classes)
        return np.bincount(self.owner * k + self.values, minlength=self.n * k).reshape(self.n, k)

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """One value for each item and annotator, shape (n, m).

        Raises
        ------
        BadInput
            If that table does not fit into memory.
        """
        if self.n * len(self.annotators) > MOST_CELLS:
            raise BadInput(
                f"A table of {self.n:,} items and {len(self.annotators):,} annotators is too large. Read the votes from audit.issues."
            )
        whole = np.full((self.n, len(self.annotators)), empty, values.dtype)
        whole[self.owner, self.annotator] = values
        return whole

    @property
    def described(self) -> str:
        """The numbers of votes, annotators and items, in words."""
        return f"{len(self.values):,} votes of {len(self.annotators)} annotators on {self.n:,} items"

    def named(self, values: IntArray) -> pl.Series:
        """The class names."""
        return pl.Series(list(self.classes)).gather(values)

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The annotator of the vote."""
        return {"annotator": pl.Series(list(self.annotators)).gather(self.annotator[sites])}

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By item, then by annotator."""
        return issues.sort("index", class_codes(issues["annotator"], summary["annotators"]))

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
        """The true class of the item."""
        if not isinstance(label, str) or label not in classes:
            raise BadInput(f"label {str(label)[:80]!r} is not one of the classes.")
        return label


def _places(values: object, name: str, n: int, *, in_order: bool = False) -> tuple[npt.NDArray[np.int64], AnyArray]:
    """The place of each name among the different ones, and those: sorted, or in the order in which they first appear."""
    column = to_numpy(values, name)
    if column.shape != (n,):
        raise BadInput(f"{name} has shape {column.shape} but there are {n:,} labels. Give one of each per vote.")
    series = pl.Series(column.tolist() if column.dtype.kind == "O" else column)
    lost = series.is_null() | (series.is_nan() if series.dtype.is_float() else False) | (series.cast(pl.String) == "")
    if lost.any():
        raise BadInput(f"{name} row {lost.arg_true()[0]} is missing. Every vote needs an item and an annotator.")
    different = series.unique(maintain_order=True)
    different = different if in_order else different.sort()
    numbered = pl.DataFrame({"value": different}).with_row_index("place")
    found = series.to_frame("value").join(numbered, on="value", how="left", maintain_order="left")["place"]
    names = np.array(different.to_list(), dtype=object) if column.dtype.kind == "O" else different.to_numpy()
    return found.to_numpy().astype(np.int64), names


def _first_of(pairs: IntArray, codes: IntArray, rows: IntArray) -> npt.NDArray[np.bool_]:
    """The first vote of each annotator on each item, for pairs in adjacent rows."""
    again: npt.NDArray[np.bool_] = np.r_[False, pairs[1:] == pairs[:-1]]
    if not again.any():
        return ~again
    differs = np.flatnonzero(again & np.r_[False, codes[1:] != codes[:-1]])
    if len(differs):
        first, second = rows[differs[0] - 1], rows[differs[0]]
        raise BadInput(
            f"rows {first} and {second} are different votes of the same annotator on the same item. Keep one of them, or change the annotator of the other."
        )
    warnings.warn(f"{int(again.sum()):,} votes are duplicates, which count once.", LabelproofWarning, stacklevel=3)
    return ~again
