"""What the reviews so far say about all labels: their error rate, what is left to find, and who reviewed how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates
from labelproof.review.log.store import DECISIONS, Decision
from labelproof.review.plan.estimate import MeasurementPlan, estimate_error_rate
from labelproof.review.plan.queue import Queue
from labelproof.review.plan.resolve import Resolved, agreement
from labelproof.validation import Json

NEXT = 50  # reviews whose yield is foretold
FEWEST_REVIEWS = 20  # before there is advice
RATED_CLASSES = 40
Outcomes = Mapping[int, Resolved]  # by rank


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


def work_out(candidates: Candidates, queue: Queue, outcomes: Outcomes) -> Figures:
    """The figures of an audit of which some items are settled.

    The error rate is that of `labelproof.review.estimate_error_rate` over the queue's random sample; before 20 reviews, or before
    each stratum has one, the audit's own. What the next reviews would bring is the audit's error probability, recalibrated by
    those made (`labelproof.auditing.calibrate`).
    """
    error = candidates.error_probability
    ranks, wrong = _ranks(candidates, outcomes)
    rate = _rate(candidates, *_sample(queue, ranks, wrong)) if len(ranks) >= FEWEST_REVIEWS else None
    calibrated = fit_calibration(error[ranks], wrong) if len(ranks) else np.asarray
    unseen = np.ones(len(error), bool)
    unseen[ranks] = False
    doubtful = np.flatnonzero(unseen[: NEXT + len(ranks)])[:NEXT]  # calibration keeps the order
    next_yield = float(calibrated(error[doubtful]).sum())
    if rate is None:
        errors_left = float(calibrated(error[unseen]).sum())
    else:
        errors_left = max(next_yield, rate.estimate * len(error) - int(wrong.sum()))
    return Figures(
        reviewed=len(ranks),
        wrong=int(wrong.sum()),
        error_rate=rate or candidates.part.error_rate(),
        from_reviews=rate is not None,
        errors_left=errors_left,
        next_reviews=len(doubtful),
        next_yield=next_yield,
    )


def class_rates(candidates: Candidates, queue: Queue, outcomes: Outcomes) -> list[Json]:
    """The error rate among the labels of each given class, worst first; of the 40 largest classes.

    A list of ``class``, ``labels``, ``reviewed``, ``estimate``, and ``low`` and ``high``, which are ``None`` where the reviews do not
    suffice and the estimate is the audit's.
    """
    rated = candidates.part.rated()
    if rated is None:
        return []
    ranks, wrong = _ranks(candidates, outcomes)
    plan, seen = _sample(queue, ranks, wrong)
    given = rated.to_numpy()
    sizes = np.bincount(given, minlength=len(candidates.classes))
    rows: list[Json] = []
    for code in np.argsort(-sizes, kind="stable")[:RATED_CLASSES]:
        if sizes[code] == 0:
            continue
        among = given == code
        row = {"class": candidates.classes[code], "labels": int(sizes[code]), "reviewed": int(among[ranks].sum())}
        rate = _rate(candidates, plan, seen, among)
        if rate is None:
            row |= {"estimate": float(candidates.error_probability[among].mean()), "low": None, "high": None}
        else:
            row |= rate._asdict()
        rows.append(row)
    return sorted(rows, key=lambda row: -row["estimate"])


def people(decisions: Sequence[Decision]) -> Json:
    """``reviewers``, with number of decisions, median seconds and estimated accuracy of each, and their ``agreement``."""
    found = agreement(decisions)
    rows = []
    for name in sorted({d.reviewer for d in decisions if d.action in DECISIONS}):
        own = [d for d in decisions if d.reviewer == name and d.action in DECISIONS]
        spent = [d.seconds for d in own if d.seconds is not None]
        rows.append(
            {
                "name": name,
                "decisions": len(own),
                "median_seconds": float(np.median(spent)) if spent else None,
                "accuracy": found.accuracies.get(name),
            }
        )
    return {"reviewers": rows, "agreement": asdict(found)}


def _ranks(candidates: Candidates, outcomes: Outcomes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Ranks of the settled items, and whether their given label is wrong."""
    wrong = [found.label != candidates.part.given(rank) for rank, found in outcomes.items()]
    return np.array(list(outcomes), dtype=np.int64), np.array(wrong, dtype=bool)


def _sample(
    queue: Queue, ranks: npt.NDArray[np.int64], wrong: npt.NDArray[np.bool_]
) -> tuple[MeasurementPlan, npt.NDArray[np.bool_]]:
    plan = queue.sample_of(ranks)
    by_rank = np.zeros(len(plan.stratum), bool)
    by_rank[ranks] = wrong
    return plan, by_rank[plan.index]


def _rate(
    candidates: Candidates,
    plan: MeasurementPlan,
    wrong: npt.NDArray[np.bool_],
    among: npt.NDArray[np.bool_] | None = None,
) -> ErrorRate | None:
    try:
        return estimate_error_rate(candidates.error_probability, plan, wrong, among=among)
    except BadInput:  # a stratum without a review yet
        return None
