"""The tables of README, made from the result files: ``python benchmarks/_readme.py`` rewrites what stands between the markers."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
Rows = list[dict[str, Any]]


def rows_of(name: str) -> Rows:
    content: dict[str, Rows] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return content["rows"]


def markdown(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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
        "size",
        "a copy of it",
        "the repaired copy",
        "apply with reading and checking all labels",
        "memory for that",
    ]
    return markdown(header, body)


def methods_rows(only: Collection[str] | None = None) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """The study's summary by data and noise, then by method; of all methods, or as if there were only these."""
    from labelproof.experiments.methods_benchmark import MethodsRecord

    record = MethodsRecord.open(ROOT / "docs" / "results", "methods-benchmark")
    record.rows = [row for row in record.rows if only is None or row["method"] in only]
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in record.summary():
        found.setdefault((row["data"], row["noise"]), {})[row["method"]] = row
    return found


def methods_table(cell: Callable[[dict[str, Any]], str]) -> str:
    """A row a method, a column a kind of noise."""
    columns = methods_rows()
    body = []
    for method in next(iter(columns.values())):
        own = [by[method] for by in columns.values()]
        body.append([method, *map(cell, own), str(min(row["seeds"] for row in own))])
    return markdown(["method", *(f"{data}: {noise}" for data, noise in columns), "seeds"], body)


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def _accuracy(row: dict[str, Any]) -> str:
    return _bold(_percent(row, "accuracy"), row["accuracy_ahead"])


def _auroc(row: dict[str, Any]) -> str:
    return _bold(f"{row['auroc']:.3f} ± {row['auroc_±']:.3f}", row["auroc_ahead"])


def _accuracy_gain(row: dict[str, Any]) -> str:
    return "0" if row["method"] == "cross-entropy" else _points(row)


SHORT = ("cross-entropy", "gce", "forward", "co-teaching", "elr", "dividemix")


def methods_short() -> str:
    body = []
    for (data, noise), by in methods_rows(SHORT).items():
        body.append([f"{data}, {noise}", *(_accuracy(by[m]) for m in SHORT), str(min(row["seeds"] for row in by.values()))])
    return markdown(["data and noise", *SHORT, "seeds"], body)


def _percent(row: dict[str, Any], name: str) -> str:
    return f"{100 * row[name]:.1f} ± {100 * row[f'{name}_±']:.1f}"


def _points(row: dict[str, Any]) -> str:
    """A gain in points, bold where its interval excludes zero, on either side."""
    gain, half = 100 * row["gain"], 100 * row["gain_±"]
    return _bold(f"{gain:+.1f} ± {half:.1f}", row["seeds"] > 1 and abs(gain) > half)


def regularization() -> str:
    from labelproof.experiments.regularization import KINDS, RegularizationRecord

    rows = RegularizationRecord.open(ROOT / "docs" / "results", "regularization").summary()
    found = {(row["labels"], row["regularizer"]): row for row in rows}
    body = []
    for kind in KINDS:
        true, random = found["true labels", kind], found["random labels", kind]
        cells = [_percent(true, "final_training"), _percent(true, "final_test"), "0" if kind == "none" else _points(true)]
        body.append([kind, *cells, _percent(random, "final_training"), _percent(random, "final_test"), str(true["seeds"])])
    header = ["true labels: training", "test", "gain on none", "random labels: training", "test", "seeds"]
    return markdown(["regulariser", *header], body)


def survey(question: str) -> str:
    from labelproof.experiments.survey import SurveyRecord

    rows = SurveyRecord.open(ROOT / "docs" / "results", "survey").summary()
    here = [row for row in rows if row["question"] == question]
    columns = list(dict.fromkeys((row["data"], row["noise"]) for row in here))
    found = {(row["data"], row["noise"], row["variant"]): row for row in here}
    variants = list(dict.fromkeys(row["variant"] for row in here))
    body = []
    for variant in variants:
        own = [found[*at, variant] for at in columns]
        gains = [["0" if variant == variants[0] else _points(row)] for row in own]
        cells = [cell for row, gain in zip(own, gains, strict=True) for cell in (_percent(row, "score"), *gain)]
        body.append([variant, *cells, str(min(row["seeds"] for row in own))])
    names = [name for data, noise in columns for name in (f"{data}: {noise}", f"gain on {variants[0]}")]
    return markdown(["", *names, "seeds"], body)


