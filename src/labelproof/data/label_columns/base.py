"""A column of labels, read as labels of one kind, and how changed ones are written in the file's own form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import polars as pl

from labelproof.data.edits import Edits
from labelproof.data.leaks import Leak
from labelproof.labels.base import Labels
from labelproof.validation import AnyArray


class LabelColumn(ABC):
    """Labels with one value per item, in a column of a table or in an array.

    Attributes
    ----------
    kind : str
        The name under which the kind is registered in `labelproof.labels.KINDS`.
    labels : Labels
    """

    kind: ClassVar[str]
    labels: Labels

    @classmethod
    @abstractmethod
    def of_series(
        cls,
        column: pl.Series,
        name: str,
        missing: Sequence[object] | None,
        *,
        as_text: bool = False,
        separator: str | None = None,
    ) -> Self:
        """The labels of a column.

        Parameters
        ----------
        column : polars.Series of length n
            Text, if the file is delimited text.
        name : str
            For messages.
        missing : sequence, optional
            Labels that mean missing; see `labelproof.validation.check_labels`.
        as_text : bool, default=False
            Whether labels such as ``1`` stay text.
        separator : str, optional
            Separator of delimited text. If it is a comma, no number has a decimal comma.

        Raises
        ------
        BadInput
        """

    @classmethod
    @abstractmethod
    def of_array(
        cls,
        values: object,
        name: str,
        missing: Sequence[object] | None = None,
        *,
        classes: Sequence[object] | None = None,
        n_classes: int | None = None,
    ) -> Self:
        """The labels of an array, shape (n,)."""

    @abstractmethod
    def leaks(self, frame: pl.DataFrame) -> list[Leak]:
        """The columns of a frame, n rows, that give the labels away."""

    @property
    def texts(self) -> AnyArray:
        """The given label of each row in the form of a decision, ``None`` for none, shape (n,)."""
        return self.texts_of(self.labels)

    @classmethod
    @abstractmethod
    def texts_of(cls, labels: Any) -> AnyArray:
        """The same of labels of the kind."""

    @abstractmethod
    def typed(self, text: str | None) -> object:
        """A decision's label as a value of a table, ``None`` for none."""

    @abstractmethod
    def edits(self, name: str, new: Mapping[int, str | None], added: Mapping[str, Sequence[str | None]]) -> Edits:
        """The changes in a copy of the table.

        Parameters
        ----------
        name : str
            Name of the column.
        new : mapping of row to text or None
            Labels that change, in the form of a decision.
        added : mapping
            See `Edits`.
        """

    @abstractmethod
    def changed_array(self, array: AnyArray, new: Mapping[int, str | None]) -> AnyArray:
        """A copy of the array in which some labels are others, of the same type.

        Raises
        ------
        BadInput
            If the type cannot hold one.
        """
