"""The report on tags: how often each is missing or incorrect, and the items with the most doubtful ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.labels.tags import Tags
from labelproof.noise.tag_rates import TagRates
from labelproof.report.kinds.base import ReportPart, Show, exhibit_of
from labelproof.report.page import Card, Exhibit, percent
from labelproof.validation import FloatArray, Json

LISTED_TAGS = 40
TAGS_ON_CARD = 24


@dataclass(frozen=True)
class ItemCard(Card):
    """One item of the gallery: its given tags, and those of them and of the others that are probably wrong."""

    right: list[str]
    incorrect: list[str]
    missing: list[str]


class ReportOfTags(ReportPart):
    """The two rates of each tag, and items rather than sites."""

    template = "kinds/tags.html.jinja"
    title = "Tag audit"
    unit, units = "pair", "pairs of item and tag"
    classes = "tags"
    columns: Mapping[str, str] = {
        "id": "id",
        "tag": "tag",
        "kind": "kind",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """Expected numbers of missing and incorrect tags, and how each tag goes wrong."""
        given, wrong = _matrix(audit) == 1, audit.error_probability
        missing, incorrect = np.where(given, 0, wrong).sum(axis=0), np.where(given, wrong, 0).sum(axis=0)
        return {
            "missing": round(float(missing.sum())),
            "incorrect": round(float(incorrect.sum())),
            "given": int(given.sum()),
            "by_tag": _by_tag(audit, given.sum(axis=0), missing, incorrect)[:LISTED_TAGS],
        }

    def counts(self, audit: Audit) -> str:
        """How many look missing, and how many incorrect."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        found = dict(doubtful["kind"].value_counts().iter_rows())
        return f"{found.get('missing', 0):,} tags missing, {found.get('incorrect', 0):,} incorrect"

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The items with the most doubtful tags, worst first."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        for (row,), own in doubtful.group_by("index", maintain_order=True):
            yield _card(audit, int(row), own, exhibit_of(show, int(row)))


REPORT = ReportOfTags()


def _matrix(audit: Audit) -> Any:
    assert isinstance(audit.labels, Tags)
    return audit.labels.matrix


def _by_tag(audit: Audit, given: FloatArray, missing: FloatArray, incorrect: FloatArray) -> list[Json]:
    """Each tag that varies, the most wrong entries first."""
    assert isinstance(audit.noise, TagRates)
    wrong = missing + incorrect
    most = max(float(wrong.max()), 1e-12)
    return [
        {
            "name": str(audit.classes[j]),
            "given": int(given[j]),
            "missing": round(float(missing[j])),
            "missing_rate": float(audit.noise.missing_rates[j]),
            "incorrect": round(float(incorrect[j])),
            "incorrect_share": float(incorrect[j] / given[j]),
            "width": 100 * float(wrong[j]) / most,
        }
        for j in np.argsort(-wrong, kind="stable")
        if not np.isnan(audit.noise.missing_rates[j])
    ]


def _card(audit: Audit, row: int, doubtful: pl.DataFrame, exhibit: Exhibit) -> ItemCard:
    wrong = {kind: doubtful.filter(pl.col("kind") == kind)["tag"].to_list() for kind in ("incorrect", "missing")}
    names = [str(audit.classes[j]) for j in np.flatnonzero(_matrix(audit)[row])]
    right = [name for name in names if name not in wrong["incorrect"]]
    rest = len(right) - TAGS_ON_CARD
    return ItemCard(
        id=str(doubtful["id"][0]),
        error=float(doubtful["error_probability"][0]),
        verdict=doubtful["verdict"][0],
        right=right if rest <= 0 else [*right[:TAGS_ON_CARD], f"and {rest} more"],
        **wrong,
        why="; ".join(
            f"“{tag}” is {kind} ({percent(error)})"
            for tag, kind, error in doubtful["tag", "kind", "error_probability"].iter_rows()
        )
        + ".",
        exhibit=exhibit,
    )
