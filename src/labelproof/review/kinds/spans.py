"""Reviewing spans: one sentence at a time, with its given and its suggested spans; spans can be drawn."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import quoteattr

import polars as pl

from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.errors import BadInput
from labelproof.review.kinds.base import SCRIPTS, ReviewPart
from labelproof.validation import Json

LISTED = 0.1  # least error probability of a span that is shown as suspect
COLUMNS = ("index", "id", "error_probability", "tokens", "given_spans", "suggested_spans", "elsewhere")
FOUND = (
    "index",
    "kind",
    "start",
    "end",
    "given_label",
    "suggested_start",
    "suggested_end",
    "suggested_label",
    "error_probability",
)
SPACE = " "


class ReviewOfSpans(ReviewPart):
    """An answer is the list of all spans of a sentence, ``[start, end, type]`` in tokens."""

    kind = "spans"
    script = SCRIPTS / "spans.js"
    of_all = "of the sentences have a wrong span"

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """One row per sentence."""
        items = pl.read_parquet(folder / ITEMS_FILE, columns=list(COLUMNS)).with_columns(pl.col("id").cast(pl.String))
        return items.sort("error_probability", descending=True, maintain_order=True)

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """The given spans."""
        return table["given_spans"]

    def given(self, rank: int) -> str:
        """The given spans as a JSON list."""
        return str(self.candidates.table["given_spans"][rank])

    def described(self, rank: int) -> Json:
        """The tokens, the given and the suggested spans, and the results of each."""
        row = self.candidates.table.row(rank, named=True)
        return {
            "tokens": row["tokens"],
            "given": json.loads(row["given_spans"]),
            "suggested": json.loads(row["suggested_spans"]),
            "found": self._found.get(row["index"], []),
            "elsewhere": row["elsewhere"] or "",
        }

    @cached_property
    def _found(self) -> dict[int, list[Json]]:
        """The doubtful spans of each sentence, by its row number."""
        listed = pl.scan_parquet(self.candidates.folder / ISSUES_FILE).filter(pl.col("error_probability") >= LISTED)
        found: dict[int, list[Json]] = {}
        for row in listed.select(FOUND).collect().iter_rows(named=True):
            found.setdefault(row.pop("index"), []).append(row)
        return found

    def error_rate(self) -> ErrorRate:
        """The share of sentences with a wrong span; the audit's own rate is of spans."""
        return ErrorRate(**self.candidates.summary["wrong_sentences"])

    def from_cell(self, cell: str) -> object:
        """The list of spans."""
        try:
            return json.loads(cell or "[]")
        except ValueError as error:
            raise BadInput(f'{cell[:80]!r} is not a list of spans. Write it as [[0, 2, "PER"]].') from error

    def said(self, text: str) -> str:
        """The spans by type and place."""
        return ", ".join(f"{name} {start} to {end}" for start, end, name in json.loads(text)) or "without spans"

    def suggested_cell(self, rank: int) -> str:
        """The suggested spans."""
        return str(self.candidates.table["suggested_spans"][rank])

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The types of the suggested spans."""
        names = [name for *_, name in json.loads(self.suggested_cell(rank))]
        return names, 1 - float(self.candidates.error_probability[rank])

    def control(self, name: str, item: str) -> str:
        """Regions of the text."""
        names = "\n".join(f"    <Label value={quoteattr(label)}/>" for label in self.candidates.classes)
        return f'  <Labels name="{name}" toName="{item}">\n{names}\n  </Labels>'

    def results(self, rank: int, text: str) -> tuple[list[Json], float]:
        """The suggested spans as regions."""
        places = self._places(rank, text)
        found = []
        for start, end, name in json.loads(self.suggested_cell(rank)):
            a, b = places[start][0], places[end - 1][1]
            found.append({"type": "labels", "value": {"start": a, "end": b, "text": text[a:b], "labels": [name]}})
        return found, 1 - float(self.candidates.error_probability[rank])

    def answered(self, values: list[Json], rank: int, text: str) -> object | None:
        """The regions as spans of tokens."""
        places = self._places(rank, text)
        found = []
        for value in values:
            inside = [i for i, (a, b) in enumerate(places) if a < int(value["end"]) and int(value["start"]) < b]
            if not inside or len(value.get("labels") or []) != 1:
                raise BadInput(f"region {str(value)[:120]} is not a span of the sentence with one label.")
            found.append([inside[0], inside[-1] + 1, str(value["labels"][0])])
        return found

    def _places(self, rank: int, text: str) -> list[tuple[int, int]]:
        """The positions of the tokens in the displayed text: one after the other."""
        places, at = [], 0
        for token in self.candidates.table["tokens"][rank].to_list():
            start = text.find(token, at)
            at = (start if start >= 0 else at) + len(token)
            places.append((at - len(token), at))
        return places

    def suggestions(self, ranks: int) -> list[tuple[int, str]]:
        """Those that differ from the given ones."""
        found = [(rank, self.suggested_cell(rank)) for rank in range(ranks)]
        return [(rank, label) for rank, label in found if label != self.given(rank)]

    def checked(self, label: object, rank: int | None = None) -> str:
        """The spans, as the log holds them."""
        text = super().checked(label)
        size = None if rank is None else len(self.candidates.table["tokens"][rank])
        beyond = next((span for span in json.loads(text) if size is not None and span[1] > size), None)
        if beyond is not None:
            raise BadInput(f"The span {beyond} ends beyond the sentence, which has {size} tokens.")
        return text
