"""The report on votes: how good each annotator is, how they err, and the votes that are doubted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.noise.annotators import AnnotatorNoise
from labelproof.report.kinds.base import ReportPart
from labelproof.report.page import percent
from labelproof.validation import Json

SHOWN_ANNOTATORS = 60
CONFUSED = 12  # annotators whose confusions are listed
CONFUSIONS = 3  # of each
HABIT = 0.1  # share of a class's votes from which on a confusion is one
RANDOM = 0.5


class ReportOfVotes(ReportPart):
    """A table of the annotators, next to the histogram."""

    template = "kinds/votes.html.jinja"
    title = "Audit of votes"
    unit, units = "vote", "votes"
    columns: Mapping[str, str] = {"id": "id", "annotator": "annotator", **ReportPart.columns}

    def values(self, audit: Audit) -> dict[str, object]:
        """The consensus, each annotator with an interval, the worst first, and who confuses what."""
        noise = noise_of(audit)
        worst = noise.quality.sort("quality", "annotator")
        error = audit.items["error_probability"].drop_nans()
        pays = audit.items.filter(pl.col("value_of_vote") > 0).sort("value_of_vote", descending=True)
        return {
            "annotators": worst.head(SHOWN_ANNOTATORS).to_dicts(),
            "further": max(0, worst.height - SHOWN_ANNOTATORS),
            "at_random": worst.filter(pl.col("random") > RANDOM)["annotator"].to_list(),
            "confusions": _confusions(noise),
            "consensus_error": float(error.mean() or 0.0),  # type: ignore[arg-type]
            "items": len(error),
            "pays": pays.head(10).select("id", "consensus", "error_probability", "votes", "value_of_vote").to_dicts(),
        }

    def counts(self, audit: Audit) -> str:
        """The counts, the error rate of the consensus, and who votes at random."""
        error = audit.items["error_probability"].drop_nans()
        guessing = noise_of(audit).quality.filter(pl.col("random") > RANDOM)["annotator"].to_list()
        said = f"; {percent(float(error.mean() or 0.0))} of {len(error):,} items have a wrong consensus"  # type: ignore[arg-type]
        if guessing:
            said += f"; {len(guessing):,} of {len(audit.noise.to_json()['annotators']):,} annotators vote at random ({_some(guessing)})"
        return super().counts(audit) + said

    def why(self, audit: Audit, given: str, suggested: str, error: float, confidence: float) -> str:
        """Which other votes the vote contradicts."""
        if given == suggested:
            return f"The votes on this item disagree; the probability that “{given}” is right is {percent(1 - error)}."
        return f"By the other votes, and by who gave them, “{suggested}” is right ({percent(confidence)})."


REPORT = ReportOfVotes()


def noise_of(audit: Audit) -> AnnotatorNoise:
    """The noise of an audit of votes."""
    assert isinstance(audit.noise, AnnotatorNoise)
    return audit.noise


def _confusions(noise: AnnotatorNoise) -> list[Json]:
    """The confusions that annotators make more often than the average annotator, largest excess first."""
    own = noise.matrices * (1 - np.eye(len(noise.classes)))
    further = (own - noise.average.matrix * (1 - np.eye(len(noise.classes)))) * (own >= HABIT)
    rows: list[Json] = []
    for a in np.argsort(-further.max(axis=(1, 2)), kind="stable")[:CONFUSED]:
        for flat in np.argsort(-further[a], axis=None)[:CONFUSIONS]:
            i, j = divmod(int(flat), len(noise.classes))
            if further[a, i, j] > 0:
                names = {"true": str(noise.classes[i]), "given": str(noise.classes[j])}
                rows.append({"annotator": noise.annotators[a], **names, "share": float(own[a, i, j])})
    return rows


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
