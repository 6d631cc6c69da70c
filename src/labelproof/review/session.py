"""A review of one audit: whom to give which item, what they decide, and what that says about all labels."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates, tags_text
from labelproof.review.estimate import MeasurementPlan, estimate_error_rate
from labelproof.review.queue import MEASURE, make_queue
from labelproof.review.resolve import Resolved, agreement, resolve
from labelproof.review.store import DECISIONS, Action, Decision, Store

NEXT = 50  # reviews whose yield is foretold
FEWEST_REVIEWS = 20  # before there is advice
STALE_SECONDS = 2.0  # age at which figures of a large audit are worked out again
SMALL = 50_000
CURVE_POINTS = 12
LOOK_AHEAD = 256
RATED_CLASSES = 40


@dataclass(frozen=True)
class Figures:
    """What the reviews so far say.

    Attributes
    ----------
    reviewed : int
        Items of which the truth is known.
    wrong : int
        Of these, with a wrong label.
    error_rate : ErrorRate
        Of all labels.
    from_reviews : bool
        Whether the reviews suffice for ``error_rate``; otherwise it is the audit's own.
    errors_left : float
        Expected number of wrong labels among the items not reviewed.
    next_reviews, next_yield : int, float
        The number of most doubtful items not reviewed, 50 or what is left, and how many of them are expected to be wrong.
    """

    reviewed: int
    wrong: int
    error_rate: ErrorRate
    from_reviews: bool
    errors_left: float
    next_reviews: int
    next_yield: float

    @property
    def advice(self) -> str:
        """Whether going on is worth a person's time."""
        if self.reviewed < FEWEST_REVIEWS:
            return f"After {FEWEST_REVIEWS} reviews you will be told what more of them would bring."
        if self.next_reviews == 0:
            return "Every label has been reviewed."
        each = self.next_yield / self.next_reviews
        outlook = (
            f"Of the {self.next_reviews} most doubtful labels left, about {self.next_yield:.0f} are expected to be wrong; "
            f"about {self.errors_left:,.0f} wrong labels are left in all."
        )
        if each >= 0.4:
            return f"Go on: it pays. {outlook}"
        if each >= 0.1:
            return f"Go on if a corrected label is worth {1 / each:.0f} looks to you. {outlook}"
        return f"You can stop: what is left is mostly right. {outlook}"


