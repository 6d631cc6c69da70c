"""The report on numbers: given against expected, how far they stray, and which kinds of error there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.labels.numbers import Numbers
from labelproof.report.kinds.base import ReportPart, Show, exhibit_of
from labelproof.report.page import Card, Exhibit, percent
from labelproof.validation import Json

POINTS, MARKED = 3_000, 400  # of the chart: good numbers, and findings
WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 560, 360, 64, 40, 12
STRAY = 0.002  # of the good numbers, on either side, that are outside the axes
BINS, FARTHEST = 31, 200.0  # of distances from what is expected, in half widths of the interval
SAID = {
    "factor": "The decimal mark is in the wrong place",
    "sign": "The sign is wrong",
    "unit": "It is in another unit",
    "swapped digits": "Two digits are swapped",
    "copied": "It is the number of a neighbouring row",
    "sentinel": "It stands for “missing”",
    "other": "It is far from what is expected",
}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NumberCard(Card):
    """One number of the gallery."""

    given: str
    suggested: str


class ReportOfNumbers(ReportPart):
    """Charts of the numbers and a table of the kinds of error."""

    template = "kinds/numbers.html.jinja"
    tested = "On real tables with planted errors, such intervals held the truth in 91 % of the cases."
    title = "Audit of numbers"
    unit, units = "number", "numbers"
    classes = "classes"
    columns: Mapping[str, str] = {
        "id": "id",
        "given_label": "given",
        "suggested_label": "suggested",
        "kind": "kind",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """The two charts, and how often each kind of error is."""
        frame = audit.issues.select(
            "index", "given_label", "prediction", "suggested_low", "suggested_high", "error_probability", "verdict"
        )
        return {"chart": _chart(frame), "strays": _strays(frame), "ways": _ways(audit)}

    def cell(self, column: str, value: object) -> str:
        """Numbers as they are written."""
        if column in ("given_label", "suggested_label"):
            return Numbers.to_text(value)
        return "" if value is None else super().cell(column, value)

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The numbers that are probably wrong, worst first."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        for row in doubtful.iter_rows(named=True):
            given, suggested = Numbers.to_text(row["given_label"]), Numbers.to_text(row["suggested_label"])
            low, high = (f"{row[f'suggested_{end}']:.4g}" for end in ("low", "high"))
            why = f"{SAID.get(row['kind'] or 'other', SAID['other'])} ({percent(row['error_probability'])}). Expected: {low} to {high}."
            exhibit = exhibit_of(show, row["index"]) if show is not None else Exhibit()
            yield NumberCard(str(row["id"]), row["error_probability"], row["verdict"], why, exhibit, given, suggested)


REPORT = ReportOfNumbers()


def _chart(frame: pl.DataFrame) -> Json:
    """Given against expected: good numbers as one path, findings as circles; what lies beyond the axes is drawn at their end."""
    ok = frame["verdict"] == VERDICTS[2]
    good, bad = frame.filter(ok), frame.filter(~ok).head(MARKED)
    both = np.concatenate([good["given_label"].to_numpy(), good["prediction"].to_numpy(), bad["prediction"].to_numpy()])
    low, high = np.quantile(both, [STRAY, 1 - STRAY])
    ticks = _ticks(float(low), float(high))
    low, high = min(float(low), ticks[0]), max(float(high), ticks[-1])
    span = high - low or 1.0

    def place(values: pl.Series, least: float, most: float) -> Floats:
        share = np.clip((values.to_numpy() - low) / span, -0.02, 1.02)
        return least + share * (most - least)

    def points(some: pl.DataFrame) -> tuple[Floats, Floats]:
        return place(some["prediction"], LEFT, WIDTH - EDGE), place(some["given_label"], HEIGHT - BOTTOM, EDGE)

    x, y = points(good if good.height <= POINTS else good.sample(POINTS, seed=0))
    marks = [
        {
            "x": float(a),
            "y": float(b),
            "id": str(row["index"]),
            "obvious": row["verdict"] == VERDICTS[0],
            "given": Numbers.to_text(row["given_label"]),
        }
        for a, b, row in zip(*points(bad), bad.iter_rows(named=True), strict=True)
    ]
    ends = pl.Series([float(tick) for tick in ticks])
    return {
        "path": "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(x, y, strict=True)),
        "marks": marks[::-1],
        "across": list(zip(place(ends, LEFT, WIDTH - EDGE).tolist(), [f"{tick:g}" for tick in ticks], strict=True)),
        "up": list(zip(place(ends, HEIGHT - BOTTOM, EDGE).tolist(), [f"{tick:g}" for tick in ticks], strict=True)),
        "drawn": len(x),
        "good": good.height,
    }


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers."""
    raw = (high - low or abs(high) or 1.0) / 4
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw))
    first = np.ceil(low / step) * step
    return [float(f"{first + i * step:.10g}") for i in range(int((high - first) / step) + 1)] or [low]


def _strays(frame: pl.DataFrame) -> list[Json]:
    """Expected numbers of good and of wrong ones by their distance from what is expected, in half widths of the interval, on a scale that
    is linear near zero and logarithmic far from it."""
    half = ((frame["suggested_high"] - frame["suggested_low"]) / 2).to_numpy()
    middle = ((frame["suggested_high"] + frame["suggested_low"]) / 2).to_numpy()
    away = (frame["given_label"].to_numpy() - middle) / np.where(half > 0, half, np.inf)
    most = np.arcsinh(2 * FARTHEST)
    edges = np.linspace(-most, most, BINS + 1)
    place = np.clip(np.arcsinh(2 * away), -most, most)
    wrong = np.histogram(place, edges, weights=frame["error_probability"].to_numpy())[0]
    every = np.histogram(place, edges)[0]
    top = float(np.log1p(every.max())) or 1.0
    ends = np.sinh(edges) / 2
    return [
        {
            "low": float(a),
            "high": float(b),
            "good": float(n - w),
            "wrong": float(w),
            "height": 100 * float(np.log1p(n)) / top,
            "share": 100 * float(w / n) if n else 0.0,
        }
        for a, b, n, w in zip(ends[:-1], ends[1:], every, wrong, strict=True)
    ]


def _ways(audit: Audit) -> list[Json]:
    """Kinds of error by expected number, and how many findings there are of each."""
    found = dict(audit.issues.filter(pl.col("verdict") != VERDICTS[2])["kind"].cast(pl.String).value_counts().iter_rows())
    rows = audit.noise.to_frame().with_columns(expected=pl.col("probability") * audit.sites)
    kinds = (
        rows.sort("expected", descending=True)
        .group_by("kind", maintain_order=True)
        .agg(pl.col("expected").sum(), pl.col("given").filter(pl.col("expected") >= 0.5))
    )
    kept = [
        row
        for row in kinds.sort("expected", descending=True).iter_rows(named=True)
        if row["expected"] >= 0.5 or row["kind"] in found
    ]
    most = max((row["expected"] for row in kept), default=1.0) or 1.0
    return [
        {
            "kind": row["kind"],
            "said": SAID.get(row["kind"], ""),
            "which": ", ".join(name for name in row["given"][:6] if name != row["kind"]),
            "expected": round(row["expected"]),
            "found": found.get(row["kind"], 0),
            "width": 100 * row["expected"] / most,
        }
        for row in kept
    ]
