"""Tables of other kinds of label: tags, votes, numbers, spans, boxes, masks."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from _tables.base import Rows, markdown, rows_of


def votes() -> str:
    names = {
        "labelproof": "labelproof",
        "CROWDLAB": "CROWDLAB",
        "labelproof, votes alone": "votes alone",
        "crowd-kit DawidSkene": "Dawid-Skene",
        "crowd-kit GLAD": "GLAD",
        "crowd-kit MACE": "MACE",
    }
    rows = {(row["crowd"], row["method"]): row for row in rows_of("votes")}
    crowds = dict.fromkeys(crowd for crowd, method in rows if method == "labelproof")
    body = []
    for crowd in crowds:
        for what, digits in (("accuracy", 3), ("AP", 3), ("rank_correlation", 2)):
            found = [rows.get((crowd, method), {}).get(what) for method in names]
            if any(value is not None for value in found):
                cells = ["–" if value is None else f"{value:.{digits}f}" for value in found]
                body.append([crowd, what.replace("_", " "), *cells])
    return markdown(["crowd", "", *names.values()], body)


def audit_tags() -> str:
    names = ("tag_AP", "tag_AP_cleanlab", "item_AP", "item_AP_cleanlab_moving_average", "item_AP_cleanlab_softmin")
    body = [[f"{row['data']}, {row['noise']}", *(f"{row[name]:.3f}" for name in names)] for row in rows_of("audit_tags")]
    return markdown(["data", "tags", "tags, cleanlab", "items", "items, moving average", "items, soft minimum"], body)


def tag_error_rates() -> str:
    """Estimated error rates of a strong and a weak model, with their intervals, beside the true one."""
    rows, body = rows_of("tag_error_rates"), []
    for data, noise in dict.fromkeys((row["data"], row["noise"]) for row in rows):
        own = {row["model"]: row for row in rows if (row["data"], row["noise"]) == (data, noise)}
        cells = [
            f"{own[name]['estimate']:.1%} ({own[name]['low']:.1%} to {own[name]['high']:.1%})" for name in ("strong", "weak")
        ]
        body.append(
            [
                f"{data}, {noise}",
                f"{own['strong']['true']:.1%}".replace("%", " %"),
                *(cell.replace("%", " %") for cell in cells),
            ]
        )
    return markdown(["data, noise", "wrong", "strong model", "weak model"], body)


def tag_interval() -> str:
    """How often the interval of the error rate of tags holds the true one."""
    rows, body = rows_of("tag_interval"), []
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = []
        for row in (row for row in rows if row["case"] == case):
            means = f"{row['estimate']:.1%} ({row['low']:.1%} to {row['high']:.1%}) for {row['wrong']:.1%}"
            cells += [f"{row['held']:.0%}".replace("%", " %"), means.replace("%", " %")]
        body.append([case, *cells])
    return markdown(["predictions", "held, 20 % missing", "means", "held, none missing", "means"], body)


def audit_numbers() -> str:
    def cell(value: float | None, form: str = ".3f") -> str:
        return "-" if value is None else format(value, form)

    body = []
    for row in rows_of("audit_numbers"):
        rate = "-" if row["rate"] is None else f"{row['rate']:.1%} / {row['true_rate']:.1%}"
        body.append(
            [
                row["predictions"],
                f"{row['planted']:.0%}",
                cell(row["cleanlab_best"]),
                cell(row["AP_without_x"]),
                cell(row["AP"]),
                cell(row["F1"]),
                rate,
                cell(row["interval"], ".0%"),
                cell(row["named"], ".0%"),
            ]
        )
    header = [
        "predictions",
        "planted",
        "AP, cleanlab's better score",
        "AP, without features",
        "AP",
        "F1",
        "rate / truth",
        "interval holds",
        "named",
    ]
    return markdown(header, body)


def spans() -> str:
    body = []
    for row in rows_of("spans"):
        rate = f"{row['estimate']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        body.append(
            [
                row["errors"],
                f"{row['AP']:.3f}",
                f"{row['cleanlab_AP']:.3f}",
                f"{row['span_AP']:.3f}",
                rate,
                f"{row['wrong']:.1%}",
                f"{row['seconds']:.0f} s",
            ]
        )
    header = ["errors", "AP of sentences", "cleanlab's best", "AP of spans", "wrong sentences (95 % interval)", "truth", "time"]
    return markdown(header, body)


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None or value != value else format(value, form)


def boxes() -> str:
    body = []
    for row in rows_of("boxes"):
        if _number(row["AP"]) == "-":
            continue
        kinds = [_number(row[f"{kind}_AP"]) for kind in ("missing", "displaced", "extra", "class")]
        ahead = f"{row['ahead']:+.3f} ± {row['ahead_half']:.3f}"
        body.append([f"{row['data']}: {row['errors']}", _number(row["AP"]), _number(row["cleanlab_AP"]), ahead, *kinds])
    return markdown(
        ["errors", "AP of pictures", "cleanlab's best", "ahead", "AP of missing", "displaced", "extra", "class"], body
    )


def boxes_rates() -> str:
    body = []
    for row in rows_of("boxes"):
        if _number(row["rates_within_3_points"]) == "-":
            continue
        cells = []
        for kind in ("missing", "displaced", "extra", "class"):
            both = (row[f"{kind}_estimated"], row[f"{kind}_planted"])
            cells.append("-" if not any(value for value in both if _number(value) != "-") else f"{both[0]:.1%} / {both[1]:.1%}")
        shares = [f"{row[name]:.0%}" for name in ("rates_within_3_points", "rates_in_interval")]
        body.append([f"{row['data']}: {row['errors']}", *cells, *shares])
    header = ["errors", "missing, estimated / planted", "displaced", "extra", "class", "within 3 points", "inside the interval"]
    return markdown(header, body)


def masks() -> str:
    body = []
    by: dict[str, Rows] = {}
    for row in rows_of("masks"):
        by.setdefault(row["probs"], []).append(row)
    for name, rows in by.items():
        means = {
            key: statistics.mean(row[key] for row in rows)
            for key in (
                "AP",
                "cleanlab_AP",
                "region_AP",
                "cleanlab_region_AP",
                "expected_pictures",
                "wrong_pictures",
                "seconds",
            )
        }
        body.append(
            [
                name,
                str(len(rows)),
                *(f"{means[key]:.3f}" for key in ("AP", "cleanlab_AP", "region_AP", "cleanlab_region_AP")),
                f"{means['expected_pictures']:.0f} / {means['wrong_pictures']:.0f}",
                f"{means['seconds']:.0f} s",
            ]
        )
    header = [
        "probabilities",
        "seeds",
        "AP of pictures",
        "cleanlab's",
        "AP of regions",
        "cleanlab's pixels",
        "wrong pictures, estimated / planted",
        "time",
    ]
    return markdown(header, body)


TABLES: dict[str, Callable[[], str]] = {
    "audit_tags": audit_tags,
    "tag_error_rates": tag_error_rates,
    "tag_interval": tag_interval,
    "votes": votes,
    "audit_numbers": audit_numbers,
    "spans": spans,
    "boxes": boxes,
    "boxes_rates": boxes_rates,
    "masks": masks,
}
