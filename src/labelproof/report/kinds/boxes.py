"""The report on boxes: how each class and size goes wrong, and the pictures with the most doubtful boxes, drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.labels.boxes import EDGES, KINDS_OF_ERROR, Box
from labelproof.noise.boxes import SIZES, BoxNoise
from labelproof.report.crops import View, as_url, part_of, shown_picture
from labelproof.report.kinds.base import ReportPart, Show
from labelproof.report.page import Card, Exhibit, percent
from labelproof.validation import Json

LISTED, CONFUSIONS, TOLD = 40, 15, 6
SUGGESTED = tuple(f"suggested_{edge}" for edge in EDGES)
REASONS = {
    "duplicate": "stands twice",
    "outside": "reaches beyond the picture",
    "empty": "has no area",
    "order": "has its coordinates in another order",
    "unit": "is given in other units",
}


class Rectangle(NamedTuple):
    """A box as it is drawn: ``state`` is ``kept``, ``gone`` or ``new``."""

    x: float
    y: float
    width: float
    height: float
    name: str
    state: str


@dataclass(frozen=True)
class PictureCard(Card):
    """One picture of the gallery."""

    view: View
    rectangles: Sequence[Rectangle]


class ReportOfBoxes(ReportPart):
    """Classes, sizes and pictures."""

    template = "kinds/boxes.html.jinja"
    title = "Audit of boxes"
    unit, units = "box", "boxes, given or missing,"
    columns: Mapping[str, str] = {
        "id": "id",
        "kind": "kind",
        "given_label": "given",
        "suggested_label": "suggested",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """Expected numbers of errors by kind, class and size, and which classes are confused."""
        assert isinstance(audit.noise, BoxNoise)
        edges = audit.noise.edges
        issues = audit.issues.with_columns(_size(edges).alias("size"))
        of = pl.coalesce(pl.col("given_label"), pl.col("suggested_label")).cast(pl.String)
        return {
            "expected": {kind: round(_sum(issues, kind)) for kind in KINDS_OF_ERROR},
            "given": int(issues["given_label"].is_not_null().sum()),
            "by_class": _table(issues, of)[:LISTED],
            "by_size": sorted(_table(issues, pl.col("size")), key=lambda row: SIZES.index(row["name"])),
            "size_edges": edges,
            "confusions": _confusions(issues),
        }

    def counts(self, audit: Audit) -> str:
        """How many of each kind."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        found = dict(doubtful["kind"].cast(pl.String).value_counts().iter_rows())
        names = {"missing": "missing", "extra": "that are none", "displaced": "displaced", "class": "of another class"}
        return "boxes " + ", ".join(f"{found.get(kind, 0):,} {name}" for kind, name in names.items())

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The pictures with the most doubtful boxes, worst first."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        joined = doubtful.join(
            audit.items.select("index", "width", "height", "given_boxes"), on="index", how="left", maintain_order="left"
        )
        for _, own in joined.group_by("index", maintain_order=True):
            yield _card(list(own.iter_rows(named=True)), show)


REPORT = ReportOfBoxes()


def _sum(issues: pl.DataFrame, kind: str) -> float:
    return float(issues.filter(pl.col("kind") == kind)["error_probability"].sum())


def _size(edges: tuple[float, float]) -> pl.Expr:
    """The size of a box by its area, as the noise divides them."""
    area = (pl.col("x2") - pl.col("x1")).abs() * (pl.col("y2") - pl.col("y1")).abs()
    small, medium, large = SIZES
    low, high = (edge**2 for edge in edges)
    return pl.when(area < low).then(pl.lit(small)).when(area < high).then(pl.lit(medium)).otherwise(pl.lit(large))


def _table(issues: pl.DataFrame, of: pl.Expr) -> list[Json]:
    """Expected errors of each kind, by a column; the most first."""
    sums = [pl.col("error_probability").filter(pl.col("kind") == kind).sum().alias(kind) for kind in KINDS_OF_ERROR]
    table = issues.group_by(of.alias("name")).agg(pl.col("given_label").is_not_null().sum().alias("given"), *sums)
    rows = [{**row, "all": sum(row[kind] for kind in KINDS_OF_ERROR)} for row in table.drop_nulls("name").iter_rows(named=True)]
    most = max((row["all"] for row in rows), default=0.0) or 1.0
    rows.sort(key=lambda row: (-row["all"], row["name"]))
    return [{**row, **{kind: round(row[kind]) for kind in KINDS_OF_ERROR}, "width": 100 * row["all"] / most} for row in rows]


def _confusions(issues: pl.DataFrame) -> list[Json]:
    """Classes that were given for others, by expected number of boxes."""
    table = (
        issues.filter((pl.col("kind") == "class") & (pl.col("given_label") != pl.col("suggested_label")))
        .group_by("given_label", "suggested_label")
        .agg(pl.col("error_probability").sum().alias("boxes"))
        .filter(pl.col("boxes") >= 0.5)
        .sort("boxes", descending=True)
    )
    return table.head(CONFUSIONS).to_dicts()


def _card(rows: list[Json], show: Show | None) -> PictureCard:
    first = rows[0]
    given: list[Box] = [tuple(box) for box in json.loads(first["given_boxes"])]
    gone = {row["box"] for row in rows if row["given_label"] is not None}
    drawn = [_rectangle(box, "gone" if number in gone else "kept") for number, box in enumerate(given)]
    new = [_suggested(row) for row in rows if row["suggested_x1"] is not None and row["suggested_label"] is not None]
    drawn += [_rectangle(box, "new") for box in new]
    picture = shown_picture(show, first["index"])
    known = first["width"] is not None and not math.isnan(first["width"])
    size = (
        (float(first["width"]), float(first["height"]))
        if known
        else None
        if picture is None
        else (float(picture.width), float(picture.height))
    )
    doubtful = [tuple(row[edge] for edge in EDGES) for row in rows if _finite(row)] + [box[:4] for box in new]
    view = View.around([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in doubtful], size)
    url = "" if picture is None or size is None else as_url(part_of(picture, view, size))
    why = [_why(row) for row in rows[:TOLD]]
    if len(rows) > TOLD:
        why.append(f"And {len(rows) - TOLD:,} more.")
    return PictureCard(
        id=str(first["id"]),
        error=float(first["error_probability"]),
        verdict=first["verdict"],
        why=" ".join(why),
        exhibit=Exhibit(picture=url),
        view=view,
        rectangles=drawn,
    )


def _finite(row: Json) -> bool:
    return all(row[edge] is not None and np.isfinite(row[edge]) for edge in EDGES)


def _suggested(row: Json) -> Box:
    x1, y1, x2, y2 = (float(row[name]) for name in SUGGESTED)
    return x1, y1, x2, y2, str(row["suggested_label"])


def _rectangle(box: Box, state: str) -> Rectangle:
    x1, y1, x2, y2, name = box
    return Rectangle(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1), name, state)


def _why(row: Json) -> str:
    name, error = (
        row["given_label"] if row["given_label"] is not None else row["suggested_label"],
        percent(row["error_probability"]),
    )
    if row["reason"] is not None:
        return f"“{name}” {REASONS[row['reason']]} ({error})."
    said = {
        "missing": "is missing",
        "extra": "is none, or not there",
        "displaced": "lies elsewhere",
        "class": f"is rather “{row['suggested_label']}”",
    }
    return f"“{name}” {said.get(row['kind'] or '', 'is wrong')} ({error})."