def cifar10n_reduced() -> str:
    from labelproof.experiments.cifar10n import LabelsRecord

    rows = LabelsRecord.open(ROOT / "docs" / "results", "cifar10n-reduced").summary()
    names = {"worse_label": "worst", "aggre_label": "aggregated"}
    body = []
    for row in rows:
        gain = "0" if row["method"] == "cross-entropy" else _points(row)
        auroc = f"{row['auroc']:.3f} ± {row['auroc_±']:.3f}"
        body.append([f"{names[row['labels']]}: {row['method']}", _percent(row, "accuracy"), gain, auroc, str(row["seeds"])])
    return markdown(["labels: method", "accuracy", "gain on cross-entropy", "AUROC of wrong labels", "seeds"], body)


def training_cost() -> str:
    body = []
    for row in rows_of("training_cost"):
        goal = "-" if row["goal"] is None else f"{row['goal']:.2f}"
        body.append([row["method"], f"{row['times plain']:.2f}", f"{row['spread']:.2f}", goal])
    return markdown(["method", "times the plain loop", "spread over rounds", "goal, at most"], body)


def m_vae_study() -> Rows:
    from labelproof.experiments.m_vae import CurveRecord

    return _m_vae_record(CurveRecord).summary()


def m_vae_pairs() -> str:
    from labelproof.experiments.m_vae import RATES, SHOWN

    body = []
    rows = [row for row in m_vae_study() if row["p1"] is not None]
    for problem, labels in sorted({(row["problem"], row["labels"]) for row in rows}):
        here = [row for row in rows if (row["problem"], row["labels"]) == (problem, labels)]
        for method in SHOWN:
            own = {row["p1"]: row for row in here if row["method"] == method}
            if own:
                cells = [_with_interval(own[p1], bold=own[p1]["ahead"]) for p1 in RATES]
                body.append([f"{problem}, {labels}: {method}", str(min(row["seeds"] for row in own.values())), *cells])
    return markdown(["kinds, labels of each: model", "seeds", *(f"p1 = {p1:g}" for p1 in RATES)], body)


def m_vae_advantage() -> str:
    from labelproof.experiments.m_vae import RATES, CurveRecord
    from labelproof.experiments.m_vae_advantage import advantages

    body = []
    for row in advantages(_m_vae_record(CurveRecord)):
        setting = row["problem"] if row["labels"] is None else f"{row['problem']}, {row['labels']}"
        name = f"{row['model']} - {row['baseline']}: {setting}"
        slopes = [_signed(row[slope] / 10, row[f"{slope}_±"] / 10) for slope in ("slope", "slope_all")]
        body.append([name, str(row["seeds"]), *(_signed(*row["at"][p1]) for p1 in RATES), *slopes])
    slopes = ["a tenth of imbalance, p1 to 0.6", "to 0.8"]
    return markdown(["models: kinds, labels of each", "seeds", *(f"p1 = {p1:g}" for p1 in RATES), *slopes], body)


def m_vae_accuracy() -> str:
    from labelproof.experiments.m_vae import RATES, SHOWN, CurveRecord
    from labelproof.experiments.m_vae_advantage import MAJORITY

    body = []
    points = _m_vae_record(CurveRecord).points("accuracy")
    for problem, labels in sorted({(problem, labels) for problem, labels, p1 in points if p1 is not None}):
        for method in SHOWN:
            means = [statistics.mean(row["accuracy"] for row in points[problem, labels, p1][method]) for p1 in RATES]
            seeds = len(points[problem, labels, RATES[0]][method])
            body.append([f"{problem}, {labels}: {method}", str(seeds), *(f"{100 * mean:.1f}" for mean in means)])
        body.append([f"{problem}, {labels}: the commoner kind alone", "", *[f"{100 * MAJORITY[problem]:.1f}"] * len(RATES)])
    return markdown(["kinds, labels of each: model", "seeds", *(f"p1 = {p1:g}" for p1 in RATES)], body)


