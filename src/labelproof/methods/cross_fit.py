"""Out-of-sample predictions while training: one network per fold, each trained without its own fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from labelproof.errors import BadInput
from labelproof.losses import cross_entropy
from labelproof.training.trainable import predict_logits


class CrossFit(nn.Module):
    """Cross-fitted networks. With two folds, an item trains one network and is predicted by the other, at the cost of one
    network.

    Parameters
    ----------
    make_network : callable
    given : Tensor, shape (n,)
    n_folds : int
    """

    fold: Tensor

    def __init__(self, make_network: Callable[[], nn.Module], given: Tensor, n_folds: int) -> None:
        super().__init__()
        if n_folds < 2:
            raise BadInput(f"n_folds is {n_folds}. Give 2 or more.")
        self.networks = nn.ModuleList(make_network() for _ in range(n_folds))
        self.register_buffer("fold", torch.from_numpy(_folds(given.numpy(), n_folds)))

    def loss(self, x: Tensor, labels: Tensor, index: Tensor, n_classes: int) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each item by the networks that train on it, (b,), and the logits of the one that does not, (b, k).

        Labels are codes (b,) or probabilities (b, k).
        """
        fold = self.fold[index]
        losses, unseen = torch.zeros(len(x), device=x.device), torch.zeros(len(x), n_classes, device=x.device)
        for number, net in enumerate(self.networks):
            seen = fold != number
            if seen.any():
                share = len(x) / int(seen.sum())  # every network has a mean of its own
                losses[seen] = losses[seen] + cross_entropy(net(x[seen]).float(), labels[seen]) * share
            if not seen.all():
                with torch.no_grad():
                    unseen[~seen] = net(x[~seen]).float()
        return losses, unseen

    def probs(self, x: Tensor, n_classes: int) -> npt.NDArray[np.float64]:
        """Out-of-sample probabilities of all training items, shape (n, k)."""
        fold, device = self.fold.cpu(), self.fold.device
        out = np.empty((len(x), n_classes))
        for number, net in enumerate(self.networks):
            rows = fold == number
            if rows.any():
                logits = predict_logits(net, x[rows], device=device)
                out[rows.numpy()] = logits.double().softmax(dim=1).numpy()
        return out


def _folds(given: npt.NDArray[np.int64], n_folds: int) -> npt.NDArray[np.int64]:
    """Number of the fold of each item, stratified by class; drawn from torch's generator."""
    folds = np.zeros(len(given), np.int64)
    seed = int(torch.randint(2**31 - 1, (1,)))
    few = np.bincount(given).max() < n_folds
    splits = StratifiedKFold(min(n_folds, len(given)), shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(splits.split(given, np.zeros_like(given) if few else given)):
        folds[test] = number
    return folds
