"""Reviewing boxes: one picture at a time, with its given and its suggested boxes; boxes can be drawn, moved and removed."""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import quoteattr

import polars as pl

from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.errors import BadInput
from labelproof.labels.boxes import EDGES, sorted_json
from labelproof.review.kinds.base import SCRIPTS, ReviewPart
from labelproof.validation import Json

LISTED = 0.1  # least error probability of a box that is shown as suspect
COLUMNS = ("index", "id", "error_probability", "width", "height", "given_boxes", "suggested_boxes")
SUGGESTED = tuple(f"suggested_{edge}" for edge in EDGES)
FOUND = ("index", "kind", "reason", "given_label", "suggested_label", *EDGES, *SUGGESTED, "error_probability")
SHARES = ("x", "y", "width", "height")  # in Label Studio, in per cent of the picture


class ReviewOfBoxes(ReviewPart):
    """An answer is the list of all boxes of a picture, ``[x1, y1, x2, y2, class]`` in pixels."""

    kind = "boxes"
    script = SCRIPTS / "boxes.js"
    of_all = "of the pictures have a wrong box"

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """One row per picture."""
        items = pl.read_parquet(folder / ITEMS_FILE, columns=list(COLUMNS)).with_columns(pl.col("id").cast(pl.String))
        return items.sort("error_probability", descending=True, maintain_order=True)

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The given boxes."""
        return pl.Series([sorted_json(json.loads(boxes)) for boxes in table["given_boxes"]], dtype=pl.String)

    def given(self, rank: int) -> str:
        """The given boxes as a JSON list."""
        return sorted_json(json.loads(self.candidates.table["given_boxes"][rank]))

    def described(self, rank: int) -> Json:
        """The size of the picture, the given and the suggested boxes, and the results of each."""
        row = self.candidates.table.row(rank, named=True)
        return {
            "size": self._size(rank),
            "given": json.loads(self.given(rank)),
            "suggested": json.loads(self.suggested_cell(rank)),
            "found": self._found.get(row["index"], []),
        }

    @cached_property
    def _found(self) -> dict[int, list[Json]]:
        """The doubtful boxes of each picture, by its row number."""
        listed = pl.scan_parquet(self.candidates.folder / ISSUES_FILE).filter(pl.col("error_probability") >= LISTED)
        text = [pl.col(name).cast(pl.String) for name in ("kind", "reason", "given_label", "suggested_label")]
        found: dict[int, list[Json]] = {}
        for row in listed.select(FOUND).with_columns(text).collect().iter_rows(named=True):
            found.setdefault(row.pop("index"), []).append(
                {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
            )
        return found

    def _size(self, rank: int) -> list[float] | None:
        """Width and height of a picture; ``None`` if they are unknown."""
        size = [self.candidates.table[name][rank] for name in ("width", "height")]
        return None if any(edge is None or math.isnan(edge) for edge in size) else size

    def error_rate(self) -> ErrorRate:
        """The share of pictures with a wrong box; the audit's own rate is of boxes."""
        return rate_of_items(self.candidates.summary, self.candidates.error_probability.mean())

    def checked(self, label: object, rank: int | None = None) -> str:
        """The boxes, in the form of the log; the given boxes are an answer even if they could not be drawn."""
        try:
            return super().checked(label)
        except BadInput:
            text = _as_text(label)
            if text is None or text not in (self._given_texts if rank is None else {self.given(rank)}):
                raise
            return text

    @cached_property
    def _given_texts(self) -> set[str]:
        return set(self.codes(self.candidates.table))

    def from_cell(self, cell: str) -> object:
        """The list of boxes."""
        try:
            return json.loads(cell or "[]")
        except ValueError as error:
            raise BadInput(f'{cell[:80]!r} is not a list of boxes. Write it as [[10, 20, 40, 60, "cat"]].') from error

    def said(self, text: str) -> str:
        """The boxes by class and place."""
        return (
            ", ".join(f"{name} at {x1:g} {y1:g} {x2:g} {y2:g}" for x1, y1, x2, y2, name in json.loads(text)) or "without boxes"
        )

    def suggested_cell(self, rank: int) -> str:
        """The suggested boxes."""
        return sorted_json(json.loads(self.candidates.table["suggested_boxes"][rank]))

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The classes of the suggested boxes."""
        names = [name for *_, name in json.loads(self.suggested_cell(rank))]
        return names, 1 - float(self.candidates.error_probability[rank])

    def control(self, name: str, item: str) -> str:
        """Rectangles on the picture."""
        names = "\n".join(f"    <Label value={quoteattr(label)}/>" for label in self.candidates.classes)
        return f'  <RectangleLabels name="{name}" toName="{item}">\n{names}\n  </RectangleLabels>'

    def results(self, rank: int, text: str) -> tuple[list[Json], float]:
        """The suggested boxes as rectangles, in per cent of the picture."""
        size = self._size(rank)
        if size is None:
            raise BadInput(
                f"The size of picture {self.candidates.table['id'][rank]!r} is unknown, and Label Studio writes boxes in per cent of it. Audit the file together with its pictures, or give sizes= to lp.Boxes."
            )
        found = []
        for x1, y1, x2, y2, name in json.loads(self.suggested_cell(rank)):
            shares = (100 * x1 / size[0], 100 * y1 / size[1], 100 * (x2 - x1) / size[0], 100 * (y2 - y1) / size[1])
            value = {**dict(zip(SHARES, shares, strict=True)), "rotation": 0, "rectanglelabels": [name]}
            about = {"original_width": int(size[0]), "original_height": int(size[1]), "image_rotation": 0}
            found.append({"type": "rectanglelabels", **about, "value": value})
        return found, 1 - float(self.candidates.error_probability[rank])

    def answered(self, values: list[Json], rank: int, text: str) -> object | None:
        """The rectangles as boxes in pixels; one that was suggested and not moved is the suggested box."""
        size = self._size(rank)
        if size is None:
            raise BadInput(f"The size of picture {self.candidates.table['id'][rank]!r} is unknown.")
        known = {
            tuple(round(edge, 1) for edge in box[:4]): box[:4]
            for text_ in (self.given(rank), self.suggested_cell(rank))
            for box in json.loads(text_)
        }
        found = []
        for value in values:
            names = value.get("rectanglelabels") or []
            if (
                len(names) != 1
                or value.get("rotation")
                or any(not isinstance(value.get(share), int | float) for share in SHARES)
            ):
                raise BadInput(f"rectangle {str(value)[:120]} is not an upright box with one label.")
            x, y, w, h = (float(value[share]) for share in SHARES)
            edges = [x * size[0] / 100, y * size[1] / 100, (x + w) * size[0] / 100, (y + h) * size[1] / 100]
            found.append(
                [*known.get(tuple(round(edge, 1) for edge in edges), [round(edge, 1) for edge in edges]), str(names[0])]
            )
        return found

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """Those that differ from the given ones."""
        found = [(rank, self.suggested_cell(rank)) for rank in range(ranks)]
        return [(rank, label) for rank, label in found if label != self.given(rank)]


def _as_text(label: object) -> str | None:
    """Boxes in the form of a decision; ``None`` if they are not boxes."""
    try:
        return sorted_json(label)  # type: ignore[arg-type]
    except (TypeError, ValueError, IndexError, KeyError):
        return None


def rate_of_items(summary: Json, mean: float) -> ErrorRate:
    """The share of items with a wrong site, from the mean of their error probabilities.

    The interval is as wide, relatively, as that of the sites.
    """
    rate = ErrorRate(**summary["error_rate"])
    low, high = (edge / rate.estimate if rate.estimate > 0 else 1.0 for edge in (rate.low, rate.high))
    return ErrorRate(float(mean), float(mean) * min(low, 1.0), min(1.0, float(mean) * max(high, 1.0)))
