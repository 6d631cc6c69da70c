"""How tags go wrong: two rates for each tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import Json

Rates = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TagRates:
    """The noise model of tags: how often each is missing, and how often it is incorrect.

    Attributes
    ----------
    missing_rates, incorrect_rates : ndarray, shape (k,)
        ``p(given = 0 | true = 1)`` and ``p(given = 1 | true = 0)``; NaN for a tag that is always or never given.
    classes : tuple of length k
        The tags.
    """

    missing_rates: Rates
    incorrect_rates: Rates
    classes: tuple[object, ...]

    def to_frame(self) -> pl.DataFrame:
        """Four rows for each tag: ``tag``, ``true``, ``given`` (0 or 1) and ``probability``, ``p(given | true)``."""
        rows = np.stack([1 - self.incorrect_rates, self.incorrect_rates, self.missing_rates, 1 - self.missing_rates], axis=1)
        k = len(self.classes)
        return pl.DataFrame(
            {
                "tag": np.repeat([str(name) for name in self.classes], 4),
                "true": np.tile([0, 0, 1, 1], k),
                "given": np.tile([0, 1, 0, 1], k),
                "probability": rows.ravel(),
            }
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        rates = {"missing_rates": self.missing_rates, "incorrect_rates": self.incorrect_rates}
        return {name: [None if np.isnan(v) else float(v) for v in values] for name, values in rates.items()}

    @classmethod
    def from_json(cls, summary: Json) -> Self:
        """From ``summary.json``."""
        missing, incorrect = (np.array(summary[name], dtype=float) for name in ("missing_rates", "incorrect_rates"))
        return cls(missing, incorrect, tuple(summary["classes"]))
