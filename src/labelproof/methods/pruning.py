"""Prune and retrain: make out-of-sample predictions, remove the labels that they contradict, and train again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task, scaled
from labelproof.methods.cross_fit import CrossFit
from labelproof.noise.estimate import confident_joint
from labelproof.noise.rank_pruning import inverse_noise_rates, noise_rates, rank_pruned
from labelproof.noise.transition import TransitionMatrix
from labelproof.training.trainable import Batch, Step

FIRST_STAGE = 0.4  # of the epochs


class PruneAndRetrain(Method):
    """First stage: one network per fold, trained without that fold. Then labels are weighted, and a fresh network learns them.

    Parameters
    ----------
    n_folds : int
    """

    def __init__(self, n_folds: int = 3) -> None:
        super().__init__()
        self.n_folds = n_folds

    def build(self, task: Task) -> None:
        """Make the network, those of the folds, the weight of each item, and the transition."""
        super().build(task)
        self.cross_fit = CrossFit(task.make_network, task.data.given, self.n_folds)
        self.register_buffer("weight", torch.ones(len(task.data)))
        self.register_buffer("matrix", torch.eye(task.n_classes))
        self.register_buffer("stage", torch.tensor(0))

    def phases(self, epochs: int) -> list[int]:
        """The folds, then the final network."""
        first = scaled(epochs, FIRST_STAGE)
        return [first, epochs - first]

    def phase_start(self, phase: int) -> None:
        """Weigh the labels by the predictions of the networks that never saw them."""
        if phase == 1:
            probs = self.cross_fit.probs(self.task.data.x, self.task.n_classes)
            weight, noise = self.weights(probs, self.given)
            if self.task.data.verified is not None:
                weight[self.task.data.verified.numpy()] = 1.0
            self.get_buffer("weight").copy_(torch.from_numpy(weight / max(weight.mean(), 1e-12)))
            self.get_buffer("matrix").copy_(torch.from_numpy(np.asarray(noise.matrix)))
            self.get_buffer("stage").fill_(1)

    def weights(
        self, probs: npt.NDArray[np.float64], given: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], TransitionMatrix]:
        """Weight of each label, 0 if it is pruned, shape (n,), and the transition."""
        raise NotImplementedError

    def transition(self) -> Tensor:
        """The estimate between the stages."""
        return self.get_buffer("matrix")

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy of every network on the items outside its fold; then of the final network, weighted."""
        if self.get_buffer("stage"):
            logits = self.network(self.varied(batch.x))
            return Step(self.get_buffer("weight")[batch.index] * cross_entropy(logits.float(), batch.given), logits)
        return Step(*self.cross_fit.loss(self.varied(batch.x), batch.given, batch.index, self.task.n_classes))

    def forward(self, batch: Batch) -> Step:
        """Verified labels have the weight of kept labels."""
        return self.loss(batch)


class ConfidentLearning(PruneAndRetrain):
    """Prune by noise rate: of the items given j, the ``n Q_ij`` with the largest ``p_i - p_j`` are pruned, for every true
    class i ≠ j.

    ``Q`` is the joint of the confident joint; the rest is weighted by ``1 / p(given i | true i)``.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in dataset labels, section 3.
    """

    purpose = "prunes labels that cross-validation contradicts"
    cost = "folds in the first stage, then 1; about 2 in all"

    def weights(
        self, probs: npt.NDArray[np.float64], given: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], TransitionMatrix]:
        """Weights after pruning by noise rate, by class."""
        k = self.task.n_classes
        noise = confident_joint(given, probs, classes=range(k))
        weight = 1 / np.maximum(np.diag(noise.matrix)[given], 0.05)
        wanted = np.rint(len(given) * noise.joint).astype(int)  # [true, given]
        for label in range(k):
            rows = np.flatnonzero(given == label)
            if len(rows) < 2:
                continue
            for true in range(k):
                if true != label and wanted[true, label]:
                    margin = probs[rows, true] - probs[rows, label]
                    weight[rows[np.argsort(-margin, kind="stable")[: min(wanted[true, label], len(rows) - 1)]]] = 0.0
        return weight, noise


class RankPruningNetwork(PruneAndRetrain):
    """Rank pruning of each class against the others: a share π1 of its items with the lowest probability is pruned.

    The rest is weighted by ``1 / (1 - ρ1)``; ρ and π as in `labelproof.RankPruning`, which is for two classes and any
    scikit-learn classifier.

    References
    ----------
    Northcutt, Wu and Chuang (2017), Learning with confident examples, equations 3 to 10.
    """

    purpose = "like confident-learning, one class at a time; made for two classes"
    cost = "folds in the first stage, then 1; about 2 in all"

    def weights(
        self, probs: npt.NDArray[np.float64], given: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], TransitionMatrix]:
        """Weights after pruning, class by class."""
        k, weight, rates = self.task.n_classes, np.ones(len(given)), np.zeros(self.task.n_classes)
        prior = np.bincount(given, minlength=k) / len(given)
        for label in range(k):
            own = (given == label).astype(np.int64)
            if 0 < own.sum() < len(own):
                rho1, rho0 = noise_rates(probs[:, label], own)
                pi1, _ = inverse_noise_rates(rho1, rho0, float(own.mean()))
                kept = rank_pruned(probs[:, label], own, pi1, 0.0)
                weight[own == 1] = 1 / max(1 - rho1, 0.05)
                weight[~kept] = 0.0
                rates[label] = rho1
        return weight, TransitionMatrix.from_rates(rates, prior=prior)
