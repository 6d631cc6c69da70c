"""The noise model of class labels: ``transition[i, j] = p(given = j | true = i)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.validation import (
    Json,
    RandomState,
    accepts_seed,
    check_codes,
    check_distribution,
    check_rate,
    check_transition,
    rng_from,
    to_numpy,
)

Matrix = npt.NDArray[np.float64]


class TransitionMatrix:
    r"""The transition matrix: how true labels turn into given ones.

    ``matrix[i, j] = p(given = j | true = i)``; rows sum to one, so a noisy prediction is ``p_true @ matrix``.

    Parameters
    ----------
    matrix : array-like, shape (k, k)
        Rows are true classes, columns given ones.
    prior : array-like, shape (k,), optional
        ``p(true = i)``. By default uniform.
    classes : sequence of length k, optional
        Class names in sorted order. By default ``0..k-1``.

    Raises
    ------
    BadInput
        If a row does not sum to one, with a hint to transpose if the columns do.

    Examples
    --------
    >>> noise = TransitionMatrix.pair(3, 0.2)
    >>> noise.matrix[0]
    array([0.8, 0.2, 0. ])
    >>> round(noise.error_rate, 3)
    0.2
    >>> noise
    TransitionMatrix(k=3, error_rate=0.200)
      true \ given     0     1     2
      0             0.80  0.20     .
      1                .  0.80  0.20
      2             0.20     .  0.80
    """

    def __init__(self, matrix: Any, *, prior: Any | None = None, classes: Sequence[object] | None = None) -> None:
        self._factors: tuple[Matrix, Matrix] | None = None
        self.matrix = check_transition(matrix)
        self._label(len(self.matrix), prior, classes)

    def _label(self, k: int, prior: Any | None, classes: Sequence[object] | None) -> None:
        self.prior: Matrix = np.full(k, 1 / k) if prior is None else check_distribution(prior, k)
        self.classes: tuple[Any, ...] = tuple(range(k)) if classes is None else tuple(classes)
        if len(self.classes) != k:
            raise BadInput(f"classes has {len(self.classes)} entries but the matrix is {k} x {k}. Give one class per row.")

    @classmethod
    def pooled(cls, error_rates: Any, given_prior: Any, **kwargs: Any) -> TransitionMatrix:
        """Class ``i`` is wrong with probability ``error_rates[i]``, and then any other class in proportion to its given
        frequency.

        Meant for thousands of classes: the full matrix is made only when ``matrix`` is read.

        Parameters
        ----------
        error_rates, given_prior : array-like, shape (k,)
        """
        noise = cls.__new__(cls)
        rates = to_numpy(error_rates, "error_rates").astype(float)
        noise._factors = (rates, check_distribution(given_prior, len(rates), name="given_prior"))
        noise._label(len(rates), kwargs.get("prior"), kwargs.get("classes"))
        return noise

    @property
    def factors(self) -> tuple[Matrix, Matrix] | None:
        """``(error_rates, given_prior)``, each (k,), of a pooled matrix; ``None`` for others."""
        return self._factors

    @cached_property
    def matrix(self) -> Matrix:
        """``p(given = j | true = i)``, shape (k, k)."""
        assert self._factors is not None
        rates, given_prior = self._factors
        matrix = np.repeat(given_prior[None, :] + np.finfo(float).tiny, len(rates), axis=0)
        np.fill_diagonal(matrix, 0.0)
        matrix *= (rates / matrix.sum(axis=1))[:, None]
        np.fill_diagonal(matrix, 1 - rates)
        return matrix

    def to_frame(self) -> pl.DataFrame:
        """``k * k`` rows: ``true`` and ``given`` class by name, and ``probability``, ``p(given | true)``."""
        names = pl.Series(list(self.classes))
        place = np.arange(self.k)
        return pl.DataFrame(
            {
                "true": names.gather(np.repeat(place, self.k)),
                "given": names.gather(np.tile(place, self.k)),
                "probability": self.matrix.ravel(),
            }
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``; for very many classes ``error_rates`` and ``given_prior``."""
        prior = {"prior": self.prior.tolist()}
        if self._factors is None:
            return {"transition": self.matrix.tolist(), **prior}
        rates, given_prior = self._factors
        return {"transition": None, "error_rates": rates.tolist(), "given_prior": given_prior.tolist(), **prior}

    @classmethod
    def from_json(cls, summary: Json) -> TransitionMatrix:
        """From ``summary.json``."""
        known = {"prior": summary["prior"], "classes": summary["classes"]}
        if summary["transition"] is None:
            return cls.pooled(summary["error_rates"], summary["given_prior"], **known)
        return cls(summary["transition"], **known)

    @classmethod
    def symmetric(cls, k: int, rate: float, **kwargs: Any) -> TransitionMatrix:
        """A label is wrong with probability ``rate``, and then any of the other k - 1 classes with equal probability."""
        rate = check_rate(rate)
        k = _check_k(k)
        matrix = np.full((k, k), rate / (k - 1))
        np.fill_diagonal(matrix, 1 - rate)
        return cls(matrix, **kwargs)

    @classmethod
    def pair(cls, k: int, rate: float, class_map: Mapping[int, int] | None = None, **kwargs: Any) -> TransitionMatrix:
        """Class ``i`` becomes ``class_map[i]`` with probability ``rate``. By default that is the next class, for the last the
        first.

        Classes that are not in ``class_map`` keep their labels.
        """
        rate = check_rate(rate)
        k = _check_k(k)
        pairs = {i: (i + 1) % k for i in range(k)} if class_map is None else dict(class_map)
        matrix = np.eye(k)
        for i, j in pairs.items():
            if not (0 <= i < k and 0 <= j < k):
                raise BadInput(f"class_map has {i} -> {j}, outside 0..{k - 1}.")
            if i != j:
                matrix[i, i], matrix[i, j] = 1 - rate, rate
        return cls(matrix, **kwargs)

    @classmethod
    def from_rates(cls, rates: Any, **kwargs: Any) -> TransitionMatrix:
        """Class ``i`` is wrong with probability ``rates[i]``, shape (k,), spread equally over the other classes."""
        values = to_numpy(rates, "rates").astype(float)
        k = _check_k(len(values))
        for i, value in enumerate(values):
            check_rate(float(value), name=f"rates[{i}]")
        matrix = np.repeat(values[:, None] / (k - 1), k, axis=1)
        np.fill_diagonal(matrix, 1 - values)
        return cls(matrix, **kwargs)

    @classmethod
    def from_counts(cls, counts: Any, **kwargs: Any) -> TransitionMatrix:
        """From ``counts[i, j]``, the number of items of true class i that are given j. An empty row becomes the identity's."""
        table = to_numpy(counts, "counts").astype(float)
        if table.ndim != 2 or table.shape[0] != table.shape[1] or table.min() < 0 or table.sum() <= 0:
            raise BadInput(f"counts has shape {table.shape}. Give a square matrix of counts, none negative, not all zero.")
        prior = table.sum(axis=1) / table.sum()
        filled = np.where(prior[:, None] > 0, table, np.eye(len(table)))
        return cls(filled / filled.sum(axis=1, keepdims=True), prior=prior, **kwargs)

    @property
    def k(self) -> int:
        """Number of classes."""
        return len(self.prior)

    @property
    def joint(self) -> Matrix:
        """``joint[i, j] = p(true = i, given = j)``, shape (k, k), sums to one."""
        return self.prior[:, None] * self.matrix

    @property
    def given_prior(self) -> Matrix:
        """``p(given = j)``, shape (k,)."""
        return self.prior @ self.matrix

    @cached_property
    def inverse(self) -> Matrix:
        """``inverse[j, i] = p(true = i | given = j)``, shape (k, k). A class that is never given keeps itself."""
        marginal = self.given_prior
        safe = np.where(marginal > 0, marginal, 1.0)
        return np.where(marginal[:, None] > 0, self.joint.T / safe[:, None], np.eye(self.k))

    @property
    def error_rate(self) -> float:
        """``p(given != true)``."""
        rates = 1 - np.diag(self.matrix) if self._factors is None else self._factors[0]
        return float(self.prior @ rates)

    def compose(self, after: TransitionMatrix) -> TransitionMatrix:
        """The noise of this matrix followed by that of ``after``: ``p(z2 | y) = sum over z1 of p(z1 | y) p(z2 | z1)``."""
        if after.k != self.k:
            raise BadInput(f"Matrices of {self.k} and of {after.k} classes cannot be composed. Give matrices of the same size.")
        return TransitionMatrix(self.matrix @ after.matrix, prior=self.prior, classes=self.classes)

    def __matmul__(self, after: TransitionMatrix) -> TransitionMatrix:
        return self.compose(after)

    @accepts_seed
    def sample(self, true: Any, random_state: RandomState = None) -> npt.NDArray[np.int64]:
        """Draw a given label for each true one.

        Parameters
        ----------
        true : array-like of int, shape (n,)
            Codes 0..k-1.
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        codes = check_codes(true, self.k, name="true")
        cumulative = np.cumsum(self.matrix, axis=1)
        cumulative[:, -1] = 1.0
        uniform = rng_from(random_state).random(len(codes))
        given = np.empty(len(codes), np.int64)
        for i in range(self.k):
            rows = codes == i
            given[rows] = np.searchsorted(cumulative[i], uniform[rows], side="right")
        return given

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Matrix:
        return np.array(self.matrix, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TransitionMatrix):
            return NotImplemented
        same = np.array_equal(self.matrix, other.matrix) and np.array_equal(self.prior, other.prior)
        return bool(same and self.classes == other.classes)

    __hash__ = None  # type: ignore[assignment]  # it holds arrays

    def __repr__(self) -> str:
        head = f"TransitionMatrix(k={self.k}, error_rate={self.error_rate:.3f})"
        if self.k > 12:
            return head
        names = [str(c)[:10] for c in self.classes]
        wide, col = max(len("true \\ given"), *map(len, names)), max(4, *map(len, names))
        cells = [["." if v < 0.005 else f"{v:.2f}" for v in row] for row in self.matrix]
        lines = ["  " + "true \\ given".ljust(wide) + "".join(f"  {n:>{col}}" for n in names)]
        lines += ["  " + names[i].ljust(wide) + "".join(f"  {c:>{col}}" for c in row) for i, row in enumerate(cells)]
        return "\n".join([head, *lines])


def _check_k(k: int) -> int:
    if int(k) != k or k < 2:
        raise BadInput(f"k is {k!r}. Give the number of classes, at least 2.")
    return int(k)
