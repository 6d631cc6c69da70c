"""The order of a review: some labels to find errors, some to measure their number, interleaved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.review.plan.estimate import MeasurementPlan, strata_of
from labelproof.validation import BoolArray, FloatArray, IntArray

MEASURE = 0.4  # share of the reviews that measure
GAPS, GAP_SHARE = 8, 0.1  # measured items that may be missing: others hold them, or nobody could decide


@dataclass(frozen=True)
class Queue:
    """Items in the order in which they should be reviewed. A larger budget only adds to the end.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        Rows of ``error_probability``, each once.
    measures : ndarray of bool, shape (m,)
        Whether an item was drawn at random, to measure, rather than hunted.
    wanted : ndarray of int, shape (m,)
        From how many reviewers a decision is wanted, 1 or 2; the sum is the budget.
    stratum : ndarray of int8, shape (n,)
        The stratum of each item that the random draw was made in.
    hunted : ndarray of int, shape (n,)
        Place of each item in the order of the hunt.
    """

    rows: npt.NDArray[np.int64]
    measures: BoolArray
    wanted: npt.NDArray[np.int64]
    stratum: npt.NDArray[np.int8]
    hunted: npt.NDArray[np.int64]

    def up_to(self, budget: int) -> Queue:
        """The same queue with a smaller budget."""
        keep = int(np.searchsorted(np.cumsum(self.wanted), budget, side="right"))
        return Queue(self.rows[:keep], self.measures[:keep], self.wanted[:keep], self.stratum, self.hunted)

    def sample_of(self, resolved: IntArray) -> MeasurementPlan:
        """The reviewed items as a stratified random sample.

        The head of the hunt up to the last hunted item is a separate stratum, nearly all of which is reviewed. Below it, the
        measured items are a random sample of each stratum, because the hunt is in an order that no review changes. They are taken
        in the order of the queue, up to where too many are missing: known items beyond that came some other way, from an
        earlier audit or a spreadsheet, and may have been chosen for their answer.

        Parameters
        ----------
        resolved : ndarray of int, shape (r,)
            Rows whose truth is known now, any of the queue's.
        """
        known = np.zeros(len(self.stratum), bool)
        known[resolved] = True
        hunts = self.rows[~self.measures]
        reached = self.hunted[hunts[known[hunts]]]
        head = self.hunted <= (reached.max() if len(reached) else -1)
        measured = self.rows[self.measures]
        missing = np.cumsum(~known[measured])
        broken = missing > GAPS + GAP_SHARE * np.arange(len(measured))
        random = np.zeros(len(known), bool)
        random[measured[: int(np.argmax(broken)) if broken.any() else len(measured)]] = True
        used = np.flatnonzero(known & (head | random))
        return MeasurementPlan(used, np.where(head, self.stratum.max() + 1, self.stratum).astype(np.int64))


def make_queue(
    error_probability: FloatArray,
    budget: int,
    *,
    worth: FloatArray | None = None,
    measure: float = MEASURE,
    overlap: float = 0.0,
    random_state: int = 0,
) -> Queue:
    """Plan a budget of reviews.

    The hunt takes items by falling error probability: each review then corrects as many labels as it can be expected to.
    Measuring takes a stratified random sample (`labelproof.review.plan_measurement`), stratum by stratum in turn; an item in
    both is asked once. Both are interleaved, so that stopping at any time leaves a fair part of each.

    Parameters
    ----------
    error_probability : ndarray, shape (n,), in [0, 1]
    budget : int
        Number of reviews, a second review of the same item included.
    worth : ndarray, shape (n,), optional
        The order of the hunt, instead of the error probability.
    measure : float in [0, 1]
        Share of the items that measure.
    overlap : float in [0, 1]
        Share of the items that two reviewers get, drawn at random.
    random_state : int, default=0

    Returns
    -------
    Queue

    Raises
    ------
    BadInput
    """
    n = len(error_probability)
    if budget < 1:
        raise BadInput(f"budget is {budget!r}. Give the number of labels to review, at least 1.")
    for name, share in (("measure", measure), ("overlap", overlap)):
        if not 0 <= share <= 1:
            raise BadInput(f"{name} is {share!r}. Give a share between 0 and 1.")
    hunt = np.argsort(-(error_probability if worth is None else worth), kind="stable")
    stratum = strata_of(error_probability)
    random = _in_turn(stratum, random_state)
    size = min(budget, n)
    measures = np.floor(np.arange(1, size + 1) * measure) > np.floor(np.arange(size) * measure)
    rows = np.empty(size, np.int64)
    taken = np.zeros(n, bool)
    next_of = [0, 0]  # of the hunt, of the random order
    for place, is_random in enumerate(measures.tolist()):
        order, at = (random, next_of[1]) if is_random else (hunt, next_of[0])
        while taken[order[at]]:
            at += 1
        rows[place] = order[at]
        taken[order[at]] = True
        next_of[is_random] = at + 1
    twice = np.random.default_rng([random_state, 1]).random(n)[rows] < overlap
    wanted = 1 + twice
    hunted = np.empty(n, np.int64)
    hunted[hunt] = np.arange(n)
    return Queue(rows, measures, wanted, stratum.astype(np.int8), hunted).up_to(budget)


def _in_turn(stratum: IntArray, random_state: int) -> npt.NDArray[np.int64]:
    """All rows: in random order within each stratum, the strata taking turns."""
    n = len(stratum)
    mixed = np.random.default_rng([random_state, 0]).permutation(n)
    by_stratum = mixed[np.argsort(stratum[mixed], kind="stable")]
    sizes = np.bincount(stratum)
    turn = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # place within the stratum
    return np.asarray(by_stratum[np.argsort(turn, kind="stable")])
