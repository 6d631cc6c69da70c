"""The audit's report: one self-contained HTML file, and a short version for notebooks."""

from __future__ import annotations

import os
from pathlib import Path

from labelproof.auditing.findings import Audit
from labelproof.data.readers import reader_of
from labelproof.errors import LabelproofError
from labelproof.report.kinds import REPORTS
from labelproof.report.kinds.base import ReportPart, Show
from labelproof.report.near import near_part
from labelproof.report.page import BINS, gallery, histogram, render
from labelproof.saving.files import atomic_write


def write_report(audit: Audit, path: str | os.PathLike[str], *, title: str | None = None, show: Show | None = None) -> None:
    """Write the report of an audit as one HTML file without any reference to the network.

    Parameters
    ----------
    audit : Audit
    path : path
        Written whole or not at all.
    title : str, optional
    show : callable, optional
        Row number to `labelproof.data.dataset.Shown`. By default items come from the audit's ``dataset``, or are read again from its
        ``source``; without either they are shown by their ids.

    Raises
    ------
    BadInput
        If the path cannot be written.
    """
    part, problem = part_of(audit), ""
    if show is None:
        show, problem = (audit.dataset.show, "") if audit.dataset is not None else _reopened(audit)
    page = render(
        part.template,
        audit=audit,
        title=part.title if title is None else title,
        problem=problem,
        part=part,
        unlabelled=audit.n - audit.labelled,
        near=near_part(audit, show),
        cards=gallery(part.cards(audit, show)),
        histogram=histogram(audit.histogram(BINS)),
        **part.values(audit),
    )
    atomic_write(Path(path), page.encode("utf-8"))


def short_html(audit: Audit) -> str:
    """Headline and the ten worst labels, for a notebook cell."""
    part = part_of(audit)
    worst = list(audit.worst.head(10).iter_rows(named=True))
    return render("short.html.jinja", audit=audit, part=part, worst=worst)


def part_of(audit: Audit) -> ReportPart:
    """The part of the report for its kind of label."""
    kind = audit.labels.kind
    return REPORTS[kind] if kind in REPORTS else ReportPart()


def _reopened(audit: Audit) -> tuple[Show | None, str]:
    """A function that shows the items, or why they cannot be shown."""
    try:
        reader = reader_of(audit.source)
        items = None if reader is None else reader.reopen([name for name, _ in audit.skipped])
    except LabelproofError as error:
        return None, f"The items cannot be shown: {error}"
    if items is not None and items.n != audit.n:
        return None, f"The items cannot be shown: there are {items.n:,} now, but {audit.n:,} were audited."
    return (None, "") if items is None else (items.show, "")
