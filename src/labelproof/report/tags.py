"""The report of an audit of tags: one self-contained HTML file, and a short version for notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from labelproof.auditing.findings import VERDICTS
from labelproof.auditing.tags import TagAudit
from labelproof.data.dataset import Shown
from labelproof.data.files import atomic_write
from labelproof.data.reopen import reopen
from labelproof.errors import LabelproofError
from labelproof.report.page import GALLERY_BYTES, GALLERY_ITEMS, Exhibit, histogram, percent, render

LISTED_TAGS = 40
TAGS_ON_CARD = 24
Show = Callable[[int], Shown]


@dataclass(frozen=True)
class Card:
    """One item of the gallery: its given tags, and those of them and of the others that are probably wrong."""

    id: str
    error: float
    verdict: str
    right: list[str]
    incorrect: list[str]
    missing: list[str]
    why: str
    exhibit: Exhibit


def write_tag_report(
    audit: TagAudit, path: str | os.PathLike[str], *, title: str = "Tag audit", show: Show | None = None
) -> None:
    """Write the report of an audit of tags as one HTML file without any reference to the network.

    Parameters
    ----------
    audit : TagAudit
    path : path
        Written whole or not at all.
    title : str
    show : callable, optional
        Row number to `labelproof.data.dataset.Shown`. Where left out, items are read from the audit's ``source``, and
        shown by their ids where it names none.

    Raises
    ------
    BadInput
        If the path cannot be written.
    """
    problem = ""
    if show is None:
        show, problem = _reopened(audit)
    page = render(
        "tags.html.jinja",
        audit=audit,
        title=title,
        problem=problem,
        cards=_gallery(audit, show),
        histogram=histogram(audit.error_probability.ravel()),
        by_tag=_by_tag(audit)[:LISTED_TAGS],
        **_counts(audit),
    )
    atomic_write(Path(path), page.encode("utf-8"))


def short_tag_html(audit: TagAudit) -> str:
    """Headline and the ten worst pairs of item and tag, for a notebook cell."""
    return render(
        "short_tags.html.jinja", audit=audit, worst=list(audit.issues.head(10).iter_rows(named=True)), **_counts(audit)
    )


def _reopened(audit: TagAudit) -> tuple[Show | None, str]:
    """How to show the items, or why they cannot be shown."""
    try:
        items = reopen(audit.source)
    except LabelproofError as error:
        return None, f"The items cannot be shown: {error}"
    if items is not None and items.n != len(audit.tags):
        return None, f"The items cannot be shown: there are {items.n:,} now, but {len(audit.tags):,} were audited."
    return (None, "") if items is None else (items.show, "")


def _counts(audit: TagAudit) -> dict[str, int]:
    wrong, given = audit.error_probability, audit.tags == 1
    verdicts = audit.summary["verdicts"]
    return {
        "missing": round(float(wrong[~given].sum())),
        "incorrect": round(float(wrong[given].sum())),
        "given": int(given.sum()),
        "obvious": verdicts["obvious"],
        "possible": verdicts["possible"],
    }


def _by_tag(audit: TagAudit) -> list[dict[str, Any]]:
    """Each tag that varies, the most wrong entries first."""
    given = audit.tags == 1
    missing = np.where(given, 0, audit.error_probability).sum(axis=0)
    incorrect = np.where(given, audit.error_probability, 0).sum(axis=0)
    wrong = missing + incorrect
    most = max(float(wrong.max()), 1e-12)
    return [
        {
            "name": str(audit.names[j]),
            "given": int(given[:, j].sum()),
            "missing": round(float(missing[j])),
            "missing_rate": float(audit.missing_rates[j]),
            "incorrect": round(float(incorrect[j])),
            "incorrect_share": float(incorrect[j] / given[:, j].sum()),
            "width": 100 * float(wrong[j]) / most,
        }
        for j in np.argsort(-wrong, kind="stable")
        if not np.isnan(audit.missing_rates[j])
    ]


def _gallery(audit: TagAudit, show: Show | None) -> list[Card]:
    """The items with the most doubtful tags, worst first."""
    doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
    cards: list[Card] = []
    spent = 0
    for (row,), own in doubtful.group_by("index", maintain_order=True):
        if len(cards) == GALLERY_ITEMS:
            break
        exhibit = _exhibit(show, int(row))
        spent += exhibit.size
        if spent > GALLERY_BYTES:
            break
        cards.append(_card(audit, int(row), own, exhibit))
    return cards


def _exhibit(show: Show | None, row: int) -> Exhibit:
    try:
        return Exhibit() if show is None else Exhibit.of(show(row))
    except LabelproofError as error:
        return Exhibit(text=str(error))


def _card(audit: TagAudit, row: int, doubtful: pl.DataFrame, exhibit: Exhibit) -> Card:
    wrong = {kind: doubtful.filter(pl.col("kind") == kind)["tag"].to_list() for kind in ("incorrect", "missing")}
    names = [str(audit.names[j]) for j in np.flatnonzero(audit.tags[row])]
    right = [name for name in names if name not in wrong["incorrect"]]
    rest = len(right) - TAGS_ON_CARD
    return Card(
        id=str(doubtful["id"][0]),
        error=float(doubtful["error_probability"][0]),
        verdict=doubtful["verdict"][0],
        right=right if rest <= 0 else [*right[:TAGS_ON_CARD], f"and {rest} more"],
        **wrong,
        why="; ".join(
            f"“{tag}” is {kind} ({percent(error)})"
            for tag, kind, error in doubtful["tag", "kind", "error_probability"].iter_rows()
        ),
        exhibit=exhibit,
    )
