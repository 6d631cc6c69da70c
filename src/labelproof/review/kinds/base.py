"""The part of a review that depends on the kind of label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ErrorRate
from labelproof.labels import KINDS
from labelproof.labels.base import Labels
from labelproof.review.log.store import Decision
from labelproof.review.plan.resolve import Resolved, resolve
from labelproof.validation import IntArray, Json

if TYPE_CHECKING:
    from labelproof.review.candidates import Candidates

SCRIPTS = Path(__file__).parent


class ReviewPart(ABC):
    """The items of one audit, as labels of their kind are reviewed.

    Parameters
    ----------
    candidates : Candidates

    Attributes
    ----------
    kind : str
    script : Path
        The kind's part of the page: JavaScript that defines ``kind``, as ``classes.js`` does.
    of_all : str
        The base of the error rate, after "x %".
    similar : bool
        Whether similar trusted items are shown with an item.
    one_choice : bool
        Whether an answer is one of the classes.
    may_be_none : bool
        Whether "none of these" is an answer, which removes the label.
    writes_anew : bool
        Whether the copy differs even without any decision, as a consensus does.
    may_be_blind : bool
        Whether an item can be judged by a reviewer who does not see which label was given.
    """

    kind: ClassVar[str]
    script: ClassVar[Path]
    of_all: ClassVar[str] = "of the items have a wrong label"
    similar: ClassVar[bool] = False
    one_choice: ClassVar[bool] = False
    may_be_none: ClassVar[bool] = False
    writes_anew: ClassVar[bool] = False
    may_be_blind: ClassVar[bool] = False

    def __init__(self, candidates: Candidates) -> None:
        self.candidates = candidates

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """The table of the candidates, worst first: ``index``, ``id`` as text, ``error_probability``, and the given label."""

    @classmethod
    @abstractmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The given label of each item, as text that is the same as long as the label is."""

    def texts(self) -> pl.Series:
        """The given label of each item by name, as text that is the same as long as the label is."""
        return self.codes(self.candidates.table)

    def given_texts(self) -> pl.Series:
        """The given label of each item, in the form of a decision."""
        return pl.Series([self.given(rank) for rank in range(len(self.candidates))], dtype=pl.String)

    @abstractmethod
    def given(self, rank: int) -> str:
        """The given label of an item, in the form of a decision."""

    @abstractmethod
    def described(self, rank: int) -> Json:
        """The data of an item's label for the page, as JSON holds them."""

    def blinded(self, rank: int) -> Json:
        """What a blind review's page receives instead: the choices, in an order that says nothing of which was given."""
        raise NotImplementedError(f"labels of the kind {self.kind} have no blind review")

    def mask(self, rank: int, codes: IntArray) -> bytes:
        """The classes of a picture's pixels, shape (h, w), as the page draws them; empty of labels that are no masks."""
        return b""

    def worth(self) -> npt.NDArray[np.float64] | None:
        """The value of a review of each item, by rank, if that is not its error probability."""
        return None

    def outcomes(self, decisions: Iterable[Decision]) -> dict[str, Resolved]:
        """The outcome of each item that has an answer."""
        return resolve(decisions)

    def rated(self) -> pl.Series | None:
        """The class that each item was given, if the error rate is reported by class."""
        return None

    def error_rate(self) -> ErrorRate:
        """Without a review: the audit's own."""
        return ErrorRate(**self.candidates.summary["error_rate"])

    @property
    def labels(self) -> type[Labels]:
        """The kind itself."""
        return KINDS[self.kind]

    def checked(self, label: object, rank: int | None = None) -> str:
        """The label of a decision, as the log holds it, of any item or of one.

        Raises
        ------
        BadInput
            If it is not of this kind, or has a name that the audit does not know.
        """
        return self.labels.to_text(label, self.candidates.classes)

    def to_cell(self, text: str) -> str:
        """A decision's label as a person reads it in a spreadsheet."""
        return text

    def from_cell(self, cell: str) -> object:
        """The label in a cell that a person wrote."""
        return cell

    def suggested_cell(self, rank: int) -> str:
        """The suggestion for a spreadsheet; empty if it does not fit in one cell."""
        return ""

    @abstractmethod
    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The choices that are ticked beforehand, and how sure that is; of labels that are no choices those of `results`."""

    def chosen(self, choices: list[str]) -> object | None:
        """The label for ticked choices; ``None`` for no answer."""
        return choices

    def control(self, name: str, item: str) -> str:
        """The question of a Label Studio configuration, of that name, about the object named ``item``."""
        choice = "single-radio" if self.one_choice else "multiple"
        names = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in self.candidates.classes)
        return f'  <Choices name="{name}" toName="{item}" choice="{choice}" showInLine="true">\n{names}\n  </Choices>'

    def results(self, rank: int, text: str) -> tuple[list[Json], float]:
        """The suggestion for Label Studio: ``type`` and ``value`` of each result, and its confidence; ``text`` is shown there."""
        choices, score = self.preselected(rank)
        return [{"type": "choices", "value": {"choices": choices}}], score

    def answered(self, values: list[Json], rank: int, text: str) -> object | None:
        """The label for the values of Label Studio's results; ``None`` for no answer.

        Raises
        ------
        BadInput
            If they are no label of this kind.
        """
        return self.chosen([str(choice) for value in values for choice in value.get("choices") or []])

    def said(self, text: str) -> str:
        """A decision's label in a sentence."""
        return text

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """Rank and suggested label of those of the first items whose suggestion is another label."""
        return []
