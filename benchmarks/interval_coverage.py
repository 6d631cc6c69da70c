"""Does the interval of the error rate hold, and are obvious errors right: on label sets whose errors are known.

Four public sets that nothing was learned from, whole and in samples of 500 to 5,000; and three data sets of scikit-learn, which are among those
that were simulated with, clean and with labels flipped by a seed of their own. How the interval
does on simulated worlds of data sets and kinds of noise left out is measured by ``sharpness_fit.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS, calibration_error, f1

SAMPLES = {500: 10, 1000: 10, 5000: 5}
RATES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
Known = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, probabilities, whether they are wrong


def public() -> Iterator[tuple[str, Known]]:
    data = np.load(data_folder() / "label_errors.npz")
    for name in SETS:
        labels, probs, wrong = (data[f"{name}.{part}"] for part in ("labels", "pred_probs", "is_error"))
        yield f"{name}, whole", (labels.astype(int), probs, wrong)
        for size, draws in SAMPLES.items():
            for draw in range(draws if size < len(labels) else 0):
                rows = np.random.default_rng(draw).permutation(len(labels))[:size]
                yield f"{name}, {size:,}", (labels[rows].astype(int), probs[rows], wrong[rows])


def flipped() -> Iterator[tuple[str, Known]]:
    """Data sets of scikit-learn, symmetric flips, two models."""
    models = (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)),
        ExtraTreesClassifier(100, min_samples_leaf=2, random_state=0),
    )
    for load in (load_digits, load_breast_cancer, load_wine):
        x, y = load(return_X_y=True)
        for rate in RATES:
            for seed in range(2):
                noisy = lp.simulate.symmetric(y, min(rate, 0.3) if y.max() == 1 else rate, random_state=seed)
                for model in models:
                    probs = cross_val_predict(model, x, noisy.labels, cv=5, method="predict_proba")
                    yield f"{rate:.0%} flipped: {load.__name__[5:]}", (noisy.labels, probs, noisy.changed)


def measured(name: str, cases: list[Known]) -> dict[str, Any]:
    """Means over the audits of one name."""
    rows = []
    for labels, probs, wrong in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lp.DoubtWarning)
            found = lp.audit(labels, probs, classes=range(probs.shape[1]))
        rate, true, error = found.error_rate, wrong.mean(), found.error_probability
        obvious = (found.issues.sort("index")["verdict"] == "obvious").to_numpy()
        rows.append(
            (rate.low - 5e-4 <= true <= rate.high + 5e-4, rate.high - rate.low, rate.estimate, true, abs(rate.estimate - true) <= 0.025,
             obvious.sum(), wrong[obvious].sum(), calibration_error(error, wrong), f1(error >= 0.5, wrong) if wrong.any() else np.nan,
             len(found.doubts) > 0)
        )  # fmt: skip
    table = np.array(rows, dtype=float)
    mean = table.mean(axis=0)
    return {
        "data": name, "audits": len(rows), "true_rate": mean[3], "estimate": mean[2], "holds": mean[0], "width": mean[1],
        "within_2.5_points": mean[4], "obvious": mean[5],
        "obvious_right": float(table[:, 6].sum() / table[:, 5].sum()) if table[:, 5].any() else float("nan"),
        "ECE": mean[7], "F1": float(np.nanmean(table[:, 8])) if np.isfinite(table[:, 8]).any() else float("nan"), "doubts": mean[9],
    }  # fmt: skip


def main() -> None:
    cases: dict[str, list[Known]] = {}
    for source in (public, flipped):
        for name, known in source():
            cases.setdefault(name, []).append(known)
    rows = [measured(name, known) for name, known in cases.items()]
    publish(
        "interval_coverage", rows, "Share of audits whose 95 % interval holds the true rate; obvious errors that are errors."
    )


if __name__ == "__main__":
    main()
