"""A doubt: what makes the figures of an audit doubtful, with the evidence and what to do about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labelproof.errors import LabelproofWarning
from labelproof.validation import Json


@dataclass(frozen=True)
class Doubt:
    """A reason not to believe the figures of an audit.

    Attributes
    ----------
    kind : str
        One of those in ``docs/believe.md``, such as ``columns in another order`` or ``a column equals the label``.
    text : str
        What was seen, and what to do, in words.
    evidence : dict
        The numbers behind it, in the form of JSON.
    serious : bool, default=False
        Whether the error rate is meaningless because of it. Otherwise it concerns some findings, or the width of the interval.
    """

    kind: str
    text: str
    evidence: Json = field(default_factory=dict)
    serious: bool = False


class DoubtWarning(LabelproofWarning):
    """The figures of an audit are doubtful; its ``doubts`` give the reasons."""


def say(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Warn of each doubt, serious ones first, and hand them on in that order."""
    found = sorted(doubts, key=lambda doubt: not doubt.serious)
    for doubt in found:
        warnings.warn(doubt.text, DoubtWarning, stacklevel=4)
    return found


def some(values: Sequence[object], most: int = 12) -> str:
    """The first of them, for a message."""
    return ", ".join(str(value)[:60] for value in values[:most]) + (", …" if len(values) > most else "")
