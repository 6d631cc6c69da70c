"""The joint answer of the reviewers of an item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.noise.votes import Consensus, dawid_skene, fleiss_kappa
from labelproof.review.log.store import Decision

NO_CLASS = "\x00"  # "none of these" among labels
MOST_LABELS = 200  # distinct answers that a reviewer's matrix is fitted to
Answers = Mapping[str, Mapping[str, Decision]]  # by item and reviewer


@dataclass(frozen=True)
class Resolved:
    """The outcome of an item.

    Attributes
    ----------
    label : str or None
        The true class by name; ``None``: none of the classes.
    seq : int
        Place in the log of the decision that settled it.
    reviewers : tuple of str
        Those who gave an answer.
    agreed : bool
        Whether they gave the same one.
    """

    label: str | None
    seq: int
    reviewers: tuple[str, ...]
    agreed: bool


def answers_of(decisions: Iterable[Decision]) -> dict[str, dict[str, Decision]]:
    """The decisions that name a class, or none, by item and reviewer; unsure and skip are no answers."""
    found: dict[str, dict[str, Decision]] = {}
    for decision in decisions:
        if decision.action in ("keep", "relabel", "none"):
            found.setdefault(decision.item, {})[decision.reviewer] = decision
    return found


def resolve(decisions: Iterable[Decision]) -> dict[str, Resolved]:
    """The outcome of each item that has an answer.

    Reviewers who agree settle it. If they differ, the most probable answer by `labelproof.review.dawid_skene` over all
    reviewed items counts; with more than 200 different answers, such as sets of tags, the most common, then the latest.
    """
    answers = answers_of(decisions)
    found, disputed = {}, []
    for item, by_reviewer in answers.items():
        said = {_answer(d) for d in by_reviewer.values()}
        if len(said) == 1:
            found[item] = _resolved(said.pop(), by_reviewer, agreed=True)
        else:
            disputed.append(item)
    if disputed:
        names, fitted = _distinct(answers), _fit(answers)
        place = {item: row for row, item in enumerate(answers)}
        for item in disputed:
            answer = _commonest(answers[item]) if fitted is None else names[fitted.labels[place[item]]]
            found[item] = _resolved(answer, answers[item], agreed=False)
    return found


@dataclass(frozen=True)
class Agreement:
    """The agreement of reviewers.

    Attributes
    ----------
    items : int
        Items with two answers or more.
    kappa : float or None
        Fleiss' kappa over them (of two reviewers, Scott's pi).
    accuracies : dict of str to float
        Estimated probability that each reviewer names the true class, by Dawid and Skene.
    """

    items: int
    kappa: float | None
    accuracies: Mapping[str, float]


def agreement(decisions: Iterable[Decision]) -> Agreement:
    """Agreement of all reviewers over the items that several answered."""
    answers = answers_of(decisions)
    shared = {item: by for item, by in answers.items() if len(by) > 1}
    if not shared:
        return Agreement(0, None, {})
    fitted = _fit(shared)
    accuracies = {} if fitted is None else dict(zip(_reviewers(shared), fitted.accuracies.tolist(), strict=True))
    return Agreement(len(shared), fleiss_kappa(_table(shared)), accuracies)


def _answer(decision: Decision) -> str:
    return NO_CLASS if decision.action == "none" or decision.label is None else decision.label


def _resolved(answer: str, by_reviewer: Mapping[str, Decision], agreed: bool) -> Resolved:
    last = max(d.seq for d in by_reviewer.values())
    return Resolved(None if answer == NO_CLASS else answer, last, tuple(sorted(by_reviewer)), agreed)


def _commonest(by_reviewer: Mapping[str, Decision]) -> str:
    counts = Counter(_answer(d) for d in by_reviewer.values())
    return _answer(max(by_reviewer.values(), key=lambda d: (counts[_answer(d)], d.seq)))


def _reviewers(answers: Answers) -> list[str]:
    return sorted({name for by in answers.values() for name in by})


def _distinct(answers: Answers) -> list[str]:
    return sorted({_answer(decision) for by in answers.values() for decision in by.values()})


def _table(answers: Answers) -> npt.NDArray[np.float64]:
    """Answers as positions in `_distinct`, NaN if a reviewer gave none, so that no name of a class counts as missing."""
    code = {answer: place for place, answer in enumerate(_distinct(answers))}
    reviewers = _reviewers(answers)
    return np.array([[code[_answer(by[name])] if name in by else np.nan for name in reviewers] for by in answers.values()])


def _fit(answers: Answers) -> Consensus | None:
    """Dawid and Skene over all items, with the positions in `_distinct` as classes; ``None`` with one answer or very many."""
    k = len(_distinct(answers))
    return dawid_skene(_table(answers), classes=range(k)) if 2 <= k <= MOST_LABELS else None
