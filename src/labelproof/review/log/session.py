"""A review of one audit: who gets which item, what they decide, and the resulting figures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates, open_candidates
from labelproof.review.log.identity import data_of, is_about, known_class
from labelproof.review.log.store import BEGINNING, DECISIONS, Action, Decision, Store
from labelproof.review.plan.figures import NEXT, Figures, class_rates, people, slip_of, work_out
from labelproof.review.plan.forecast import FARTHEST
from labelproof.review.plan.queue import MEASURE, make_queue
from labelproof.review.plan.resolve import Resolved
from labelproof.validation import Json

STALE_SECONDS = 2.0  # age at which slow results are computed again
SMALL = 50_000  # items whose figures are quick
FEW = 500  # reviewed items whose reviewers are quickly compared
CURVE_POINTS = 12
LOOK_AHEAD = 256
T = TypeVar("T")


class ReviewSession:
    """The review of an audit, by any number of reviewers, in this process and in others that share the store.

    Parameters
    ----------
    candidates : Candidates
    store : Store
    budget : int
        Number of reviews in all, those already in the store included.
    measure, overlap, random_state
        See `labelproof.review.plan.queue.make_queue`.
    """

    def __init__(
        self,
        candidates: Candidates,
        store: Store,
        *,
        budget: int,
        measure: float = MEASURE,
        overlap: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.candidates, self.store, self.budget = candidates, store, budget
        self.data = data_of(candidates, store)  # the name of these data in the store
        self._options = {"budget": budget, "measure": measure, "overlap": overlap, "random_state": random_state}
        self._ahead = make_queue(
            candidates.error_probability,
            budget + FARTHEST,  # the further items of a larger budget
            worth=candidates.part.worth(),
            measure=measure,
            overlap=overlap,
            random_state=random_state,
        )
        self.queue = self._ahead.up_to(budget)
        ids = candidates.table["id"]
        self._plan: list[tuple[str, int]] = [
            (ids[row], wanted) for row, wanted in zip(self.queue.rows.tolist(), self.queue.wanted.tolist(), strict=True)
        ]
        self._rank_of: dict[str, int] = {item: row for (item, _), row in zip(self._plan, self.queue.rows.tolist(), strict=True)}
        self._standing: dict[str, dict[str, Decision]] = {}
        self._place = BEGINNING  # in the log
        self._fits = known_class(candidates)
        self._lock = threading.Lock()
        self._curve: list[dict[str, float]] | None = None
        self._figures = _Cached(self._work_out, lambda: len(candidates) > SMALL)
        self._people = _Cached(lambda: people(self.decisions), lambda: len(self._standing) > FEW)
        self.sync()

    def renewed(self) -> ReviewSession:
        """The same review of the audit that is in the folder now."""
        return ReviewSession(open_candidates(self.candidates.folder), self.store, **self._options)  # type: ignore[arg-type]

    def sync(self) -> None:
        """Read new records, of this process or another."""
        with self._lock:
            try:
                place, items = self.store.changed_since(self.data, self._place)
            except LookupError:  # another log than before
                place, items = self.store.changed_since(self.data, BEGINNING)
                self._standing = {}
            if not items:
                self._place = place
                return
            fresh: dict[str, dict[str, Decision]] = {item: {} for item in items}
            for decision in filter(self._fits, self.store.current(self.data, items)):
                fresh[decision.item][decision.reviewer] = decision
            self._standing |= fresh
            unknown = [item for item in items if item not in self._rank_of]
            self._rank_of |= self.candidates.ranks_of(unknown)
            self._place = place

    def is_about(self, audit: str) -> bool:
        """Whether a decision made in an audit, named by its fingerprint, is about these data."""
        return is_about(self.candidates, self.store, audit)

    def rank_of(self, item: str) -> int:
        """The rank of an item.

        Raises
        ------
        BadInput
            If the audit has no such item.
        """
        if item not in self._rank_of:
            self._rank_of |= self.candidates.ranks_of([item])
        if item not in self._rank_of:
            raise BadInput(f"The audit has no item {item[:80]!r}.")
        return self._rank_of[item]

    def next(self, reviewer: str, count: int) -> list[int]:
        """Ranks of the next items for a reviewer, leased; skipped ones come back when no others are left."""
        self.sync()
        fresh: list[tuple[str, int]] = []
        skipped: list[tuple[str, int]] = []
        for item, wanted in self._plan:
            said = self._standing.get(item, {})
            own = said.get(reviewer)
            if own is not None and own.action != "skip":
                continue
            if sum(d.action in DECISIONS for d in said.values()) < wanted:
                (fresh if own is None else skipped).append((item, wanted))
                if len(fresh) >= LOOK_AHEAD:
                    break
        taken = self.store.claim(self.data, reviewer, [*fresh, *skipped], count)
        return [self._rank_of[item] for item in taken]

    def decide(
        self, reviewer: str, rank: int, action: Action, label: object, uid: str, seconds: float | None = None
    ) -> Decision:
        """Record a decision; it is on disk when this returns.

        Raises
        ------
        BadInput
            For an unknown item, action or label.
        """
        decision = self.checked(reviewer, rank, action, label, uid, seconds)
        self.store.record(self.data, [decision])
        self.sync()
        return decision

    def checked(
        self, reviewer: str, rank: int, action: Action, label: object, uid: str, seconds: float | None = None
    ) -> Decision:
        """The decision, if it is valid for this item; *keep* may name the label that the reviewer kept."""
        if not 0 <= rank < len(self.candidates):
            raise BadInput(f"item {rank} does not exist; there are {len(self.candidates)}.")
        if action not in (*DECISIONS, "skip"):
            raise BadInput(f"decision {str(action)[:40]!r} is unknown. Choose keep, relabel, none, unsure or skip.")
        if action == "none" and not self.candidates.part.may_be_none:
            raise BadInput("Labels of this kind cannot be none. Give the right label, even if it is empty.")
        given, name = self.candidates.part.given(rank), None
        if action in ("keep", "relabel"):
            name = given if action == "keep" and label is None else self.candidates.part.checked(label, rank)
            action = "keep" if name == given else "relabel"
        return Decision(self.candidates.table["id"][rank], reviewer, action, name, uid, seconds=seconds)

    def undo(self, reviewer: str, uid: str) -> int | None:
        """Take back a reviewer's last decision; the rank of its item, or ``None`` if there is none."""
        undone = self.store.undo(self.data, reviewer, uid)
        self.sync()
        return None if undone is None else self._rank_of.get(undone.item)

    @property
    def asked(self) -> int:
        """Reviews in all: the budget, or fewer if there are fewer items."""
        return int(self.queue.wanted.sum())

    def left(self) -> int:
        """Reviews left of the budget."""
        open_ = 0
        for item, wanted in self._plan:
            done = sum(d.action in DECISIONS for d in self._standing.get(item, {}).values())
            open_ += max(0, wanted - done)
        return open_

    def outlook(self) -> str:
        """What the reviews left of the budget will find, or the next 50 beyond it, in what time; then what remains unfound."""
        figures, left = self.figures(), self.left()
        return f"{figures.outlook(left or NEXT, self.people()['pace'])} {figures.stop_rule}".strip()

    @property
    def decisions(self) -> list[Decision]:
        """The decisions in effect, by position in the log."""
        with self._lock:
            standing = [d for said in self._standing.values() for d in said.values()]
        return sorted(standing, key=lambda d: d.seq)

    def figures(self) -> Figures:
        """The figures from the reviews so far; for a large audit, at most two seconds old."""
        return self._figures.at(self._place[0])

    def people(self) -> Json:
        """`labelproof.review.plan.figures.people` of the decisions, at most two seconds old if there are many."""
        return self._people.at(self._place[0])

    @property
    def is_fresh(self) -> bool:
        """Whether figures and people took in the last decision."""
        return self._figures.made_at == self._people.made_at == self._place[0]

    def curve(self) -> list[dict[str, float]]:
        """The estimated error rate as reviews came in: ``reviewed``, ``estimate``, ``low``, ``high``."""
        self.figures()
        return list(self._curve or [])

    def class_rates(self) -> list[Json]:
        """`labelproof.review.plan.figures.class_rates` of the decisions so far."""
        return class_rates(self.candidates, self.queue, self._outcomes(self.decisions))

    def _work_out(self) -> Figures:
        decisions = self.decisions
        outcomes, slip = self._outcomes(decisions), slip_of(self.people())
        figures = work_out(self.candidates, self.queue, outcomes, ahead=self._ahead, slip=slip)
        if self._curve is None:  # the state before this process began
            ends = np.unique(np.linspace(0, len(decisions), CURVE_POINTS + 1).astype(int))[1:-1].tolist()
            before = (work_out(self.candidates, self.queue, self._outcomes(decisions[:end]), slip=slip) for end in ends)
            self._curve = [_point(then) for then in before]
        self._curve.append(_point(figures))
        return figures

    def _outcomes(self, decisions: list[Decision]) -> dict[int, Resolved]:
        """The settled items by rank."""
        found = self.candidates.part.outcomes(decisions)
        return {self._rank_of[item]: outcome for item, outcome in found.items() if item in self._rank_of}


def _point(figures: Figures) -> dict[str, float]:
    return {"reviewed": figures.reviewed, **figures.error_rate._asdict(), "from_reviews": figures.from_reviews}


class _Cached(Generic[T]):
    """A value that is computed again when the log has grown; if that is slow, at most every two seconds."""

    def __init__(self, make: Callable[[], T], is_slow: Callable[[], bool]) -> None:
        self._make, self._is_slow = make, is_slow
        self._lock = threading.Lock()
        self._value: T | None = None
        self._age = 0.0
        self.made_at = -1  # place in the log

    def at(self, seq: int) -> T:
        """The value, as of a place in the log or a little before."""
        with self._lock:
            patience = STALE_SECONDS if self._is_slow() else 0.0
            if self._value is None or (seq != self.made_at and time.monotonic() - self._age >= patience):
                self._value = self._make()
                self.made_at, self._age = seq, time.monotonic()
            return self._value
