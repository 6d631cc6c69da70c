"""Boxes around objects in pictures, each of one class."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.labels.classes import class_codes
from labelproof.validation import AnyArray, IntArray, Json
from labelproof.validation.box_lists import flat_boxes, flat_values, label_codes, picture_sizes

ABSENT = -1  # the code of a box that was not given, or should not be
KINDS_OF_ERROR = ("missing", "extra", "displaced", "class")
REASONS = ("duplicate", "outside", "empty", "order", "unit")
DECIMALS = 3  # of coordinates in text
EDGES = ("x1", "y1", "x2", "y2")

Box = tuple[float, float, float, float, str]
Boxes4 = npt.NDArray[np.float64]


class Boxes(Labels):
    """Boxes around the objects of pictures, each with one class: every given box is a site.

    A picture is an item, even without a box. An audit adds a site, with the code -1, for each box that it finds to be missing.
    Boxes that cannot be right (outside the picture, without area, swapped corners …) are accepted: the audit finds them.

    Parameters
    ----------
    given : sequence of dicts
        For each picture ``boxes``, shape (m, 4), ``x1, y1, x2, y2`` in pixels (x to the right, y down), and ``labels``, shape
        (m,), names or integers; optionally ``size``, its width and height in pixels.
    classes : sequence, optional
        By default the given labels, sorted. If it holds names, integer labels are positions in it.
    sizes : array-like, shape (n, 2), optional
        Width and height of each picture in pixels, NaN where unknown.

    Attributes
    ----------
    box : ndarray of float64, shape (s, 4)
        Given boxes; for missing ones the suggested box.
    number : ndarray of int64, shape (s,)
        The position of each box in its picture, as given; missing ones are numbered after these. Sites are in the order of
        owner and number.
    sizes : ndarray of float64, shape (n, 2), or None

    Raises
    ------
    BadInput

    Examples
    --------
    >>> labels = Boxes([{"boxes": [[10, 10, 50, 90], [60, 5, 80, 40]], "labels": ["dog", "cat"]}, {"boxes": [], "labels": []}])
    >>> labels.box.tolist(), labels.values.tolist(), labels.owner.tolist(), labels.number.tolist(), labels.classes
    ([[10.0, 10.0, 50.0, 90.0], [60.0, 5.0, 80.0, 40.0]], [1, 0], [0, 0], [0, 1], ('cat', 'dog'))
    >>> labels
    Boxes: 2 boxes of 2 classes in 2 pictures
    """

    kind = "boxes"
    own_columns = ("box", *EDGES, *(f"suggested_{edge}" for edge in EDGES), "kind", "reason")
    found_site_columns = own_columns[5:]
    found_columns = ("error_probability", "width", "height", "given_boxes", "suggested_boxes")
    key_columns = ("box",)
    box: Boxes4
    number: IntArray
    sizes: Boxes4 | None = None

    def __init__(
        self, given: Sequence[Mapping[str, Any]], *, classes: Sequence[object] | None = None, sizes: object = None
    ) -> None:
        flat = flat_boxes(given, "given")
        values = flat_values(given, "labels", flat, "given")
        self.values, self.classes = label_codes(values, flat, classes, "given")
        unknown = np.flatnonzero(self.values == ABSENT)
        if len(unknown):
            i = int(unknown[0])
            raise BadInput(
                f"box {flat.number[i]} of picture {flat.owner[i]} is labelled {values[i]!r}, which is not one of the classes "
                f"({', '.join(map(str, self.classes))[:200]})."
            )
        if len({str(name) for name in self.classes}) != len(self.classes):
            raise BadInput(f"classes has a name twice: {', '.join(map(str, self.classes))[:200]}. Give each class once.")
        self.box, self.owner, self.number = flat
        self.n = len(given)
        self.sizes = picture_sizes(sizes, given, "given")

    @classmethod
    def of_sites(
        cls,
        values: AnyArray,
        owner: IntArray,
        n: int,
        classes: Sequence[object],
        box: Boxes4 | None = None,
        number: IntArray | None = None,
        sizes: Boxes4 | None = None,
    ) -> Self:
        """From boxes that are already checked, in the order of owner and number."""
        made = super().of_sites(values, owner, n, classes)
        made.box = np.zeros((len(values), 4)) if box is None else box
        first = np.searchsorted(owner, owner)
        made.number = np.arange(len(owner)) - first if number is None else number
        made.sizes = sizes
        return made

    def with_missing(self, owner: IntArray, box: Boxes4) -> tuple[Self, IntArray]:
        """Add a site for each missing box, and return where the old and the new ones went.

        Parameters
        ----------
        owner : ndarray, shape (m,)
        box : ndarray, shape (m, 4)

        Returns
        -------
        labels : Boxes
        order : ndarray, shape (s + m,)
            Position of each site among the old ones followed by the missing ones.
        """
        sequence = np.argsort(owner, kind="stable")
        ranked = np.empty(len(owner), np.int64)
        ranked[sequence] = np.arange(len(owner)) - np.searchsorted(owner[sequence], owner[sequence])
        following = np.zeros(self.n, np.int64)
        np.maximum.at(following, self.owner, self.number + 1)
        owners, numbers = (
            np.r_[self.owner, owner].astype(np.int64),
            np.r_[self.number, following[owner] + ranked].astype(np.int64),
        )
        order = np.lexsort((numbers, owners))
        values = np.r_[self.values, np.full(len(owner), ABSENT)][order]
        boxes = np.concatenate([self.box, np.asarray(box, np.float64).reshape(-1, 4)])[order]
        made = type(self).of_sites(values, owners[order], self.n, self.classes, boxes, numbers[order], self.sizes)
        made.item_names = self.item_names
        return made, order

    def __eq__(self, other: object) -> bool:
        """Whether the same boxes were given."""
        if not isinstance(other, Boxes) or not super().__eq__(other):
            return False
        return np.array_equal(self.box, other.box) and np.array_equal(self.number, other.number)

    __hash__ = None

    @property
    def labelled(self) -> int:
        """All pictures: one without a box is labelled as well."""
        return self.n

    @property
    def described(self) -> str:
        """The numbers of boxes, classes and pictures, in words."""
        given = int((self.values != ABSENT).sum())
        return f"{given:,} boxes of {len(self.classes)} class{'es' * (len(self.classes) != 1)} in {self.n:,} pictures"

    def given_boxes(self) -> list[list[Box]]:
        """Given boxes of each picture, in the order of their numbers."""
        found: list[list[Box]] = [[] for _ in range(self.n)]
        for i, (x1, y1, x2, y2), code in zip(self.owner.tolist(), self.box.tolist(), self.values.tolist(), strict=True):
            if code != ABSENT:
                found[i].append((x1, y1, x2, y2, str(self.classes[code])))
        return found

    def named(self, values: IntArray) -> pl.Series:
        """The classes; null without a box."""
        names = pl.Series(list(self.classes)) if self.classes else pl.Series([], dtype=pl.String)
        return names.gather(pl.Series(values, dtype=pl.Int64).replace({ABSENT: None}))

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The number of the box in its picture, and the box."""
        edges = {edge: pl.Series(self.box[sites, i]) for i, edge in enumerate(EDGES)}
        return {"box": pl.Series(self.number[sites], dtype=pl.Int64), **edges}

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By picture, then by number."""
        return issues.sort("index", "box")

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """Codes of a column of classes, -1 where null."""
        return class_codes(names, classes).fill_null(ABSENT).to_numpy().astype(np.int64)

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one box; the sizes of the pictures are not known."""
        given = cls.codes_of(issues["given_label"], summary["classes"])
        box = issues.select(EDGES).to_numpy().astype(np.float64)
        return cls.of_sites(
            given, issues["index"].to_numpy(), summary["n"], summary["classes"], box, issues["box"].to_numpy().astype(np.int64)
        )

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The boxes of a picture as a JSON list of ``[x1, y1, x2, y2, class]``, sorted; coordinates have up to three decimals.

        Examples
        --------
        >>> Boxes.to_text([[10, 5.25, 30, 40.0, "dog"], [1, 2, 3, 4, "dog"]], ["dog"])
        '[[1, 2, 3, 4, "dog"], [10, 5.25, 30, 40, "dog"]]'
        """
        if not isinstance(label, list):
            raise BadInput("The label of a picture must be a list of boxes, each [x1, y1, x2, y2, class].")
        return sorted_json(_checked(box, classes) for box in label)

    @classmethod
    def from_text(cls, text: str) -> object:
        """The list of boxes."""
        return json.loads(text)


def as_json(boxes: Iterable[Sequence[Any]]) -> str:
    """Boxes ``(x1, y1, x2, y2, class)`` as `Boxes.to_text` writes them, in the order in which they come."""
    return json.dumps([[*(_plain(edge) for edge in box[:4]), str(box[4])] for box in boxes], ensure_ascii=False)


def sorted_json(boxes: Iterable[Sequence[Any]]) -> str:
    """The same in the one order in which a decision's label has them, whatever order they come in."""
    return as_json(sorted((*(_plain(edge) for edge in box[:4]), str(box[4])) for box in boxes))


