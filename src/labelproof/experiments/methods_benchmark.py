"""Every method on every kind of noise: accuracy on clean test items, and how well wrong labels are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.experiments.problems import Problem, adult, digits, mnist, noises
from labelproof.experiments.record import Record, Row
from labelproof.methods import METHODS
from labelproof.report.plots import dots

EPOCHS = 30


class MethodsRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Mean and standard deviation over the seeds, by data, noise and method."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row["data"], row["noise"], row["method"]), []).append(row)
        return [
            {
                "data": data,
                "noise": noise,
                "method": method,
                "seeds": len(rows),
                **_spread(rows, "accuracy"),
                **_spread(rows, "auroc"),
            }
            for (data, noise, method), rows in found.items()
        ]


def _spread(rows: list[Row], name: str) -> Row:
    values = np.array([row[name] for row in rows])
    return {name: float(values.mean()), f"{name}_sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0}


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """22 methods x 4 kinds of noise x seeds on digits, 2,000 digits of MNIST, and 4,000 rows of a census table."""
    record = MethodsRecord(record.path, record.rows, record.skipped)
    problems = [digits()]
    if data is None:
        record.skipped.append("mnist and adult need --data, the folder of real data.")
    elif not quick:
        problems += [mnist(data, 2000), adult(data, 4000)]
    for seed in range(seeds):
        for problem in problems:
            for noise, corrupt in noises(problem).items():
                noisy = corrupt(problem, seed)
                for method in METHODS:
                    key = {"data": problem.name, "noise": noise, "method": method, "seed": seed}
                    if not record.has(**key):
                        with record.measuring(**key) as row:
                            row.update(_measured(problem, noisy, method, seed, 3 if quick else EPOCHS))
    rows = record.summary()
    dots(
        {
            f"{name}, {noise}": [(r["method"], r["accuracy"], r["accuracy_sd"]) for r in rows if (r["data"], r["noise"]) == (name, noise)]
            for name, noise in dict.fromkeys((r["data"], r["noise"]) for r in rows)
        },
        record.path.with_suffix(".png"),
        title="Accuracy on clean test items, by method",
        columns=4,
        marked="cross-entropy",
    )  # fmt: skip
    return record


def _measured(problem: Problem, noisy: Any, method: str, seed: int, epochs: int) -> Row:
    model = NoisyLabelClassifier(method, backbone="mlp", epochs=epochs, random_state=seed, augment=None)
    model.fit(problem.train, noisy.labels)
    said = model.predict(problem.test)
    recall = [float((said[problem.test_labels == c] == c).mean()) for c in range(problem.k)]
    error = model.error_probability_
    return {
        "accuracy": float((said == problem.test_labels).mean()),
        "balanced_accuracy": float(np.mean(recall)),
        "auroc": float(roc_auc_score(noisy.changed, error)),
        "average_precision": float(average_precision_score(noisy.changed, error)),
        "noise_rate": float(noisy.changed.mean()),
    }
