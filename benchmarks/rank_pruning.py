"""Rank pruning's estimated rates beside the true ones: a Gaussian toy, MNIST, and the example of the package of its authors."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from _table import data_folder, publish
from labelproof.experiments import nl_gan
from labelproof.experiments.nl_gan import Pictures

RATES = ((0.1, 0.1), (0.4, 0.1), (0.2, 0.3), (0.4, 0.35))  # ρ1, ρ0
DRAWS = 20
EXAMPLE_DRAWS = 200
#: What the notebook of cgnorthcutt/rankpruning prints, of one draw: share of right labels in the test set last.
PUBLISHED = {"ρ1": 0.82, "ρ0": 0.15, "π1": 0.48, "π0": 0.47, "accuracy": 0.763, "rates given": 0.833, "not pruned": 0.667}


def toy(seed: int) -> tuple[Any, ...]:
    """Two round clouds, four in ten items positive."""
    rng = np.random.default_rng(seed)
    true = (rng.random(4000) < 0.4).astype(int)
    return rng.normal(2.0 * (2 * true[:, None] - 1), 1.0, (4000, 2)), true


@functools.cache
def all_digits() -> Pictures:
    """Read once."""
    return nl_gan.digits(data_folder())


def digits(seed: int) -> tuple[Any, ...]:
    """2,000 digits of MNIST, {5; 7} against {2; 4}."""
    pictures = all_digits()
    rows = np.random.default_rng(seed).permutation(len(pictures.x))[:2000]
    return pictures.x[rows].reshape(len(rows), -1) / 255, pictures.true[rows]


def clouds(rng: np.random.Generator, positives: int) -> tuple[Any, ...]:
    """The clouds of the published example, twice as many negatives as positives."""
    negative = rng.multivariate_normal([2, 2], [[10, -1.5], [-1.5, 5]], 2 * positives)
    positive = rng.multivariate_normal([5, 5], [[1.5, 1.3], [1.3, 4]], positives)
    return np.r_[negative, positive], np.r_[np.zeros(2 * positives, int), np.ones(positives, int)]


def example() -> dict[str, list[float]]:
    """The published example, drawn anew many times: 80 % of the positives and 15 % of the negatives are named wrongly."""
    found: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for seed in range(EXAMPLE_DRAWS):
        rng = np.random.default_rng(seed)
        (x, true), test = clouds(rng, 500), clouds(rng, 1000)
        given = true.copy()
        given[rng.permutation(np.flatnonzero(true == 1))[:400]] = 0
        given[rng.permutation(np.flatnonzero(true == 0))[:150]] = 1
        model = lp.RankPruning(n_folds=3, random_state=seed).fit(x, given)
        noise, dropped = model.transition_, ~model.kept_
        found["ρ1"].append(noise.matrix[1, 0])
        found["ρ0"].append(noise.matrix[0, 1])
        found["π1"].append(dropped[given == 1].mean())
        found["π0"].append(dropped[given == 0].mean())
        found["accuracy"].append(model.score(*test))
        found["rates given"].append(lp.RankPruning(n_folds=3, random_state=seed, rates=(0.8, 0.15)).fit(x, given).score(*test))
        found["not pruned"].append(LogisticRegression().fit(x, given).score(*test))
    return found


def estimates() -> Iterator[dict[str, Any]]:
    """True and estimated rates, over draws."""
    models = {"Gaussian toy": LogisticRegression(), "MNIST 2,000": LogisticRegression(C=0.01, max_iter=500)}
    for (name, model), problem in zip(models.items(), (toy, digits), strict=True):
        for rho1, rho0 in RATES:
            found = []
            for seed in range(DRAWS):
                x, true = problem(seed)
                given = lp.simulate.class_conditional(true, [rho0, rho1], random_state=seed).labels
                matrix = lp.RankPruning(model, random_state=seed).fit(x, given).transition_.matrix
                found.append((matrix[1, 0], matrix[0, 1]))
            for symbol, true_rate, values in zip(("ρ1", "ρ0"), (rho1, rho0), np.transpose(found), strict=True):
                case = f"{name}, {rho1:g}/{rho0:g}"
                yield {"data": case, "what": symbol, "true": true_rate, **_over_draws(values), "published": math.nan}


def _over_draws(values: Any) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return {"median": median, "low": low, "high": high}


def main() -> None:
    warnings.simplefilter("ignore", lp.LabelproofWarning)  # labels that look random, in some draws of the example
    rows = list(estimates())
    truth = {"ρ1": 0.8, "ρ0": 0.15, "π1": 0.6, "π0": 0.32}
    for name, values in example().items():
        row = {"data": "published example", "what": name, "true": truth.get(name, math.nan)}
        rows.append({**row, **_over_draws(values), "published": PUBLISHED[name]})
    publish(
        "rank_pruning",
        rows,
        "Median and the middle 90 % over draws; logistic regression; the published figures are of one draw.",
    )


if __name__ == "__main__":
    main()