def m_vae_alpha() -> str:
    from labelproof.experiments.m_vae import RATES, CurveRecord
    from labelproof.experiments.m_vae_advantage import guided_alphas

    found: dict[tuple[str, int], dict[float, dict[str, Any]]] = {}
    for row in guided_alphas(_m_vae_record(CurveRecord)):
        found.setdefault((row["problem"], row["labels"]), {})[row["p1"]] = row
    body = []
    for (problem, labels), at in found.items():
        cells = [f"{at[p1]['alpha']:g} / {at[p1]['best']:g}: {_signed(at[p1]['gap'], at[p1]['gap_±'])}" for p1 in RATES]
        body.append([f"{problem}, {labels}", str(min(row["seeds"] for row in at.values())), *cells])
    f = {p1: row["f"] for p1, row in next(iter(found.values())).items()}
    return markdown(["kinds, labels of each", "seeds", *(f"p1 = {p1:g}, f(ε) = {abs(f[p1]):.2f}" for p1 in RATES)], body)


def m_vae_full_labels() -> str:
    body = []
    found: dict[tuple[str, float], dict[str, Rows]] = {}
    for row in rows_of("m_vae_full_labels"):
        found.setdefault((row["data"], row["noise"]), {}).setdefault(row["method"], []).append(row)
    for (data, _), methods in found.items():
        base = methods["logistic regression"]
        for method, rows in methods.items():
            gain = "" if rows is base else _ap_ahead(rows, base)
            truth = 100 * statistics.mean(row["true_rate"] for row in rows)
            own = 100 * statistics.mean(row["rate"] for row in rows)
            weights = ", ".join(f"{row['weight']:g}" for row in rows) if method == "M-VAE" else ""
            ap = f"{statistics.mean(row['AP'] for row in rows):.3f}"
            body.append([f"{data}: {method}", str(len(rows)), ap, gain, f"{truth:.1f} %", f"{own:.1f} %", weights])
    return markdown(
        ["data: audit by", "draws", "AP", "less logistic regression's", "wrong", "said to be wrong", "label weights"], body
    )


def _ap_ahead(rows: Rows, base: Rows) -> str:
    """How much AP is ahead, paired by draw, with half of its interval by Student's t."""
    import numpy as np

    from labelproof.experiments.record import half_interval

    theirs = {row["seed"]: row["AP"] for row in base}
    gaps = np.array([row["AP"] - theirs[row["seed"]] for row in rows])
    if len(gaps) < 2:
        return f"{gaps.mean():+.3f}"
    text = f"{gaps.mean():+.3f} ± {half_interval(gaps):.3f}"
    return f"**{text}**" if abs(gaps.mean()) > half_interval(gaps) else text


def m_vae_rates() -> str:
    from labelproof.experiments.m_vae import RATES, CurveRecord
    from labelproof.experiments.m_vae_advantage import estimated_rates

    forms = {"M-VAE, true matrix": "given", "M-VAE, learned matrix": "learned", "M1+M2, best α": "ε, best α"}
    found: dict[tuple[str, int, str], dict[float, dict[str, Any]]] = {}
    for row in estimated_rates(_m_vae_record(CurveRecord)):
        found.setdefault((row["problem"], row["labels"], row["method"]), {})[row["p1"]] = row
    body = []
    for (problem, labels, method), at in sorted(found.items(), key=lambda item: (item[0][:2], list(forms).index(item[0][2]))):
        cells = [_rates(at[p1], learned=forms[method] == "learned") if p1 in at else "-" for p1 in RATES]
        body.append([f"{problem}, {labels}: {forms[method]}", str(min(row["seeds"] for row in at.values())), *cells])
    truth = ["the truth", "", *(f"0.20 / {p1:.2f}" for p1 in RATES)]
    return markdown(["kinds, labels of each: form", "seeds", *(f"p1 = {p1:g}" for p1 in RATES)], [truth, *body])


def _rates(row: dict[str, Any], *, learned: bool) -> str:
    spread = (f" ± {row[f'estimated_p{i}_±']:.2f}" if learned else "" for i in (0, 1))
    return " / ".join(f"{row[f'estimated_p{i}']:.2f}{end}" for i, end in enumerate(spread))


def _m_vae_record(kind: Any) -> Any:
    return kind.open(ROOT / "docs" / "results", "m-vae-figure-1")


