"""Tables of M-VAE."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from _tables.base import ROOT, Rows, markdown, rows_of


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


TABLES: dict[str, Callable[[], str]] = {
    "m_vae_accuracy": m_vae_accuracy,
    "m_vae_advantage": m_vae_advantage,
    "m_vae_alpha": m_vae_alpha,
    "m_vae_full_labels": m_vae_full_labels,
    "m_vae_others": m_vae_others,
    "m_vae_pairs": m_vae_pairs,
    "m_vae_rates": m_vae_rates,
    "m_vae_scale": m_vae_scale,
    "m_vae_speed": m_vae_speed,
}
