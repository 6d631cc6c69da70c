"""Reviewing classes: keep the given one, take the suggestion, or name another."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.larger import worst_of
from labelproof.labels.classes import class_codes
from labelproof.review.kinds.base import SCRIPTS
from labelproof.review.kinds.one_class import ReviewOfOneClass
from labelproof.validation import Json

LIKELY = 8
COLUMNS = ("index", "id", "error_probability", "confidence", "given_label", "suggested_label")


class ReviewOfClasses(ReviewOfOneClass):
    """One answer per item."""

    kind = "classes"
    script = SCRIPTS / "classes.js"
    of_all = "of the labels"
    similar = True
    may_be_blind = True

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """Column by column: a million findings come with strings that are not needed together."""
        columns = []
        for name in COLUMNS:
            column = worst_of(folder, [name])[name]
            if name == "id":
                column = column.cast(pl.String)
            elif name.endswith("_label"):
                column = class_codes(column, classes)
            columns.append(column)
        return pl.DataFrame(columns)

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The code of the class."""
        return table["given_label"].cast(pl.String)

    def texts(self) -> pl.Series:
        """The name of the class."""
        return pl.Series(self.candidates.classes, dtype=pl.String).gather(self.candidates.table["given_label"])

    def given_texts(self) -> pl.Series:
        """The name of the class."""
        return self.texts()

    @cached_property
    def given_codes(self) -> npt.NDArray[np.int64]:
        """Code of the given class by rank, shape (n,)."""
        return self.candidates.table["given_label"].to_numpy()

    @cached_property
    def suggested_codes(self) -> npt.NDArray[np.int64]:
        """Code of the suggested class by rank, shape (n,)."""
        return self.candidates.table["suggested_label"].to_numpy()

    def given(self, rank: int) -> str:
        """The name of the class."""
        return self.candidates.classes[int(self.given_codes[rank])]

    def rated(self) -> pl.Series:
        """Every class has a rate."""
        return self.candidates.table["given_label"]

    def described(self, rank: int) -> Json:
        """Codes of the given and the suggested class, the confidence, and the alternatives."""
        given, suggested = int(self.given_codes[rank]), int(self.suggested_codes[rank])
        confidence = float(self.candidates.table["confidence"][rank])
        likely = self._likely(given, suggested)
        return {"given": given, "suggested": suggested, "confidence": confidence, "likely": likely}

    def blinded(self, rank: int) -> Json:
        """The given class among those that such a label most often should be, by name."""
        given = int(self.given_codes[rank])
        return {"likely": sorted({given, *self._likely(given, int(self.suggested_codes[rank]))})}

    @cached_property
    def _inverse(self) -> npt.NDArray[np.float64] | None:
        """p(true | given), shape (k, k), of the audit's noise; ``None`` if it has too many classes."""
        summary = self.candidates.summary
        if summary.get("transition") is None:
            return None
        joint = np.array(summary["transition"]) * np.array(summary["prior"])[:, None]
        return np.asarray(joint.T / np.maximum(joint.sum(axis=0)[:, None], 1e-300))

    def _likely(self, given: int, suggested: int) -> list[int]:
        """Codes of the classes that such a label most often should be, the suggestion first."""
        every = np.arange(len(self.candidates.classes))
        order = every if self._inverse is None else np.argsort(-self._inverse[given], kind="stable")
        others = [int(code) for code in order[: LIKELY + 2] if code not in (given, suggested)]
        return [suggested, *others][:LIKELY] if suggested != given else others[:LIKELY]

    def suggested_cell(self, rank: int) -> str:
        """The name of the class."""
        return self.candidates.classes[int(self.suggested_codes[rank])]

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The suggestion."""
        return [self.suggested_cell(rank)], float(self.candidates.table["confidence"][rank])

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """Those that are another class than the given one."""
        others = np.flatnonzero(self.suggested_codes[:ranks] != self.given_codes[:ranks])
        return [(rank, self.suggested_cell(rank)) for rank in others.tolist()]
