"""What the report says of labels of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.data.dataset import Shown
from labelproof.errors import LabelproofError
from labelproof.report.page import Card, Exhibit, percent

Show = Callable[[int], Shown]


@dataclass(frozen=True)
class LabelCard(Card):
    """One label of the gallery."""

    given: str
    suggested: str


class ReportPart:
    """The part of the report that a kind of label has to itself; this one serves any.

    Attributes
    ----------
    template : str
        Extends ``report.html.jinja``.
    title : str
        Of the page, where it is not named.
    unit, units : str
        What a site is called, one and several.
    classes : str
        What its classes are called.
    columns : mapping
        Columns of the issues in the short table, and their headings.
    """

    template = "report.html.jinja"
    title = "Label audit"
    unit, units = "label", "labels"
    classes = "classes"
    columns: Mapping[str, str] = {
        "id": "id",
        "given_label": "given",
        "suggested_label": "suggested",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """What the template needs beside the audit, its cards and its histogram."""
        return {}

    def cell(self, column: str, value: object) -> str:
        """A value of one of the ``columns`` as text."""
        if value is None:
            return "none"
        return percent(value) if column == "error_probability" and isinstance(value, float) else str(value)

    def counts(self, audit: Audit) -> str:
        """How many look wrong, in words."""
        return f"{audit.counts['obvious']:,} obvious, {audit.counts['possible']:,} possible"

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The labels that are probably wrong, worst first."""
        doubtful = audit.worst.filter(pl.col("verdict") != VERDICTS[2])
        for row in doubtful.iter_rows(named=True):
            given, suggested, error = str(row["given_label"]), str(row["suggested_label"]), row["error_probability"]
            why = self.why(audit, given, suggested, error, row["confidence"])
            yield LabelCard(str(row["id"]), error, row["verdict"], why, exhibit_of(show, row["index"]), given, suggested)

    def why(self, audit: Audit, given: str, suggested: str, error: float, confidence: float) -> str:
        """Why a label is doubted, for a person."""
        own = f"the probability that “{given}” is right is {percent(1 - error)}"
        if suggested == given:
            return f"Nothing fits well; {own}."
        return f"A model that never saw this label finds “{suggested}” ({percent(confidence)}); {own}."


def exhibit_of(show: Show | None, row: int) -> Exhibit:
    """An item as the page shows it, or why it cannot be shown."""
    try:
        return Exhibit() if show is None else Exhibit.of(show(row))
    except LabelproofError as error:
        return Exhibit(text=str(error))
