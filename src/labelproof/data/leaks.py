"""Columns of a table that give the label away: a copy of it under another name, or the number of the row in a sorted file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
import polars.selectors as cs

from labelproof.validation import FloatArray, IntArray, Json

FEWEST = 20  # labels
SORTED = 0.1  # changes of the label from row to row, as a share of what chance gives
ON_A_LINE = 0.98  # share of the rows in which a column is the number in another unit
EXACT = 1e-6  # of the range of the numbers
VALUES_A_ROW = 0.2  # most different values of a column that may encode the label, as a share of the rows
TIME = r"^\d{4}-\d\d-\d\d"


@dataclass(frozen=True)
class Leak:
    """A column that gives the label away.

    Attributes
    ----------
    column : str
    kind : {"equals", "tells", "counts rows"}
        One value for each class, one class for each value, or the row of a file that is sorted by label.
    evidence : dict
        The numbers behind it, as JSON holds them.
    excluded : bool
        Whether it is not learned from: a copy, and a row number, unless the caller chose the columns.
    """

    column: str
    kind: Literal["equals", "tells", "counts rows"]
    evidence: Json = field(default_factory=dict)
    excluded: bool = False

    @property
    def text(self) -> str:
        """The finding and the remedy, in words."""
        name = repr(self.column) if self.column else "without a name"
        if self.kind == "counts rows":
            seen = (
                f"The column {name} counts the rows, and the file is sorted by label: the label changes "
                f"{self.evidence['changes']:,} times from row to row, about {self.evidence['changes_by_chance']:,.0f} times if rows "
                "were mixed. A model learns the position in the file from it"
            )
        elif self.kind == "equals":
            seen = (
                f"The column {name} equals the label under other names. A model copies the labels from it, wrong ones included"
            )
        else:
            seen = (
                f"Each of the {self.evidence['values']:,} values of the column {name} has one label only. If it is made from the "
                "label, a model copies the labels from it, wrong ones included"
            )
        if self.excluded:
            return f"{seen}, so it was excluded. To learn from it all the same: --keep {self.column!r} (keep= in Python)."
        return f"{seen}, which hides errors. Exclude it: --ignore {self.column!r} (ignore= in Python)."


def find_leaks(frame: pl.DataFrame, given: IntArray) -> list[Leak]:
    """The columns of a frame that give the label away.

    Parameters
    ----------
    frame : polars.DataFrame, n rows
    given : ndarray of int, shape (n,)
        Codes, -1 where unlabelled.
    """
    rows = np.flatnonzero(given >= 0)
    if len(rows) < FEWEST:
        return []
    codes = pl.Series("given", given[rows])
    labelled = frame[rows].get_columns() if len(rows) < frame.height else frame.get_columns()
    found = (_tells_the_label(series, codes) or _counts_rows(series, codes) for series in labelled)
    return [leak for leak in found if leak is not None]


def find_number_leaks(frame: pl.DataFrame, values: FloatArray) -> list[Leak]:
    """The columns that are the number under another name, or in another unit.

    Parameters
    ----------
    frame : polars.DataFrame, n rows
    values : ndarray of float64, shape (n,)
        NaN for none.
    """
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) < FEWEST or len(np.unique(values[rows])) < FEWEST:
        return []
    numbers = frame[rows].select(cs.numeric().cast(pl.Float64)).get_columns()
    same = ((series.name, _share_on_a_line(series.fill_null(np.nan).to_numpy(), values[rows])) for series in numbers)
    return [Leak(name, "equals", {"share": share}) for name, share in same if share > ON_A_LINE]


def _share_on_a_line(x: FloatArray, y: FloatArray) -> float:
    """Share of the points on the line through most of them."""
    known = np.isfinite(x)
    order = np.argsort(x[known], kind="stable")
    a, b = x[known][order], y[known][order]
    half = len(a) // 2
    apart = a[half : 2 * half] - a[:half]
    if half == 0 or not (apart > 0).any():
        return 0.0
    slope = float(np.median((b[half : 2 * half] - b[:half])[apart > 0] / apart[apart > 0]))
    rest = b - slope * a
    return float(np.mean(np.abs(rest - np.median(rest)) <= EXACT * np.ptp(b)) * len(a) / len(x)) if slope else 0.0


def _tells_the_label(series: pl.Series, codes: pl.Series) -> Leak | None:
    values, classes = series.n_unique(), codes.n_unique()
    if values < 2 or values > max(2 * classes, VALUES_A_ROW * len(codes)):
        return None
    if pl.DataFrame([series.rename("value"), codes]).n_unique() != values:  # a value with two labels
        return None
    return Leak(series.name, "equals" if values == classes else "tells", {"values": values})


def _counts_rows(series: pl.Series, codes: pl.Series) -> Leak | None:
    if not series.dtype.is_integer() or series.null_count():
        return None
    steps = np.diff(series.to_numpy())
    if not (bool((steps > 0).all()) or bool((steps < 0).all())):
        return None
    labels = codes.to_numpy()
    shares = np.bincount(labels) / len(labels)
    by_chance = (len(labels) - 1) * (1 - float((shares**2).sum()))
    changes = int((np.diff(labels) != 0).sum())
    if changes > SORTED * by_chance:
        return None
    return Leak(series.name, "counts rows", {"changes": changes, "changes_by_chance": by_chance})


def unique_names(frame: pl.DataFrame) -> str | None:
    """The first column of texts without spaces of which no two are equal: it names the items, and teaches a model nothing.

    Parameters
    ----------
    frame : polars.DataFrame
    """
    if len(frame) < FEWEST:
        return None
    for series in frame:
        if series.dtype != pl.String or series.n_unique() < len(frame):
            continue
        if (
            not series.str.contains(r"\s").any()
            and series.str.contains("[A-Za-z]").all()
            and not series.str.contains(TIME).any()
        ):
            return series.name
    return None
