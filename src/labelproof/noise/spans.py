"""How spans go wrong: missing and extra ones by type, confused types, and boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import Json

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpanNoise:
    """The noise model of spans.

    Attributes
    ----------
    counts : ndarray, shape (c + 1, c + 1)
        ``counts[y, z]``: expected number of spans of true type y that were given as type z. Last row: extra ones, without a
        true type; last column: missing ones.
    boundary_rate : float
        Share of the given spans whose boundary is wrong.
    wrong_sentences : tuple of three floats
        Share of the sentences in which anything is wrong: estimate, and the ends of a 95 % interval.
    classes : tuple of length c
        The types.
    """

    counts: Matrix
    boundary_rate: float
    wrong_sentences: tuple[float, float, float]
    classes: tuple[object, ...]

    @property
    def missing_rates(self) -> Matrix:
        """Share of the spans of each true type that were not given, shape (c,); NaN without one."""
        return _share(self.counts[:-1, -1], self.counts[:-1].sum(axis=1))

    @property
    def extra_rates(self) -> Matrix:
        """Share of the given spans of each type that are extra, shape (c,); NaN without one."""
        return _share(self.counts[-1, :-1], self.counts[:, :-1].sum(axis=0))

    @property
    def confusion(self) -> Matrix:
        """``p(given type | true type)`` of the given spans, shape (c, c); rows sum to one, or are NaN."""
        given = self.counts[:-1, :-1]
        return _share(given, given.sum(axis=1, keepdims=True))

    def to_frame(self) -> pl.DataFrame:
        """A row for each pair of types, ``true`` and ``given``, null for no span, with ``probability``, ``p(given | true)``.

        With a null ``true`` it is the share of the given spans of the type that are extra.
        """
        names = [*map(str, self.classes), None]
        c = len(self.classes)
        rates = np.vstack([_share(self.counts[:-1], self.counts[:-1].sum(axis=1, keepdims=True)), [*self.extra_rates, np.nan]])
        pairs = [(y, z) for y in range(c + 1) for z in range(c + 1) if (y, z) != (c, c)]
        return pl.DataFrame(
            {
                "true": pl.Series([names[y] for y, _ in pairs], dtype=pl.String),
                "given": pl.Series([names[z] for _, z in pairs], dtype=pl.String),
                "probability": pl.Series([float(rates[pair]) for pair in pairs], dtype=pl.Float64),
            }
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        return {
            "counts": self.counts.tolist(),
            "boundary_rate": self.boundary_rate,
            "wrong_sentences": dict(zip(("estimate", "low", "high"), self.wrong_sentences, strict=True)),
        }

    @classmethod
    def from_json(cls, summary: Json) -> Self:
        """From ``summary.json``."""
        wrong = summary["wrong_sentences"]
        return cls(
            np.array(summary["counts"], dtype=float),
            float(summary["boundary_rate"]),
            (wrong["estimate"], wrong["low"], wrong["high"]),
            tuple(summary["classes"]),
        )


def _share(part: Matrix, whole: Matrix) -> Matrix:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan))
