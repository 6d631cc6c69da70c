"""One class per item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels, Probabilities
from labelproof.validation import UNLABELLED, AnyArray, IntArray, Json, check_labels

MANY_NUMBERS = 20  # different ones, from which on they are rather a quantity
AS_NUMBERS = 'If they are a quantity, audit them as such: --kind numbers (kind="numbers", lp.Numbers).'


class Classes(Labels):
    """One class for each item, or none: an item without a label has no site.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Names or integers; missing as in `labelproof.validation.check_labels`.
    classes : sequence of length k, optional
        In the order of their codes. By default sorted.
    n_classes : int, optional
    missing : sequence, optional
        Labels that mean unlabelled.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> labels = Classes(["b", None, "a"])
    >>> labels.values.tolist(), labels.owner.tolist(), labels.codes.tolist()
    ([1, 0], [0, 2], [1, -1, 0])
    """

    kind = "classes"
    many_sites = False

    def __init__(
        self,
        labels: object,
        *,
        classes: Sequence[object] | None = None,
        n_classes: int | None = None,
        missing: Sequence[object] | None = None,
    ) -> None:
        coded = check_labels(labels, classes=classes, n_classes=n_classes, missing=missing)
        self.__dict__.update(vars(Classes.of_codes(coded.codes, coded.classes)))

    @classmethod
    def of_codes(cls, codes: IntArray, classes: Sequence[object]) -> Self:
        """From a code for each item, -1 where unlabelled."""
        if not len(codes) or codes.min() >= 0:
            return cls.of_sites(codes, np.arange(len(codes)), len(codes), classes)
        rows = np.flatnonzero(codes != UNLABELLED)
        return cls.of_sites(codes[rows], rows, len(codes), classes)

    @property
    def codes(self) -> IntArray:
        """A code for each item, -1 where unlabelled, shape (n,)."""
        return self.as_given(self.values, UNLABELLED)

    def rollup(self, error_probability: Probabilities) -> Probabilities:
        """The error probability of each item's label, shape (n,)."""
        return self.as_given(error_probability, np.nan)

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """One value for each item, shape (n,)."""
        if len(values) == self.n:
            return values
        whole = np.full(self.n, empty, values.dtype)
        whole[self.owner] = values
        return whole

    def named(self, values: IntArray) -> pl.Series:
        """The class names."""
        return pl.Series(list(self.classes)).gather(values)

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """Codes of a column of class names, int32."""
        return class_codes(names, classes).to_numpy()

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one item's label."""
        given = cls.codes_of(issues["given_label"], summary["classes"]).astype(np.int64)
        return cls.of_sites(given, issues["index"].to_numpy(), summary["n"], summary["classes"])

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The name of the class."""
        if not isinstance(label, str) or label not in classes:
            raise BadInput(f"label {str(label)[:80]!r} is not one of the classes.")
        return label


def class_codes(labels: pl.Series, classes: Sequence[object]) -> pl.Series:
    """Codes of a column of class names, int32."""
    names = labels.cast(pl.String)
    if labels.dtype == pl.Boolean:
        names = names.str.to_titlecase()  # as Python writes it
    return names.cast(pl.Enum([str(name) for name in classes])).to_physical().cast(pl.Int32)


def are_numbers(classes: Sequence[object]) -> bool:
    """Whether names of classes are rather a quantity: many numbers, with decimals or with gaps between them.

    >>> are_numbers(range(100)), are_numbers([*range(30), 40]), are_numbers([f"{i}.5" for i in range(30)]), are_numbers(["a"] * 30)
    (False, True, True, False)
    """
    if len(classes) <= MANY_NUMBERS:
        return False
    try:
        values = np.array([float(name) for name in classes])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    whole = bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    return not whole or bool(values.max() - values.min() + 1 > len(classes))
