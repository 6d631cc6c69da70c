"""Figure 1 of the M-VAE paper: two kinds of cells, few labels, one kind mislabelled more often than the other.

Some cells of each kind are labelled; endothelial labels are wrong with probability 0.2, microglia labels with p1. All cells
are predicted. M1+M2 gets, as in the paper, the α that is best at each point in hindsight: both as published, with labels
clamped, and as the special case of M-VAE that the paper takes it for.

References
----------
Langevin, Mehlman, Regier, Lopez, Jordan, Yosef, A Deep Generative Model for Semi-Supervised Classification with Noisy Labels,
section 5.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from labelproof.data.readers.cells import counts_of, read_adata
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.m1m2 import M1M2
from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE
from labelproof.experiments.record import Record, Row, ahead, averaged
from labelproof.noise.transition import TransitionMatrix
from labelproof.report.plots import lines
from labelproof.validation import Json

FILE = "smfish_cortex.h5ad"
PAIRS = {
    "microglia / endothelial": ("endothelial", "microglia"),
    "oligodendrocytes / inhibitory": ("inhibitory", "oligodendrocytes"),
}
RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
P0 = 0.2
ALPHAS = (0.5, 1.0, 2.0, 4.0, 8.0)
CLAMPED_ALPHAS = (0.5, 2.0, 8.0, 32.0)
LABELS = (25, 10, 50)
BEST, BEST_CLAMPED = "M1+M2, best α", "M1+M2 clamped, best α"
OURS = ("M-VAE, true matrix", "M-VAE, learned matrix")
SHOWN = (*OURS, BEST, BEST_CLAMPED, "scANVI", "logistic regression")
Codes = npt.NDArray[np.int64]
Predict = Callable[["Task"], Codes]


@dataclass
class Cells:
    """Cells of some kinds."""

    name: str
    counts: Any  # (n, genes) sparse
    true: Codes
    likelihood: str = "nb"


@dataclass
class Task:
    """One point: cells, a few noisy labels, and how they were made."""

    cells: Cells
    given: Codes
    transition: npt.NDArray[np.float64]
    seed: int
    pretrained: MislabeledVAE | None = None
    epochs: tuple[int, int, int] | None = None


class CurveRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with the half-width of their 95 % intervals; of M1+M2 the α of the best mean at each point.

        ``ahead`` is whether a method beats every other at its point by more than the interval of their paired differences.
        """
        rows: dict[tuple[Any, ...], Row] = {}
        for (problem, labels, p1), found in self.points("balanced_accuracy").items():
            values = {method: {row["seed"]: row["balanced_accuracy"] for row in seeds} for method, seeds in found.items()}
            first = ahead(values)
            for method, seeds in found.items():
                row = {"problem": problem, "labels": labels, "p1": p1, "method": method, "seeds": len(seeds)}
                row |= averaged(seeds, "balanced_accuracy") | averaged(seeds, "accuracy")
                rows[problem, labels, p1, method] = row | {"ahead": first == method}
        return list(rows.values())

    def points(self, metric: str) -> dict[tuple[Any, ...], dict[str, list[Row]]]:
        """Rows of each method at each point (problem, labels, p1); of both M1+M2 those of the α with the best mean."""
        found: dict[tuple[Any, ...], dict[str, list[Row]]] = {}
        for (*point, method), seeds in self.groups("problem", "labels", "p1", "method").items():
            here = found.setdefault(tuple(point), {})
            shown = method if not method.startswith("M1+M2") else BEST_CLAMPED if "clamped" in method else BEST
            if shown not in here or averaged(seeds, metric)[metric] > averaged(here[shown], metric)[metric]:
                here[shown] = seeds
        return found


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Six methods, 10, 25 and 50 labels of each kind, p1 from 0 to 0.8; all six kinds; MNIST with 100 labels.

    ``data`` is the folder of real data, or an ``.h5ad`` with the two kinds of cells, e.g. that of Zeisel et al. 2015.
    """
    record = CurveRecord(record.path, record.rows, record.skipped)
    if data is None:
        raise BadInput(
            "m-vae-figure-1 needs --data: the folder of real data, or an .h5ad with microglia and endothelial cells."
        )
    methods = methods_of(quick=quick)
    if importlib.util.find_spec("scvi") is None:
        record.skipped.append("scANVI needs scvi-tools: pip install scvi-tools")
    problems, epochs = pairs(data), (8, 4, 4) if quick else None
    for labels in LABELS[:1] if quick else LABELS:
        for seed in range(seeds):
            for cells in problems[-1:] if quick else problems:
                pretrained = None
                for p1 in (0.0, 0.6) if quick else RATES:
                    matrix = np.array([[1 - P0, P0], [p1, 1 - p1]])
                    given = few_labels(cells.true, matrix, labels, seed)
                    pretrained = _measure(record, methods, Task(cells, given, matrix, seed, pretrained, epochs), labels, p1)
    if not quick and data.is_dir():
        _others(record, methods, data, seeds)
    _drawn(record)
    return record


def pairs(data: Path) -> list[Cells]:
    """The two pairs of kinds, as many of them as the file has."""
    adata = read_adata(data / FILE if data.is_dir() else data)
    column = next((name for name in ("cell_type", "level1class") if name in adata.obs.columns), None)
    if column is None:
        raise BadInput(f"{str(data)!r} has no column cell_type or level1class in obs. It has: {', '.join(adata.obs.columns)}.")
    kinds, counts = adata.obs[column].astype(str).str.lower().to_numpy(), counts_of(adata, whole=True)
    found = []
    for name, pair in PAIRS.items():
        codes = np.select([np.char.startswith(kinds.astype(str), kind[:8]) for kind in pair], [0, 1], default=-1)
        if len(np.unique(codes[codes >= 0])) == 2:
            found.append(Cells(name, counts[codes >= 0], codes[codes >= 0]))
    if not found:
        raise BadInput(
            f"{str(data)!r} has none of {', '.join(PAIRS)} in obs column {column!r}. Give a file with these cell types."
        )
    return found


def few_labels(true: Codes, matrix: npt.NDArray[np.float64], labels: int, seed: int) -> Codes:
    """Labels of some items of each class, through the noise; -1 elsewhere."""
    rng = np.random.default_rng(seed)
    given = np.full(len(true), -1)
    for code, row in enumerate(matrix):
        chosen = rng.choice(np.flatnonzero(true == code), labels, replace=False)
        given[chosen] = rng.choice(len(row), labels, p=row)
    return given


def _measure(record: Record, methods: Json, task: Task, labels: int, p1: float | None) -> MislabeledVAE | None:
    """Every method at one point; the pre-trained model, for the next point of the same cells and seed."""
    for name, method in methods.items():
        key = {"problem": task.cells.name, "labels": labels, "p1": p1, "method": name, "seed": task.seed}
        if record.has(**key):
            continue
        with record.measuring(**key) as row:
            made = method(task)
            if isinstance(made, tuple):
                made, model = made
                task.pretrained = task.pretrained or model
                row |= _estimated(model, p1)
            row["accuracy"] = float((made == task.cells.true).mean())
            row["balanced_accuracy"] = float(balanced_accuracy_score(task.cells.true, made))
    return task.pretrained


def _estimated(model: MislabeledVAE, p1: float | None) -> Row:
    """For two kinds, the error rates of their labels in the model; empty without a noise model."""
    if p1 is None or (isinstance(model, M1M2) and model.labels == "clamped"):
        return {}
    matrix = model.transition_.matrix
    return {"estimated_p0": float(matrix[0, 1]), "estimated_p1": float(matrix[1, 0])}


def methods_of(*, quick: bool = False) -> Json:
    """Functions of a `Task` to predicted codes, or to those and a model whose pre-training others may reuse; by name."""
    found: Json = {
        "M-VAE, true matrix": lambda task: _generative(MislabeledVAE(task.transition, **_options(task)), task),
        "M-VAE, learned matrix": lambda task: _generative(MislabeledVAE(**_options(task)), task),
    }
    for alpha in (1.0, 4.0) if quick else ALPHAS:
        found[f"M1+M2, α = {alpha:g}"] = lambda task, alpha=alpha: _generative(M1M2(alpha, **_options(task)), task)
    for alpha in (2.0,) if quick else CLAMPED_ALPHAS:
        found[f"M1+M2 clamped, α = {alpha:g}"] = lambda task, alpha=alpha: _generative(
            M1M2(alpha, labels="clamped", **_options(task)), task
        )
    found["logistic regression"] = _logistic
    if not quick and importlib.util.find_spec("scvi") is not None:
        found["scANVI"] = _ScANVI()
    return found


def _options(task: Task) -> Json:
    return {"likelihood": task.cells.likelihood, "random_state": task.seed, "epochs": task.epochs, "accelerator": "cpu"}


def _generative(model: MislabeledVAE, task: Task) -> tuple[Codes, MislabeledVAE]:
    model.fit(task.cells.counts, task.given, pretrained=task.pretrained)
    return np.asarray(model.predict(task.cells.counts)), model


def _logistic(task: Task) -> Codes:
    labelled = task.given >= 0
    if len(np.unique(task.given[labelled])) < 2:
        return np.full(len(task.given), task.given[labelled][0])
    x = _normalised(task.cells)
    return np.asarray(LogisticRegression(max_iter=1000).fit(x[labelled], task.given[labelled]).predict(x))


def _normalised(cells: Cells) -> npt.NDArray[np.float32]:
    dense = np.asarray(cells.counts.todense() if hasattr(cells.counts, "todense") else cells.counts, np.float32)
    if cells.likelihood != "nb":
        return dense
    total = dense.sum(axis=1, keepdims=True)
    return np.asarray(np.log1p(dense / np.maximum(total, 1) * np.median(total)))


class _ScANVI:
    """scvi-tools' semi-supervised model without label noise, 100 and 50 epochs.

    Its first 100 epochs use no labels: they are trained once for the same cells and seed. Every later training continues from
    there with the same random numbers, which gives the same result as training from scratch.
    """

    def __init__(self) -> None:
        self._begun: dict[tuple[str, int], tuple[Any, ...]] = {}

    def __call__(self, task: Task) -> Codes:
        import anndata
        import scvi

        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        names = np.array([*(str(code) for code in range(len(task.transition))), "unknown"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scvi.settings.verbosity, scvi.settings.seed = logging.ERROR, task.seed
            adata = anndata.AnnData(task.cells.counts.copy())
            adata.obs["label"] = names[task.given]
            how = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False}
            scvi.model.SCVI.setup_anndata(adata, labels_key="label")
            plain, key = scvi.model.SCVI(adata), (task.cells.name, task.seed)
            if key in self._begun:
                weights, *states = self._begun[key]
                plain.module.load_state_dict(weights)
                plain.module.eval()
                plain.is_trained_ = True
                torch.set_rng_state(states[0])
                np.random.set_state(states[1])  # noqa: NPY002 - scvi-tools draws from it
                random.setstate(states[2])
            else:
                plain.train(max_epochs=100, **how)
                states = [torch.get_rng_state(), np.random.get_state(), random.getstate()]  # noqa: NPY002
                self._begun[key] = (copy.deepcopy(plain.module.state_dict()), *states)
            model = scvi.model.SCANVI.from_scvi_model(plain, unlabeled_category="unknown")
            model.train(max_epochs=50, **how)
            return np.asarray(model.predict(), dtype=np.int64)


def _others(record: Record, methods: Json, data: Path, seeds: int) -> None:
    """All six kinds of cells with a random matrix, and MNIST with ten noisy labels a digit."""
    adata = read_adata(data / FILE)
    _, true = np.unique(adata.obs["cell_type"].astype(str).to_numpy(), return_inverse=True)
    six = Cells("six kinds, random matrix", counts_of(adata, whole=True), true)
    with np.load(data / "mnist.npz") as file:
        x, y = file["x_train"][:5000], file["y_train"][:5000].astype(np.int64)
    digits = Cells("mnist, 5,000 digits", x.reshape(len(x), -1).astype(np.float32) / 255, y, "bernoulli")
    for seed in range(min(seeds, 5)):
        rng = np.random.default_rng(seed)
        matrix = 0.6 * np.eye(6) + 0.4 * rng.dirichlet(np.full(6, 0.5), 6)
        _measure(record, methods, Task(six, few_labels(true, matrix, 25, seed), matrix, seed), 25, None)
        pair = TransitionMatrix.pair(10, 0.3).matrix
        without = {name: method for name, method in methods.items() if name != "scANVI"}
        _measure(record, without, Task(digits, few_labels(y, pair, 10, seed), pair, seed), 10, None)


def _drawn(record: CurveRecord) -> None:
    """Balanced accuracy by p1, a panel for each pair and number of labels."""
    panels: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    rows = [row for row in record.summary() if row["p1"] is not None]
    rates = sorted({row["p1"] for row in rows})
    for problem, labels in dict.fromkeys((row["problem"], row["labels"]) for row in rows):
        of_panel = [row for row in rows if (row["problem"], row["labels"]) == (problem, labels)]
        series: dict[str, npt.NDArray[np.float64]] = {}
        for method in SHOWN:
            points = {row["p1"]: row for row in of_panel if row["method"] == method}
            if len(points) == len(rates):
                values = [(points[p1]["balanced_accuracy"], points[p1]["balanced_accuracy_±"]) for p1 in rates]
                series[method] = np.array(values).T
        panels[f"{problem}, {labels} labels each"] = series
    lines(
        panels,
        record.path.with_suffix(".png"),
        title="Two kinds of cells, one mislabelled with 0.2, the other with p1",
        x="corruption probability p1",
        y="balanced accuracy, all cells",
        at=rates,
        columns=2,
        lowest=0.3,
    )
