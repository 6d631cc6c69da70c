"""The report on labels of any kind."""

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
SAMPLE = "100 labels reviewed at random narrow it."
NARROW, WIDE = 0.05, 0.2


@dataclass(frozen=True)
class LabelCard(Card):
    """One label of the gallery."""

    given: str
    suggested: str


class ReportPart:
    """The part of the report that depends on the kind of label; this one serves any kind.

    Attributes
    ----------
    template : str
        Extends ``report.html.jinja``.
    title : str
        Default title of the page.
    unit, units : str
        Name of a site, singular and plural.
    classes : str
        Name of its classes.
    columns : mapping
        Columns of the issues in the short table, and their headings.
    tested : str
        How often intervals of this kind held the truth when that was known, in a sentence; empty where it was not tested.
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
    tested = ""

    def trust(self, audit: Audit) -> str:
        """How far to trust the error rate, in one or two sentences: doubts first, then the width of the interval."""
        if not audit.believed:
            return f"none while this doubt stands: {audit.doubts[0].kind}."
        standing = [doubt for doubt in audit.doubts if not doubt.evidence.get("excluded")]  # its column was not learned from
        if standing:
            kinds = "; ".join(dict.fromkeys(doubt.kind for doubt in standing))
            return f"limited. Doubts: {kinds}."
        width = audit.error_rate.high - audit.error_rate.low
        if width > NARROW:
            return f"{'low' if width > WIDE else 'moderate'}. Nothing looks doubtful, but the interval is wide. {SAMPLE} {self.tested}".strip()
        if not self.tested:
            return "moderate. Nothing looks doubtful, but the interval was not tested by simulations. 100 labels reviewed at random test it."
        return f"high. Nothing looks doubtful, and the interval is narrow. {self.tested}"

    def values(self, audit: Audit) -> dict[str, object]:
        """Further values for the template, besides the audit, its cards and its histogram."""
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
        """Why a label is suspect, in words."""
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
