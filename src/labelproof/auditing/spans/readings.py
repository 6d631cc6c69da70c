"""The most probable valid reading of a sentence, and its differences from the given one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.labels.spans import ABSENT
from labelproof.validation import IntArray

Matrix = npt.NDArray[np.float64]
Coded = tuple[int, int, int]  # start, end, code of the type


class Change(NamedTuple):
    """A span that should be another: ``given`` is None if it is missing, ``suggested`` if it is extra."""

    given: Coded | None
    suggested: Coded | None

    @property
    def kind(self) -> str:
        """The kind of error."""
        if self.given is None:
            return "missing"
        if self.suggested is None:
            return "extra"
        return "type" if self.given[:2] == self.suggested[:2] else "boundary"

    @property
    def code(self) -> int:
        """The code of the suggested type."""
        return ABSENT if self.suggested is None else self.suggested[2]


def allowed(c: int) -> npt.NDArray[np.bool_]:
    """Whether a state may follow another, shape (2 c + 1, 2 c + 1): a span is continued only by its own type."""
    may = np.ones((2 * c + 1, 2 * c + 1), bool)
    may[:, c : 2 * c] = False
    for code in range(c):
        may[[code, c + code], c + code] = True
    return may


def best_reading(scores: Matrix, may: npt.NDArray[np.bool_]) -> IntArray:
    """The valid sequence of states with the highest sum of scores (Viterbi), shape (tokens,).

    Parameters
    ----------
    scores : ndarray, shape (tokens, states)
        Log probabilities.
    may : ndarray of bool, shape (states, states)
        `allowed`.
    """
    t, states = scores.shape
    c = (states - 1) // 2
    steps = np.where(may, 0.0, -np.inf)
    best = scores[0].copy()
    best[c : 2 * c] = -np.inf  # there is nothing to continue
    came = np.zeros((t, states), np.int64)
    for i in range(1, t):
        through = best[:, None] + steps
        came[i] = through.argmax(axis=0)
        best = through[came[i], np.arange(states)] + scores[i]
    path = np.empty(t, np.int64)
    path[-1] = int(best.argmax())
    for i in range(t - 1, 0, -1):
        path[i - 1] = came[i, path[i]]
    return path


def changes(given: list[Coded], suggested: list[Coded]) -> list[Change]:
    """The differences, with each span in one change: overlapping spans are paired, those that share most tokens first."""
    old = [span for span in given if span not in suggested]
    new = [span for span in suggested if span not in given]
    pairs = sorted(
        (-_shared(one, other), one[2] != other[2], i, j)
        for i, one in enumerate(old)
        for j, other in enumerate(new)
        if one[0] < other[1] and other[0] < one[1]
    )
    partner: dict[int, int] = {}
    for _, _, i, j in pairs:
        if i not in partner and j not in partner.values():
            partner[i] = j
    found = [Change(one, new[partner[i]] if i in partner else None) for i, one in enumerate(old)]
    return found + [Change(None, other) for j, other in enumerate(new) if j not in partner.values()]


def _shared(one: Coded, other: Coded) -> float:
    """Tokens in both over tokens in either."""
    both = min(one[1], other[1]) - max(one[0], other[0])
    return both / (max(one[1], other[1]) - min(one[0], other[0]))
