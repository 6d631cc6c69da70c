"""Tables of the review loop."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from _tables.base import Rows, markdown, rows_of


def review_estimate() -> str:
    names = ("coverage", "width", "coverage_plain", "width_plain")
    body = [[row["set"], *(f"{row[name]:.1%}" for name in names)] for row in rows_of("review_estimate")]
    return markdown(["set", "holds the truth", "width", "plain sample holds it", "its width"], body)


def review_corrections() -> str:
    body = []
    for row in rows_of("review_corrections"):
        found = [f"{row[f'{order}_200']:.0f}" for order in ("hunt", "queue", "cleanlab", "random")]
        interval = [f"{row['coverage']:.1%}", f"{row['width']:.1%}"]
        body.append(
            [row["set"], *found, *interval, *(f"{row[f'F1_{name}']:.3f}" for name in ("before", "after", "best_threshold"))]
        )
    header = [
        "set",
        "hunt",
        "queue",
        "cleanlab",
        "random",
        "interval holds",
        "width",
        "F1 before",
        "F1 after",
        "F1, best threshold",
    ]
    return markdown(header, body)


def forecast() -> str:
    """By set and number of decisions, over all budgets."""
    groups: dict[tuple[str, int], Rows] = {}
    for row in rows_of("forecast"):
        groups.setdefault((row["set"], row["decisions"]), []).append(row)
    body = []
    for (name, decisions), rows in groups.items():

        def mean(key: str, rows: Rows = rows) -> float:
            return statistics.mean(row[key] for row in rows)

        cells = [f"{mean('held'):.0%}", f"{mean('held_before'):.0%}", f"{mean('width'):.2f}", f"{mean('width_before'):.2f}"]
        cells += [f"{mean('off'):.2f}", f"{mean('off_before'):.2f}", f"{mean('stop_held'):.0%}"]
        body.append([name, str(decisions), str(sum(row["cases"] for row in rows)), *cells])
    header = [
        "set",
        "decisions made",
        "forecasts",
        "band holds",
        "without",
        "width",
        "without",
        "error",
        "without",
        "stop rule holds",
    ]
    return markdown(header, body)


def review_retraining() -> str:
    reviews = (0, 50, 100, 200, 500)
    body = [
        [
            f"{row['data']}, {row['model']}: {row['order']}",
            *(f"{row[f'accuracy_{m}']:.1%}" for m in reviews),
            f"{row['corrected_500']:.0f}",
        ]
        for row in rows_of("review_retraining")
    ]
    return markdown(["data, model: order", *(f"{m} reviews" for m in reviews), "labels corrected by 500"], body)


def review_speed() -> str:
    names = (
        ("page_opens_s", "{:.2f} s"),
        ("ack_median_ms", "{:.0f} ms"),
        ("ack_99_ms", "{:.0f} ms"),
        ("memory_mb", "{:.0f} MB"),
    )
    body = [[row["store"], *(shape.format(row[name]) for name, shape in names)] for row in rows_of("review_speed")]
    return markdown(["decisions in", "page opens", "decision acknowledged, median", "99th percentile", "memory"], body)


def apply_speed() -> str:
    body = [
        [
            {".csv": "CSV", ".parquet": "Parquet"}[row["file"]],
            f"{row['decided']:,}",
            f"{row['MB']:.0f} MB",
            f"{1000 * row['copy s']:.0f} ms",
            f"{row['written, copies']:.1f} times",
            f"{row['whole apply s']:.1f} s",
            f"{row['more memory MB']:.0f} MB",
        ]
        for row in rows_of("apply_speed")
    ]
    header = [
        "file",
        "decided labels",
        "size",
        "a copy of it",
        "the repaired copy",
        "apply with reading and checking all labels",
        "memory for that",
    ]
    return markdown(header, body)


TABLES: dict[str, Callable[[], str]] = {
    "apply_speed": apply_speed,
    "forecast": forecast,
    "review_corrections": review_corrections,
    "review_estimate": review_estimate,
    "review_retraining": review_retraining,
    "review_speed": review_speed,
}
