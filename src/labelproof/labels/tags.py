"""Any number of tags per item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.validation import (
    AnyArray,
    IntArray,
    Json,
    check_tag_names,
    check_tags,
    column_names,
    is_lists_of_names,
    matrix_of_names,
)


class Tags(Labels):
    """Any number of tags for each item: every pair of item and tag is a site, given (1) or not (0).

    Parameters
    ----------
    tags : array-like or sparse matrix of 0/1, shape (n, k), or sequence of n lists of names
    names : sequence of length k, optional
        Names of the tags, text or numbers. By default the columns of a frame, the names that occur in lists, in alphabetical order,
        or the numbers of the columns.

    Attributes
    ----------
    frame : pandas.DataFrame, optional
        The pandas frame of the tags, whose index that of the probabilities must equal.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> labels = Tags([[1, 0], [1, 1]], names=["sea", "sky"])
    >>> labels.values.tolist(), labels.owner.tolist()
    ([1, 0, 1, 1], [0, 0, 1, 1])
    >>> Tags([["sea"], ["sky", "sea"]]).matrix.tolist()
    [[1, 0], [1, 1]]
    """

    kind = "tags"
    own_columns = ("tag", "kind")
    key_columns = ("tag",)
    frame: object = None

    def __init__(self, tags: object, *, names: Sequence[object] | None = None) -> None:
        chosen = None if names is None else check_tag_names(names)
        if is_lists_of_names(tags):
            tags, chosen = matrix_of_names(tags, chosen)
        given, columns = check_tags(tags), column_names(tags)
        n, k = given.shape
        self.frame = tags if hasattr(tags, "iloc") else None
        self.classes = chosen or (tuple(range(k)) if columns is None else check_tag_names(columns, name="the columns of tags"))
        if len(self.classes) != k:
            raise BadInput(f"names has {len(self.classes)} entries but there are {k} tags. Give one name per column.")
        if len(set(map(str, self.classes))) < k:
            raise BadInput(f"names has a tag twice: {', '.join(map(str, self.classes))[:200]}. Give each tag its own name.")
        self.values, self.owner, self.n = given.ravel(), np.repeat(np.arange(n), k), n

    @property
    def described(self) -> str:
        """The numbers of tags and items, in words."""
        return f"{len(self.classes)} tags of {self.n:,} items"

    @property
    def matrix(self) -> npt.NDArray[np.int8]:
        """0 or 1 for each item and tag, shape (n, k)."""
        return self.as_given(self.values, 0)

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """One value for each item and tag, shape (n, k)."""
        return values.reshape(self.n, len(self.classes))

    def named(self, values: IntArray) -> pl.Series:
        """0 and 1."""
        return pl.Series(values.astype(np.int8))

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The tag, and whether an error would make it missing or incorrect."""
        names = pl.Series([str(name) for name in self.classes])
        kinds = pl.Series(["missing", "incorrect"], dtype=pl.Enum(["missing", "incorrect"]))
        return {"tag": names.gather(sites % len(self.classes)), "kind": kinds.gather(self.values[sites])}

    def items_frame(self) -> dict[str, pl.Series]:
        """The given tags by name."""
        names = np.array([str(name) for name in self.classes], dtype=object)
        given = [names[row == 1].tolist() for row in self.matrix]
        return {"tags": pl.Series(given, dtype=pl.List(pl.String))}

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By item, then by tag."""
        tags = pl.Enum([str(name) for name in summary["classes"]])
        return issues.sort("index", pl.col("tag").cast(tags).to_physical())

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """0 and 1, int8."""
        return names.to_numpy()

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one pair of item and tag."""
        given, owner = issues["given_label"].to_numpy(), issues["index"].to_numpy()
        return cls.of_sites(given, owner, summary["n"], summary["classes"])

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The tags as a JSON list, in the order of the classes."""
        if not isinstance(label, list) or any(not isinstance(tag, str) or tag not in classes for tag in label):
            raise BadInput("The label of an item with tags must be a list of known tags.")
        chosen = set(label)
        return json.dumps([tag for tag in classes if tag in chosen], ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> object:
        """The list of tags."""
        return json.loads(text)
