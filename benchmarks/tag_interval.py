"""Whether the interval of the error rate of tags holds the true rate: few items, tied scores, rare tags, and no errors at all.

Tags of 30 % of the items (rare ones of 2 %), of which 20 % or none are missing. Scores are log-odds of 3 and -3, blurred by normal noise of the
given deviation; *hard* predictions are right in the given share; *neighbours* are cross-validated nearest neighbours. 30 draws each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import labelproof as lp
from _table import publish

DRAWS = 30
Predict = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


def blurred(deviation: float, decimals: int | None = None) -> Predict:
    def predict(rng: np.random.Generator, true: np.ndarray, given: np.ndarray) -> np.ndarray:
        probs = expit(6 * true - 3 + rng.normal(0, deviation, true.shape))
        return probs if decimals is None else probs.round(decimals)

    return predict


def hard(right: float) -> Predict:
    return lambda rng, true, given: np.where(rng.random(true.shape) < right, true, 1 - true).astype(float)


def neighbours(number: int) -> Predict:
    def predict(rng: np.random.Generator, true: np.ndarray, given: np.ndarray) -> np.ndarray:
        x = 1.5 * true @ rng.normal(0, 1, (true.shape[1], 5)) + rng.normal(0, 1, (len(true), 5))
        model = KNeighborsClassifier(number)
        return np.column_stack([cross_val_predict(model, x, z, cv=5, method="predict_proba")[:, 1] for z in given.T])

    return predict


CASES: dict[str, tuple[Predict, int, int, float]] = {
    "blur 1, 30 items": (blurred(1), 30, 3, 0.3),
    "blur 1, 50 items": (blurred(1), 50, 3, 0.3),
    "blur 1, 100 items": (blurred(1), 100, 3, 0.3),
    "blur 1, 100 items, 8 tags": (blurred(1), 100, 8, 0.3),
    "blur 1, 600 items": (blurred(1), 600, 3, 0.3),
    "blur 1, 1,000 items, 20 rare tags": (blurred(1), 1000, 20, 0.02),
    "blur 4, 600 items": (blurred(4), 600, 3, 0.3),
    "blur 4, rounded to tenths, 600 items": (blurred(4, 1), 600, 3, 0.3),
    "hard, 95 % right, 600 items": (hard(0.95), 600, 3, 0.3),
    "hard, 70 % right, 600 items": (hard(0.7), 600, 3, 0.3),
    "1 neighbour, 600 items": (neighbours(1), 600, 3, 0.3),
    "5 neighbours, 600 items": (neighbours(5), 600, 3, 0.3),
}


def measured(case: str, missing: float) -> dict[str, Any]:
    predict, n, k, frequency = CASES[case]
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        true = (rng.random((n, k)) < frequency).astype(int)
        given = np.where(true == 1, rng.random(true.shape) >= missing, 0).astype(int)
        rate = lp.audit(lp.Tags(given), predict(rng, true, given), dependence=False).error_rate
        wrong = float((given != true).mean())
        found.append((wrong, rate.estimate, rate.low, rate.high, rate.low <= wrong <= rate.high))
    names = ("wrong", "estimate", "low", "high", "held")
    return {"case": case, "missing": missing, "draws": DRAWS} | dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def main() -> None:
    rows = [measured(case, missing) for missing in (0.2, 0.0) for case in CASES]
    publish("tag_interval", rows, "Share of draws in which the interval of the error rate of tags holds the true rate.")


if __name__ == "__main__":
    main()
