"""The posterior of every label, row by row, under the noise model of `labelproof.noise.expectation_maximization`.

This is `labelproof.noise.posterior` for millions of rows: of each only the error probability, the most probable class and its posterior are
kept. `score_rows` is numpy; `labelproof.auditing.scoring_compiled` does the same in one pass over the cells. Both compute in the type of the
probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.noise.e_step import NoiseParams
from labelproof.noise.em import NoiseFit
from labelproof.noise.powers import powered
from labelproof.validation import ROW_SUM_TOLERANCE, FloatArray, IntArray

LOWEST = -1e-6  # what rounding may leave of a probability of zero
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ScoreParams:
    """A noise model as scoring takes it, c components, arrays in the type of the probabilities.

    Class weights are multiplied in. ``lines[c, z, y]`` is ``v_y p(z | y)`` for ``z != y`` and zero for ``z == y``; if all
    given labels share a line it has the shape (c, 1, k) and is to be multiplied by ``spread[z]``.
    """

    lines: Array  # (c, k, k) or (c, 1, k)
    spread: Array  # (k,), float64: ones, or p(z)
    kept: Array  # (c, k), float64: v_z p(z | z)
    weights: Array  # (c, k)
    given_prior: Array  # (k,), float64
    powers: tuple[float, ...]  # (c,)
    ambiguity: Array  # (c,), float64
    shares: Array  # (c,), float64

    @classmethod
    def of(cls, noise: NoiseFit, dtype: Any) -> ScoreParams:
        """For probabilities of a type."""
        each, first = noise.components, noise.components[0]
        lines = np.ascontiguousarray(np.stack([_lines(params) for params in each]), dtype)
        weights = np.stack([params.class_weights for params in each])
        own = np.stack([params.systematic[:, 0] if params.pooled else np.diag(params.systematic) for params in each])
        return cls(
            lines,
            np.asarray(first.given_prior if first.pooled else np.ones(len(first.given_prior)), float),
            own * weights,
            np.ascontiguousarray(weights, dtype),
            np.asarray(first.given_prior, float),
            tuple(params.sharpness for params in each),
            np.array([params.ambiguity for params in each], float),
            noise.weights,
        )

    def twice(self) -> ScoreParams:
        """Two components; the second has no share if there was only one."""
        if len(self.powers) == 2:
            return self
        both = {name: np.repeat(getattr(self, name), 2, axis=0) for name in ("lines", "kept", "weights", "ambiguity")}
        return replace(self, **both, powers=self.powers * 2, shares=np.array([1.0, 0.0]))

    @classmethod
    def trivial(cls, dtype: Any) -> ScoreParams:
        """A component with one class that is always right."""
        one = np.ones((1, 1))
        return cls(np.zeros((1, 1, 1), dtype), one[0], one, one.astype(dtype), one[0], (1.0,), np.zeros(1), one[0])


def _lines(params: NoiseParams) -> Array:
    """``v_y p(z | y)`` for each given label z, without the one that is kept; or one line that all share."""
    if params.pooled:
        return (params.to_others * params.class_weights)[None]
    lines = params.systematic.T * params.class_weights
    np.fill_diagonal(lines, 0.0)
    return lines


class Rows(NamedTuple):
    """The scores of m rows."""

    error: npt.NDArray[np.float64]  # (m,), NaN where unlabelled
    suggested: npt.NDArray[np.int32]  # (m,), -1 where unlabelled
    confidence: npt.NDArray[np.float32]  # (m,)
    expected_errors: npt.NDArray[np.float64]  # (c,), under each component
    first_bad: int  # the first row that is no distribution, or m


def score_rows(probs: FloatArray, given: IntArray, params: ScoreParams) -> Rows:
    """The scores of the rows of ``probs`` (m, k) with labels ``given`` (m,), -1 for none; in numpy."""
    n = len(probs)
    error, suggested, confidence = np.full(n, np.nan), np.full(n, -1, np.int32), np.full(n, np.nan, np.float32)
    with np.errstate(invalid="ignore"):  # the search is for NaN and infinity
        bad = ~((np.abs(probs.sum(axis=1) - 1) <= ROW_SUM_TOLERANCE) & (probs.min(axis=1) >= LOWEST))
    rows = np.flatnonzero((given >= 0) & ~bad)
    of = slice(None) if len(rows) == n else rows
    wrong, best, highest, errors = _labelled(probs[of], np.asarray(given)[of], params)
    error[of], suggested[of], confidence[of] = wrong, best, highest
    return Rows(error, suggested, confidence, errors, int(bad.argmax()) if bad.any() else n)


def _labelled(probs: FloatArray, z: IntArray, params: ScoreParams) -> tuple[Array, Array, Array, Array]:
    rows, components = np.arange(len(probs)), len(params.powers)
    unsure = 1 - np.minimum(probs.max(axis=1), 1).astype(float) if len(probs) else np.empty(0)
    each = powered(probs, params.powers)
    errors, wrong, weight = np.zeros(components), np.zeros(len(probs)), np.empty((components, len(probs)))
    for c, one in enumerate(each):
        own = one[rows, z].astype(float)
        one[rows, z] = 0
        rate = params.ambiguity[c] * unsure
        chance = rate * params.given_prior[z]
        right = own * ((1 - rate) * params.kept[c, z] + chance * params.weights[c, z])
        others = (1 - rate) * _to(one, params.lines[c], z) * params.spread[z] + chance * (one @ params.weights[c])
        evidence = right + others
        possible = evidence > 0
        scale = np.divide(1.0, evidence, out=np.zeros_like(evidence), where=possible)
        others *= scale
        errors[c] = others.sum()
        weight[c] = params.shares[c] * scale
        wrong += params.shares[c] * others
    best, highest = z.astype(np.int32), 1 - wrong
    (doubted,) = np.nonzero(highest < 0.5)  # elsewhere no other class can have more
    if len(doubted):
        mass = _masses([one[doubted] for one in each], z[doubted], unsure[doubted], weight[:, doubted], params)
        other = mass.argmax(axis=1)
        most = mass[np.arange(len(doubted)), other]
        more = most > highest[doubted]
        best[doubted[more]], highest[doubted[more]] = other[more], most[more]
    return wrong, best, highest, errors


def _to(rows: Array, lines: Array, z: IntArray) -> Array:
    """``Σ_y rows[n, y] lines[z_n, y]``, shape (n,)."""
    if len(lines) == 1:
        return np.asarray(rows @ lines[0], float)
    return np.asarray(np.einsum("ny,ny->n", rows, lines[z]), float)


def _masses(each: list[Array], z: IntArray, unsure: Array, weight: Array, params: ScoreParams) -> Array:
    """Posterior of each class but the given one, shape (n, k)."""
    total = np.zeros(each[0].shape)
    for c, one in enumerate(each):
        rate = (params.ambiguity[c] * unsure)[:, None]
        lines = params.lines[c][z] if len(params.lines[c]) > 1 else params.lines[c]
        noise = (1 - rate) * lines * params.spread[z][:, None] + rate * params.given_prior[z][:, None] * params.weights[c]
        total += one * noise * weight[c][:, None]
    return total