def json_of_pictures(owner: IntArray, box: Boxes4, codes: IntArray, classes: Sequence[object], n: int) -> pl.Series:
    """`as_json` of the boxes of each of n pictures; ``owner`` is ascending."""
    table = pl.DataFrame({"owner": owner, **{edge: np.round(box[:, i], DECIMALS) + 0.0 for i, edge in enumerate(EDGES)}})
    names = pl.Series([json.dumps(str(name), ensure_ascii=False) for name in classes], dtype=pl.String)
    edges = [pl.col(edge).cast(pl.String).str.strip_suffix(".0") for edge in EDGES]
    text = pl.concat_str("[" + edges[0], *edges[1:], names.gather(codes) + "]", separator=", ")
    lists = table.select("owner", text.alias("text")).group_by("owner", maintain_order=True).agg(pl.col("text").str.join(", "))
    whole = pl.DataFrame({"owner": np.arange(n)}).join(lists, on="owner", how="left", maintain_order="left")
    return whole.select("[" + pl.col("text").fill_null("") + "]").to_series()


def _plain(value: float) -> int | float:
    """Rounded, without ``.0``."""
    rounded = float(np.round(value, DECIMALS))
    return int(rounded) if rounded == int(rounded) else rounded


def _checked(box: object, classes: Sequence[str]) -> Box:
    if not isinstance(box, list | tuple) or len(box) != 5:
        raise BadInput(f"{box!r:.80} is not a box. Give [x1, y1, x2, y2, class].")
    *edges, name = box
    if not all(isinstance(edge, Real) and not isinstance(edge, bool) and math.isfinite(edge) for edge in edges):
        raise BadInput(f"{box!r:.80} is not a box: x1, y1, x2 and y2 must be finite numbers, in pixels.")
    if not isinstance(name, str) or name not in classes:
        raise BadInput(f"{str(name)[:80]!r} is not one of the classes.")
    x1, y1, x2, y2 = (_plain(edge) for edge in edges)
    if x1 >= x2 or y1 >= y2:
        raise BadInput(f"{box!r:.80} has no area. Give x1 less than x2, and y1 less than y2.")
    return x1, y1, x2, y2, name
