"""The figures from the reviews so far: the error rate of all labels, the errors left to find, and the work of each reviewer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from labelproof.auditing.findings import ErrorRate
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates
from labelproof.review.log.store import DECISIONS, Decision
from labelproof.review.plan.estimate import MeasurementPlan, estimate_error_rate
from labelproof.review.plan.forecast import PACE, Forecast, foretell
from labelproof.review.plan.queue import Queue
from labelproof.review.plan.resolve import Resolved, agreement
from labelproof.validation import Json

NEXT = 50  # reviews by which going on is judged
ONE_SIDED = 1.645 / 1.96  # of a 95 % interval's half, for an end that holds in 95 % alone
FEWEST_REVIEWS = 20  # before there is advice
RATED_CLASSES = 40
FEWEST_TIMED = 5  # decisions, before their pace counts
FEWEST_SHARED = 10  # items that two reviewers answered, before their slips count
MOST_SLIPS = 0.3
Outcomes = Mapping[int, Resolved]  # by rank


@dataclass(frozen=True)
class Figures:
    """The figures from the reviews so far.

    Attributes
    ----------
    reviewed : int
        Items with known truth.
    unreviewed : int
        The others.
    wrong : int
        Reviewed items with a wrong label.
    error_rate : ErrorRate
        Error rate of all labels; see `work_out`.
    from_reviews : bool
        Whether the reviews suffice for ``error_rate``; otherwise it is the audit's own.
    errors_left, left_below : float
        Expected number of wrong labels among the items not reviewed, and the number that it is below with 95 % confidence.
    forecast : Forecast
        The forecast of the next reviews.
    """

    reviewed: int
    unreviewed: int
    wrong: int
    error_rate: ErrorRate
    from_reviews: bool
    errors_left: float
    left_below: float
    forecast: Forecast

    @property
    def advice(self) -> str:
        """Whether it is worth a person's time to continue."""
        ahead = min(NEXT, int(self.forecast.reviews[-1]))
        if ahead == 0:
            return "Every label has been reviewed."
        if self.reviewed < FEWEST_REVIEWS:
            return f"After {FEWEST_REVIEWS} reviews you will see whether more reviews pay off."
        each = self.forecast.at(ahead)[0] / ahead
        if each >= 0.4:
            return "Continue: it pays off."
        if each >= 0.1:
            return f"Continue if a corrected label is worth {1 / each:.0f} reviews to you."
        return "You can stop: the remaining labels are mostly right."

    @property
    def stop_rule(self) -> str:
        """How many wrong labels remain if the review ends here."""
        if self.unreviewed == 0:
            return "No label is left to review."
        most = math.floor(self.left_below) + 1
        return f"With 95 % confidence fewer than {most:,} wrong labels remain (about {self.errors_left:,.0f} expected)."

    def outlook(self, reviews: int, pace: float) -> str:
        """What a number of further reviews will find, and in what time at so many seconds each; empty if none is left."""
        reviews = min(reviews, int(self.forecast.reviews[-1]))
        if reviews == 0:
            return ""
        _, low, high = self.forecast.at(reviews)
        which = "next" if self.reviewed else "first"
        between = f"{low:,.0f} to {high:,.0f}" if round(low) < round(high) else f"{high:,.0f}"
        return f"Of the {which} {reviews:,}, expect {between} to be wrong; about {_duration(reviews * pace)}."


def work_out(
    candidates: Candidates, queue: Queue, outcomes: Outcomes, *, ahead: Queue | None = None, slip: float = 0.0
) -> Figures:
    """The figures of an audit with some items settled.

    `labelproof.review.plan.forecast.foretell` makes the forecast. The number of remaining wrong labels and its upper end are
    those of the forecast. From 20 reviews on, once each stratum has one, they are combined with those of the random sample
    (`labelproof.review.estimate_error_rate`), weighted by precision. The error rate then is the share of wrong labels found
    and remaining, so that it never contradicts their number, in the interval of the random sample, widened if need be to hold
    it. Before that it is the audit's own.

    Parameters
    ----------
    candidates : Candidates
    queue : Queue
        Queue of the budget.
    outcomes : dict of int to Resolved
        By rank.
    ahead : Queue, optional
        The same queue with the further items of a larger budget, for the forecast.
    slip : float, default=0.0
        How often a reviewer errs.
    """
    ranks, wrong = _ranks(candidates, outcomes)
    sample = _rate(candidates, *_sample(queue, ranks, wrong)) if len(ranks) >= FEWEST_REVIEWS else None
    forecast = foretell(candidates, queue if ahead is None else ahead, ranks, wrong, slip=slip)
    errors_left, left_below = forecast.left, forecast.left_below
    rate = candidates.part.error_rate()
    if sample is not None:
        errors_left, left_below = _with_sample(forecast, sample, len(candidates), int(wrong.sum()))
        share = min(1.0, (int(wrong.sum()) + errors_left) / len(candidates))
        rate = ErrorRate(share, min(sample.low, share), max(sample.high, share))
    return Figures(
        reviewed=len(ranks),
        unreviewed=len(candidates) - len(ranks),
        wrong=int(wrong.sum()),
        error_rate=rate,
        from_reviews=sample is not None,
        errors_left=errors_left,
        left_below=left_below,
        forecast=forecast,
    )


def _with_sample(forecast: Forecast, rate: ErrorRate, n: int, found: int) -> tuple[float, float]:
    """Wrong labels left and their upper end by forecast and random sample, each weighing what its variance leaves it.

    Both rest on the same reviews, so using two makes the upper end no closer.
    """
    sd = max(1.0, (rate.high - rate.low) / 3.92 * n)
    weight = forecast.left_sd**2 / (forecast.left_sd**2 + sd**2)
    upper = rate.estimate + ONE_SIDED * (rate.high - rate.estimate)
    left, below = (
        max(0.0, weight * (share * n - found) + (1 - weight) * foretold)
        for share, foretold in ((rate.estimate, forecast.left), (upper, forecast.left_below))
    )
    return left, below


def class_rates(candidates: Candidates, queue: Queue, outcomes: Outcomes) -> list[Json]:
    """The error rate among the labels of each given class, worst first; of the 40 largest classes.

    A list of ``class``, ``labels``, ``reviewed``, ``estimate``, and ``low`` and ``high``, which are ``None`` if there are too
    few reviews and the estimate is the audit's.
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
    """``reviewers``, with number of decisions, median seconds and estimated accuracy of each, their ``agreement``, and ``pace``.

    The pace is the median of the seconds of all decisions; 8 before five were timed.
    """
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
    spent = [d.seconds for d in decisions if d.action in DECISIONS and d.seconds is not None]
    pace = float(np.median(spent)) if len(spent) >= FEWEST_TIMED else PACE
    return {"reviewers": rows, "agreement": asdict(found), "pace": pace}


def slip_of(said: Json) -> float:
    """How often a decision is wrong, according to `people`; 0 until two reviewers have answered the same ten items."""
    accuracies = said["agreement"]["accuracies"]
    decisions = {row["name"]: row["decisions"] for row in said["reviewers"] if row["name"] in accuracies}
    if said["agreement"]["items"] < FEWEST_SHARED or not decisions:
        return 0.0
    right = np.average([accuracies[name] for name in decisions], weights=list(decisions.values()))
    return float(np.clip(1 - right, 0.0, MOST_SLIPS))


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{seconds / 3600:.1f} hours"


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
