"""How boxes go wrong: missing, extra and displaced ones by class and by size, and confused classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import IntArray, Json

SIZES = ("small", "medium", "large")  # thirds of the given boxes by area
OF_GIVEN = ("displaced", "extra", "class")
COLUMNS = ("missing", *OF_GIVEN)

Matrix = npt.NDArray[np.float64]


class Rate(NamedTuple):
    """A share, with a 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class BoxNoise:
    """The noise model of boxes.

    Attributes
    ----------
    rates : dict of str to Rate
        ``displaced``, ``extra`` and ``class`` of the given boxes, ``missing`` of the true ones; without kinds that were not
        searched.
    expected : ndarray, shape (k, 3, 5)
        Expected numbers by class and size (small, medium, large): of given boxes, and of missing, displaced, extra and
        wrong-class ones.
    confusion_counts : ndarray, shape (k, k)
        ``confusion_counts[y, z]``: expected number of boxes of true class y that were given as class z.
    edges : tuple of two floats
        Between small, medium and large: square roots of the area, in pixels.
    classes : tuple of length k
    """

    rates: dict[str, Rate]
    expected: Matrix
    confusion_counts: Matrix
    edges: tuple[float, float]
    classes: tuple[object, ...]

    @property
    def confusion(self) -> Matrix:
        """``p(given class | true class)`` of the given boxes, shape (k, k); rows sum to one, or are NaN."""
        return _share(self.confusion_counts, self.confusion_counts.sum(axis=1, keepdims=True))

    def by_size(self, kind: str) -> Matrix:
        """Rate of a kind by class and size, shape (k, 3); NaN without boxes."""
        return _rate(self.expected, kind)

    def to_frame(self) -> pl.DataFrame:
        """A row per rate: ``kind``, ``true`` and ``given`` (classes; null for none, and in rows over all), ``size`` (null for
        all), ``probability``, ``low``, ``high``.

        ``extra``, ``displaced`` and ``class`` are shares of the given boxes, ``missing`` of the true ones; pairs of classes
        have ``p(given | true)``. The rows over all classes and sizes come first; only they have an interval.
        """
        rows: list[tuple[object, ...]] = [(kind, None, None, None, *self.rates[kind]) for kind in COLUMNS if kind in self.rates]
        for kind in ("missing", "extra", "displaced"):
            if kind in self.rates:
                rows += self._of_classes(kind)
        names = [str(name) for name in self.classes]
        if "class" in self.rates:
            table = self.confusion
            pairs = [(y, z) for y in range(len(names)) for z in range(len(names)) if y != z]
            rows += [("class", names[y], names[z], None, float(table[y, z]), None, None) for y, z in pairs]
        schema = {"kind": pl.String, "true": pl.String, "given": pl.String, "size": pl.String}
        return pl.DataFrame(rows, {**schema, **dict.fromkeys(("probability", "low", "high"), pl.Float64)}, orient="row")

    def _of_classes(self, kind: str) -> list[tuple[object, ...]]:
        """Rates of each class over all sizes, then by size."""
        found: list[tuple[object, ...]] = []
        whole, table = _rate(self.expected.sum(axis=1), kind), self.by_size(kind)
        for i, one in enumerate(self.classes):
            name = str(one)
            true, given = (None if kind == "extra" else name), (None if kind == "missing" else name)
            found.append((kind, true, given, None, float(whole[i]), None, None))
            found += [(kind, true, given, size, float(table[i, j]), None, None) for j, size in enumerate(SIZES)]
        return found

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        return {
            "rates": {kind: rate._asdict() for kind, rate in self.rates.items()},
            "expected": self.expected.tolist(),
            "confusion_counts": self.confusion_counts.tolist(),
            "edges": list(self.edges),
        }

    @classmethod
    def from_json(cls, summary: Json) -> Self:
        """From ``summary.json``."""
        k = len(summary["classes"])
        return cls(
            {kind: Rate(**rate) for kind, rate in summary["rates"].items()},
            np.array(summary["expected"], dtype=float).reshape(k, len(SIZES), 5),
            np.array(summary["confusion_counts"], dtype=float).reshape(k, k),
            (float(summary["edges"][0]), float(summary["edges"][1])),
            tuple(summary["classes"]),
        )


def expected_of(given: Matrix, cell: IntArray, missing: Matrix, cell_of_missing: IntArray, k: int) -> Matrix:
    """`BoxNoise.expected`.

    Parameters
    ----------
    given : ndarray, shape (s, 3)
        That each given box is displaced, extra or of another class.
    cell : ndarray of int64, shape (s,)
        ``3 class + size``.
    missing : ndarray, shape (m,)
    cell_of_missing : ndarray of int64, shape (m,)
    """
    columns = [
        np.bincount(cell, minlength=3 * k),
        np.bincount(cell_of_missing, missing, minlength=3 * k),
        *(np.bincount(cell, column, minlength=3 * k) for column in given.T),
    ]
    return np.stack(columns, axis=1).astype(np.float64).reshape(k, 3, 5)


def _rate(expected: Matrix, kind: str) -> Matrix:
    number = expected[..., 1 + COLUMNS.index(kind)]
    given, missing, extra = expected[..., 0], expected[..., 1], expected[..., 1 + COLUMNS.index("extra")]
    return _share(number, given - extra + missing if kind == "missing" else given)


def _share(part: Matrix, whole: Matrix) -> Matrix:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan))
