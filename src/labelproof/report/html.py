"""The audit's report: one self-contained HTML file, and a short version for notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from labelproof.auditing.findings import VERDICTS, Audit
from labelproof.report.latent import latent_map
from labelproof.report.page import Exhibit, gallery, histogram, percent, render
from labelproof.saving.files import atomic_write

HEAT_MAP_CLASSES = 24
CONFUSIONS = 15


@dataclass(frozen=True)
class Card:
    """One label of the gallery."""

    id: str
    given: str
    suggested: str
    error: float
    confidence: float
    verdict: str
    why: str
    exhibit: Exhibit


def write_report(audit: Audit, path: str | os.PathLike[str], *, title: str = "Label audit") -> None:
    """Write the report of an audit as one HTML file without any reference to the network.

    Parameters
    ----------
    audit : Audit
        With its ``dataset`` the gallery shows the items themselves, without it their ids.
    path : path
        Written whole or not at all.
    title : str

    Raises
    ------
    BadInput
        If the path cannot be written.
    """
    page = render(
        "report.html.jinja",
        audit=audit,
        counts=audit.counts,
        title=title,
        cards=gallery(_cards(audit)),
        histogram=histogram(audit.findings.error_probability),
        heat_map=_heat_map(audit),
        confusions=_confusions(audit),
        by_class=_by_class(audit),
        latent=latent_map(audit),
    )
    atomic_write(Path(path), page.encode("utf-8"))


def short_html(audit: Audit) -> str:
    """Headline and the ten worst labels, for a notebook cell."""
    return render("short.html.jinja", audit=audit, counts=audit.counts, worst=list(audit.issues.head(10).iter_rows(named=True)))


def _heat_map(audit: Audit) -> list[dict[str, Any]]:
    if len(audit.classes) > HEAT_MAP_CLASSES:
        return []
    wrong = audit.noise.matrix.copy()
    np.fill_diagonal(wrong, 0.0)
    most = max(float(wrong.max()), 1e-12)
    return [
        {
            "name": str(name),
            "cells": [
                # off the diagonal the colour is scaled to the worst confusion, or nothing would be seen
                {"value": float(value), "own": i == j, "shade": float(value if i == j else np.sqrt(value / most))}
                for j, value in enumerate(row)
            ],
        }
        for i, (name, row) in enumerate(zip(audit.classes, audit.noise.matrix, strict=True))
    ]


def _confusions(audit: Audit) -> list[dict[str, Any]]:
    """The commonest ways a label goes wrong, by expected number of labels."""
    if audit.noise.factors is not None:  # thousands of classes, no pair of which has a rate of its own
        return []
    joint = audit.noise.joint
    np.fill_diagonal(joint, 0.0)
    order = np.argsort(-joint, axis=None)[:CONFUSIONS]
    rows = []
    for flat in order:
        i, j = divmod(int(flat), len(audit.classes))
        expected = joint[i, j] * audit.issues.height
        if expected >= 1:
            true, given = str(audit.classes[i]), str(audit.classes[j])
            rows.append({"true": true, "given": given, "items": round(expected), "share": audit.noise.matrix[i, j]})
    return rows


def _by_class(audit: Audit) -> list[dict[str, Any]]:
    table = (
        audit.issues.group_by("given_label")
        .agg(
            pl.len().alias("n"),
            pl.col("error_probability").mean().alias("rate"),
            (pl.col("verdict") == "obvious").sum().alias("obvious"),
        )
        .sort("rate", "given_label", descending=[True, False])
    )
    most = max(float(table["rate"].max() or 0.0), 1e-12)  # type: ignore[arg-type]
    return [{**row, "width": 100 * row["rate"] / most} for row in table.head(40).iter_rows(named=True)]


def _cards(audit: Audit) -> Iterator[Card]:
    """The labels that are probably wrong, worst first."""
    place = {str(name): i for i, name in enumerate(audit.classes)}
    inverse = audit.noise.inverse if audit.noise.factors is None else None
    for row in audit.issues.filter(pl.col("verdict") != VERDICTS[2]).iter_rows(named=True):
        given, suggested = str(row["given_label"]), str(row["suggested_label"])
        habit = 0.0 if inverse is None else inverse[place[given], place[suggested]]
        exhibit = Exhibit() if audit.dataset is None else Exhibit.of(audit.dataset.show(row["index"]))
        error, confidence, verdict = row["error_probability"], row["confidence"], row["verdict"]
        why = _why(given, suggested, error, confidence, habit)
        yield Card(str(row["id"]), given, suggested, error, confidence, verdict, why, exhibit)


def _why(given: str, suggested: str, error: float, confidence: float, habit: float) -> str:
    own = f"the probability that “{given}” is right is {percent(1 - error)}"
    if suggested == given:
        return f"No class fits well; {own}."
    usual = f" Of all labels “{given}” here, about {percent(habit)} should be “{suggested}”." if habit >= 0.0005 else ""
    return f"A model that never saw this label finds “{suggested}” ({percent(confidence)}); {own}.{usual}"
