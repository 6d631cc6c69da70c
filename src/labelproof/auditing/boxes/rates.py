"""Rates of each kind of error of boxes, by class and by size, and the error probabilities that follow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.boxes.evidence import Evidence
from labelproof.auditing.boxes.geometry import area
from labelproof.auditing.boxes.planted import FOUND, FREE, GIVEN, Learned, Ratios
from labelproof.auditing.boxes.scene import Scene
from labelproof.noise.boxes import SIZES, Rate
from labelproof.validation import IntArray

SHARES = np.array([0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])  # of planted errors that are surest
HALF = 0.5  # the share whose rate sets how many errors to expect in the others
THIRD = 0.35  # the share whose rate is an upper bound
FEWEST = 20  # planted errors of a kind that are needed to estimate its rate
PRIOR = 0.1  # of each kind, to distinguish the kinds
WORTH = 20.0  # sites that the rate over all cells is worth in each
ROUNDS = 10  # of EM within cells
BEND = 1.5  # how softly probabilities end at 1
SURE = 0.8  # error probability above which errors rank equally: differences there are chance
MOST_DISPLACED = 0.9
MOST = 30.0  # logarithm of a ratio

Floats = npt.NDArray[np.float64]


class Rates(NamedTuple):
    """Error probabilities, and the rates behind them."""

    given: Floats  #: (s, 3): displaced, extra, class
    missing: Floats  #: (c,), of candidates
    of_kind: dict[str, Rate]  #: of given boxes that are displaced …; ``missing`` of true ones
    expected_missing: float  #: number of boxes that predictions show and nobody gave


class Cells(NamedTuple):
    """The cell (a class and a size) of each planted error and each observation, and its number of labels."""

    planted: IntArray  #: (t,)
    observed: IntArray  #: (s,)
    n: IntArray  #: (cells,)


def rates_of(scene: Scene, evidence: Evidence, learned: Learned, edges: Floats) -> Rates:
    """Rates by EM, and what follows for each site.

    ``p(kind | x) ∝ rate · f_kind(x) / f_observed(x)``; rates over all sites come from the surest planted errors (`lowest`), those of
    cells (a class and a size) from EM, in which the rate over all cells counts for 20 sites.

    Parameters
    ----------
    edges : ndarray, shape (2,)
        Areas between small, medium and large.
    """
    c, n_cells = max(len(evidence.candidate), 1), scene.k * len(SIZES)
    made, at = scene.predictions, evidence.candidate
    own_cell, cell_of_candidate = cell_of(scene.code, scene.box, edges), cell_of(made.code[at], made.box[at], edges)
    met = (evidence.match >= 0) & (evidence.iou >= FOUND)
    of_given = Cells(cell_of(learned.given.code, learned.given.box, edges), own_cell, np.bincount(own_cell, minlength=n_cells))
    of_matched = Cells(
        cell_of(learned.free.code, learned.free.box, edges), cell_of_candidate, np.bincount(own_cell[met], minlength=n_cells)
    )
    rates = _of_right({kind: _rate(learned.given, j, of_given, alike=kind != "extra") for j, kind in enumerate(GIVEN) if j})
    share = np.array([rates[kind].estimate for kind in GIVEN[1:]])
    p = _bent(share * np.exp(np.minimum(learned.given.at, MOST)))
    found = max(int(met.sum()), 1)
    odds = _rate(
        learned.free, FREE.index("missing"), of_matched, alike=False, by_cell=True
    )  # missing ones for each that was given
    kinds = learned.free.kind
    left = (kinds == FREE.index("displaced")).sum() / max((kinds == FREE.index("missing")).sum(), 1)
    moved = share[0] / max(1 - share[0], 0.1) * left
    of_free = np.array([odds.estimate, moved]) * found / c
    free = _bent(of_free * np.exp(np.minimum(learned.free.at, MOST)))
    given = within_cells(p, share, own_cell, n_cells)
    missing = within_cells(free, of_free, cell_of_candidate, n_cells)[:, 0]
    right = 1 - min(rates["displaced"].estimate, MOST_DISPLACED)  # the detector found displaced ones as well
    of_kind = rates | {"missing": Rate(*(value * right / (1 + value * right) for value in odds))}
    return Rates(given, missing, of_kind, float(odds.estimate * found))


def _of_right(rates: dict[str, Rate]) -> dict[str, Rate]:
    """Rates of planted errors among given boxes, some of which were wrong before: ``R / (1 + sum of R)``.

    A planted error in a box that is already wrong does not look like one. So a share s of the planted errors is s / (1 - sum
    of rates) of those in boxes that are right.
    """
    total = 1 + sum(rate.estimate for rate in rates.values())
    return {kind: rate if kind == "extra" else Rate(*(value / total for value in rate)) for kind, rate in rates.items()}


def cell_of(code: IntArray, box: Floats, edges: Floats) -> IntArray:
    """A number for each class and size."""
    return code * len(SIZES) + np.searchsorted(edges, area(box))


def lowest(counts: Floats, n: float) -> Rate:
    """The rate of an error, from the share of planted ones that are recognised best.

    ``R(s) = observed with a ratio ≥ c(s) / (s n)``, where a share s of the planted errors has a ratio of at least c(s). Good
    boxes that look wrong make R too high, more so for larger s; few errors make it uncertain for small s. So s is where R(s)
    and its standard error sum to the least.

    Parameters
    ----------
    counts : ndarray, shape (7,)
        Observations above each threshold c(s), for s in ``SHARES``.
    n : float
        Number of those that may be wrong.

    Examples
    --------
    >>> import numpy as np
    >>> round(lowest(100 * SHARES, 1000).estimate, 2)
    0.1
    """
    rate = (counts + 0.5) / (SHARES * n)  # half an error: seeing none does not mean that there is none
    expected = max(float(rate[SHARES == HALF][0]), 1 / n) * SHARES * n
    error = np.sqrt(expected + 1) / (SHARES * n)
    best = int(np.argmin(rate + error))
    half = 1.96 * float(np.sqrt(counts[best] + 1) / (SHARES[best] * n))
    estimate = min(1.0, float(rate[best]))
    return Rate(estimate, max(0.0, estimate - half), min(1.0, estimate + half))


def within_cells(p: Floats, share: Floats, cell: IntArray, n_cells: int) -> Floats:
    """Error probabilities of sites by the rates of their cells, which EM finds.

    Parameters
    ----------
    p : ndarray, shape (s, kinds)
        By the rates over all sites.
    share : ndarray, shape (kinds,)
        These rates. If hardly anything is wrong they are higher than the mean of ``p``, which must not raise the ratios.
    """
    whole = np.c_[np.maximum(1 - p.sum(axis=1), 1e-12), p]
    rate = np.maximum(np.r_[0.0, share], whole.mean(axis=0) if len(p) else np.ones(whole.shape[1]))
    ratio = whole / np.maximum(rate, 1e-12)
    count = np.bincount(cell, minlength=n_cells)[:, None]
    own, posterior = np.tile(rate, (n_cells, 1)), whole
    for _ in range(ROUNDS):
        posterior = own[cell] * ratio
        posterior = posterior / np.maximum(posterior.sum(axis=1, keepdims=True), 1e-300)
        total = np.stack([np.bincount(cell, column, minlength=n_cells) for column in posterior.T], axis=1)
        own = (total + WORTH * rate) / (count + WORTH)
    found: Floats = posterior[:, 1:]
    return found


def _rate(ratios: Ratios, kind: int, cells: Cells, *, alike: bool, by_cell: bool = False) -> Rate:
    """The rate over all sites, or the sum over the cells if that is surely higher.

    All missing boxes may be of one class or size. The surest planted ones are then of the others, so the overall rate seems to
    be zero. This does not hold for given boxes: a detector's displacement and confusion differ by class and size, and look
    like errors in some cells. ``alike`` means that sure errors count as equally sure; not where many objects that the detector
    misses are right.
    """
    own = ratios.kind == kind
    if own.sum() < FEWEST:
        return Rate(0.0, 0.0, 0.0)
    planted, observed = (_against(some)[:, kind - 1] for some in (ratios.planted, ratios.at))
    whole = _read(planted[own], observed, int(max(cells.n.sum(), 1)), alike=alike)
    if not by_cell:
        return whole
    expected, variance = 0.0, 0.0
    for cell, n in enumerate(cells.n.tolist()):
        here = own & (cells.planted == cell)
        rate = whole
        if here.sum() >= FEWEST and n:
            rate = _read(planted[here], observed[cells.observed == cell], n, alike=alike)
        expected += n * rate.estimate
        variance += (n * (rate.high - rate.estimate)) ** 2
    total = max(float(cells.n.sum()), 1.0)
    apart, half = min(1.0, expected / total), float(np.sqrt(variance)) / total
    return Rate(apart, apart - half, min(1.0, apart + half)) if apart - half > whole.estimate else whole


def _read(planted: Floats, observed: Floats, n: int, *, alike: bool) -> Rate:
    at_most = max(float((observed >= np.quantile(planted, 1 - THIRD)).sum()) / (THIRD * n), 1 / n)
    sure = np.log(PRIOR * SURE / at_most) if alike else np.inf
    thresholds = np.quantile(np.minimum(planted, sure), 1 - SHARES)
    observed = np.sort(np.minimum(observed, sure))
    return lowest((len(observed) - np.searchsorted(observed, thresholds)).astype(np.float64), n)


def _against(log_ratio: Floats) -> Floats:
    """Log odds of each kind against good boxes and all other kinds."""
    weight = PRIOR * np.exp(np.clip(log_ratio, -MOST, MOST))
    odds: Floats = np.log(weight) - np.log1p(np.maximum(weight.sum(axis=1, keepdims=True) - weight, 0))
    return odds


def _bent(weight: Floats) -> Floats:
    """Probabilities that sum to less than 1."""
    total = weight.sum(axis=1, keepdims=True)
    found: Floats = weight / (1 + total**BEND) ** (1 / BEND)
    return found