def _signed(mean: float, half: float) -> str:
    """A difference in points with its interval, bold where that excludes zero."""
    text = f"{100 * mean:+.1f} ± {100 * half:.1f}"
    return f"**{text}**" if abs(mean) > half else text


def m_vae_others() -> str:
    from labelproof.experiments.m_vae import SHOWN

    rows = [row for row in m_vae_study() if row["p1"] is None]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    found = {(row["problem"], row["method"]): row for row in rows}
    body = [
        [method, *(_with_interval(found[at, method]) if (at, method) in found else "-" for at in problems)] for method in SHOWN
    ]
    return markdown(["model", *problems], body)


def _with_interval(row: dict[str, Any], *, bold: bool = False) -> str:
    text = f"{100 * row['balanced_accuracy']:.1f} ± {100 * row['balanced_accuracy_±']:.1f}"
    return f"**{text}**" if bold else text


def m_vae_speed() -> str:
    names = (("M-VAE_s", "{:.1f} s"), ("scANVI_s", "{:.1f} s"), ("times_faster", "{:.1f}"))
    exact = ("M-VAE_balanced_accuracy", "scANVI_balanced_accuracy")
    body = [
        [
            f"{row['what']}, {row['cells']:,}",
            *(shape.format(row[n]) for n, shape in names),
            *(f"{100 * row[n]:.1f}" for n in exact),
        ]
        for row in rows_of("m_vae_speed")
        if row["scANVI_s"] is not None
    ]
    return markdown(["cells", "M-VAE", "scANVI", "times faster", "M-VAE, balanced accuracy", "scANVI"], body)


def m_vae_scale() -> str:
    names = (
        ("epoch_s", "{:.2f} s"),
        ("epoch_us_per_cell", "{:.0f} µs"),
        ("data_mb", "{:.0f} MB"),
        ("fit_adds_mb", "{:.0f} MB"),
    )
    body = [
        [f"{row['cells']:,}", *(shape.format(row[n]) for n, shape in names)]
        for row in rows_of("m_vae_speed")
        if row["scANVI_s"] is None
    ]
    return markdown(["cells", "an epoch", "of it a cell", "counts in memory", "training adds at its peak"], body)


def nl_gan_table() -> str:
    from labelproof.experiments.nl_gan import TableRecord

    body = []
    for row in TableRecord.open(ROOT / "docs" / "results", "nl-gan-table-1").summary():
        agreement = f"{row['agreement']:.1%}" if row["agreement"] else "-"
        accuracy = f"{row['accuracy']:.3f}" + (f" ± {row['accuracy_±']:.3f}" if row["runs"] > 1 else "")
        cells = [row["augmented"], str(row["filters"] or "-"), str(row["epochs"] or "-"), str(row["runs"])]
        cells += [accuracy, f"{row['published']:.3f}", agreement]
        body.append([f"{row['row']}, {row['shares']}: {row['method']}", *cells])
    names = ["augmented", "filters", "epochs", "runs", "accuracy", "published", "generated labels that are right"]
    return markdown(["data, π_P/π_N: method", *names], body)


def rank_pruning() -> str:
    names = {
        "accuracy": "accuracy", "rates given": "accuracy, rates given", "not pruned": "accuracy, logistic regression alone"
    }  # fmt: skip
    body = []
    for row in rows_of("rank_pruning"):
        case = f"{row['data']}: {names.get(row['what'], row['what'])}"
        cells = [f"{row[name]:.2f}" if row.get(name) is not None else "-" for name in ("true", "median", "published")]
        body.append([case, *cells[:2], f"{row['low']:.2f} to {row['high']:.2f}", cells[2]])
    return markdown(["data, ρ1/ρ0", "true", "estimated, median", "9 of 10 draws", "published, one draw"], body)


def tag_detection() -> str:
    names = ("NMN-FI", "NMN-FD", "audit_tags", "cleanlab")
    body = []
    for row in rows_of("tag_detection"):
        for kind in ("missing", "incorrect"):
            values = [row[f"{kind}: {name}"] for name in names]
            if None not in values:
                cells = [f"**{v:.3f}**" if v == max(values) else f"{v:.3f}" for v in values]
                body.append([f"{row['data']}, {row['noise']}: which are {kind}", *cells])
    return markdown(["data, noise", *names], body)