class ReviewSession:
    """The review of an audit, by any number of reviewers, in this process and in others that share the store.

    Parameters
    ----------
    candidates : Candidates
    store : Store
    budget : int
        Number of reviews in all, those already in the store included.
    measure, overlap, seed
        See `labelproof.review.queue.make_queue`.
    """

    def __init__(
        self,
        candidates: Candidates,
        store: Store,
        *,
        budget: int,
        measure: float = MEASURE,
        overlap: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.candidates, self.store, self.budget = candidates, store, budget
        self.queue = make_queue(candidates.error_probability, budget, measure=measure, overlap=overlap, seed=seed)
        ids = candidates.table["id"]
        self._plan: list[tuple[str, int]] = [
            (ids[row], wanted) for row, wanted in zip(self.queue.rows.tolist(), self.queue.wanted.tolist(), strict=True)
        ]
        self._rank_of = {item: row for (item, _), row in zip(self._plan, self.queue.rows.tolist(), strict=True)}
        self._standing: dict[str, dict[str, Decision]] = {}
        self._seq = 0
        self._lock, self._figures_lock = threading.Lock(), threading.Lock()
        self._figures: tuple[int, float, Figures] | None = None
        self._curve: list[dict[str, float]] | None = None
        self.sync()

    def sync(self) -> None:
        """Take in what was recorded since, by this process or another."""
        with self._lock:
            audit = self.candidates.fingerprint
            seq, items = self.store.changed_since(audit, self._seq)
            if not items:
                return
            fresh: dict[str, dict[str, Decision]] = {item: {} for item in items}
            for decision in self.store.current(audit, items):
                fresh[decision.item][decision.reviewer] = decision
            self._standing |= fresh
            unknown = [item for item in items if item not in self._rank_of]
            self._rank_of |= self.candidates.ranks_of(unknown)
            self._seq = seq

    def next(self, reviewer: str, count: int) -> list[int]:
        """Ranks of the next items for a reviewer, leased; skipped ones come back when nothing else is left."""
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
        taken = self.store.claim(self.candidates.fingerprint, reviewer, [*fresh, *skipped], count)
        return [self._rank_of[item] for item in taken]

    def decide(self, reviewer: str, rank: int, action: Action, label: Any, uid: str, seconds: float | None = None) -> Decision:
        """Record a decision; it is on disk when this returns.

        Raises
        ------
        BadInput
            For an unknown item, action or label.
        """
        decision = self.checked(reviewer, rank, action, label, uid, seconds)
        self.store.record(self.candidates.fingerprint, [decision])
        self.sync()
        return decision

    def checked(self, reviewer: str, rank: int, action: Action, label: Any, uid: str, seconds: float | None = None) -> Decision:
        """The decision, if it is one that can be made of this item."""
        if not 0 <= rank < len(self.candidates):
            raise BadInput(f"item {rank} does not exist; there are {len(self.candidates)}.")
        if action not in (*DECISIONS, "skip"):
            raise BadInput(f"decision {str(action)[:40]!r} is unknown. Choose keep, relabel, none, unsure or skip.")
        given, name = self.candidates.given_name(rank), None
        if action == "keep":
            name = given
        elif action == "relabel":
            name = self._label(label)
            action = "keep" if name == given else action
        return Decision(self.candidates.table["id"][rank], reviewer, action, name, uid, seconds=seconds)

    def undo(self, reviewer: str, uid: str) -> int | None:
        """Take back a reviewer's last decision; the rank of its item, or ``None`` where there is none."""
        undone = self.store.undo(self.candidates.fingerprint, reviewer, uid)
        self.sync()
        return None if undone is None else self._rank_of.get(undone.item)

    def _label(self, label: Any) -> str:
        known = self.candidates.classes
        if self.candidates.has_tags:
            if not isinstance(label, list) or any(not isinstance(tag, str) or tag not in known for tag in label):
                raise BadInput("the label of an item with tags is a list of known tags.")
            chosen = set(label)
            return tags_text([tag for tag in known if tag in chosen])
        if not isinstance(label, str) or label not in known:
            raise BadInput(f"label {str(label)[:80]!r} is none of the classes.")
        return label

    def left(self) -> int:
        """Reviews left of the budget."""
        open_ = 0
        for item, wanted in self._plan:
            done = sum(d.action in DECISIONS for d in self._standing.get(item, {}).values())
            open_ += max(0, wanted - done)
        return open_

    @property
    def decisions(self) -> list[Decision]:
        """The decisions that stand, by place in the log."""
        with self._lock:
            standing = [d for said in self._standing.values() for d in said.values()]
        return sorted(standing, key=lambda d: d.seq)

    def figures(self) -> Figures:
        """What the reviews so far say; of a large audit, as of at most two seconds ago."""
        with self._figures_lock:
            now = time.monotonic()
            if self._figures is not None:
                seq, made, figures = self._figures
                if seq == self._seq or (len(self.candidates) > SMALL and now - made < STALE_SECONDS):
                    return figures
            seq, decisions = self._seq, self.decisions
            figures = self._work_out(resolve(decisions))
            if self._curve is None:
                self._curve = self._past(decisions)
            self._curve.append(self._point(figures))
            self._figures = (seq, time.monotonic(), figures)
            return figures

    def curve(self) -> list[dict[str, float]]:
        """The estimated error rate as reviews came in: ``reviewed``, ``estimate``, ``low``, ``high``."""
        self.figures()
        return list(self._curve or [])

    def class_rates(self) -> list[dict[str, Any]]:
        """The error rate among the labels of each given class, worst first; of the 40 largest classes."""
        if self.candidates.has_tags:
            return []
        resolved = resolve(self.decisions)
        ranks, wrong = self._outcomes(resolved)
        plan, seen = self._sample(ranks, wrong)
        given, error = self.candidates.given, self.candidates.error_probability
        sizes = np.bincount(given, minlength=len(self.candidates.classes))
        rows = []
        for code in np.argsort(-sizes, kind="stable")[:RATED_CLASSES]:
            if sizes[code] == 0:
                continue
            among = given == code
            rate = self._rate(plan, seen, among)
            estimate = rate or ErrorRate(float(error[among].mean()), float("nan"), float("nan"))
            rows.append(
                {
                    "class": self.candidates.classes[code],
                    "labels": int(sizes[code]),
                    "reviewed": int(among[ranks].sum()),
                    "estimate": estimate.estimate,
                    "low": None if rate is None else rate.low,
                    "high": None if rate is None else rate.high,
                }
            )
        return sorted(rows, key=lambda row: -row["estimate"])

    def reviewers(self) -> list[dict[str, Any]]:
        """Number of decisions and median seconds of each reviewer, and how far they agree."""
        decisions = [d for d in self.decisions if d.action in DECISIONS]
        found = agreement(decisions)
        rows = []
        for name in sorted({d.reviewer for d in decisions}):
            own = [d for d in decisions if d.reviewer == name]
            spent = [d.seconds for d in own if d.seconds is not None]
            rows.append(
                {
                    "name": name,
                    "decisions": len(own),
                    "median_seconds": float(np.median(spent)) if spent else None,
                    "accuracy": found.accuracies.get(name),
                }
            )
        return rows

    def agreement(self) -> dict[str, Any]:
        """`labelproof.review.resolve.agreement` of the decisions so far, as a dict."""
        return asdict(agreement(self.decisions))

    def _outcomes(self, resolved: dict[str, Resolved]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Ranks of the resolved items, and whether their given label is wrong."""
        known = [(self._rank_of[item], found) for item, found in resolved.items() if item in self._rank_of]
        ranks = np.array([rank for rank, _ in known], dtype=np.int64)
        wrong = np.array([found.label != self.candidates.given_name(rank) for rank, found in known], dtype=bool)
        return ranks, wrong

    def _sample(
        self, ranks: npt.NDArray[np.int64], wrong: npt.NDArray[np.bool_]
    ) -> tuple[MeasurementPlan, npt.NDArray[np.bool_]]:
        plan = self.queue.sample_of(ranks)
        by_rank = np.zeros(len(self.candidates), bool)
        by_rank[ranks] = wrong
        return plan, by_rank[plan.index]

    def _rate(
        self, plan: MeasurementPlan, wrong: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_] | None = None
    ) -> ErrorRate | None:
        try:
            return estimate_error_rate(self.candidates.error_probability, plan, wrong, among=among)
        except BadInput:  # a stratum without a review yet
            return None

    def _work_out(self, resolved: dict[str, Resolved]) -> Figures:
        ranks, wrong = self._outcomes(resolved)
        error = self.candidates.error_probability
        rate = self._rate(*self._sample(ranks, wrong)) if len(ranks) >= FEWEST_REVIEWS else None
        if len(ranks):
            error = fit_calibration(error[ranks], wrong)(error)
        unseen = np.ones(len(error), bool)
        unseen[ranks] = False
        left = error[unseen]  # still falling: calibration keeps the order
        audit = self.candidates.summary["error_rate"]
        return Figures(
            reviewed=len(ranks),
            wrong=int(wrong.sum()),
            error_rate=rate or ErrorRate(**audit),
            from_reviews=rate is not None,
            errors_left=float(left.sum())
            if rate is None
            else max(float(left[:NEXT].sum()), rate.estimate * len(error) - wrong.sum()),
            next_reviews=len(left[:NEXT]),
            next_yield=float(left[:NEXT].sum()),
        )

    def _past(self, decisions: Sequence[Decision]) -> list[dict[str, float]]:
        """Points of the curve before this process began."""
        ends = np.unique(np.linspace(0, len(decisions), CURVE_POINTS + 1).astype(int))[1:-1]
        return [self._point(self._work_out(resolve(decisions[:end]))) for end in ends.tolist()]

    @staticmethod
    def _point(figures: Figures) -> dict[str, float]:
        return {"reviewed": figures.reviewed, **figures.error_rate._asdict(), "from_reviews": figures.from_reviews}
