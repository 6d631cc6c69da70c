"""Reviewing masks: one picture at a time, with its given and its suggested mask, which a brush can correct."""

from __future__ import annotations

import io
import json
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.errors import BadInput
from labelproof.labels.masks import BOUNDS, digest_of
from labelproof.labels.run_length import Runs
from labelproof.review.kinds.base import SCRIPTS, ReviewPart
from labelproof.review.kinds.boxes import rate_of_items
from labelproof.validation import IntArray, Json

LEAST_SUGGESTED = 0.5  # error probability, from which on a region is suggested to change
NO_LABEL = 0xFFFF
LISTED = 0.1  # and the least that is shown as suspect
COLUMNS = ("index", "id", "error_probability", "width", "height", "digest")
FOUND = ("index", "region", "kind", "given_label", "suggested_label", *BOUNDS, "area", "rle", "error_probability")


class ReviewOfMasks(ReviewPart):
    """An answer is what differs from the given mask, a list of ``[class, run lengths]``."""

    kind = "masks"
    script = SCRIPTS / "masks.js"
    of_all = "of the pictures have a wrong region"

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """One row per picture."""
        items = pl.read_parquet(folder / ITEMS_FILE, columns=list(COLUMNS)).with_columns(pl.col("id").cast(pl.String))
        return items.sort("error_probability", descending=True, maintain_order=True)

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """A digest that identifies a mask."""
        return table["digest"]

    def given(self, rank: int) -> str:
        """No change."""
        return "[]"

    def given_texts(self) -> pl.Series:
        """A digest that identifies the given masks."""
        return self.candidates.table["digest"]

    def described(self, rank: int) -> Json:
        """The size of the picture, and the results of its regions."""
        table = self.candidates.table
        return {
            "size": [table["width"][rank], table["height"][rank]],
            "given": [],
            "found": [
                {**one, "suggested": one["error_probability"] >= LEAST_SUGGESTED}
                for one in self._found.get(int(table["index"][rank]), [])
            ],
        }

    @cached_property
    def _found(self) -> dict[int, list[Json]]:
        """The doubtful regions of each picture, by its row number."""
        listed = pl.scan_parquet(self.candidates.folder / ISSUES_FILE).filter(
            (pl.col("error_probability") >= LISTED) & (pl.col("rle") != "")
        )
        text = [pl.col(name).cast(pl.String) for name in ("kind", "given_label", "suggested_label")]
        found: dict[int, list[Json]] = {}
        for row in listed.select(FOUND).with_columns(text).collect().iter_rows(named=True):
            found.setdefault(row.pop("index"), []).append(row)
        return found

    def mask(self, rank: int, codes: IntArray) -> bytes:
        """A PNG whose red and green are the low and the high byte of a pixel's code, 65,535 for no label.

        Empty if the mask is not the audited one: changes to it would mean something else.
        """
        if digest_of(codes) != self.candidates.table["digest"][rank]:
            return b""
        stored, buffer = codes & NO_LABEL, io.BytesIO()
        Image.fromarray(np.stack([stored & 255, stored >> 8, 0 * stored], axis=2).astype(np.uint8)).save(buffer, format="PNG")
        return buffer.getvalue()

    def error_rate(self) -> ErrorRate:
        """The share of pictures with a wrong region; the audit's own rate is of regions."""
        return rate_of_items(self.candidates.summary, self.candidates.error_probability.mean())

    def checked(self, label: object, rank: int | None = None) -> str:
        """The patches, as the log holds them."""
        text = super().checked(label)
        size = None if rank is None else self.candidates.table["width"][rank] * self.candidates.table["height"][rank]
        if size is not None and any(Runs.of_text(runs).total != size for _, runs in json.loads(text)):
            raise BadInput(f"The run lengths do not fit a picture with {size:,} pixels.")
        return text

    def from_cell(self, cell: str) -> object:
        """The list of patches."""
        try:
            return json.loads(cell or "[]")
        except ValueError as error:
            raise BadInput(
                f'{cell[:80]!r} is not a list of patches. Write it as [["car", "120 7 233 5"]], or [] for no change.'
            ) from error

    def said(self, text: str) -> str:
        """The number of pixels by their new class."""
        patches = [(name, Runs.of_text(runs)) for name, runs in json.loads(text)]
        return ", ".join(f"{int((runs.ends - runs.starts).sum()):,} pixels {name}" for name, runs in patches) or "as given"

    def suggested_cell(self, rank: int) -> str:
        """The suggestions for regions that are more likely wrong than right; for a pixel in several the surest counts."""
        found = [
            one for one in self._found.get(int(self.candidates.index[rank]), []) if one["error_probability"] >= LEAST_SUGGESTED
        ]
        if not found:
            return "[]"
        classes = self.candidates.classes
        return self.labels.to_text(patches_of(found, classes), classes)

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The classes of the suggestions."""
        names = [name for name, _ in json.loads(self.suggested_cell(rank))]
        return names, 1 - float(self.candidates.error_probability[rank])

    def control(self, name: str, item: str) -> str:
        """Not a question that Label Studio's brushes can be asked of a whole mask."""
        raise BadInput(
            "Masks cannot be reviewed in Label Studio, whose brushes draw single regions and cannot express changes to a mask. Use the page of labelproof review, or a spreadsheet."
        )

    def results(self, rank: int, text: str) -> tuple[list[Json], float]:
        """See `control`."""
        self.control("", "")
        raise AssertionError

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """The regions with a suggestion."""
        found = [(rank, self.suggested_cell(rank)) for rank in range(ranks)]
        return [(rank, label) for rank, label in found if label != "[]"]


def patches_of(found: list[Json], classes: list[str]) -> list[list[str]]:
    """Regions, surest first, as patches without overlap, one per class."""
    total = Runs.of_text(found[0]["rle"]).total
    codes = np.full(total, -1, np.int32)
    for one in reversed(found):
        runs = Runs.of_text(one["rle"])
        for start, end in zip(runs.starts.tolist(), runs.ends.tolist(), strict=True):
            codes[start:end] = classes.index(one["suggested_label"])
    present = np.unique(codes[codes >= 0]).tolist()
    return [[classes[code], Runs.of_places(np.flatnonzero(codes == code), total).text] for code in present]
