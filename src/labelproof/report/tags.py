"""The report of an audit of tags: one self-contained HTML file, and a short version for notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from labelproof.auditing.findings import VERDICTS
from labelproof.auditing.tags import TagAudit
from labelproof.data.dataset import Shown
from labelproof.data.reopen import reopen
from labelproof.errors import LabelproofError
from labelproof.report.page import Exhibit, gallery, histogram, percent, render
from labelproof.saving.files import atomic_write
from labelproof.validation import FloatArray

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
    expected = _expected(audit)
    page = render(
        "tags.html.jinja",
        audit=audit,
        title=title,
        problem=problem,
        cards=gallery(_cards(audit, show)),
        histogram=histogram(audit.error_probability.ravel()),
        by_tag=_by_tag(audit, *expected)[:LISTED_TAGS],
        **_headline(audit, *expected),
    )
    atomic_write(Path(path), page.encode("utf-8"))


def short_tag_html(audit: TagAudit) -> str:
    """Headline and the ten worst pairs of item and tag, for a notebook cell."""
    return render(
        "short_tags.html.jinja",
        audit=audit,
        worst=list(audit.issues.head(10).iter_rows(named=True)),
        **_headline(audit, *_expected(audit)),
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


def _expected(audit: TagAudit) -> tuple[FloatArray, FloatArray]:
    """Expected numbers of items that lack each tag, and that have it wrongly, both (k,)."""
    given, wrong = audit.tags == 1, audit.error_probability
    return np.where(given, 0, wrong).sum(axis=0), np.where(given, wrong, 0).sum(axis=0)


def _headline(audit: TagAudit, missing: FloatArray, incorrect: FloatArray) -> dict[str, int]:
    return {"missing": round(float(missing.sum())), "incorrect": round(float(incorrect.sum())), "given": int(audit.tags.sum())}


def _by_tag(audit: TagAudit, missing: FloatArray, incorrect: FloatArray) -> list[dict[str, Any]]:
    """Each tag that varies, the most wrong entries first."""
    given, wrong = audit.tags.sum(axis=0), missing + incorrect
    most = max(float(wrong.max()), 1e-12)
    return [
        {
            "name": str(audit.names[j]),
            "given": int(given[j]),
            "missing": round(float(missing[j])),
            "missing_rate": float(audit.missing_rates[j]),
            "incorrect": round(float(incorrect[j])),
            "incorrect_share": float(incorrect[j] / given[j]),
            "width": 100 * float(wrong[j]) / most,
        }
        for j in np.argsort(-wrong, kind="stable")
        if not np.isnan(audit.missing_rates[j])
    ]


def _cards(audit: TagAudit, show: Show | None) -> Iterator[Card]:
    """The items with the most doubtful tags, worst first."""
    doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
    for (row,), own in doubtful.group_by("index", maintain_order=True):
        yield _card(audit, int(row), own, _exhibit(show, int(row)))


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
