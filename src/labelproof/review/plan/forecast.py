"""Forecasts of the finds of further reviews, and of the wrong labels that remain, with valid bands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit

from labelproof.auditing.findings import Audit
from labelproof.auditing.larger import LargerAudit
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates, open_candidates
from labelproof.review.plan.curve import Binned, Floats, binned, fit_curve, places_of
from labelproof.review.plan.queue import MEASURE, Queue, make_queue
from labelproof.threads import one_thread
from labelproof.validation import BoolArray, IntArray

DRAWS = 400
CLASS_SD = 0.5  # in logits: how far the labels of one class differ from others of the same error probability
LOW, HIGH = 0.05, 0.95
PACE = 8.0  # seconds per review, before anybody's is known
FARTHEST = 1000  # reviews in the forecast
POINTS = 24


@dataclass(frozen=True)
class Forecast:
    """The expected finds of the next reviews of a queue.

    Attributes
    ----------
    reviews : ndarray of int, shape (p,)
        Numbers of further reviews, rising from 0.
    found : ndarray, shape (p,)
        Expected number of wrong labels found by that many reviews.
    low, high : ndarray, shape (p,)
        Ends of the 90 % band.
    left, left_sd : float
        Expected number of wrong labels among the items not reviewed, and its standard deviation.
    left_below : float
        Upper end of the 95 % interval of that number.
    """

    reviews: npt.NDArray[np.int64]
    found: Floats
    low: Floats
    high: Floats
    left: float
    left_sd: float
    left_below: float

    def at(self, reviews: int) -> tuple[float, float, float]:
        """Expected finds of a number of further reviews, or of as many as there are, with the ends of their band."""
        found, low, high = (float(np.interp(reviews, self.reviews, curve)) for curve in (self.found, self.low, self.high))
        return found, low, high

    def points(self, up_to: int) -> list[dict[str, float]]:
        """The curve for a page: ``reviews``, ``found``, ``low``, ``high``."""
        end = min(up_to, int(self.reviews[-1]))
        ends = np.unique(np.linspace(0, end, POINTS).round().astype(int)).tolist()
        return [dict(zip(("reviews", "found", "low", "high"), (m, *self.at(m)), strict=True)) for m in ends]


def forecast(
    audit: Audit | str | os.PathLike[str],
    budgets: Sequence[int] = (50, 200, 1000),
    *,
    pace: float = PACE,
    measure: float = MEASURE,
) -> pl.DataFrame:
    """Forecast the finds of a review of an audit, before the first decision.

    Parameters
    ----------
    audit : Audit or path
        An audit, or the folder of one.
    budgets : sequence of int, default=(50, 200, 1000)
        Numbers of reviews.
    pace : float, default=8.0
        Seconds a review.
    measure : float, default=0.4
        Share of the reviews that measure, as for `labelproof review`.

    Returns
    -------
    polars.DataFrame
        One row per budget: ``reviews`` (fewer if there are fewer items), ``found`` (expected wrong labels), ``low`` and
        ``high``
        (a 90 % band) and ``hours``.

    Raises
    ------
    BadInput
        If a budget is below 1.

    See Also
    --------
    estimate_error_rate : the error rate from reviews.

    Examples
    --------
    >>> import labelproof as lp
    >>> from labelproof.review import forecast
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 1000)
    >>> noisy = lp.simulate.symmetric(true, 0.2, n_classes=3, random_state=0)
    >>> probs = 0.1 + 0.7 * np.eye(3)[true]
    >>> forecast(lp.audit(noisy.labels, probs), budgets=(50, 200)).columns
    ['reviews', 'found', 'low', 'high', 'hours']
    """
    if not budgets or min(budgets) < 1:
        raise BadInput(f"budgets is {list(budgets)!r}. Give numbers of reviews, each at least 1.")
    if isinstance(audit, LargerAudit):
        audit = audit.folder
    if isinstance(audit, Audit):
        with TemporaryDirectory(prefix="labelproof-") as folder:  # the audit, as a review would open it
            audit.save(Path(folder) / "audit")
            return forecast(Path(folder) / "audit", budgets, pace=pace, measure=measure)
    candidates = open_candidates(audit)
    queue = make_queue(candidates.error_probability, max(budgets), worth=candidates.part.worth(), measure=measure)
    none = np.empty(0, np.int64)
    ahead = foretell(candidates, queue, none, np.empty(0, bool), farthest=max(budgets))
    ends = [min(budget, int(ahead.reviews[-1])) for budget in budgets]
    rows = [(end, *ahead.at(end), end * pace / 3600) for end in ends]
    return pl.DataFrame(rows, schema=["reviews", "found", "low", "high", "hours"], orient="row")


@one_thread()
def foretell(
    candidates: Candidates,
    queue: Queue,
    ranks: IntArray,
    wrong: BoolArray,
    *,
    slip: float = 0.0,
    farthest: int = FARTHEST,
) -> Forecast:
    """Forecast the finds of the rest of a queue.

    Curves drawn from `labelproof.review.plan.curve.fit_curve` turn the error probabilities of the items to come, in their order, into
    chances; labels of one given class differ together, by a random effect; each draw then decides every item. The band is between the
    draws' quantiles.

    Parameters
    ----------
    candidates : Candidates
    queue : Queue
        In the order of review; settled items are excluded.
    ranks : ndarray of int, shape (r,)
        Settled items.
    wrong : ndarray of bool, shape (r,)
        Whether their labels were found wrong.
    slip : float, default=0.0
        How often a reviewer errs.
    farthest : int, default=1000
        Number of reviews to look ahead.
    """
    error = candidates.error_probability
    unseen = np.ones(len(error), bool)
    unseen[ranks] = False
    every = binned(error)
    left = Binned(every.places, every.counts - binned(error[ranks]).counts)
    curve = fit_curve(error[ranks], wrong, every, candidates.part.error_rate(), slip)
    rng = np.random.default_rng(0)
    drawn = curve.draws(DRAWS, rng)
    given = _classes(candidates)
    open_ = unseen[queue.rows]
    rows, reviews = queue.rows[open_], np.cumsum(queue.wanted[open_])
    rows = rows[: int(np.searchsorted(reviews, farthest, side="right"))]
    found = _finds(drawn, error[rows], given[rows], slip, rng)
    typical = curve.chances(error)
    together = np.bincount(given, typical * (1 - typical) * unseen)  # wrong labels of a class for one logit more
    remain = _remaining(drawn, left, CLASS_SD**2 * float(together @ together), rng)
    low, high = np.quantile(found, [LOW, HIGH], axis=0)
    return Forecast(
        reviews=np.concatenate([[0], reviews[: len(rows)]]),
        found=found.mean(axis=0),
        low=low,
        high=high,
        left=float(remain.mean()),
        left_sd=float(remain.std()),
        left_below=float(np.quantile(remain, HIGH)),
    )


def _classes(candidates: Candidates) -> npt.NDArray[np.int64]:
    """The given class of each item, if it is one of a few classes."""
    rated = candidates.part.rated()
    return np.zeros(len(candidates), np.int64) if rated is None else rated.to_numpy().astype(np.int64)


def _finds(drawn: Floats, error: Floats, given: IntArray, slip: float, rng: np.random.Generator) -> Floats:
    """Wrong labels found by the first 0, 1, 2 … of some items in each draw, shape (draws, m + 1)."""
    places, code = np.unique(given, return_inverse=True)
    effect = CLASS_SD * rng.standard_normal((len(drawn), len(places)))
    chance = expit(drawn @ places_of(error).T + effect[:, code])  # (draws, m)
    said = slip + (1 - 2 * slip) * chance
    finds = np.cumsum(rng.random(said.shape) < said, axis=1)
    return np.concatenate([np.zeros((len(drawn), 1)), finds], axis=1)


def _remaining(drawn: Floats, left: Binned, shared: float, rng: np.random.Generator) -> Floats:
    """Wrong labels among the items not reviewed in each draw, shape (draws,); ``shared``: the variance by the classes' effects."""
    chance = expit(drawn @ left.places.T)  # (draws, b)
    expected, alone = chance @ left.counts, (chance * (1 - chance)) @ left.counts
    return np.asarray(np.clip(expected + np.sqrt(alone + shared) * rng.standard_normal(len(drawn)), 0, left.counts.sum()))
