"""Reviewing numbers: keep the given one, take the suggestion, or type another."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ISSUES_FILE
from labelproof.errors import BadInput
from labelproof.labels.numbers import Numbers
from labelproof.review.kinds.base import SCRIPTS, ReviewPart
from labelproof.validation import Json

COLUMNS = (
    "index", "id", "error_probability", "confidence", "given_label", "suggested_label", "kind", "prediction", "suggested_low",
    "suggested_high",
)  # fmt: skip
CHARTED = 80  # numbers of items for which about the same is predicted
LIKELY_WRONG = 0.5
UNDONE = (
    "factor",
    "unit",
    "sign",
    "swapped digits",
)  # kinds of error whose suggestion is the number before the error, and no guess


class ReviewOfNumbers(ReviewPart):
    """One answer per item, a number; "no value" empties it."""

    kind = "numbers"
    script = SCRIPTS / "numbers.js"
    of_all = "of the numbers"
    may_be_none = True
    may_be_blind = True

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """The issues, unchanged."""
        return pl.read_parquet(folder / ISSUES_FILE, columns=list(COLUMNS)).with_columns(pl.col("id").cast(pl.String))

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The numbers as text."""
        return pl.Series([Numbers.to_text(value) for value in table["given_label"].to_list()], dtype=pl.String)

    def given(self, rank: int) -> str:
        """The number as text."""
        return Numbers.to_text(self.candidates.table["given_label"][rank])

    def described(self, rank: int) -> Json:
        """The given and the suggested number, its interval, and the numbers of items with about the same prediction."""
        row = self.candidates.table.row(rank, named=True)
        return {
            "given": self.given(rank),
            "suggested": self.suggested_cell(rank),
            "low": row["suggested_low"],
            "high": row["suggested_high"],
            "predicted": row["prediction"],
            "error_kind": row["kind"],
            "confidence": float(row["confidence"]),
            "around": self._around(rank),
        }

    def blinded(self, rank: int) -> Json:
        """The given and the suggested number, in rising order."""
        return {"choices": sorted({self.given(rank), self.suggested_cell(rank)} - {""}, key=float)}

    @cached_property
    def _by_prediction(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Predictions of the numbers that are probably right, in rising order, and these numbers."""
        good = self.candidates.table.filter(pl.col("error_probability") < LIKELY_WRONG)
        table = good.select("prediction", "given_label").sort("prediction")
        return table["prediction"].to_numpy(), table["given_label"].to_numpy()

    def _around(self, rank: int) -> list[list[float]]:
        """Prediction and given number of those items with the nearest predictions, in rising order."""
        predicted, given = self._by_prediction
        own = float(self.candidates.table["prediction"][rank])
        first = max(0, min(int(np.searchsorted(predicted, own)) - CHARTED // 2, len(predicted) - CHARTED))
        some = slice(first, first + CHARTED)
        return [[float(x), float(y)] for x, y in zip(predicted[some], given[some], strict=True)]

    def from_cell(self, cell: str) -> object:
        """The number; a decimal comma is one."""
        return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell

    def suggested_cell(self, rank: int) -> str:
        """The number."""
        value = self.candidates.table["suggested_label"][rank]
        return "" if value is None or not np.isfinite(value) else Numbers.to_text(value)

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The suggestion."""
        return [self.suggested_cell(rank)], float(self.candidates.table["confidence"][rank])

    def control(self, name: str, item: str) -> str:
        """A field for a number."""
        return f'  <Number name="{name}" toName="{item}"/>'

    def results(self, rank: int, text: str) -> tuple[list[Json], float]:
        """The suggestion."""
        values, score = self.preselected(rank)
        return [{"type": "number", "value": {"number": float(value)}} for value in values if value], score

    def answered(self, values: list[Json], rank: int, text: str) -> object | None:
        """The one number."""
        numbers: list[Any] = [value["number"] for value in values if "number" in value]
        if len(numbers) > 1:
            raise BadInput(f"There are {len(numbers)} numbers in one annotation. Give one per item.")
        return numbers[0] if numbers else None

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """Those whose kind of error determines the number before it; a prediction is no measurement."""
        kinds = self.candidates.table["kind"].head(ranks).cast(pl.String).to_list()
        found = [(rank, self.suggested_cell(rank)) for rank, kind in enumerate(kinds) if kind in UNDONE]
        return [(rank, label) for rank, label in found if label and label != self.given(rank)]
