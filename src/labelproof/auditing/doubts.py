"""What makes the figures of an audit doubtful, with the evidence: said at the top of everything that shows them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from labelproof.data.leaks import Leak
from labelproof.errors import LabelproofWarning
from labelproof.validation import Json

if TYPE_CHECKING:  # numba, which it brings, is 56 MB that a server of reviews has no use for
    from labelproof.auditing.fold import Sample

OTHER_ORDER = "columns in another order"
FEWEST = 20  # labels
MOST_CLASSES = 1000
BETTER = 0.25  # share of the labels by which another order of the columns must fit better


@dataclass(frozen=True)
class Doubt:
    """One reason not to believe the figures as they are.

    Attributes
    ----------
    kind : str
        ``columns in another order``, ``a column equals the label``, ``a column tells the label`` or ``a column counts rows``; of votes
        ``votes that nothing can be compared with`` or ``votes at random``.
    text : str
        For a person: what was seen, and what to do.
    evidence : dict
        The numbers behind it, as JSON holds them.
    """

    kind: str
    text: str
    evidence: Json = field(default_factory=dict)


class DoubtWarning(LabelproofWarning):
    """The figures of an audit are doubtful; its ``doubts`` say why."""


def say(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Warn of each doubt, and hand them on."""
    found = list(doubts)
    for doubt in found:
        warnings.warn(doubt.text, DoubtWarning, stacklevel=3)
    return found


def of_columns(rows: Sample, classes: Sequence[object]) -> list[Doubt]:
    """Whether the columns of the probabilities match the labels far better in another order.

    The order is the one under which most labels agree with the most probable class (the Hungarian algorithm on the counts of
    given label and most probable column).
    """
    k, n = len(classes), len(rows.given)
    if n < FEWEST or k > MOST_CLASSES:
        return []
    counts = np.bincount(rows.given * k + rows.probs.argmax(axis=1), minlength=k * k).reshape(k, k)
    given, column = linear_sum_assignment(-counts)
    now, best = float(np.trace(counts)) / n, float(counts[given, column].sum()) / n
    if best < max(0.5, now + BETTER):
        return []
    class_of = dict(zip(column.tolist(), given.tolist(), strict=True))
    order = [classes[class_of[j]] for j in range(k)]
    mend = f"pass classes=[{_some(order)}] (--classes)"
    if (
        list(classes) == list(range(k))
        and counts[0].sum() == 0
        and all(class_of[j] == j + 1 for j in range(k - 1) if counts[j + 1].any())
    ):
        order = list(range(1, k + 1))
        mend = f"the labels count from 1: pass classes=[{_some(order)}] (--classes)"
    text = (
        f"The columns of the probabilities match the labels far better in another order: {best:.0%} of the labels are then the "
        f"most probable class, now {now:.0%}. If the columns stand for {_some(order)}, {mend}."
    )
    return [Doubt(OTHER_ORDER, text, {"agree_now": now, "agree_best": best, "order": [str(c) for c in order]})]


def of_leaks(leaks: Iterable[Leak]) -> list[Doubt]:
    """Columns of a table that give the label away."""
    return [
        Doubt(f"a column {leak.kind}{'' if leak.kind == 'counts rows' else ' the label'}", leak.text,
              {"column": leak.column, "left_out": leak.left_out, **leak.evidence})
        for leak in leaks
    ]  # fmt: skip


def _some(values: Sequence[object], most: int = 12) -> str:
    return ", ".join(map(str, values[:most])) + (", …" if len(values) > most else "")
