"""Forecasts of simulated reviews beside what was found: how often the band holds, how wide it is, and whether the stop rule holds.

Reviews by the default queue where the truth is known: the four sets of ``label_errors.npz``, whole and in samples of 500 to 5,000, and
simulated noise on digits and on Gaussian clusters with a cross-validated logistic regression. None of the four took part in learning
the prior (``forecast_prior.py``), whose worlds have digits and clusters with noise and models of their own. Beside it the expected finds of `labelproof.auditing.calibrate` alone, with the band of independent items,
which is what the page told before.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS
from labelproof.auditing.calibrate import fit_calibration
from labelproof.review.candidates import Candidates
from labelproof.review.plan.figures import work_out
from labelproof.review.plan.queue import make_queue
from labelproof.review.plan.resolve import Resolved

BUDGETS, DECISIONS = (50, 200, 1000), (0, 20, 100)
SIZES, DRAWS = (500, 1000, 2000, 5000), 8
RATES, SIMULATED_SEEDS = (0.02, 0.05, 0.1, 0.2, 0.3), 4


class Problem(NamedTuple):
    """An audited data set of which the truth is known, worst first."""

    name: str
    candidates: Candidates
    wrong: np.ndarray


def problem(name: str, labels: np.ndarray, probs: np.ndarray, wrong: np.ndarray) -> Problem:
    audit = lp.audit(labels, probs)
    order = np.argsort(-audit.error_probability, kind="stable")
    table = pl.DataFrame(
        {
            "index": order,
            "id": order.astype(str),
            "error_probability": audit.error_probability[order],
            "given_label": labels[order].astype(np.int32),
        }
    )
    summary = {"error_rate": audit.error_rate._asdict()}
    return Problem(name, Candidates(Path(), summary, table, [str(c) for c in audit.classes], ""), wrong[order])


def public() -> Iterator[Problem]:
    data = np.load(data_folder() / "label_errors.npz")
    for name in SETS:
        labels, probs, wrong = data[f"{name}.labels"].astype(int), data[f"{name}.pred_probs"], data[f"{name}.is_error"]
        for size in (len(labels), *(size for size in SIZES if size < len(labels))):
            whole = problem(name, labels, probs, wrong) if size == len(labels) else None
            for seed in range(DRAWS):
                rows = np.random.default_rng(seed).permutation(len(labels))[:size]
                yield whole or problem(name, labels[rows], probs[rows], wrong[rows])


def simulated() -> Iterator[Problem]:
    for seed in range(SIMULATED_SEEDS):
        clusters = make_classification(3000, n_features=20, n_informative=10, n_classes=4, class_sep=1.5, random_state=seed)
        for name, (x, true) in {"digits": load_digits(return_X_y=True), "clusters": clusters}.items():
            k = int(true.max()) + 1
            for rate in RATES:
                made = {
                    "symmetric": lp.simulate.symmetric(true, rate, n_classes=k, random_state=seed),
                    "instance-dependent": lp.simulate.instance_dependent(true, x, rate, n_classes=k, random_state=seed),
                }
                for noise, noisy in made.items():
                    model = LogisticRegression(max_iter=300, C=0.1)
                    probs = cross_val_predict(model, x / x.std(), noisy.labels, cv=5, method="predict_proba")
                    yield problem(f"{name}, {noise}", noisy.labels, probs, noisy.labels != true)


def cases(one: Problem, seed: int) -> Iterator[dict[str, Any]]:
    candidates, wrong = one.candidates, one.wrong
    error = candidates.error_probability
    whole = make_queue(error, DECISIONS[-1] + BUDGETS[-1], random_state=seed)
    for made in DECISIONS:
        rows, rest = whole.rows[:made], whole.rows[made:]
        outcomes = {
            int(rank): Resolved(None if wrong[rank] else candidates.part.given(int(rank)), 1, ("simulated",), True)
            for rank in rows
        }
        figures = work_out(candidates, whole.up_to(made + BUDGETS[0]), outcomes, ahead=whole)
        chances = fit_calibration(error[rows], wrong[rows])(error[rest]) if made else error[rest]
        stops = bool(wrong.sum() - wrong[rows].sum() < figures.left_below + 1)
        for budget in BUDGETS:
            end = min(budget, len(rest))
            true, (found, low, high) = int(wrong[rest[:end]].sum()), figures.forecast.at(end)
            before, sd = chances[:end].sum(), np.sqrt((chances[:end] * (1 - chances[:end])).sum())
            size = max(true, 5)
            yield {
                "set": one.name,
                "decisions": made,
                "budget": budget,
                "held": low <= true <= high,
                "width": (high - low) / size,
                "off": abs(found - true) / size,
                "held_before": abs(before - true) <= 1.645 * sd + 0.5,
                "width_before": 2 * 1.645 * sd / size,
                "off_before": abs(before - true) / size,
                "stop_held": stops,
            }


def main() -> None:
    warnings.simplefilter("ignore", lp.DoubtWarning)
    found: dict[tuple[str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for problems in (public(), simulated()):
        for seed, one in enumerate(problems):
            for case in cases(one, seed):
                found[case["set"], case["decisions"], case["budget"]].append(case)
    rows = []
    for (name, made, budget), own in found.items():
        means = {
            key: float(np.mean([case[key] for case in own])) for key in own[0] if key not in ("set", "decisions", "budget")
        }
        rows.append({"set": name, "decisions": made, "budget": budget, "cases": len(own), **means})
    publish(
        "forecast",
        rows,
        "Share of simulated reviews whose finds lie in the 90 % band after so many decisions, mean width of the band and mean error of "
        "the expected number over what was found; before: calibrated error probabilities as independent chances; stop_held: fewer "
        "wrong labels remained than the 95 % end said.",
    )


if __name__ == "__main__":
    main()
