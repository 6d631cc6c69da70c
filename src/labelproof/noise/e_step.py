"""The E step of EM: how often, under the current parameters, labels of each true class were given as each class.

With ``s_n ∝ pred_probs_n ** sharpness``, class weights v, ``t_n = Σ_y v_y s_ny`` and ``p(z | y, x) = (1 - ρ_n) T[y, z] + ρ_n p(z)``, all that the
M step needs is a few products of the matrix of the s with vectors, because items with one given label share a column of T:

    ``e_n = (1 - ρ_n) Σ_y s_ny v_y T[y, z_n] / t_n + ρ_n p(z_n)``                    the evidence p(z_n | x_n)
    ``C[y, z] = v_y T[y, z] Σ_{n given z} s_ny (1 - ρ_n) / (t_n e_n)``               labels given with regard to the class
    ``R[y] = v_y Σ_n s_ny ρ_n p(z_n) / (t_n e_n)``                                   labels given at random
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.noise.powers import powered
from labelproof.threads import one_thread
from labelproof.validation import FloatArray, IntArray

Matrix = npt.NDArray[np.float64]

CHUNK_CELLS = 2**19  # numbers that stay in the cache between their two products
SINGLE_CELLS = 250_000  # up to here double precision costs nothing
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class NoiseParams:
    """The parameters of ``p(z | y, x) p(y | x)`` for an E step; see `labelproof.noise.expectation_maximization`.

    ``systematic`` is ``p(z | y)`` of labels that depend on the class, with shape (k, k). For more than `DENSE_CLASSES` classes
    it has shape (k, 2): the share of a class that keeps its label, and the share that is spread over the other classes by
    their given frequencies.
    """

    systematic: Matrix  #: (k, k) or (k, 2)
    given_prior: Matrix  #: (k,), p(z)
    class_weights: Matrix  #: (k,), factors on the sharpened probabilities, see `labelproof.noise.em.classifier_probs`
    sharpness: float
    ambiguity: float

    @property
    def pooled(self) -> bool:
        """Whether ``systematic`` has the short form, (k, 2)."""
        return self.systematic.shape[1] == 2 and len(self.systematic) > 2

    @property
    def matrix(self) -> Matrix:
        """``systematic`` as a full matrix, shape (k, k)."""
        if not self.pooled:
            return self.systematic
        matrix = self.systematic[:, [1]] * spread(self.given_prior)
        np.fill_diagonal(matrix, self.systematic[:, 0])
        return np.asarray(matrix)

    @property
    def to_others(self) -> Matrix:
        """For the short form, shape (k,): ``p(z | y) = to_others[y] given_prior[z]`` for another class z."""
        others = 1.0 - self.given_prior
        return np.where(others > 0, self.systematic[:, 1] / np.where(others > 0, others, 1.0), 0.0)


def spread(frequency: Matrix) -> Matrix:
    """Rows that spread a share of one over the other classes by frequency, shape (k, k) with a zero diagonal."""
    shares = np.repeat(frequency[None, :] + 1e-12, len(frequency), axis=0)
    np.fill_diagonal(shares, 0.0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Expected:
    """The result of an E step: responsibilities summed over items. The sum of two is the result for both sets of items."""

    systematic: Matrix  #: (k, k) by true and given class, or (k, 2), as in `NoiseParams`
    random: Matrix  #: (k,) by true class, of labels given at random
    classifier: Matrix  #: (k,), p(y | x) before the label is known
    log_likelihood: float  #: summed, in nats
    n: int
    right: float = 0.0  #: labels that are right, given with regard to the class or at random

    def __add__(self, other: Expected) -> Expected:
        return Expected(
            self.systematic + other.systematic,
            self.random + other.random,
            self.classifier + other.classifier,
            self.log_likelihood + other.log_likelihood,
            self.n + other.n,
            self.right + other.right,
        )


class EStep:
    """The E step over rows in memory, for several noise models at once; what depends only on the sharpness is computed once.

    Parameters
    ----------
    probs : ndarray of float32 or float64, shape (n, k)
        Out-of-sample ``p(z | x)``. For many rows, arithmetic is in this type, and sums over rows in float64.
    given : ndarray of int, shape (n,)
        Codes of the given labels, in 0..k-1.
    every : int, default=1
        Use every n-th item only, in the order of their labels.
    """

    def __init__(self, probs: FloatArray, given: IntArray, every: int = 1) -> None:
        self._order = np.argsort(given, kind="stable")[::every]  # items of one label are adjacent
        self._probs, self._given = probs, np.asarray(given)[self._order]
        single = probs.dtype == np.float32 and probs.size > SINGLE_CELLS
        self._dtype = np.dtype(np.float32 if single else np.float64)
        self._chunks = _chunks(self._given, max(1, CHUNK_CELLS // probs.shape[1]))
        self._sharpness: tuple[float, ...] = ()
        self._sharp: list[tuple[Any, Any]] = []

    def __call__(self, params: Sequence[NoiseParams]) -> list[Expected]:
        """The expected counts under each of r noise models, which share the prior of the given labels and have one form."""
        sharpness = tuple(one.sharpness for one in params)
        if sharpness != self._sharpness:
            self._sharpness, self._sharp = sharpness, [self._sharpened(rows, sharpness) for rows, _ in self._chunks]
        with one_thread():  # threads that wait for one another cost more than such products
            found = (_Pooled if params[0].pooled else _Dense)(params, self._dtype)
            for (rows, runs), (sharp, unsure) in zip(self._chunks, self._sharp, strict=True):
                found.add(sharp, unsure, self._given[rows], runs)
        return found.expected(len(self._given))

    def _sharpened(self, rows: slice, sharpness: tuple[float, ...]) -> tuple[Any, Any]:
        """``p(y | x)`` of some rows at each power (r, m, k), and one minus their largest probability (m,)."""
        probs = self._probs[self._order[rows]].astype(self._dtype, copy=False)
        sharp = np.stack(powered(probs, sharpness))
        sharp /= sharp.sum(axis=2, keepdims=True)
        return sharp, 1 - np.minimum(probs.max(axis=1), 1)


def _chunks(given: IntArray, rows: int) -> list[tuple[slice, list[tuple[int, int, int]]]]:
    """Runs of rows that fit a cache, each with the class, start and stop of its runs of one label."""
    cuts = np.searchsorted(given, np.arange(given[-1] + 2)) if len(given) else np.zeros(1, int)
    chunks = []
    for start in range(0, len(given), rows):
        stop = min(start + rows, len(given))
        first, last = int(given[start]), int(given[stop - 1])
        ends = [start, *cuts[first + 1 : last + 1].tolist(), stop]
        runs = [(first + i, a - start, b - start) for i, (a, b) in enumerate(pairwise(ends)) if b > a]
        chunks.append((slice(start, stop), runs))
    return chunks


class _Sums:
    """The sums over rows, for the short and the full form of the noise; r noise models in parallel."""

    def __init__(self, params: Sequence[NoiseParams], dtype: np.dtype[Any]) -> None:
        self.exact_weights = np.array([one.class_weights for one in params])  # (r, k)
        self.weights = self.exact_weights.astype(dtype)
        self.ambiguity = np.array([one.ambiguity for one in params], dtype)[:, None]  # (r, 1)
        self.given_prior = params[0].given_prior.astype(dtype)  # (k,)
        self.both = np.zeros((len(params), 2, len(self.given_prior)))  # of random and classifier, before class weights
        self.log_likelihood: Matrix = np.zeros(len(params))
        self.right_by_chance: Matrix = np.zeros(len(params))
        self.impossible: Matrix = np.zeros((len(params), len(self.given_prior)))

    def _regard(self, by_class: Any, unsure: Any, given: IntArray, sharp: Any) -> Any:
        """``(1 - ρ) / (t e)`` of each row (r, m) from ``t p(z | x)`` of a label given with regard to the class; adds what both forms share."""
        rate = self.ambiguity * unsure
        regard, chance = 1 - rate, rate * self.given_prior[given]
        inverse = 1 / np.matmul(sharp, self.weights[:, :, None])[..., 0]
        evidence = regard * by_class
        evidence *= inverse
        evidence += chance
        logs = np.log(evidence) if evidence.min() > 0 else self._without_impossible(evidence, given)
        self.log_likelihood += logs.sum(axis=1)
        share = inverse / evidence
        regard *= share
        chance *= share
        if self.ambiguity.any():
            own = sharp[:, np.arange(len(given)), given] * self.weights[:, given]
            self.right_by_chance += (own * chance).sum(axis=1)
        self.both[:, 0] += np.matmul(chance[:, None], sharp)[:, 0]
        self.both[:, 1] += np.matmul(inverse[:, None], sharp)[:, 0]
        return regard

    def _without_impossible(self, evidence: Any, given: IntArray) -> Any:
        """Logarithms of the evidence. Labels that the noise rules out count as kept and carry no information."""
        out = evidence <= 0
        for r, rows in enumerate(out):
            self.impossible[r] += np.bincount(given[rows], minlength=self.impossible.shape[1])
        evidence[out] = 1
        logs = np.log(evidence)
        evidence[out] = np.inf
        return logs

    def _expected(self, systematic: Matrix, kept: Matrix, n: int) -> list[Expected]:
        """``kept`` (r,) are labels given as their class with regard to it."""
        random, classifier = self.both[:, 0] * self.exact_weights, self.both[:, 1] * self.exact_weights
        right = kept + self.right_by_chance
        each = zip(systematic, random, classifier, self.log_likelihood.tolist(), right.tolist(), strict=True)
        return [Expected(counts, chance, mean, likelihood, n, own) for counts, chance, mean, likelihood, own in each]


class _Dense(_Sums):
    """Every pair of classes has a rate of its own."""

    def __init__(self, params: Sequence[NoiseParams], dtype: np.dtype[Any]) -> None:
        super().__init__(params, dtype)
        systematic = np.array([one.systematic for one in params])  # (r, true, given)
        self.weighted = np.ascontiguousarray((systematic * self.exact_weights[:, :, None]).swapaxes(1, 2))  # (r, given, true)
        self.lines = self.weighted.astype(dtype)
        self.sums = np.zeros(self.lines.shape)  # (r, given, true)

    def add(self, sharp: Any, unsure: Any, given: IntArray, runs: list[tuple[int, int, int]]) -> None:
        by_class = np.empty(sharp.shape[:2], sharp.dtype)
        for z, a, b in runs:
            np.matmul(sharp[:, a:b], self.lines[:, z, :, None], out=by_class[:, a:b, None])
        regard = self._regard(by_class, unsure, given, sharp)
        for z, a, b in runs:
            self.sums[:, z] += np.matmul(regard[:, None, a:b], sharp[:, a:b])[:, 0]

    def expected(self, n: int) -> list[Expected]:
        counts = self.sums * self.weighted
        diagonal = np.arange(counts.shape[1])
        counts[:, diagonal, diagonal] += self.impossible
        return self._expected(counts.swapaxes(1, 2), counts[:, diagonal, diagonal].sum(axis=1), n)


class _Pooled(_Sums):
    """A class keeps its label, or it is spread over the others as often as these are given."""

    def __init__(self, params: Sequence[NoiseParams], dtype: np.dtype[Any]) -> None:
        super().__init__(params, dtype)
        self.exact_lost = np.array([one.to_others for one in params]) * self.exact_weights  # (r, k)
        self.lost = self.exact_lost.astype(dtype)
        self.kept = (np.array([one.systematic[:, 0] for one in params]) * self.exact_weights).astype(dtype)
        self.own, self.own_lost, self.others = (np.zeros(self.lost.shape) for _ in range(3))

    def add(self, sharp: Any, unsure: Any, given: IntArray, runs: list[tuple[int, int, int]]) -> None:
        own, prior = sharp[:, np.arange(len(given)), given], self.given_prior[given]
        kept, lost = own * self.kept[:, given], own * self.lost[:, given] * prior
        by_class = np.maximum(np.matmul(sharp, self.lost[:, :, None])[..., 0] * prior - lost, 0) + kept
        regard = self._regard(by_class, unsure, given, sharp)
        k = self.own.shape[1]
        for r, part in enumerate(regard):
            self.own[r] += np.bincount(given, kept[r] * part, k)
            self.own_lost[r] += np.bincount(given, lost[r] * part, k)
        self.others += np.matmul((regard * prior)[:, None], sharp)[:, 0]

    def expected(self, n: int) -> list[Expected]:
        lost = np.maximum(self.others * self.exact_lost - self.own_lost, 0)
        kept = self.own + self.impossible
        return self._expected(np.stack([kept, lost], axis=2), kept.sum(axis=1), n)