def tag_step() -> str:
    body = [[row["step"], *(f"{row[name]:.2f}" for name in ("FI", "FD"))] for row in rows_of("tag_step")]
    return markdown(["1,000 tags", "feature-independent, times the classifier's step", "feature-dependent"], body)


def nmn_table(number: int) -> str:
    """Mean average precision, what a noise network gains on the epochs without it, and its rates beside the true ones."""
    from labelproof.experiments.nmn import ORACLE, TableRecord

    rows = TableRecord.open(ROOT / "docs" / "results", f"nmn-table-{number}").summary()
    found = {(row["data"], row["replaced"], row["pooling"], row["method"]): row for row in rows}
    body = []
    for data, replaced, pooling in sorted(dict.fromkeys(key[:3] for key in found)):
        own = {name: found.get((data, replaced, pooling, name)) for name in ("*", "NMN-FI", "NMN-FD", ORACLE)}
        plain = f"{own['*']['mean_ap']:.1f}" if own["*"] else "-"
        gains = [_gain(row, "gain", 2) for row in list(own.values())[1:]]
        rates = [_beside(own["NMN-FI"], name) for name in ("missing", "incorrect")]
        seeds = max(row["seeds"] for row in own.values() if row)
        body.append([f"{data}, {20 * replaced} %, {pooling}", plain, *gains, *rates, str(seeds)])
    header = ["data, captions replaced, pooling", "baseline*", "NMN-FI gains", "NMN-FD gains", "NMN-FI with true rates gains"]
    return markdown([*header, "missing, estimated / true", "incorrect, estimated / true", "seeds"], body)


def _beside(row: dict[str, Any] | None, name: str) -> str:
    """A learned rate beside the true one."""
    if row is None or row[name] is None:
        return "-"
    true = row[f"true_{name}"]
    return f"{row[name]:.3f} / " + ("-" if true is None else f"{true:.3f}")


def tag_rates() -> str:
    rows, body = rows_of("tag_rates"), []
    for name in dict.fromkeys(row["what"] for row in rows):
        cells = []
        for row in (one for one in rows if one["what"] == name):
            cells += [f"{row['missing']:.2f}", f"{row['incorrect']:.3f}", "-" if row["gain"] is None else f"{row['gain']:+.1f}"]
        body.append([name, *cells])
    header = [f"{name}, {share} %" for share in (20, 60) for name in ("missing", "incorrect", "gain")]
    return markdown(["scene, captions replaced", *header], body)


def nmn_speech() -> str:
    """What a noise network gains by part of speech."""
    from labelproof.experiments.nmn import TableRecord

    groups, body = ("NN", "JJ", "VB"), []
    for number in (1, 2):
        for row in TableRecord.open(ROOT / "docs" / "results", f"nmn-table-{number}").summary():
            if row["method"] in ("*", "NMN-FI", "NMN-FD") and row["ap_NN"] is not None:
                cells = [f"{row[f'ap_{g}']:.1f}" if row["method"] == "*" else _gain_of(row, f"ap_{g}_gain") for g in groups]
                body.append([f"{20 * row['replaced']} %, {row['method'].replace('*', 'baseline*')}", *cells, str(row["seeds"])])
    return markdown(["captions replaced", "nouns", "adjectives", "verbs", "seeds"], body)


def _gain_of(row: dict[str, Any], name: str) -> str:
    return _gain({"seeds": row["seeds"], "gain": row[name], "gain_±": row[f"{name}_±"]}, "gain", 2)


def nmn_evidence() -> str:
    """Noise that depends on features: what each noise network gains, and by how much it is ahead of the feature-independent one."""
    from labelproof.experiments.nmn_evidence import EvidenceRecord

    body = []
    for row in EvidenceRecord.open(ROOT / "docs" / "results", "nmn-evidence").summary():
        gains = ["-" if row["method"] == "*" else _gain(row, "gain", 2)]
        gains.append("-" if row["method"] in ("*", "NMN-FI") else _gain(row, "beyond_FI", 2))
        name = f"{row['case']}: {row['method'].replace('*', 'baseline*')}"
        rates = [_beside(row, "missing"), _beside(row, "incorrect")]
        body.append([name, f"{row['mean_ap']:.1f}", *gains, *rates, str(row["seeds"])])
    header = ["given tags: method", "mean AP", "gains on baseline*", "gains on NMN-FI", "missing, learned / true"]
    return markdown([*header, "incorrect, learned / true", "seeds"], body)


