"""One number per item: the target of a regression."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.validation import AnyArray, IntArray, Json, to_numpy

MOST_DECIMALS = 6
MOST = 1e100  # so that squares and products are finite
FINE = 0.995  # share of the numbers that have at most these decimals
ERROR_KINDS = ("factor", "unit", "sign", "swapped digits", "copied", "sentinel", "other")


class Numbers(Labels):
    """One number for each item, or none if it is missing.

    Parameters
    ----------
    values : array-like of numbers, shape (n,)
        ``None`` and NaN are missing.
    missing : sequence of numbers, optional
        Values that mean missing, such as -999.

    Attributes
    ----------
    values : ndarray of float64, shape (s,)
        Numbers of the items that have one.
    decimals : int or None
        Number of decimals that the numbers are written with; ``None`` if there is none. Suggestions are rounded to it.

    Raises
    ------
    BadInput
        For text, infinite or complex numbers, or an array that is not flat.

    Examples
    --------
    >>> labels = Numbers([20.5, None, 21.0, -999], missing=[-999])
    >>> labels.values.tolist(), labels.owner.tolist(), len(labels), labels.decimals
    ([20.5, 21.0], [0, 2], 4, 1)
    """

    kind = "numbers"
    own_columns = ("kind", "prediction", "suggested_low", "suggested_high")
    found_site_columns = own_columns
    many_sites = False
    decimals: int | None

    def __init__(self, values: object, *, missing: Sequence[object] | None = None) -> None:
        whole = _checked(values)
        for word in [missing] if np.isscalar(missing) else missing or ():
            whole = np.where(whole == _sentinel(word), np.nan, whole)
        self.owner = np.flatnonzero(~np.isnan(whole))
        self.values, self.n, self.classes = whole[self.owner], len(whole), ()
        self.decimals = decimals_of(self.values)

    @classmethod
    def of_sites(cls, values: AnyArray, owner: IntArray, n: int, classes: Sequence[object] = ()) -> Self:
        """From numbers that are already checked."""
        made = super().of_sites(np.asarray(values, np.float64), owner, n, ())
        made.decimals = decimals_of(made.values)
        return made

    @property
    def described(self) -> str:
        """The number of values, in words."""
        return f"{len(self.values):,} numbers"

    def as_given(self, values: AnyArray, empty: object) -> AnyArray:
        """One value for each item, shape (n,)."""
        whole = np.full(self.n, empty, values.dtype)
        whole[self.owner] = values
        return whole

    def rounded(self, values: AnyArray) -> npt.NDArray[np.float64]:
        """Numbers with as many decimals as the given ones have."""
        found = np.asarray(values, np.float64)
        return found if self.decimals is None else np.round(found, self.decimals) + 0.0  # -0.0 is 0

    def named(self, values: AnyArray) -> pl.Series:
        """The numbers."""
        return pl.Series(np.asarray(values, np.float64))

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> npt.NDArray[np.float64]:
        """The numbers."""
        return names.cast(pl.Float64).to_numpy()

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one number."""
        return cls.of_sites(issues["given_label"].to_numpy(), issues["index"].to_numpy(), summary["n"])

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str] = ()) -> str:
        """The number in the form of JSON: ``12`` for 12.0."""
        try:
            value = float(label.strip() if isinstance(label, str) else label)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise BadInput(f"label {str(label)[:80]!r} is not a number. Write it like 12.5.")
        return str(int(value)) if value == int(value) and abs(value) < 2**63 else json.dumps(value)


def decimals_of(values: npt.NDArray[np.float64]) -> int | None:
    """The fewest decimals that hold nearly all of the numbers; ``None`` if six do not.

    >>> decimals_of(np.array([1.25, 3.0])), decimals_of(np.array([3.0, 40.0])), decimals_of(np.array([1 / 3]))
    (2, 0, None)
    """
    if not len(values):
        return None
    for decimals in range(MOST_DECIMALS + 1):
        if np.mean(np.abs(np.round(values, decimals) - values) <= 1e-9 * np.abs(values)) >= FINE:
            return decimals
    return None


def _sentinel(word: object) -> float:
    try:
        return float(word)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"missing names {word!r}, which is not a number. Name the numbers that mean missing, e.g. [-999]."
        ) from error


def _checked(values: object) -> npt.NDArray[np.float64]:
    array = to_numpy(values, "values")
    if array.ndim != 1 or len(array) == 0:
        raise BadInput(f"values have shape {array.shape}. Give one number for each item, shape (n,).")
    if array.dtype.kind == "O":
        wrong = next((i for i, value in enumerate(array) if not _is_number(value)), None)
        if wrong is not None:
            raise BadInput(
                f"values row {wrong} is {str(array[wrong])[:80]!r}, which is not a number. Correct it, or leave it empty."
            )
        array = np.array([np.nan if value is None or value != value else float(value) for value in array])
    if array.dtype.kind not in "fiu":
        raise BadInput(f"values are {array.dtype}. Give numbers, or audit class names without lp.Numbers.")
    found = array.astype(np.float64)
    beyond = np.flatnonzero(np.abs(found) > MOST)
    if len(beyond):
        row = int(beyond[0])
        what = "infinite" if np.isinf(found[row]) else f"{found[row]:g}, beyond the {MOST:g} that numbers may reach"
        raise BadInput(f"values row {row} is {what}. Correct it, or leave it empty.")
    return found


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, Real | Decimal) and not isinstance(value, bool)) or value != value
