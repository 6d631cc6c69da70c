"""`MaskNoise`: how masks go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import Json

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MaskNoise:
    """The noise model of regions.

    Attributes
    ----------
    counts : ndarray, shape (kinds, k, k)
        ``counts[h, y, z]``: expected number of regions of true class y that are given as class z, by the kind of error h.
    right : ndarray, shape (k,)
        Expected number of given regions of each class that are right.
    kinds : tuple of str
        The kinds of error.
    wrong_pictures : tuple of three floats
        Share of the pictures in which anything is wrong: estimate, and the ends of a 95 % interval.
    tolerance : float
        Standard deviation in pixels of the expected predictions at a border: how uncertain borders are.
    together : float
        Number of pixels that count as one independent observation, because their predictions are correlated.
    classes : tuple of length k
    """

    counts: Matrix
    right: Matrix
    kinds: tuple[str, ...]
    wrong_pictures: tuple[float, float, float]
    tolerance: float
    together: float
    classes: tuple[object, ...]

    def rate(self, kind: str) -> float:
        """Expected number of errors of a kind over the number of regions."""
        total = self.right.sum() + self.counts.sum()
        return float(self.counts[self.kinds.index(kind)].sum() / total) if total > 0 else 0.0

    def to_frame(self) -> pl.DataFrame:
        """A row for each kind of error and pair of classes: ``kind``, ``true``, ``given`` and ``probability``.

        The probability is the expected number of regions of class ``true`` with that error, divided by that of all regions of
        that class.
        """
        k = len(self.classes)
        total = self.right + self.counts.sum(axis=(0, 2))
        rates = self.counts / np.where(total > 0, total, 1.0)[None, :, None]
        rows = [(h, y, z) for h in range(len(self.kinds)) for y in range(k) for z in range(k) if y != z]
        names = pl.Series(list(self.classes))
        return pl.DataFrame(
            {
                "kind": pl.Series([self.kinds[h] for h, _, _ in rows], dtype=pl.String),
                "true": names.gather([y for _, y, _ in rows]),
                "given": names.gather([z for _, _, z in rows]),
                "probability": pl.Series([float(rates[row]) for row in rows], dtype=pl.Float64),
            }
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        return {
            "counts": self.counts.tolist(),
            "right": self.right.tolist(),
            "kinds": list(self.kinds),
            "wrong_pictures": dict(zip(("estimate", "low", "high"), self.wrong_pictures, strict=True)),
            "tolerance": self.tolerance,
            "together": self.together,
        }

    @classmethod
    def from_json(cls, summary: Json) -> Self:
        """From ``summary.json``."""
        wrong = summary["wrong_pictures"]
        k = len(summary["classes"])
        return cls(
            np.array(summary["counts"], dtype=float).reshape(-1, k, k),
            np.array(summary["right"], dtype=float),
            tuple(summary["kinds"]),
            (wrong["estimate"], wrong["low"], wrong["high"]),
            float(summary["tolerance"]),
            float(summary["together"]),
            tuple(summary["classes"]),
        )
