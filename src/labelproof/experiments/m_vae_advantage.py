"""The claim of figure 1 of the M-VAE paper: M-VAE is ahead of M1+M2, the more so the further p1 is from p0.

All from the rows of `labelproof.experiments.m_vae`: nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from labelproof.estimators.mislabeled_vae.mislabeled_module import alpha_of_epsilon, epsilon_of_alpha
from labelproof.experiments.m_vae import BEST, BEST_CLAMPED, OURS, P0, CurveRecord
from labelproof.experiments.record import SPREAD, Row, averaged, half_interval

MAJORITY = {"microglia / endothelial": 357 / 484, "oligodendrocytes / inhibitory": 957 / 1736}  # its share of the cells
TOGETHER = "mean of all settings"
KNOWABLE = 0.6  # the largest p1; at 0.8 both kinds have the same labels if p0 is 0.2
Values = Mapping[float, Mapping[int, float]]  # of each p1 and seed


def advantages(record: CurveRecord, metric: str = "balanced_accuracy") -> list[Row]:
    """Paired differences of M-VAE to M1+M2 with the α that is best in hindsight, a row for each setting and pair of models.

    Returns
    -------
    list of dict
        The last of each pair of models is the mean of all settings. ``problem``, ``labels``, ``model``, ``baseline``, ``seeds``; ``at``, for each p1 the mean difference and half of its 95 %
        interval; ``slope`` and ``slope_±`` for p1 up to 0.6, ``slope_all`` and ``slope_all_±`` for every p1: of the difference,
        by ``|p1 - p0|``, fitted to each seed, averaged over seeds.
    """
    settings: dict[tuple[str, int | None], dict[float, dict[str, list[Row]]]] = {}
    for (problem, labels, p1), methods in record.points(metric).items():
        if p1 is not None:
            settings.setdefault((problem, labels), {})[p1] = methods
    found = []
    for model in OURS:
        for baseline in (BEST, BEST_CLAMPED):
            by_setting = {
                setting: {p1: _gaps(methods, model, baseline, metric) for p1, methods in sorted(points.items())}
                for setting, points in sorted(settings.items())
            }
            for (problem, labels), gaps in {**by_setting, (TOGETHER, None): _mean_gaps(list(by_setting.values()))}.items():
                row: Row = {"problem": problem, "labels": labels, "model": model, "baseline": baseline}
                found.append(row | _summary(gaps))
    return found


def _mean_gaps(settings: list[Values]) -> Values:
    """The mean, for each p1 and seed, over settings that all have it."""
    found = {}
    for p1 in settings[0]:
        seeds = set.intersection(*(set(gaps[p1]) for gaps in settings))
        found[p1] = {seed: float(np.mean([gaps[p1][seed] for gaps in settings])) for seed in seeds}
    return found


def _gaps(methods: Mapping[str, list[Row]], model: str, baseline: str, metric: str) -> dict[int, float]:
    """Differences of the seeds that both have."""
    theirs = {row["seed"]: row[metric] for row in methods.get(baseline, [])}
    return {row["seed"]: row[metric] - theirs[row["seed"]] for row in methods.get(model, []) if row["seed"] in theirs}


def _summary(gaps: Values) -> Row:
    shared = sorted(set.intersection(*(set(of_seed) for of_seed in gaps.values())))
    at = {}
    for p1, of_seed in gaps.items():
        mean = averaged([{"gap": of_seed[seed]} for seed in shared], "gap")
        at[p1] = (mean["gap"], mean["gap" + SPREAD])
    row: Row = {"seeds": len(shared), "at": at}
    for name, largest in (("slope", KNOWABLE), ("slope_all", 1.0)):
        slopes = slopes_of({p1: of_seed for p1, of_seed in gaps.items() if p1 <= largest}, shared)
        row |= {name: float(slopes.mean()), name + SPREAD: half_interval(slopes)}
    return row


def slopes_of(gaps: Values, seeds: list[int]) -> npt.NDArray[np.float64]:
    """Least-squares slope of each seed's differences over ``|p1 - p0|``, shape (seeds,)."""
    imbalance = np.array([abs(p1 - P0) for p1 in gaps])
    values = np.array([[of_seed[seed] for seed in seeds] for of_seed in gaps.values()])  # (points, seeds)
    centred = imbalance - imbalance.mean()
    return np.asarray(centred @ values / np.square(centred).sum())


def guided_alphas(record: CurveRecord) -> list[Row]:
    """M1+M2 with the α of the grid that is nearest to ``f(ε)``, ε the mean of p0 and p1, less that with the α best in hindsight.

    Returns
    -------
    list of dict
        ``problem``, ``labels``, ``p1``, ``f``, ``alpha``, ``best``, ``seeds``, ``gap`` and ``gap_±``: of balanced accuracy, paired.
    """
    metric, found = "balanced_accuracy", []
    by_alpha: dict[tuple[str, int, float], dict[float, list[Row]]] = {}
    for (problem, labels, p1, method), rows in record.groups("problem", "labels", "p1", "method").items():
        if p1 is not None and method.startswith("M1+M2, α = "):
            by_alpha.setdefault((problem, labels, p1), {})[_alpha(method)] = rows
    for (problem, labels, p1), grid in sorted(by_alpha.items()):
        f = alpha_of_epsilon((P0 + p1) / 2, 2)
        alpha = min(grid, key=lambda alpha: abs(alpha - f))
        means = {alpha: averaged(rows, metric)[metric] for alpha, rows in grid.items()}
        best = max(means, key=lambda alpha: means[alpha])
        gaps = _gaps({"own": grid[alpha], "best": grid[best]}, "own", "best", metric)
        row: Row = {"problem": problem, "labels": labels, "p1": p1, "f": f, "alpha": alpha, "best": best, "seeds": len(gaps)}
        found.append(row | averaged([{"gap": gap} for gap in gaps.values()], "gap"))
    return found


def _alpha(method: str) -> float:
    return float(method.split("α = ")[1])


def estimated_rates(record: CurveRecord) -> list[Row]:
    """Error rates of each kind in the models, next to the truth, averaged over seeds.

    Returns
    -------
    list of dict
        ``problem``, ``labels``, ``p1``, ``method``, ``seeds``, ``estimated_p0``, ``estimated_p1`` and half of their intervals. The
        ε form is M1+M2 with the α that is best in hindsight, which is one ε for both kinds.
    """
    found: list[Row] = []
    for (problem, labels, p1), methods in record.points("balanced_accuracy").items():
        for method in (*OURS, BEST):
            rows = [_with_rates(row) for row in methods.get(method, [])] if p1 is not None else []
            known = [row for row in rows if row.get("estimated_p0") is not None]
            if known:
                row: Row = {"problem": problem, "labels": labels, "p1": p1, "method": method, "seeds": len(known)}
                found.append(row | averaged(known, "estimated_p0") | averaged(known, "estimated_p1"))
    return found


def _with_rates(row: Row) -> Row:
    """A row with its rates, also if these are no estimates: the true matrix, and the ε that corresponds to an α."""
    method: str = row["method"]
    if method == OURS[0]:
        return {**row, "estimated_p0": P0, "estimated_p1": row["p1"]}
    if "α = " in method:
        epsilon = epsilon_of_alpha(_alpha(method), 2)
        return {**row, "estimated_p0": epsilon, "estimated_p1": epsilon}
    return row
