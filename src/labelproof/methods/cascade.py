"""Cascade: the confident predictions of one classifier clean the labels for the next."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task, scaled
from labelproof.methods.cross_fit import CrossFit
from labelproof.training.trainable import Batch, Step

FIRST_STAGES = 0.7  # of the epochs


class Cascade(Method):
    """Every stage trains fresh networks on the labels that the one before has cleaned; the final network learns the last ones.

    A stage is one network per fold, each trained without its own fold, so that no label supports itself. Its probabilities p
    are averaged over the second half of the stage's epochs. With ``c = argmax of p``, the label of an item given z becomes

    ``e_c`` if ``p_c >= t_c``, otherwise ``w s + (1 - w) e_z`` with ``s = p² / sum of p²`` and ``w = (p_c / t_c) ** (1 / (2
    d))``.

    ``t_c`` is the mean of ``p_c`` over the items that are both given and predicted c: labels confirmed out-of-sample show how
    sure a right prediction is, without any truth. ``d`` is the share of labels that the stage contradicts. A label is
    thus kept or replaced if the stage is sure. Otherwise it is softened, by less if fewer labels look wrong. Every stage
    cleans the given labels, not those of the stage before, so a mistake can be undone.

    Parameters
    ----------
    stages : int
        Number of times that the labels are cleaned.
    n_folds : int

    See Also
    --------
    ConfidentLearning : Prunes the labels that networks contradict, once.
    ExpectationMaximization : Replaces labels by their posterior under a noise model.

    References
    ----------
    Lee (2013), Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks, here
    out-of-sample and in stages; the threshold is that of Northcutt, Jiang and Chuang (2021), equation 2, over confirmed
    labels.
    """

    purpose = "repairs the labels stage by stage; strong noise, confusions of two classes"
    cost = "folds in the first stages, then 1; about 2 in all"

    def __init__(self, stages: int = 4, n_folds: int = 3) -> None:
        super().__init__()
        if stages < 1:
            raise BadInput(f"stages is {stages}. Give 1 or more.")
        self.stages, self.n_folds = stages, n_folds

    def build(self, task: Task) -> None:
        """Make the network, those of the folds, the labels (n, k), and sums of out-of-sample probabilities (n, k)."""
        super().build(task)
        self.cross_fit = CrossFit(task.make_network, task.data.given, self.n_folds)
        self.register_buffer("labels", functional.one_hot(task.data.given, task.n_classes).float())
        self.register_buffer("unseen", torch.zeros(len(task.data), task.n_classes))
        self.register_buffer("stage", torch.tensor(0))

    def phases(self, epochs: int) -> list[int]:
        """The stages, then the final network."""
        first = scaled(epochs, FIRST_STAGES)
        stages = min(self.stages, first)
        ends = [0, *(round(first * (i + 1) / stages) for i in range(stages)), epochs]
        return [after - before for before, after in pairwise(ends)]

    def phase_start(self, phase: int) -> None:
        """Clean the labels, and start fresh networks."""
        self.get_buffer("stage").fill_(phase)
        if phase == 0:
            return
        labels, unseen, data = self.get_buffer("labels"), self.get_buffer("unseen"), self.task.data
        total = unseen.sum(dim=1, keepdim=True)
        kept = total == 0  # several devices drop the items that they cannot share evenly
        if data.verified is not None:
            kept |= data.verified.to(kept.device)[:, None]
        cleaned = cleaned_labels(unseen / total.clamp_min(1e-12), data.given.to(labels.device))
        labels.copy_(torch.where(kept, labels, cleaned))
        for network in self.cross_fit.networks:
            network.load_state_dict(self.task.make_network().state_dict())

    def epoch_start(self, epoch: int) -> None:
        """Forget the predictions of the first half of a stage."""
        stage, lengths = int(self.get_buffer("stage")), self.phases(self.task.epochs)
        if epoch - sum(lengths[:stage]) in (0, lengths[stage] // 2):
            self.get_buffer("unseen").zero_()

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy with the current labels: of every network on the items outside its fold, then of the one network."""
        x, labels = self.varied(batch.x), self.get_buffer("labels")[batch.index]
        if int(self.get_buffer("stage")) == len(self.phases(self.task.epochs)) - 1:
            logits = self.network(x)
            return Step(cross_entropy(logits.float(), labels), logits)
        losses, logits = self.cross_fit.loss(x, labels, batch.index, self.task.n_classes)
        unseen = self.get_buffer("unseen")
        self.remember(unseen, batch.index, unseen[batch.index] + logits.softmax(dim=1))
        return Step(losses, logits)

    def forward(self, batch: Batch) -> Step:
        """Verified labels are trained on like any other, because they are never changed."""
        return self.loss(batch)


def cleaned_labels(probs: Tensor, given: Tensor) -> Tensor:
    """The labels of the next stage, shape (n, k): one class if the prediction is sure, otherwise a mixture of prediction and
    given label.

    Parameters
    ----------
    probs : Tensor, shape (n, k)
        Out-of-sample probabilities.
    given : Tensor of int64, shape (n,)
    """
    k = probs.shape[1]
    highest, called = probs.max(dim=1)
    confirmed = called == given
    count = torch.bincount(given[confirmed], minlength=k)
    threshold = torch.zeros(k, device=probs.device).index_add(0, given[confirmed], highest[confirmed]) / count
    threshold[count == 0] = torch.inf  # a class that nobody confirms is never sure
    contradicted = 1 - confirmed.float().mean()
    weight = (highest / threshold[called]).clamp_max(1) ** (1 / (2 * contradicted).clamp_min(1e-3))
    sharpened = probs**2 / (probs**2).sum(dim=1, keepdim=True).clamp_min(1e-12)
    mixed = weight[:, None] * sharpened + (1 - weight[:, None]) * functional.one_hot(given, k)
    sure = highest >= threshold[called]
    return torch.where(sure[:, None], functional.one_hot(called, k).float(), mixed)
