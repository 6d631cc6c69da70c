"""Tables of the training methods, the survey and NL-GAN."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from _tables.base import ROOT, markdown, rows_of


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


TABLES: dict[str, Callable[[], str]] = {
    "nl_gan_table": nl_gan_table,
    "rank_pruning": rank_pruning,
    "methods_accuracy": lambda: methods_table(_accuracy),
    "methods_gain": lambda: methods_table(_accuracy_gain),
    "methods_auroc": lambda: methods_table(_auroc),
    "methods_short": methods_short,
    "training_cost": training_cost,
    "regularization": regularization,
    "survey_forms": lambda: survey("forms"),
    "survey_terms": lambda: survey("terms"),
    "survey_oversampling": lambda: survey("oversampling"),
    "survey_items": lambda: survey("items"),
    "survey_losses": lambda: survey("losses"),
    "cifar10n_reduced": cifar10n_reduced,
}
