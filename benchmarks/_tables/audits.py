"""Tables of audits of classes: quality, speed, intervals, neighbours."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from _tables.base import Rows, markdown, rows_of


def audit_quality() -> str:
    rows = rows_of("audit_quality")
    body = []
    for name in dict.fromkeys(row["set"] for row in rows if row["method"] != "labelproof"):
        here = [row for row in rows if row["set"] == name]
        ours = next(row for row in here if row["method"] == "labelproof")
        theirs = [row for row in here if row["method"].startswith("cleanlab")]
        ap = max(row["AP"] for row in theirs if row["AP"] is not None)
        f1 = max(row["F1"] for row in here if row["F1"] is not None and row is not ours)
        cells = [f"{ours['AP']:.3f}", f"{ap:.3f}", f"{ours['F1']:.3f}", f"{f1:.3f}"]
        interval = f"{ours['error_rate']:.1%} ({ours['low']:.1%} to {ours['high']:.1%})"
        body.append([name, *cells, interval, f"{ours['true_rate']:.1%}"])
    header = [
        "set",
        "AP",
        "AP, best of cleanlab's 5 scores",
        "F1",
        "F1, best of cleanlab's 4 filters and argmax",
        "estimated rate (95 % interval)",
        "truth",
    ]
    return markdown(header, body)


def readme_quality() -> str:
    """Three rows for the README, from the files of the tables in full."""
    found = {}
    for row in rows_of("audit_quality"):
        if row["AP"] is not None and (row["method"] == "labelproof" or row["method"].startswith("cleanlab")):
            key = (row["set"], "labelproof" if row["method"] == "labelproof" else "cleanlab")
            found[key] = max(found.get(key, 0.0), row["AP"])
    body = []
    for name, shown in (
        ("cifar10.resnet18", "CIFAR-10, noise of 20 %"),
        ("cifar10naggregate.resnet18", "CIFAR-10N, noise of people"),
        ("romannumeral.resnet18", "Roman numerals, foreign pictures"),
    ):
        body.append([shown, f"{found[name, 'labelproof']:.3f}", f"{found[name, 'cleanlab']:.3f}"])
    return markdown(["set", "labelproof", "cleanlab's best"], body)


def readme_speed() -> str:
    body = []
    for row in rows_of("audit_speed")[:3]:
        theirs = row["cleanlab_seconds"]
        peer = "-" if theirs is None else f"{min(theirs, row['cleanlab_one_job_seconds']):.2f} s"
        body.append([f"{row['n']:,} x {row['k']:,}", f"{row['labelproof_seconds']:.2f} s", peer])
    return markdown(["labels x classes", "labelproof", "cleanlab, its faster setting"], body)


def _by_data(rows: Rows) -> dict[tuple[str, str], Rows]:
    found: dict[tuple[str, str], Rows] = {}
    for row in rows:
        found.setdefault((row["data"], row["encoder"]), []).append(row)
    return found


def audit_files(*, whole: bool = False) -> str:
    body = []
    for (data, encoder), rows in _by_data(rows_of("audit_files")).items():

        def mean(name: str, rows: Rows = rows) -> float:
            return statistics.mean(row[name] for row in rows)

        cells = [f"{mean('best_F1'):.2f}", f"{mean('F1'):.2f}", f"{mean('cleanlab_best_F1'):.2f} / {mean('cleanlab_F1'):.2f}"]
        times = [f"{rows[0]['seconds']:.0f} s"]
        if whole:
            held = sum(row["low"] <= row["flipped"] / row["labels"] <= row["high"] for row in rows)
            cells = [
                f"{mean('AP'):.3f}",
                f"{mean('cleanlab_AP'):.3f}",
                *cells,
                f"{mean('estimated_rate'):.1%}",
                f"{held} of {len(rows)}",
            ]
            again = [row["seconds"] for row in rows[1:]]
            times = [f"{rows[0]['seconds']:.0f} s" + (f" / {statistics.mean(again):.0f} s" if again else "")]
        body.append([data, encoder, *cells, *times])
    header = ["data", "encoder", "best F1", "F1", "cleanlab's best F1 / F1"]
    if whole:
        header = [
            *header[:2],
            "AP",
            "cleanlab's AP",
            *header[2:],
            "estimated rate",
            "interval holds the flipped share",
            "first / again",
        ]
        return markdown(header, body)
    return markdown([*header, "time"], body)


def audit_parts() -> str:
    body = [
        [row["data"], row["part"], f"{row['AP']:.3f}", f"{row['best_F1']:.3f}", f"{row['F1']:.3f}", f"{row['loss']:.3f}"]
        for row in rows_of("audit_parts")
    ]
    return markdown(["data", "part", "AP", "best F1", "F1", "loss against the given labels"], body)


def audit_speed() -> str:
    body = []
    for row in rows_of("audit_speed")[:3]:
        peer = [row[name] for name in ("cleanlab_seconds", "cleanlab_one_job_seconds")]
        times = "-" if peer[0] is None else f"{peer[0]:.2f} s / {peer[1]:.2f} s"
        faster = "-" if peer[0] is None else f"{row['times_faster']:.1f} / {row['times_faster_than_one_job']:.1f}"
        memory = "-" if row["cleanlab_mb"] is None else f"{row['cleanlab_mb']:,.0f} MB"
        ours = [
            f"{row['labelproof_seconds']:.2f} s",
            times,
            faster,
            f"{row['read_once_seconds']:.2f} s",
            f"{row['labelproof_mb']:,.0f} MB",
            memory,
        ]
        body.append([f"{row['n']:,} x {row['k']:,}", *ours])
    header = ["size", "labelproof", "cleanlab, default / one job", "times faster", "reading the file", "memory", "cleanlab's"]
    return markdown(header, body)


def cold_start() -> str:
    body = []
    for row in rows_of("cold_start"):
        unit = " MB" if row["what"].endswith("MB") else " s"
        cells = [
            "-" if row[name] is None else f"{row[name]:,.3g}{unit}" if unit == " s" else f"{row[name]:,.0f}{unit}"
            for name in ("first", "next")
        ]
        body.append([row["what"].removesuffix(", MB"), *cells])
    return markdown(["a new installation, the core alone", "first time", "next time"], body)


def busy_machine() -> str:
    body = [
        [row["what"], f"{row['alone_ms']:,.0f} ms", f"{row['beside_ms']:,.0f} ms", f"{row['times_slower']:.1f}"]
        for row in rows_of("busy_machine")
    ]
    return markdown(["what", "alone", "beside busy processes", "times slower"], body)


def ray_cost() -> str:
    body = []
    for row in rows_of("ray_cost"):
        steps = [f"{1e6 * row[f'{step}_seconds'] / row['n']:.2f} µs" for step in ("labels", "sample", "score", "sort")]
        moved = f"{row['sent_mb'] + row['returned_mb']:.0f} MB"
        times = [f"{row['seconds']:.0f} s", *steps, f"{row['task_ms']:.1f} ms", moved, f"{row['worker_mb']:.0f} MB"]
        body.append([f"{row['n']:,} x {row['k']}", str(row["workers"]), *times])
    header = [
        "size",
        "workers",
        "time",
        "labels, a row",
        "sampling",
        "scoring",
        "sorting",
        "overhead a task",
        "to and from the driver",
    ]
    return markdown([*header, "memory of a worker"], body)


def scale() -> str:
    body = []
    for row in rows_of("scale"):
        times = [f"{row[name]:,.0f} s" for name in ("seconds", "workers_seconds", "driver_seconds", "seconds_at_10_gbit")]
        bandwidth = f"{row['needed_gb_per_second']:.1f} GB/s"
        moved = [f"{row['network_gb']:,.0f} GB", bandwidth, f"{row['to_and_from_driver_mb']:,.0f} MB"]
        body.append([str(row["workers"]), *times, *moved, f"{row['node_of_16_gb']:.1f} GB"])
    header = [
        "workers",
        "time",
        "of the workers",
        "of the driver",
        "if storage gives 10 Gbit/s",
        "over the network",
        "storage they keep up with",
    ]
    return markdown([*header, "to and from the driver", "memory of a node of 16"], body)


def interval_coverage() -> str:
    body = []
    for row in rows_of("interval_coverage"):
        right = "-" if row["obvious_right"] is None else f"{row['obvious_right']:.1%}"
        cells = [f"{row[name]:.1%}" for name in ("true_rate", "estimate", "holds")]
        body.append([row["data"], *cells, f"{row['width']:.1%}", f"{row['obvious']:.0f}", right, f"{row['ECE']:.3f}"])
    return markdown(
        ["data", "truth", "estimate", "interval holds", "width", "obvious", "of these wrong", "calibration error"], body
    )


def sharpness_fit() -> str:
    body = []
    for row in rows_of("sharpness_fit"):
        cells = [f"{row[name]:.1%}" for name in ("mean_rate", "mean_estimate", "holds", "width", "within_2.5_points")]
        body.append([row["worlds"], f"{row['number']:,}", *cells, f"{row['mean_error']:.1%}"])
    header = ["data sets", "number", "truth", "estimate", "interval holds", "width", "within 2.5 points", "mean error"]
    return markdown(header, body)


def neighbours() -> str:
    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    body = []
    for row in rows_of("neighbours"):
        found = (
            f"{cell(row[f'{who}_{what}_precision'])} / {cell(row[f'{who}_{what}_recall'])}"
            for what in ("duplicates", "outliers")
            for who in ("labelproof", "datalab")
        )
        scores = (cell(row[f"{who}_outliers_AP"]) for who in ("labelproof", "datalab"))
        body.append([f"{row['data']}, {row['planted']}", *found, *scores])
    header = ["data, what is planted", "duplicates", "Datalab", "outliers", "Datalab", "AP of outliers", "Datalab"]
    return markdown(header, body)


TABLES: dict[str, Callable[[], str]] = {
    "audit_quality": audit_quality,
    "audit_files": audit_files,
    "audit_files_whole": lambda: audit_files(whole=True),
    "audit_parts": audit_parts,
    "cold_start": cold_start,
    "busy_machine": busy_machine,
    "audit_speed": audit_speed,
    "ray_cost": ray_cost,
    "scale": scale,
    "interval_coverage": interval_coverage,
    "sharpness_fit": sharpness_fit,
    "neighbours": neighbours,
    "readme_quality": readme_quality,
    "readme_speed": readme_speed,
}
