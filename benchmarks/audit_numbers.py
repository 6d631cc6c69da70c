"""Wrong numbers beside cleanlab's scores for regression: hourly air quality with planted errors of each kind, on the same predictions.

``LABELPROOF_CACHE`` names a folder for what was measured before, from which an interrupted run goes on.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from cleanlab.regression.learn import CleanLearning
from cleanlab.regression.rank import get_label_quality_scores
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

import labelproof as lp
from _table import data_folder, publish
from labelproof.labels.numbers import Numbers
from labelproof.noise.simulate.numbers import NoisyNumbers, numbers

TARGETS = ("CO(GT)", "C6H6(GT)", "NOx(GT)", "NO2(GT)")
RATES, SEEDS, MISSING = (0.02, 0.05, 0.1), range(5), -200
UNITS = ((2.54, 0.0), (1.8, 32.0), (0.4536, 0.0), (1.609, 0.0), (1 / 2.54, 0.0))
MODELS: dict[str, Callable[[], Any]] = {
    "boosting, squared loss": lambda: HistGradientBoostingRegressor(random_state=0),
    "boosting, absolute loss": lambda: HistGradientBoostingRegressor(loss="absolute_error", random_state=0),
    "randomised trees": lambda: make_pipeline(SimpleImputer(), ExtraTreesRegressor(40, min_samples_leaf=3, random_state=0)),
}
SLOW_SEEDS = 1  # of what takes long: cleanlab's CleanLearning, the default model, and audits without features
NOTE = (
    "Average precision of wrong numbers among four targets of air_quality.csv, with errors of seven kinds planted in alike numbers (shift, "
    "factor, swapped digits, unit, sign, copied, sentinel); means over targets and seeds. cleanlab_best is the better of its residual and "
    "outre scores in each cell, by hindsight. AP_without_x: labelproof without features, as the scores of cleanlab, of the first seed. interval: share of cells in which the "
    "95 % interval of the rate holds the true one. named: share of flagged factor and unit errors with the right kind."
)


def table() -> pl.DataFrame:
    return pl.read_csv(data_folder() / "air_quality.csv", infer_schema_length=None)


def features(frame: pl.DataFrame, target: str) -> np.ndarray:
    """The other columns, the hour, the day and the day of the week."""
    columns = frame.drop(target, "Date", "Time").cast(pl.Float64).to_numpy().copy()
    columns[columns == MISSING] = np.nan
    date = frame["Date"].str.to_date("%d/%m/%Y")
    day = (date - date.min()).dt.total_days().to_numpy()
    hour = frame["Time"].str.slice(0, 2).cast(pl.Int64).to_numpy()
    return np.column_stack([columns, hour, day, date.dt.weekday().to_numpy()]).astype(float)


def planted(frame: pl.DataFrame, target: str, rate: float, seed: int) -> tuple[np.ndarray, NoisyNumbers]:
    """Rows with a number, and what was made of it."""
    clean = frame[target].cast(pl.Float64).to_numpy()
    rows = np.flatnonzero(clean != MISSING)
    return rows, numbers(clean[rows], rate, unit=UNITS[seed], random_state=1000 * seed + round(100 * rate))


def kept(name: str, make: Callable[[], Any]) -> Any:
    """What was measured before under a name, or now."""
    folder = os.environ.get("LABELPROOF_CACHE")
    if folder is None:
        return make()
    place = Path(folder) / f"{name.replace(' ', '_').replace(',', '')}.json"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(make(), default=float))
    return json.loads(place.read_text())


def predicted(x: np.ndarray, given: np.ndarray, model: str, seed: int) -> list[float]:
    found = np.zeros(len(given))
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        found[test] = MODELS[model]().fit(x[train], given[train]).predict(x[test])
    return found.tolist()


def figures(found: lp.Audit, noisy: NoisyNumbers) -> dict[str, float]:
    error, issues = found.findings.error_probability, found.issues.sort("index")
    flagged = (error > 0.5) & np.isin(noisy.kind, ["factor", "unit"])
    true = float(noisy.changed.mean())
    return {
        "AP": average_precision_score(noisy.changed, error),
        "F1": f1_score(noisy.changed, error > 0.5),
        "true_rate": true,
        "rate": found.error_rate.estimate,
        "width": found.error_rate.high - found.error_rate.low,
        "interval": float(found.error_rate.low <= true <= found.error_rate.high),
        "named": float(np.mean(issues["kind"].cast(pl.String).to_numpy()[flagged] == noisy.kind[flagged])),
    }


def cell(frame: pl.DataFrame, target: str, rate: float, seed: int, model: str) -> dict[str, float]:
    rows, noisy = planted(frame, target, rate, seed)
    x, given = features(frame, target)[rows], noisy.labels
    guess = np.array(kept(f"predicted {target} {rate} {seed} {model}", lambda: predicted(x, given, model, seed)))
    scores = kept(f"cleanlab {target} {rate} {seed} {model}", lambda: cleanlab_scores(given, guess, noisy))
    return {
        **{f"cleanlab_{method}": score for method, score in scores.items()},
        "cleanlab_best": max(scores.values()),
        **figures(lp.audit(Numbers(given), guess, features=x, neighbours=False), noisy),
        "AP_without_x": without_x(given, guess, noisy) if seed < SLOW_SEEDS else float("nan"),
    }


def cleanlab_scores(given: np.ndarray, guess: np.ndarray, noisy: NoisyNumbers) -> dict[str, float]:
    return {
        method: average_precision_score(noisy.changed, -get_label_quality_scores(given, guess, method=method))
        for method in ("residual", "outre")
    }


def without_x(given: np.ndarray, guess: np.ndarray, noisy: NoisyNumbers) -> float:
    return average_precision_score(noisy.changed, lp.audit(Numbers(given), guess).findings.error_probability)


def clean_learning(frame: pl.DataFrame, target: str, rate: float, seed: int) -> dict[str, float]:
    rows, noisy = planted(frame, target, rate, seed)
    learner = CleanLearning(HistGradientBoostingRegressor(loss="absolute_error", random_state=0), seed=seed)
    issues = learner.find_label_issues(features(frame, target)[rows], noisy.labels)
    quality = -issues["label_quality"].to_numpy()
    return {
        "AP": average_precision_score(noisy.changed, quality),
        "F1": f1_score(noisy.changed, issues["is_label_issue"].to_numpy()),
    }


def default_model(frame: pl.DataFrame, target: str, rate: float, seed: int) -> dict[str, float]:
    rows, noisy = planted(frame, target, rate, seed)
    dirty = frame[target].cast(pl.Float64).to_numpy().copy()
    dirty[rows] = noisy.labels
    column = pl.Series(target, dirty)
    found = lp.audit(frame.with_columns(column), label=target, kind="numbers", missing=[MISSING], neighbours=False)
    return {**figures(found, noisy), "seconds": found.model.seconds if found.model else float("nan")}


def mean(cells: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.nanmean([one[name] for one in cells])) for name in cells[0]}


def rows_of(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for model in MODELS:
        for rate in RATES:
            measure = partial(cell, model=model)
            yield {"predictions": model, "planted": rate, **measured(measure, frame, rate, f"cell {model}", SEEDS)}
    for rate in RATES:
        for name, slow in (("cleanlab's CleanLearning", clean_learning), ("labelproof's default model", default_model)):
            yield {"predictions": name, "planted": rate, **measured(slow, frame, rate, name, range(SLOW_SEEDS))}


def measured(measure: Callable[..., Any], frame: pl.DataFrame, rate: float, name: str, seeds: range) -> dict[str, float]:
    """Means over targets and seeds."""
    cells = [
        kept(f"{name} {target} {rate} {seed}", partial(measure, frame, target, rate, seed))
        for seed in seeds
        for target in TARGETS
    ]
    return mean(cells)


def main() -> None:
    warnings.simplefilter("ignore")
    rows = list(rows_of(table()))
    names = dict.fromkeys(name for row in rows for name in row)
    publish("audit_numbers", [{name: row.get(name, float("nan")) for name in names} for row in rows], NOTE)


if __name__ == "__main__":
    main()
