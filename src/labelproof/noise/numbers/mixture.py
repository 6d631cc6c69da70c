"""Numbers as a mixture of good ones and of wrong ones of each kind, by EM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from labelproof.noise.numbers.hypotheses import FACTORS, Hypothesis, Numbers, density

Floats = npt.NDArray[np.float64]
TAILS = (1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 30.0, 100.0)  # degrees of freedom of good numbers
APART = 0.8  # of numbers that are wrong in no way that has a name, the share that are not near the right one
WIDE_STEP, LEAST_WEIGHT = 1.15, 1e-3
STEPS = 60
TOLERANCE = 1e-5
PRIOR = {
    "factor": 0.2,
    "sign": 0.2,
    "unit": 0.2,
    "swapped digits": 0.5,
    "copied": 0.2,
    "sentinel": 0.2,
    "other": 1.0,
}  # numbers
LEAST_WIDE = 4.0  # scales of the good ones that the wide component has at least
TINY = 1e-300


def t_density(values: Floats, centre: Floats | float, scale: Floats | float, tail: float) -> Floats:
    """Density of Student's t."""
    constant = gammaln((tail + 1) / 2) - gammaln(tail / 2) - 0.5 * np.log(tail * np.pi)
    away = (values - centre) / scale
    return np.asarray(np.exp(constant - 0.5 * (tail + 1) * np.log1p(away * away / tail)) / scale)


@dataclass(frozen=True)
class Mixture:
    """Shares of good numbers and of each kind of error."""

    hypotheses: tuple[Hypothesis, ...]  # h; the last is "other"
    shares: Floats  # (1 + h,), the first of good numbers
    tail: float
    stretch: float  # of the scales of good numbers
    wide: float  # scale of the wide component
    loglik: float = field(default=-np.inf, compare=False)

    def good(self, values: Floats, centre: Floats, scale: Floats) -> Floats:
        """Density of good numbers."""
        return t_density(values, centre, scale * self.stretch, self.tail)

    def densities(self, numbers: Numbers) -> Floats:
        """Densities of each number if it is good, and under each hypothesis, shape (1 + h, n)."""
        rows = [self.good(numbers.given, numbers.centre, numbers.scale)]
        rows += [density(one, numbers, self.good) for one in self.hypotheses[:-1]]
        rows.append(wide_density(numbers.given - numbers.centre, np.maximum(self.wide, LEAST_WIDE * numbers.scale)))
        return np.stack(rows)

    def posterior(self, numbers: Numbers) -> Floats:
        """Probability that each number is good, and wrong in each way, shape (1 + h, n)."""
        joint = self.shares[:, None] * self.densities(numbers) + TINY
        return np.asarray(joint / joint.sum(axis=0))


def first_hypotheses() -> tuple[Hypothesis, ...]:
    """Those that need only single numbers as evidence."""
    ways = [Hypothesis("factor", slope) for slope in FACTORS]
    ways += [Hypothesis(kind) for kind in ("sign", "swapped digits")]
    return (*ways, Hypothesis("other"))


def fit_mixture(
    numbers: Numbers, hypotheses: Sequence[Hypothesis], *, tail: float | None = None, start: Mixture | None = None
) -> Mixture:
    """EM; fits the tail of good numbers unless it is given."""
    n, ways = len(numbers.given), tuple(hypotheses)
    prior = np.array([0.0, *(PRIOR[one.kind] for one in ways)])
    shares = np.full(1 + len(ways), 0.05 / len(ways))
    shares[0] = 0.95
    most = np.array([1.0, *(one.most for one in ways)])
    residual = np.abs(numbers.given - numbers.centre)
    spread = 3 * float(np.median(np.abs(numbers.given - np.median(numbers.given))))
    wide = max(spread, LEAST_WIDE * float(np.median(numbers.scale)))
    now = Mixture(ways, shares, tail or 4.0, 1.3, wide) if start is None else start
    before = -np.inf
    for _ in range(STEPS):
        joint = now.shares[:, None] * now.densities(numbers) + TINY
        evidence = joint.sum(axis=0)
        weight = joint / evidence
        shares = np.minimum((weight.sum(axis=1) + prior) / (n + prior.sum()), most)
        shares[0] += 1 - shares.sum()
        shape, stretch = _good_shape(residual / numbers.scale, weight[0], now, tail)
        wide = _wide_scale(residual, weight[-1], numbers.scale, now.wide)
        loglik = float(np.log(evidence).mean())
        now = Mixture(ways, shares, shape, stretch, wide, loglik)
        if abs(loglik - before) < TOLERANCE:
            break
        before = loglik
    return now


def _good_shape(away: Floats, weight: Floats, now: Mixture, tail: float | None) -> tuple[float, float]:
    """One step of EM for the stretch; the tail by the best of its neighbours."""

    def stretched(shape: float, stretch: float) -> float:
        pull = (shape + 1) / (shape + (away / stretch) ** 2)
        return max(float(np.sqrt((weight * pull * away**2).sum() / (weight.sum() + TINY))), 1e-6)

    if tail is not None:
        return tail, stretched(tail, now.stretch)
    place = int(np.argmin(np.abs(np.array(TAILS) - now.tail)))
    tried = []
    for shape in TAILS[max(place - 1, 0) : place + 2]:
        stretch = stretched(shape, now.stretch)
        tried.append((float(weight @ np.log(t_density(away, 0.0, stretch, shape) + TINY)), shape, stretch))
    _, shape, stretch = max(tried)
    return shape, stretch


def wide_density(residual: Floats, scale: Floats | float) -> Floats:
    """Density of the residuals of numbers that are wrong in no named way.

    The mean of Cauchy's density and of one that is zero at the centre, ``2 r² / (π s (1 + r²)²)`` with ``r`` the residual over
    the scale s: most such numbers are not near the right one.
    """
    square = (residual / scale) ** 2
    return np.asarray((APART * 2 * square / (1 + square) + 1 - APART) / (np.pi * scale * (1 + square)))


def _wide_scale(residual: Floats, weight: Floats, scale: Floats, wide: float) -> float:
    """One step towards the scale that explains wrong numbers best."""
    least = LEAST_WIDE * float(np.median(scale))
    rows = np.flatnonzero(weight > LEAST_WEIGHT)
    tried = [max(wide * step, least) for step in (1 / WIDE_STEP, 1.0, WIDE_STEP)]
    found = [float(weight[rows] @ np.log(wide_density(residual[rows], one) + TINY)) for one in tried]
    return tried[int(np.argmax(found))]
