"""Regularisers that keep a network from fitting purely random labels, and those that help it on true ones.

A multilayer perceptron on 2,000 digits of MNIST, with true and with random labels, trained plainly and with each of the usual
regularisers. Early stopping keeps the weights of the epoch that best predicts 500 other digits, whose labels are true or
random like those of the training. It needs no run of its own, because it is an epoch of the plain run.

References
----------
Zhang, Bengio, Hardt, Recht and Vinyals (2017), Understanding deep learning requires rethinking generalization, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from labelproof.experiments.problems import Problem, digits, mnist
from labelproof.experiments.record import Record, Row, averaged, gained
from labelproof.methods import Task, make_method
from labelproof.networks.mlp import MLP
from labelproof.noise import simulate
from labelproof.report.plots import lines
from labelproof.training.augmentation import affine
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import TrainingData, predict_logits
from labelproof.validation import IntArray, Json

VALIDATION, EPOCHS = 500, 60
CURVES = ("training", "validation", "test")
LABELS = ("true labels", "random labels")


@dataclass(frozen=True)
class Regularized:
    """The regularisation of a network."""

    weight_decay: float = 0.0
    dropout: float = 0.0
    augmented: bool = False
    stopped: bool = False


KINDS = {
    "none": Regularized(),
    "weight decay": Regularized(weight_decay=0.1),
    "dropout": Regularized(dropout=0.5),
    "augmentation": Regularized(augmented=True),
    "early stopping": Regularized(stopped=True),
    "all": Regularized(weight_decay=0.1, dropout=0.5, augmented=True, stopped=True),
}


class RegularizationRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Final means with half of their 95 % intervals, and the gain in test accuracy over no regulariser, paired by seed."""
        shown = []
        found = self.groups("data", "labels", "regularizer")
        for (data, labels, kind), rows in found.items():
            base = {row["seed"]: row for row in found.get((data, labels, "none"), [])}
            means = averaged(rows, "final_training") | averaged(rows, "final_test") | gained(rows, "final_test", base)
            shown.append({"data": data, "labels": labels, "regularizer": kind, "seeds": len(rows), **means})
        return shown


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """True and random labels, each regulariser, one value per epoch (scikit-learn's digits without data)."""
    record = RegularizationRecord(record.path, record.rows, record.skipped)
    problem, epochs = (digits(), 20) if data is None or quick else (mnist(data, 2000 + VALIDATION), EPOCHS)
    for labels in LABELS:
        for seed in range(seeds):
            for kind, how in KINDS.items():
                key = {"data": problem.name, "labels": labels, "seed": seed}
                if record.has(**key, regularizer=kind):
                    continue
                with record.measuring(**key, regularizer=kind) as row:
                    curves = _known(record, **key) if kind == "early stopping" else _trained(problem, labels, how, epochs, seed)
                    row.update(_stopped(curves) if how.stopped else curves)
                    row.update({f"final_{name}": row[name][-1] for name in ("training", "test")})
    _drawn(record, problem.name)
    return record


def _known(record: Record, **key: object) -> Json:
    """The curves of the plain run, which early stopping stops."""
    row = next(row for row in record.rows if row["regularizer"] == "none" and all(row[name] == key[name] for name in key))
    return {name: row[name] for name in CURVES}


def _trained(problem: Problem, labels: str, how: Regularized, epochs: int, seed: int) -> Json:
    """Accuracy after each epoch on the original training items, on the validation items and on the test items."""
    x = torch.from_numpy(problem.train).float()[:, None]
    given = problem.train_labels
    if labels == "random labels":
        given = simulate.symmetric(given, 1 - 1 / problem.k, n_classes=problem.k, random_state=seed).labels
    sets = {
        "training": (x[:-VALIDATION], given[:-VALIDATION]),
        "validation": (x[-VALIDATION:], given[-VALIDATION:]),
        "test": (torch.from_numpy(problem.test[::4]).float()[:, None], problem.test_labels[::4]),
    }
    found: dict[str, list[float]] = {name: [] for name in sets}
    data = TrainingData(sets["training"][0], torch.from_numpy(sets["training"][1]))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        method = make_method("cross-entropy")
        size, augment = x[0].numel(), partial(affine, strength=1.0) if how.augmented else None
        made = partial(MLP, problem.k, size, hidden=(512, 512), dropout=how.dropout)
        method.build(Task(data, problem.k, epochs, made, augment=augment))

    def after_epoch(epoch: int) -> None:
        for name, (items, truth) in sets.items():
            found[name].append(_accuracy(predict_logits(method, items), truth))

    method.epoch_end = after_epoch  # type: ignore[method-assign]
    options = Options(epochs=epochs, learning_rate=1e-3, weight_decay=how.weight_decay, schedule="constant", seed=seed)
    fit(method, data, options)
    return dict(found)


def _accuracy(logits: torch.Tensor, truth: IntArray) -> float:
    return float((logits.argmax(dim=1).numpy() == truth).mean())


def _stopped(curves: Json) -> Json:
    """Curves that are constant from the epoch that is best on the validation items."""
    best = int(np.argmax(curves["validation"]))
    return {name: values[: best + 1] + [values[best]] * (len(values) - best - 1) for name, values in curves.items()}


def _drawn(record: Record, data: str) -> None:
    panels: dict[str, dict[str, list[list[float]]]] = {}
    for row in record.rows:
        if row["data"] == data:
            for name in ("training", "test"):
                series = panels.setdefault(f"{row['labels']}: {name}", {})
                series.setdefault(row["regularizer"], []).append(row[name])
    shown = {name: {kind: np.array(curves) for kind, curves in series.items()} for name, series in panels.items()}
    title = "What regularisers do to true labels and to random ones"
    lines(shown, record.path.with_suffix(".png"), title=title, x="epoch", y="accuracy", columns=2)
