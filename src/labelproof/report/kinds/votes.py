"""What the report says of votes: how often each annotator errs, and the votes that are doubted."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.report.kinds.base import ReportPart
from labelproof.report.page import percent


class ReportOfVotes(ReportPart):
    """The annotators beside the histogram."""

    template = "kinds/votes.html.jinja"
    title = "Audit of votes"
    unit, units = "vote", "votes"
    columns: Mapping[str, str] = {"id": "id", "annotator": "annotator", **ReportPart.columns}

    def values(self, audit: Audit) -> dict[str, object]:
        """Each annotator's votes and share of wrong ones, the worst first."""
        share = pl.col("error_probability").mean().alias("rate")
        table = (
            audit.issues.group_by("annotator")
            .agg(pl.len().alias("n"), share)
            .sort("rate", "annotator", descending=[True, False])
        )
        most = max(float(table["rate"].to_numpy().max()), 1e-12)
        return {"by_annotator": [{**row, "width": 100 * row["rate"] / most} for row in table.iter_rows(named=True)]}

    def why(self, audit: Audit, given: str, suggested: str, error: float, confidence: float) -> str:
        """Against whom the vote stands."""
        if given == suggested:
            return f"The votes on this item disagree; the probability that “{given}” is right is {percent(1 - error)}."
        return f"By the other votes, and by who gave them, “{suggested}” is right ({percent(confidence)})."


REPORT = ReportOfVotes()
