"""Outputs of trained networks: logits, log-odds of the noise, and errors among the training tags."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.estimators.tagger.inputs import UNKNOWN
from labelproof.estimators.tagger.noise_network import posterior_logits
from labelproof.estimators.tagger.stages import Stages

BLOCK = 256
Values = npt.NDArray[np.float64]


@torch.no_grad()
def parts(module: Stages, x: Tensor, evidence: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits of the true tags, (b, k), and log-odds of the noise, (b, k, 2), of some items after others, float64."""
    module.eval()
    for start in range(0, len(x), BLOCK):
        found = module.network(x[start : start + BLOCK])
        own = None if evidence is None else evidence[start : start + BLOCK]
        odds = torch.tensor([-math.inf, math.inf]) if module.noise is None else module.noise(found.features, own)
        yield found.logits.double(), odds.double().expand(*found.logits.shape, 2)


def of_training_items(
    module: Stages, x: Tensor, given: npt.NDArray[np.int64], varying: npt.NDArray[np.bool_]
) -> tuple[Values, Values, Values]:
    """Error probabilities (n, k), and ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` of each tag over the items, (k,).

    Parameters
    ----------
    module : Stages
    x : Tensor, shape (n, ...)
    given : ndarray, shape (n, k)
    varying : ndarray of bool, shape (k,)
        Tags that are neither always nor never given; others are unknown.
    """
    error = np.full(given.shape, np.nan)
    changed, present = np.zeros((2, given.shape[1])), np.zeros((2, given.shape[1]))
    start = 0
    for logits, odds in parts(module, x, module.evidence):
        own = torch.from_numpy(given[start : start + len(logits)])
        rho = posterior_logits(logits, own, odds).sigmoid().numpy()
        error[start : start + len(logits)] = np.where(own == 1, 1 - rho, rho)
        true = np.stack([1 - logits.sigmoid().numpy(), logits.sigmoid().numpy()])  # (2 true, b, k)
        off = np.stack([odds[..., 0].sigmoid().numpy(), (-odds[..., 1]).sigmoid().numpy()])
        changed += (true * off).sum(axis=1)
        present += true.sum(axis=1)
        start += len(logits)
    error[:, ~varying] = 0.0
    error[given == UNKNOWN] = np.nan
    incorrect, missing = np.where(varying, changed / np.maximum(present, 1e-12), np.nan)
    return error, missing, incorrect
