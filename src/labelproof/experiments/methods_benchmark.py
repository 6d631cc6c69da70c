"""Every method on every kind of noise: accuracy on clean test items, and how well wrong labels are detected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.experiments.problems import Problem, adult, digits, mnist, noises
from labelproof.experiments.record import Record, Row, ahead, averaged, gained
from labelproof.methods import METHODS, make_method
from labelproof.report.plots import dots

EPOCHS = 30
BASE = "cross-entropy"
SCORES = ("accuracy", "auroc")


class MethodsRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means by data, noise and method, each with half of its 95 % interval, and the gain over cross-entropy.

        ``gain`` is of the accuracy, paired by seed. ``accuracy_ahead`` and ``auroc_ahead`` are whether no other method comes
        within the interval of the paired difference.
        """
        rows = []
        columns: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for (data, noise, method), own in self.groups("data", "noise", "method").items():
            columns.setdefault((data, noise), {})[method] = own
        for (data, noise), by_method in columns.items():
            base = {row["seed"]: row for row in by_method.get(BASE, [])}
            best = {name: ahead({m: {r["seed"]: r[name] for r in own} for m, own in by_method.items()}) for name in SCORES}
            for method, own in by_method.items():
                scores = averaged(own, "accuracy") | averaged(own, "auroc") | gained(own, "accuracy", base)
                marks = {f"{name}_ahead": best[name] == method for name in SCORES}
                rows.append({"data": data, "noise": noise, "method": method, "seeds": len(own), **scores, **marks})
        return rows


def run(record: Record, *, data: Path | None, seeds: int, quick: bool, rows: Sequence[str] = ()) -> Record:
    """Every method, or those that ``rows`` names, with 4 kinds of noise on digits, MNIST's first 2,000, and rows of a census table."""
    record = MethodsRecord(record.path, record.rows, record.skipped)
    for name in rows:
        make_method(name)
    problems = [digits()]
    if data is None:
        record.skipped.append("mnist and adult need --data, the folder of real data.")
    elif not quick:
        problems += [mnist(data, 2000), adult(data, 4000)]
    for seed in range(seeds):
        for problem in problems:
            for noise, corrupt in noises(problem).items():
                noisy = corrupt(problem, seed)
                for method in rows or METHODS:
                    key = {"data": problem.name, "noise": noise, "method": method, "seed": seed}
                    if not record.has(**key):
                        with record.measuring(**key) as row:
                            row.update(_measured(problem, noisy, method, seed, 3 if quick else EPOCHS))
    shown = record.summary()
    dots(
        {
            f"{name}, {noise}": [
                (r["method"], r["accuracy"], r["accuracy_±"]) for r in shown if (r["data"], r["noise"]) == (name, noise)
            ]
            for name, noise in dict.fromkeys((r["data"], r["noise"]) for r in shown)
        },
        record.path.with_suffix(".png"),
        title="Accuracy on clean test items, by method",
        columns=4,
        marked=BASE,
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
