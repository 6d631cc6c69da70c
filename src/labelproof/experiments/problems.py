"""Data sets with clean labels and a test set, that the studies make noisy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.datasets import load_digits

from labelproof.noise import simulate
from labelproof.noise.simulate import Noisy


@dataclass(frozen=True)
class Problem:
    """A classification problem with known truth.

    Attributes
    ----------
    name : str
    train, test : arrays or frames
    train_labels, test_labels : ndarray of int
        Codes 0..k-1.
    k : int
    numbers : ndarray, shape (n, d)
        Numbers of the training items, for noise that depends on the item.
    """

    name: str
    train: Any
    train_labels: npt.NDArray[np.int64]
    test: Any
    test_labels: npt.NDArray[np.int64]
    k: int
    numbers: npt.NDArray[np.float64]


def digits() -> Problem:
    """scikit-learn's 1,797 scanned digits of 8 x 8, 1,257 of them to train."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    train, test = order[:1257], order[1257:]
    x, y = data.images / 16, data.target.astype(np.int64)
    return Problem("digits", x[train], y[train], x[test], y[test], 10, data.data[train])


def mnist(folder: Path, n: int) -> Problem:
    """The first n training pictures of MNIST, and its whole test set."""
    data = np.load(folder / "mnist.npz")
    x, test = (data[name].astype(np.float32) / 255 for name in ("x_train", "x_test"))
    y, truth = (data[name].astype(np.int64) for name in ("y_train", "y_test"))
    return Problem(f"mnist {n:,}", x[:n], y[:n], test, truth, 10, x[:n].reshape(n, -1).astype(float))


def adult(folder: Path, n: int) -> Problem:
    """n rows of the census table, mixed columns with gaps, two unbalanced classes; 5,000 others to test."""
    frame = pl.read_csv(folder / "adult.csv").sample(fraction=1.0, shuffle=True, seed=0)
    labels = (frame["income"].str.strip_chars() == ">50K").cast(pl.Int64).to_numpy()
    x = frame.drop("income")
    numbers = x.select(pl.selectors.numeric().fill_null(strategy="mean").cast(pl.Float64)).to_numpy()[:n]
    return Problem(f"adult {n:,}", x[:n], labels[:n], x[n : n + 5000], labels[n : n + 5000], 2, numbers)


Corrupt = Callable[[Problem, int], Noisy]
_MANY: dict[str, Corrupt] = {
    "symmetric 20 %": lambda p, seed: simulate.symmetric(p.train_labels, 0.2, n_classes=p.k, random_state=seed),
    "symmetric 50 %": lambda p, seed: simulate.symmetric(p.train_labels, 0.5, n_classes=p.k, random_state=seed),
    "pair 40 %": lambda p, seed: simulate.pair(p.train_labels, 0.4, n_classes=p.k, random_state=seed),
    "instance 40 %": lambda p, seed: simulate.instance_dependent(
        p.train_labels, p.numbers, 0.4, n_classes=p.k, random_state=seed
    ),
}
_TWO: dict[str, Corrupt] = {
    "symmetric 20 %": _MANY["symmetric 20 %"],
    "symmetric 40 %": lambda p, seed: simulate.symmetric(p.train_labels, 0.4, n_classes=2, random_state=seed),
    "of the rare class 40 %": lambda p, seed: simulate.class_conditional(p.train_labels, [0.0, 0.4], random_state=seed),
    "instance 30 %": lambda p, seed: simulate.instance_dependent(
        p.train_labels, p.numbers, 0.3, n_classes=2, random_state=seed
    ),
}


def noises(problem: Problem) -> dict[str, Corrupt]:
    """Kinds of noise by name. With two classes, half of the labels wrong at random would leave nothing to learn."""
    return _TWO if problem.k == 2 else _MANY