def _gain(row: dict[str, Any] | None, name: str, digits: int) -> str:
    """A gain with its interval, bold where that is above zero."""
    if row is None or row[name] is None:
        return "-"
    if row["seeds"] == 1:
        return f"{row[name]:+.{digits}f}"
    shown = f"{row[name]:+.{digits}f} ± {row[f'{name}_±']:.{digits}f}"
    return f"**{shown}**" if row["seeds"] > 1 and row[name] > row[f"{name}_±"] else shown


def nmn_captions() -> str:
    from labelproof.experiments.nmn_captions import SCORES, CaptionRecord

    body = []
    for row in CaptionRecord.open(ROOT / "docs" / "results", "nmn-table-4").summary():
        cells = ["-" if row[name] is None else f"{row[name]:.3f} ± {row[f'{name}_±']:.3f}" for name in SCORES]
        body.append([row["concepts"], *cells, _gain(row, "gain", 3), str(row["seeds"])])
    return markdown(["concepts", *SCORES, "CIDEr beyond baseline*-MIL", "seeds"], body)


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
    "nmn_table_1": lambda: nmn_table(1),
    "nmn_table_2": lambda: nmn_table(2),
    "nmn_table_3": lambda: nmn_table(3),
    "nmn_captions": nmn_captions,
    "nmn_evidence": nmn_evidence,
    "nmn_speech": nmn_speech,
    "nl_gan_table": nl_gan_table,
    "rank_pruning": rank_pruning,
    "tag_detection": tag_detection,
    "tag_rates": tag_rates,
    "tag_step": tag_step,
    "m_vae_accuracy": m_vae_accuracy,
    "m_vae_advantage": m_vae_advantage,
    "m_vae_alpha": m_vae_alpha,
    "m_vae_full_labels": m_vae_full_labels,
    "m_vae_others": m_vae_others,
    "m_vae_pairs": m_vae_pairs,
    "m_vae_rates": m_vae_rates,
    "m_vae_scale": m_vae_scale,
    "m_vae_speed": m_vae_speed,
    "apply_speed": apply_speed,
    "audit_quality": audit_quality,
    "audit_files": audit_files,
    "audit_files_whole": lambda: audit_files(whole=True),
    "audit_parts": audit_parts,
    "cold_start": cold_start,
    "busy_machine": busy_machine,
    "audit_speed": audit_speed,
    "ray_cost": ray_cost,
    "scale": scale,
    "audit_tags": audit_tags,
    "interval_coverage": interval_coverage,
    "sharpness_fit": sharpness_fit,
    "votes": votes,
    "audit_numbers": audit_numbers,
    "spans": spans,
    "boxes": boxes,
    "boxes_rates": boxes_rates,
    "masks": masks,
    "neighbours": neighbours,
    "forecast": forecast,
    "review_corrections": review_corrections,
    "review_estimate": review_estimate,
    "review_retraining": review_retraining,
    "review_speed": review_speed,
    "methods_accuracy": lambda: methods_table(_accuracy),
    "methods_gain": lambda: methods_table(_accuracy_gain),
    "methods_auroc": lambda: methods_table(_auroc),
    "methods_short": methods_short,
    "readme_quality": readme_quality,
    "readme_speed": readme_speed,
    "training_cost": training_cost,
    "regularization": regularization,
    "survey_forms": lambda: survey("forms"),
    "survey_terms": lambda: survey("terms"),
    "survey_oversampling": lambda: survey("oversampling"),
    "survey_items": lambda: survey("items"),
    "survey_losses": lambda: survey("losses"),
    "cifar10n_reduced": cifar10n_reduced,
}


def filled(text: str) -> str:
    """The text with every table made anew."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found = pattern.search(text)
        if found is not None:
            text = text[: found.end(1)] + make() + "\n" + text[found.start(2) :]
    return text


if __name__ == "__main__":
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
