"""A column of class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.edits import Edits, edits
from labelproof.data.label_columns.base import LabelColumn
from labelproof.data.leaks import Leak, find_leaks
from labelproof.data.raw_table import label_values
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.validation import AnyArray, check_labels
from labelproof.validation.labels import CodedLabels, Repeated


class ClassColumn(LabelColumn):
    """Classes by name.

    Parameters
    ----------
    coded : CodedLabels
    """

    kind = "classes"
    labels: Classes

    def __init__(self, coded: CodedLabels) -> None:
        self.coded = coded
        self.labels = Classes.of_codes(coded.codes, coded.classes)

    @classmethod
    def of_series(
        cls,
        column: pl.Series,
        name: str,
        missing: Sequence[object] | None,
        *,
        as_text: bool = False,
        separator: str | None = None,
    ) -> Self:
        values, index = (column, None) if column.dtype.is_nested() or column.dtype.is_float() else _different(column)
        plain = values.to_numpy() if as_text else label_values(values)
        return cls(check_labels(plain if index is None else Repeated(plain, index), name=name, missing=missing))

    @classmethod
    def of_array(
        cls,
        values: object,
        name: str,
        missing: Sequence[object] | None = None,
        *,
        classes: Sequence[object] | None = None,
        n_classes: int | None = None,
    ) -> Self:
        return cls(check_labels(values, name=name, classes=classes, n_classes=n_classes, missing=missing))

    def leaks(self, frame: pl.DataFrame) -> list[Leak]:
        return find_leaks(frame, self.coded.codes)

    @classmethod
    def texts_of(cls, labels: Classes) -> AnyArray:
        return np.array([*map(str, labels.classes), None], dtype=object)[labels.codes]

    @cached_property
    def _named(self) -> dict[str, object]:
        return {str(name): name for name in self.coded.classes}

    def typed(self, text: str | None) -> object:
        return None if text is None else self._named.get(text, text)

    def edits(self, name: str, new: Mapping[int, str | None], added: Mapping[str, Sequence[str | None]]) -> Edits:
        """Names as the file itself writes them."""
        return edits(name, self.coded.codes, self.coded.classes, new, added)

    def changed_array(self, array: AnyArray, new: Mapping[int, str | None]) -> AnyArray:
        """Labels that the array has already: others may not fit its type."""
        change = edits("label", self.coded.codes, self.coded.classes, new)
        if change.names:
            row, name = next(iter(change.names.items()))
            raise BadInput(
                f"row {row} {'no longer has a label' if name is None else f'is now {name!r}'}, which the array does not contain. "
                "Write to .csv or .parquet."
            )
        changed = array.copy()
        changed[change.rows] = array[change.sources]
        return changed


def _different(column: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int64] | None]:
    """The different values of a column and the number of each row's value, if that is faster."""
    values = column.unique(maintain_order=True)
    if len(values) > column.len() // 2:
        return column, None
    numbered = values.rename("value").to_frame().with_row_index("place")
    found = column.rename("value").to_frame().join(numbered, on="value", how="left", nulls_equal=True, maintain_order="left")
    return values, found["place"].to_numpy().astype(np.int64)
