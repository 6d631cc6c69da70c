"""Split items into training and validation, and report the noise that was found in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from labelproof.errors import BadInput
from labelproof.methods import Method
from labelproof.noise.transition import TransitionMatrix
from labelproof.training.trainable import TrainingData
from labelproof.validation import AnyArray, BoolArray

Codes = npt.NDArray[np.int64]


def check_two_classes(given: Codes, classes: AnyArray) -> None:
    """Refuse labels with only one class to learn."""
    occurring = np.unique(given[given >= 0])
    if len(occurring) < 2:
        name = f"only {classes[occurring[0]]!r}" if len(occurring) else "no label"
        raise BadInput(f"y has {name}, so there is only one class. The classifier needs 2 classes or more.")


def split_off(
    given: Codes, used: BoolArray, verified: BoolArray | None, shares: tuple[float, float], seed: int
) -> tuple[BoolArray, BoolArray]:
    """Items for validation, and others for the calibration of sets; the rest are trained on.

    Raises
    ------
    BadInput
        If the shares leave nothing to train on.
    """
    for name, share in zip(("validation_fraction", "calibration_fraction"), shares, strict=True):
        if not 0 <= share < 1:
            raise BadInput(f"{name} is {share!r}. Give a number from 0 to below 1.")
    if sum(shares) >= 1:
        raise BadInput(
            "validation_fraction and calibration_fraction leave nothing to train on. Give fractions that sum to less than 1."
        )
    held = held_out(given, used, verified, shares[0], seed)
    return held, held_out(given, used & ~held, verified, shares[1] / (1 - shares[0]), seed + 1)


def held_out(given: Codes, used: BoolArray, verified: BoolArray | None, share: float, seed: int) -> BoolArray:
    """Items for validation: labelled ones, stratified, never the last of a class; verified ones stay in training."""
    held = np.zeros(len(given), bool)
    if share:
        rng = np.random.default_rng(seed)
        for code in np.unique(given[given >= 0]):
            rows = np.flatnonzero((given == code) & used & (True if verified is None else ~verified))
            held[rng.permutation(rows)[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return held


def learned_noise(method: Method, classes: AnyArray) -> TransitionMatrix | None:
    """A trained method's ``p(given | true)``, its rows scaled to sum to one exactly; ``None`` if it has none."""
    matrix = method.transition()
    if matrix is None:
        return None
    exact, prior = matrix.detach().cpu().double().numpy(), method.training_probs().mean(axis=0)
    return TransitionMatrix(exact / exact.sum(axis=1, keepdims=True), prior=prior / prior.sum(), classes=classes.tolist())


def some_of(data: TrainingData, rows: Codes) -> TrainingData:
    """Some of the items."""
    chosen = torch.from_numpy(rows)
    weight, verified = (None if part is None else part[chosen] for part in (data.weight, data.verified))
    return TrainingData(data.x[chosen], data.given[chosen], weight, verified)
