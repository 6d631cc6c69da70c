"""How much M-VAE's classifier is to listen to the labels, by labels that it has not heard."""

from __future__ import annotations

import math
from copy import deepcopy

import torch
from torch import Tensor

from labelproof.data.rows import SparseRows
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.estimators.mislabeled_vae.regime import BLOCK, LabelTraining
from labelproof.training.trainable import TrainingData

ENOUGH = 1000  # labels, of which a fifth is held out; fewer say too little
HELD_OUT = 0.2
MOST = 5000  # labels that training hears in a trial
WEIGHTS = (0.0, 10.0, 30.0, 100.0)


def weight_of(
    asked: float | str, training: LabelTraining, module: MislabeledModule, data: TrainingData, batch: Tensor
) -> float:
    """The weight that was asked for, or where that is ``"auto"``, `chosen_label_weight`.

    Raises
    ------
    BadInput
        For another word, or a number below 0.
    """
    if asked == "auto":
        return chosen_label_weight(training, module, data, batch)
    if isinstance(asked, str) or not 0 <= asked < math.inf:
        raise BadInput(f"label_weight is {asked!r}. Give 'auto' or a number, 0 or more.")
    return float(asked)


def chosen_label_weight(training: LabelTraining, module: MislabeledModule, data: TrainingData, batch: Tensor) -> float:
    """The smallest weight whose ``log p(y' | x)`` of held-out labels is within one standard error of the best.

    The standard error is that of the paired differences. No true label is needed: ``p(y' | x) = sum over y of
    q(y | x) p(y' | y)`` is of what was observed.

    Parameters
    ----------
    training : LabelTraining
    module : MislabeledModule
        After its pre-training; is left as it is.
    data : TrainingData
    batch : Tensor of int64, shape (n,)

    Returns
    -------
    float
        0 where there are fewer than 1,000 labels.
    """
    labelled = int((data.given >= 0).sum())
    if labelled < ENOUGH:
        return 0.0
    random = torch.Generator().manual_seed(training.options.seed)
    kept = torch.randperm(len(data), generator=random)[: math.ceil(len(data) * min(1.0, MOST / labelled))]
    held = torch.rand(len(kept), generator=random) < HELD_OUT
    heard = torch.where(held, -1, data.given[kept])
    x = data.x.take(kept) if isinstance(data.x, SparseRows) else data.x[kept]
    part, codes = TrainingData(x, heard), batch[kept]
    rows = kept[held & (data.given[kept] >= 0)]
    tried = [_log_likely(training(deepcopy(module), part, codes, weight), data, batch, rows) for weight in WEIGHTS]
    best = max(tried, key=lambda likely: float(likely.mean()))
    near = [float((best - likely).mean()) <= float((best - likely).std()) / math.sqrt(len(rows)) for likely in tried]
    return WEIGHTS[near.index(True)]


@torch.no_grad()
def _log_likely(module: MislabeledModule, data: TrainingData, batch: Tensor, rows: Tensor) -> Tensor:
    """``log p(y' | x)`` of some items, from networks that do not see the label, shape (n,)."""
    module.eval()
    found = []
    for part in torch.split(rows, BLOCK):
        given = data.given[part]
        probs = module.class_probs(data.x[part], torch.full_like(given, -1), batch[part])
        found.append(module.log_given(probs.clamp_min(1e-12).log(), given).double())
    return torch.cat(found)
