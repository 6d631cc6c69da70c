"""Choose the weight of labels in M-VAE's classifier by means of held-out labels."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit
from torch import Tensor

from labelproof.data.rows import SparseRows
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.estimators.mislabeled_vae.regime import BLOCK, LabelTraining
from labelproof.training.trainable import TrainingData

ENOUGH = 1000  # labels, a fifth of which is held out; fewer are too few
HELD_OUT = 0.2
MOST = 5000  # labels used for training in a trial
WEIGHTS = (0.0, 10.0, 30.0, 100.0)
MOST_OPTIMISM = 5.0
Errors = npt.NDArray[np.float64]


class Chosen(NamedTuple):
    """The weight of labels, and how much surer a model is of a label that it was trained on."""

    weight: float
    optimism: float = 0.0  # in log-odds; 0 if nothing was held out


class Trial(NamedTuple):
    """Predictions for all labels by networks trained on four fifths of them."""

    weight: float
    likely: Tensor  # log p(y' | x) of each held-out label
    heard: Errors  # error probability of each training label
    held: Errors  # and of each that was not


def label_weight(
    asked: float | str, training: LabelTraining, module: MislabeledModule, data: TrainingData, batch: Tensor
) -> Chosen:
    """The requested weight or, for ``"auto"``, the one that `chosen_label_weight` finds.

    Raises
    ------
    BadInput
        For another word, or a number below 0.
    """
    if asked == "auto":
        return chosen_label_weight(training, module, data, batch)
    if isinstance(asked, str) or not 0 <= asked < math.inf:
        raise BadInput(f"label_weight is {asked!r}. Give 'auto' or a number, 0 or more.")
    return Chosen(float(asked))


def chosen_label_weight(training: LabelTraining, module: MislabeledModule, data: TrainingData, batch: Tensor) -> Chosen:
    """The smallest weight whose ``log p(y' | x)`` of held-out labels is within one standard error of the best.

    The standard error is that of the paired differences. No true label is needed: ``p(y' | x) = sum over y of
    q(y | x) p(y' | y)`` is the probability of what was observed.

    Parameters
    ----------
    training : LabelTraining
    module : MislabeledModule
        After its pre-training; it is not changed.
    data : TrainingData
    batch : Tensor of int64, shape (n,)

    Returns
    -------
    Chosen
        0 and 0 for fewer than 1,000 labels.
    """
    labelled = int((data.given >= 0).sum())
    if labelled < ENOUGH:
        return Chosen(0.0)
    random = torch.Generator().manual_seed(training.options.seed)
    kept = torch.randperm(len(data), generator=random)[: math.ceil(len(data) * min(1.0, MOST / labelled))]
    held = torch.rand(len(kept), generator=random) < HELD_OUT
    x = data.x.take(kept) if isinstance(data.x, SparseRows) else data.x[kept]
    part, codes = TrainingData(x, data.given[kept]), batch[kept]
    trials = [_trial(weight, training, deepcopy(module), part, codes, held) for weight in WEIGHTS]
    best = max(trials, key=lambda trial: float(trial.likely.mean())).likely
    for trial in trials:
        behind = best - trial.likely
        if float(behind.mean()) <= float(behind.std()) / math.sqrt(len(behind)):
            break
    return Chosen(trial.weight, optimism(trial.heard, trial.held))


def _trial(
    weight: float, training: LabelTraining, module: MislabeledModule, data: TrainingData, batch: Tensor, held: Tensor
) -> Trial:
    training(module, TrainingData(data.x, torch.where(held, -1, data.given)), batch, weight)
    module.eval()
    found = []
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(data)), BLOCK):
            given = data.given[rows]
            log_probs = module.class_probs(data.x[rows], torch.full_like(given, -1), batch[rows]).clamp_min(1e-12).log()
            likely = module.log_given(log_probs, given)
            own = (log_probs + module.log_noise(given)).gather(1, given.clamp_min(0)[:, None])[:, 0]
            found.append(torch.stack([likely, 1 - (own - likely).exp()]).double())
    likely, error = torch.cat(found, dim=1)
    labelled = data.given >= 0
    return Trial(weight, likely[held & labelled], error[~held & labelled].numpy(), error[held & labelled].numpy())


def optimism(heard: Errors, held: Errors) -> float:
    """The log-odds to add to the error probabilities of training labels to reach the mean of held-out ones, 0 to 5.

    Both are random parts of the same labels, so the same share of each is wrong. But a network memorises part of its training
    labels.

    Parameters
    ----------
    heard, held : ndarray, shape (n,), (m,)
        Error probabilities.
    """

    def lacking(shift: float) -> float:
        return float(more_likely_wrong(heard, shift).mean() - held.mean())

    if lacking(0.0) >= 0:
        return 0.0
    return float(brentq(lacking, 0.0, MOST_OPTIMISM)) if lacking(MOST_OPTIMISM) > 0 else MOST_OPTIMISM


def more_likely_wrong(error: Errors, shift: float) -> Errors:
    """Error probabilities with more log-odds; their order stays."""
    return np.asarray(expit(logit(np.clip(error, 1e-12, 1 - 1e-12)) + shift)) if shift else error


def less_optimistic(posterior: Errors, given: npt.NDArray[np.int64], shift: float) -> Errors:
    """A posterior in which the given label has fewer log-odds, shape (n, k); rows without a label stay."""
    odds = np.ones_like(posterior)
    labelled = np.flatnonzero(given >= 0)
    odds[labelled, given[labelled]] = math.exp(-shift)
    return np.asarray(posterior * odds / (posterior * odds).sum(axis=1, keepdims=True)) if shift else posterior
