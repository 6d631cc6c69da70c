"""Networks learn patterns first and memorise noise later: the first studies of the survey of the field.

Two questions, by epoch. Can a network fit labels that are pure chance (Zhang et al. 2017)? Of labels partly wrong, in which order
are right and wrong ones learned, and does a method that resists noise change it (Arpit et al. 2017)?

References
----------
Zhang, Bengio, Hardt, Recht and Vinyals (2017), Understanding deep learning requires rethinking generalization.
Arpit et al. (2017), A closer look at memorization in deep networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from labelproof.experiments.problems import Problem, digits, mnist
from labelproof.experiments.record import Record
from labelproof.methods import Task, make_method
from labelproof.networks.mlp import MLP
from labelproof.noise import simulate
from labelproof.report.plots import lines
from labelproof.training.history import History
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import TrainingData, predict_logits
from labelproof.validation import Json

RATE = 0.4
STUDIES = (
    ("true labels", "cross-entropy", 0.0),
    ("random labels", "cross-entropy", 0.9),
    ("40 % wrong", "cross-entropy", RATE),
    ("40 % wrong, elr", "elr", RATE),
)


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Train a multilayer perceptron on 5,000 MNIST digits (scikit-learn's digits without data), one epoch per row."""
    problem, epochs = (mnist(data, 5000), 60) if data is not None and not quick else (digits(), 30)
    for study, method, rate in STUDIES:
        for seed in range(seeds):
            key = {"study": study, "data": problem.name, "seed": seed}
            if not record.has(**key):
                with record.measuring(**key) as row:
                    row.update(_trained(problem, method, rate, epochs, seed))
    _drawn(record, problem.name)
    return record


def _trained(problem: Problem, name: str, rate: float, epochs: int, seed: int) -> Json:
    noisy = simulate.symmetric(problem.train_labels, rate, n_classes=problem.k, random_state=seed)
    x, test = (torch.from_numpy(part.reshape(len(part), -1)).float() for part in (problem.train, problem.test))
    given, truth = torch.from_numpy(noisy.labels), torch.from_numpy(problem.test_labels)
    data, on_test = TrainingData(x, given), []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        method = make_method(name)
        # no dropout: the question is what the network does without regularisation
        method.build(Task(data, problem.k, epochs, lambda: MLP(problem.k, x.shape[1], hidden=(512, 512), dropout=0.0)))

    def after_epoch(epoch: int) -> None:
        on_test.append(float((predict_logits(method, test).argmax(dim=1) == truth).float().mean()))

    method.epoch_end = after_epoch  # type: ignore[method-assign]
    history = History(len(x), epochs)
    fit(
        method,
        data,
        Options(epochs=epochs, learning_rate=1e-3, weight_decay=0.0, schedule="constant", seed=seed),
        history=history,
    )
    right = history.predicted == noisy.labels
    found = {"test": on_test, "training": right.mean(axis=1).tolist()}
    if 0 < rate < 0.9:
        found["right labels"] = right[:, ~noisy.changed].mean(axis=1).tolist()
        found["wrong labels"] = right[:, noisy.changed].mean(axis=1).tolist()
        true = problem.train_labels[noisy.changed]
        found["wrong labels, true class"] = (history.predicted[:, noisy.changed] == true).mean(axis=1).tolist()
    return {**found, "final_test": on_test[-1], "best_test": max(on_test), "final_training": found["training"][-1]}


def _drawn(record: Record, data: str) -> None:
    panels = {}
    for study, _, _ in STUDIES:
        rows = [row for row in record.rows if row["study"] == study and row["data"] == data]
        names = ("training", "test") if "right labels" not in rows[0] else (
            "right labels", "wrong labels", "wrong labels, true class", "test")  # fmt: skip
        panels[study] = {name: np.array([row[name] for row in rows]) for name in names}
    title = "Right labels are learned first, wrong ones are memorised later"
    lines(panels, record.path.with_suffix(".png"), title=title, x="epoch", y="accuracy")
