"""The report on spans: how each type goes wrong, and the sentences with the most doubtful ones, in colour."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.noise.spans import SpanNoise
from labelproof.report.kinds.base import ReportPart, Show
from labelproof.report.page import Card, Exhibit, percent
from labelproof.validation import Json

KINDS = ("missing", "extra", "boundary", "type")
SAID = {"missing": "is missing", "extra": "is no entity", "boundary": "has another boundary", "type": "has another type"}
LISTED_TYPES, CONFUSIONS = 40, 15
CONTEXT = 14  # tokens shown on either side of the spans of a long sentence
Span = tuple[int, int, str]


@dataclass(frozen=True)
class Piece:
    """Tokens of a sentence that are in the same given and the same suggested span."""

    words: str
    given: str = ""
    suggested: str = ""

    @property
    def state(self) -> str:
        """``plain``, ``same``, ``gone``, ``new`` or ``other``."""
        if self.given == self.suggested:
            return "same" if self.given else "plain"
        return "other" if self.given and self.suggested else "gone" if self.given else "new"


@dataclass(frozen=True)
class SentenceCard(Card):
    """One sentence of the gallery."""

    pieces: Sequence[Piece]


class ReportOfSpans(ReportPart):
    """Types and sentences."""

    template = "kinds/spans.html.jinja"
    title = "Audit of spans"
    unit, units = "span", "spans, given or missing,"
    classes = "types"
    columns: Mapping[str, str] = {
        "id": "id",
        "start": "from",
        "end": "to",
        "given_label": "given",
        "suggested_label": "suggested",
        "kind": "kind",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """Expected numbers of errors by kind and type, which types are confused, and how many sentences are wrong."""
        estimate, low, high = noise_of(audit).wrong_sentences
        return {
            "expected": {kind: round(self._expected(audit, kind)) for kind in KINDS},
            "given": int(audit.issues["given_label"].is_not_null().sum()),
            "sentences": estimate,
            "sentences_low": low,
            "sentences_high": high,
            "by_type": _by_type(audit)[:LISTED_TYPES],
            "confusions": _confusions(audit),
        }

    def _expected(self, audit: Audit, kind: str) -> float:
        return float(audit.issues.filter(pl.col("kind") == kind)["error_probability"].sum())

    def counts(self, audit: Audit) -> str:
        """How many of each kind."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        found = dict(doubtful["kind"].cast(pl.String).value_counts().iter_rows())
        names = {"missing": "missing", "extra": "that are none", "boundary": "with another boundary", "type": "of another type"}
        return "spans " + ", ".join(f"{found.get(kind, 0):,} {name}" for kind, name in names.items())

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The sentences with the most doubtful spans, worst first."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        items = audit.items.select("index", "tokens", "given_spans", "elsewhere")
        joined = doubtful.join(items, on="index", how="left", maintain_order="left")
        for _, own in joined.group_by("index", maintain_order=True):
            yield _card(own)


REPORT = ReportOfSpans()


def noise_of(audit: Audit) -> SpanNoise:
    """The noise of an audit of spans."""
    assert isinstance(audit.noise, SpanNoise)
    return audit.noise


def _by_type(audit: Audit) -> list[Json]:
    """Expected errors of each type, the most first; a missing span counts with the type that it should have."""
    of = pl.coalesce(pl.col("given_label"), pl.col("suggested_label")).alias("name")
    sums = [pl.col("error_probability").filter(pl.col("kind") == kind).sum().alias(kind) for kind in KINDS]
    table = audit.issues.group_by(of).agg(pl.col("given_label").is_not_null().sum().alias("given"), *sums)
    rows = [{**row, "all": sum(row[kind] for kind in KINDS)} for row in table.drop_nulls("name").iter_rows(named=True)]
    most = max((row["all"] for row in rows), default=0.0) or 1.0
    rows.sort(key=lambda row: (-row["all"], row["name"]))
    return [{**row, **{kind: round(row[kind]) for kind in KINDS}, "width": 100 * row["all"] / most} for row in rows]


def _confusions(audit: Audit) -> list[Json]:
    """Types that were given for others, by expected number of spans."""
    table = (
        audit.issues.filter((pl.col("kind") == "type") & (pl.col("given_label") != pl.col("suggested_label")))
        .group_by("given_label", "suggested_label")
        .agg(pl.col("error_probability").sum().alias("spans"))
        .filter(pl.col("spans") >= 0.5)
        .sort("spans", descending=True)
    )
    return table.head(CONFUSIONS).to_dicts()


def _card(found: pl.DataFrame) -> SentenceCard:
    first = found.row(0, named=True)
    tokens: list[str] = first["tokens"]
    given = [(start, end, name) for start, end, name in json.loads(first["given_spans"])]
    rows = list(found.iter_rows(named=True))
    return SentenceCard(
        id=str(first["id"]),
        error=float(first["error_probability"]),
        verdict=first["verdict"],
        why=" ".join(_why(tokens, row) for row in rows) + (f" {first['elsewhere']}" if first["elsewhere"] else ""),
        exhibit=Exhibit(),
        pieces=pieces_of(tokens, given, _mended(given, rows)),
    )


def _why(tokens: Sequence[str], row: Json) -> str:
    start, end = (
        (row["start"], row["end"]) if row["given_label"] is not None else (row["suggested_start"], row["suggested_end"])
    )
    words = " ".join(tokens[start:end])
    said = SAID.get(row["kind"] or "", "is wrong")
    if row["kind"] == "type":
        said = f"is rather {row['suggested_label']}"
    if row["kind"] == "boundary":
        said = f"is rather “{' '.join(tokens[row['suggested_start'] : row['suggested_end']])}”"
    return f"“{words}” {said} ({percent(row['error_probability'])})."


def _mended(given: Sequence[Span], rows: Sequence[Json]) -> list[Span]:
    """The spans of a sentence with what is doubtful as it is suggested."""
    gone = {(row["start"], row["end"]) for row in rows if row["given_label"] is not None}
    new = [
        (row["suggested_start"], row["suggested_end"], row["suggested_label"])
        for row in rows
        if row["suggested_label"] is not None and row["suggested_start"] is not None
    ]
    return sorted({*((a, b, name) for a, b, name in given if (a, b) not in gone), *new})


def pieces_of(tokens: Sequence[str], given: Sequence[Span], suggested: Sequence[Span]) -> list[Piece]:
    """A sentence cut at the edges of its spans; of a long one what is near to them.

    >>> [(one.words, one.state) for one in pieces_of(["Ann", "Lee", "left"], [(0, 1, "PER")], [(0, 2, "PER")])]
    [('Ann', 'same'), ('Lee', 'new'), ('left', 'plain')]
    """
    edges = {0, len(tokens), *(edge for start, end, _ in (*given, *suggested) for edge in (start, end))}
    inside = sorted(edge for edge in edges if 0 <= edge <= len(tokens))
    made = []
    for start, end in pairwise(inside):
        names = [next((name for a, b, name in spans if a <= start < b), "") for spans in (given, suggested)]
        words = list(tokens[start:end])
        if not any(names) and len(words) > 2 * CONTEXT:
            words = [*(words[:CONTEXT] if start else []), "…", *(words[-CONTEXT:] if end < len(tokens) else [])]
        made.append(Piece(" ".join(words), *names))
    return made
