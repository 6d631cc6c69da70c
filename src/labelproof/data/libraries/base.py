"""The interface of a library that holds items with labels in memory."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.data.libraries.asked import NAME, Asked
from labelproof.data.pictures import Opened
from labelproof.data.raw_table import column, label_values
from labelproof.data.values import picture_of
from labelproof.errors import LabelproofWarning
from labelproof.validation import AnyArray, check_ids


class Held(ABC):
    """Items with labels, as a library holds them.

    Parameters
    ----------
    given : object
        The object of the library; never modified.
    """

    def __init__(self, given: Any) -> None:
        self.given = given

    @classmethod
    @abstractmethod
    def holds(cls, given: object) -> bool:
        """Whether an object is of this library; nothing is imported."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of items."""

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Names of the columns."""

    @abstractmethod
    def column(self, name: str, option: str) -> pl.Series:
        """A column by name.

        Raises
        ------
        BadInput
            With the option that named it, and the nearest name.
        """

    @property
    def names(self) -> AnyArray | None:
        """The library's own names of the items, e.g. of an index, which need not be unique; ``None`` if it has none."""
        return None

    def ids(self, ids: object | None) -> AnyArray:
        """Names of the items: those given, those of the column of that name, the library's own, or row numbers.

        Raises
        ------
        BadInput
            If they are not one for each item, or not unique.

        Warns
        -----
        LabelproofWarning
            If the library's own are not.
        """
        if isinstance(ids, str):
            ids = label_values(self.column(ids, "ids"), "ids")
        elif ids is None and self.names is not None:
            twice = repeated(self.names)
            if twice is None:
                ids = self.names
            else:
                warnings.warn(
                    f"The index of {NAME} has {twice!r} twice or more, so items are named by row number. Name them by ids=, or reset the index.",
                    LabelproofWarning,
                    stacklevel=4,
                )
        return check_ids(ids, len(self))

    @abstractmethod
    def joined(self, found: pl.DataFrame) -> object:
        """A copy of the object with further columns, in its own library."""


class Whole(Held):
    """Something that is read as a whole, not by its columns."""

    @abstractmethod
    def read(self, asked: Asked) -> Dataset:
        """Items and labels.

        Raises
        ------
        BadInput
        """


class Table(Held):
    """A frame of named columns."""

    @abstractmethod
    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        """Some columns as a polars frame."""

    @abstractmethod
    def cell(self, name: str, row: int) -> object:
        """One value of a column, as the library holds it."""

    def column(self, name: str, option: str) -> pl.Series:
        self._check(name, option)
        return self.frame([name])[name]

    def pictures(self, name: str) -> list[Callable[[], Opened]]:
        """Functions that open each picture of a column on demand."""
        self._check(name, "image")
        return [partial(self._picture, name, row) for row in range(len(self))]

    def _picture(self, name: str, row: int) -> Opened:
        return picture_of(self.cell(name, row))

    def _check(self, name: str, option: str) -> None:
        if name not in self.columns:
            column(pl.DataFrame(schema=self.columns), name, NAME, option)


def is_of(given: object, module: str, name: str) -> bool:
    """Whether an object's class or a base class has that name and comes from a module or one of its submodules."""
    return any(made.__name__ == name and f"{made.__module__}.".startswith(f"{module}.") for made in type(given).__mro__)


def repeated(names: Sequence[object] | AnyArray) -> str | None:
    """A name that occurs twice, as text."""
    values, counts = np.unique(np.asarray(names, dtype=object).astype(str), return_counts=True)
    return str(values[np.argmax(counts > 1)]) if (counts > 1).any() else None
