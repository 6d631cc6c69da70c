"""A column of numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl

from labelproof.data.edits import Edits
from labelproof.data.label_columns.base import LabelColumn
from labelproof.data.leaks import Leak, find_number_leaks
from labelproof.data.schema import COMMA
from labelproof.errors import BadInput
from labelproof.labels.numbers import Numbers
from labelproof.validation import AnyArray, to_numpy
from labelproof.validation.labels import MISSING_WORDS

POINT, DECIMAL_COMMA = ".", ","


class NumberColumn(LabelColumn):
    """Numbers, and how the column writes them.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN for none.
    missing : sequence, optional
        Numbers that mean missing.
    comma : bool
        Whether the column has decimal commas.
    whole : bool
        Whether the column can hold whole numbers alone.
    decimals : int
        Number of decimals of all numbers of the column, if it is constant.
    """

    kind = "numbers"
    labels: Numbers

    def __init__(
        self,
        values: AnyArray,
        missing: Sequence[object] | None = None,
        *,
        comma: bool = False,
        whole: bool = False,
        decimals: int = 0,
    ) -> None:
        self.labels, self.whole, self.decimals = Numbers(values, missing=missing), whole, decimals
        self.mark = DECIMAL_COMMA if comma else POINT

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
        if column.dtype.is_numeric():
            values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
            return cls(values, _numbers_of(missing), whole=column.dtype.is_integer())
        if column.dtype != pl.String:
            raise BadInput(f"{name} holds {column.dtype}, not numbers. Name a column of numbers, or audit it as classes.")
        words = {word.lower() for word in MISSING_WORDS} | {"", *(str(word).lower() for word in missing or ())}
        text = column.str.strip_chars()
        text = text.set(text.str.to_lowercase().is_in(list(words)), None)
        parsed, comma = text.cast(pl.Float64, strict=False), False
        if (
            separator != DECIMAL_COMMA
            and (parsed.is_null() & text.is_not_null()).any()
            and text.str.contains(COMMA).fill_null(True).all()
        ):
            dotted = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
            parsed, comma = dotted.cast(pl.Float64, strict=False), True
        wrong = (parsed.is_null() & text.is_not_null()).arg_true()
        if len(wrong):
            row = int(wrong[0])
            raise BadInput(
                f"{name} row {row} is {str(column[row])[:60]!r}, which is not a number. Write numbers without thousands separators, declare it missing (--missing), or audit the column as classes."
            )
        return cls(parsed.fill_null(np.nan).to_numpy(), _numbers_of(missing), comma=comma, decimals=_decimals(text))

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
        if classes is not None or n_classes is not None:
            raise BadInput("Numbers have no classes. Omit classes (--classes).")
        return cls(to_numpy(values, name), _numbers_of(missing))

    @property
    def values(self) -> AnyArray:
        """Numbers of the column, NaN for none, shape (n,)."""
        return self.labels.as_given(self.labels.values, np.nan)

    def leaks(self, frame: pl.DataFrame) -> list[Leak]:
        return find_number_leaks(frame, self.values)

    @classmethod
    def texts_of(cls, labels: Numbers) -> AnyArray:
        texts = np.full(labels.n, None, dtype=object)
        texts[labels.owner] = [Numbers.to_text(value) for value in labels.values.tolist()]
        return texts

    def typed(self, text: str | None) -> object:
        return None if text is None else float(text)

    def edits(self, name: str, new: Mapping[int, str | None], added: Mapping[str, Sequence[str | None]]) -> Edits:
        """Numbers with the column's decimal mark."""
        rows = sorted(new)
        part = next(
            (row for row in rows if self.whole and new[row] is not None and not str(new[row]).lstrip("-").isdigit()), None
        )
        if part is not None:
            raise BadInput(
                f"row {part} is {new[part]} now, but the column {name!r} holds only whole numbers. Decide on a whole number."
            )
        names = {row: None if (text := new[row]) is None else self._written(text) for row in rows}
        return Edits(name, np.array(rows, np.int64), np.full(len(rows), -1), names, added, numbers=True)

    def _written(self, text: str) -> str:
        """A number as the column writes them: with its decimals, without an exponent, and with its decimal mark."""
        value = float(text)
        if self.decimals and round(value, self.decimals) == value:
            text = f"{value:.{self.decimals}f}"
        elif "e" in text:
            text = np.format_float_positional(value, trim="-")
        return text.replace(POINT, self.mark)

    def changed_array(self, array: AnyArray, new: Mapping[int, str | None]) -> AnyArray:
        """Numbers of the array's type."""
        changed = array.copy()
        for row, text in new.items():
            value = np.nan if text is None else float(text)
            held: Any = np.array(value).astype(array.dtype) if np.isfinite(value) or array.dtype.kind == "f" else None
            if held is None or (array.dtype.kind in "iu" and held != value):
                raise BadInput(
                    f"row {row} {'no longer has a number' if text is None else f'is now {text}'}, which an array of {array.dtype} "
                    "cannot hold. Write to .csv or .parquet."
                )
            changed[row] = held
        return changed


def _numbers_of(missing: Sequence[object] | None) -> list[object] | None:
    """Those words for missing that are numbers."""
    return (
        None
        if missing is None
        else [float(word) for word in map(str, missing) if re.fullmatch(r"[+-]?[0-9.]+(e[+-]?\d+)?", word)]
    )


def _decimals(text: pl.Series) -> int:
    """The one number of decimals that all numbers of a column have; 0 if they differ."""
    found = text.drop_nulls().str.extract(r"[.,](\d+)$").str.len_chars().fill_null(0).unique()
    return int(found[0]) if len(found) == 1 else 0
