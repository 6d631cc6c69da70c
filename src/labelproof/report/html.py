"""The audit's report: one self-contained HTML file, and a short version for notebooks."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import polars as pl

import labelproof
from labelproof.auditing.findings import VERDICTS, Audit
from labelproof.data.dataset import Shown
from labelproof.data.files import atomic_write
from labelproof.report.latent import latent_map

GALLERY_ITEMS = 120
GALLERY_BYTES = 3_500_000  # keeps the file under 5 MB
HEAT_MAP_CLASSES = 24
CONFUSIONS = 15
BINS = 20


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
    shown: Shown | None
    picture: str = ""


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
    page = _render(
        "report.html.jinja",
        audit,
        title=title,
        cards=_gallery(audit),
        histogram=_histogram(audit),
        heat_map=_heat_map(audit),
        confusions=_confusions(audit),
        by_class=_by_class(audit),
        latent=latent_map(audit),
    )
    atomic_write(Path(path), page.encode("utf-8"))


def short_html(audit: Audit) -> str:
    """Headline and the ten worst labels, for a notebook cell."""
    return _render("short.html.jinja", audit, worst=list(audit.issues.head(10).iter_rows(named=True)))


def _render(template: str, audit: Audit, **values: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            audit=audit,
            counts=audit.counts,
            version=labelproof.__version__,
            **values,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("labelproof.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["thousands"] = lambda value: f"{value:,}"
    return environment


def percent(share: float, digits: int = 1) -> str:
    """A share as text, with a space that does not break: ``12.3 %``; what would round to 0 or 100 says so: ``< 0.1 %``."""
    least = 10.0**-digits
    if 0 < 100 * share < least:
        return f"<\u00a0{least:g}\u00a0%"
    if 100 - least < 100 * share < 100:
        return f">\u00a0{100 - least:g}\u00a0%"
    return f"{100 * share:.{digits}f}\u00a0%"


def _histogram(audit: Audit) -> list[dict[str, Any]]:
    """Counts of error probabilities; bars on a logarithmic scale, because most labels are right."""
    counts, edges = np.histogram(audit.issues["error_probability"].to_numpy(), bins=BINS, range=(0, 1))
    most = np.log1p(counts.max())
    return [
        {"low": low, "high": high, "count": int(count), "height": float(100 * np.log1p(count) / most)}
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


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


def _gallery(audit: Audit) -> list[Card]:
    place = {str(name): i for i, name in enumerate(audit.classes)}
    inverse = audit.noise.inverse if audit.noise.factors is None else None
    cards: list[Card] = []
    spent = 0
    for row in audit.issues.filter(pl.col("verdict") != VERDICTS[2]).head(GALLERY_ITEMS).iter_rows(named=True):
        given, suggested = str(row["given_label"]), str(row["suggested_label"])
        habit = 0.0 if inverse is None else inverse[place[given], place[suggested]]
        shown = None if audit.dataset is None else audit.dataset.show(row["index"])
        picture = "" if shown is None else _data_url(shown.image)
        spent += len(picture) + (0 if shown is None else len(shown.text) + sum(len(v) for _, v in shown.fields))
        if spent > GALLERY_BYTES:
            break
        error, confidence, verdict = row["error_probability"], row["confidence"], row["verdict"]
        why = _why(given, suggested, error, confidence, habit)
        cards.append(Card(str(row["id"]), given, suggested, error, confidence, verdict, why, shown, picture))
    return cards


def _why(given: str, suggested: str, error: float, confidence: float, habit: float) -> str:
    own = f"the probability that “{given}” is right is {percent(1 - error)}"
    if suggested == given:
        return f"No class fits well; {own}."
    usual = f" Of all labels “{given}” here, about {percent(habit)} should be “{suggested}”." if habit >= 0.0005 else ""
    return f"A model that never saw this label finds “{suggested}” ({percent(confidence)}); {own}.{usual}"


def _data_url(image: bytes) -> str:
    if not image:
        return ""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"
