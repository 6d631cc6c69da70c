"""Given labels of any kind: a *site* is one label decision, owned by an item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import AnyArray, IntArray, Json

Probabilities = npt.NDArray[np.float64]


class Labels(ABC):
    """Given labels of one kind: a subclass is a kind.

    The constructor of a kind checks raw labels. A kind knows no page and no model: its auditor, its report and its review are
    registered under its name in ``auditing/kinds``, ``report/kinds`` and ``review/kinds``.

    Attributes
    ----------
    kind : str
        The name under which the kind is registered in `labelproof.labels.KINDS`.
    own_columns : tuple of str
        Further columns of its issues.
    found_columns : tuple of str
        Columns of the table of items that an auditor computes, if they do not follow from the sites.
    found_site_columns : tuple of str
        Those of ``own_columns`` that an auditor computes.
    key_columns : tuple of str
        Those of ``own_columns`` that identify the sites of an item, independent of the given labels.
    many_sites : bool
        Whether an item may have more than one site.
    values : ndarray, shape (s,)
        The given label of each site: the code of a class, 0 or 1, or a number.
    owner : ndarray of int64, shape (s,), ascending
        The item of each site.
    n : int
        Number of items, those without a site included.
    classes : tuple
        Names of the possible labels, in sorted order; for tags the tags.
    item_names : ndarray, shape (n,), optional
        Names of the items, if the labels came with them.
    """

    kind: ClassVar[str]
    own_columns: ClassVar[tuple[str, ...]] = ()
    found_columns: ClassVar[tuple[str, ...]] = ()
    found_site_columns: ClassVar[tuple[str, ...]] = ()
    key_columns: ClassVar[tuple[str, ...]] = ()
    many_sites: ClassVar[bool] = True
    values: AnyArray
    owner: IntArray
    n: int
    classes: tuple[object, ...]
    item_names: AnyArray | None = None

    @classmethod
    def of_sites(cls, values: AnyArray, owner: IntArray, n: int, classes: Sequence[object]) -> Self:
        """Labels that were checked before."""
        made = cls.__new__(cls)
        made.values, made.owner, made.n, made.classes = values, owner, n, tuple(classes)
        return made

    def __len__(self) -> int:
        return self.n

    def __eq__(self, other: object) -> bool:
        """Whether the same was given: of one kind, in the same classes, at the same sites."""
        return (
            isinstance(other, Labels)
            and (self.kind, self.n, self.classes) == (other.kind, other.n, other.classes)
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.owner, other.owner)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    @property
    def labelled(self) -> int:
        """Number of items that have a label: those with a site."""
        return int((np.bincount(self.owner, minlength=self.n) > 0).sum())

    @property
    def described(self) -> str:
        """The numbers of labels and classes, in words."""
        return f"{len(self.values):,} labels in {len(self.classes)} {self.kind}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.described}"

    def rollup(self, error_probability: Probabilities) -> Probabilities:
        """Probability of each item that any of its sites is wrong, ``1 - Π (1 - error_probability)``, shape (n,).

        NaN for an item without a site.
        """
        with np.errstate(divide="ignore"):
            right = np.bincount(self.owner, np.log1p(-error_probability), minlength=self.n)
        return np.where(np.bincount(self.owner, minlength=self.n) > 0, -np.expm1(right), np.nan)

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """Values of the sites in the shape of the given labels, here (s,); ``empty`` where there is no site."""
        return values

    @abstractmethod
    def named(self, values: AnyArray) -> pl.Series:
        """The given or suggested labels of sites, as the issues name them, shape (m,)."""

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The columns of ``own_columns`` that no auditor computes, for some sites, each of shape (m,)."""
        return {}

    def items_frame(self) -> dict[str, pl.Series]:
        """Columns of the table of items in addition to ``index``, ``id`` and ``error_probability``, each of shape (n,)."""
        return {}

    def to_json(self) -> Json:
        """What `from_issues` needs in addition to the issues, ``n`` and ``classes``; ``summary.json`` holds it."""
        return {}

    @classmethod
    @abstractmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """The labels of an audit, from its issues in the order of the sites, and its ``summary.json``."""

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """The issues of an audit in the order of its sites."""
        return issues.sort("index", maintain_order=True)

    @classmethod
    @abstractmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> AnyArray:
        """The values that `named` turned into these names, shape (m,)."""

    @classmethod
    @abstractmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The label of one item, as JSON holds it, in the one way in which it is written: equal labels are equal texts.

        Parameters
        ----------
        label : str, list or dict
            Of a decision: the true label of the item according to a person.
        classes : sequence of str

        Raises
        ------
        BadInput
            If it is no label of this kind, or names an unknown class.
        """

    @classmethod
    def from_text(cls, text: str) -> object:
        """The result of `to_text`, in the form of JSON."""
        return text
