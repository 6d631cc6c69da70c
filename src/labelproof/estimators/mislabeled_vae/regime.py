"""How M-VAE uses labels: first from classes initialised by a noise-aware classifier, then by its whole bound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.estimators.mislabeled_vae.start import noise_aware_classes
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData

BLOCK = 4096
STEPS, EPOCHS = (400, 150, 150), (20, 10, 10)  # of a phase, at least
PRIOR_COUNTS = 50  # of each class; a few labels, equally many per class, are not informative about class frequencies
FOLLOW = 5.0  # weight of the classifier's cross-entropy to the classes that it begins with


def phase_lengths(n: int, batch_size: int, asked: tuple[int, int, int] | None) -> list[int]:
    """Epochs of each phase for n items: the requested numbers, or enough to learn something.

    Raises
    ------
    BadInput
        Unless there are three numbers, 0 or more.
    """
    if asked is None:
        steps = max(1, n // batch_size)
        return [max(epochs, math.ceil(least / steps)) for epochs, least in zip(EPOCHS, STEPS, strict=True)]
    lengths = [int(length) for length in asked]
    if len(lengths) != 3 or min(lengths) < 0 or not sum(lengths):
        raise BadInput(f"epochs is {asked!r}. Give three numbers of epochs, 0 or more.")
    return lengths


@dataclass(frozen=True)
class LabelTraining:
    """How labels are used.

    Attributes
    ----------
    lengths : list of two int
        Epochs of each phase of `Regime`.
    beta : float
        Weight of all that is not reconstruction. Below one more dimensions of z1 are used, in which a small difference between
        two kinds is kept that the whole weight would have smoothed away.
    learn_transition : bool
        By expectation-maximisation: the expected counts of an epoch are the next one's posterior mean.
    concentration : ndarray, shape (k, k)
    prior : {"auto", "held", "learned"}
        ``p(y)`` is the mean of the initial classes, with 50 pseudo-counts for each class in addition to the labelled items,
        and fixed from there; or fixed from the start; or learned like the transition, with one pseudo-count for each class.
    options : Options
    """

    lengths: list[int]
    beta: float
    learn_transition: bool
    concentration: npt.NDArray[np.float64]
    prior: str
    options: Options

    def __call__(self, module: MislabeledModule, data: TrainingData, batch: Tensor, label_weight: float) -> MislabeledModule:
        """Train the networks in place; the same."""
        options = replace(self.options, batch_size=min(self.options.batch_size or len(data), len(data)))
        fit(Regime(module, data, batch, self, label_weight), data, options)
        return module


class Regime(Trainable):
    """Two phases, after `labelproof.estimators.mislabeled_vae.pretraining`.

    0. *Beginning*: classes come from `noise_aware_classes` and are held; the networks that know the class learn them.
    1. *Joint*: equation 1, and the likelihood of the given labels from z1.

    Parameters
    ----------
    module : MislabeledModule
    data : TrainingData
        ``x`` is a tensor or `labelproof.data.rows.SparseRows`.
    batch : Tensor of int64, shape (n,)
        Codes of the batch covariate.
    training : LabelTraining
    label_weight : float
        Weight of ``log p(y' | z1)``, in addition to the bound.
    """

    batch_codes: Tensor
    begun: Tensor
    counts: Tensor
    classes: Tensor

    def __init__(
        self, module: MislabeledModule, data: TrainingData, batch: Tensor, training: LabelTraining, label_weight: float
    ) -> None:
        super().__init__()
        self.module, self.data, self.how, self.label_weight = module, data, training, label_weight
        k = module.shape.classes
        self.phase = 0
        self.register_buffer("batch_codes", batch)
        self.register_buffer("begun", torch.full((len(data), k), 1.0 / k))
        self.register_buffer("counts", torch.zeros(k, k))  # of true and given class, in this epoch
        self.register_buffer("classes", torch.zeros(k))

    def phases(self, epochs: int) -> list[int]:
        """Epochs of each phase."""
        return self.how.lengths

    def epoch_start(self, epoch: int) -> None:
        """Which phase it is, also when a run resumes; before the first, the classes are initialised."""
        self.phase = int(epoch >= self.how.lengths[0])
        self.counts.zero_()
        self.classes.zero_()
        if epoch == 0:
            self._begin()

    def epoch_end(self, epoch: int) -> None:
        """The parameters that are learned by counting."""
        if self.phase == 0:
            return
        module = self.module
        if self.how.learn_transition:
            expected = self.counts.double() + torch.as_tensor(self.how.concentration, device=self.counts.device)
            module.log_transition.copy_((expected / expected.sum(dim=1, keepdim=True)).log())
        if self.how.prior == "learned":
            module.prior.copy_((self.classes + 1) / (self.classes + 1).sum())

    def loss(self, batch: Batch) -> Step:
        """Minus the bound of the phase, an item's average."""
        module, codes = self.module, self.batch_codes[batch.index]
        held = self.begun[batch.index] if self.phase == 0 else None
        terms, logits = module.terms_and_logits(batch.x, batch.given, codes, held)
        cost = -terms.weighted(self.how.beta).mean()
        if self.label_weight:
            cost = cost - self.label_weight * module.log_given(logits, batch.given).mean()
        if held is not None:
            return Step(cost + FOLLOW * functional.cross_entropy(logits, held), logits)
        if self.how.learn_transition or self.how.prior == "learned":
            self._count(logits.detach(), batch.given)
        return Step(cost, logits)

    def _count(self, logits: Tensor, given: Tensor) -> None:
        log_true = functional.log_softmax(logits, dim=1) + self.module.log_noise(given)
        true = functional.softmax(log_true, dim=1)
        self.classes += true.sum(dim=0)
        labelled = given >= 0
        self.counts += true[labelled].T @ functional.one_hot(given[labelled], len(self.classes)).to(true.dtype)

    @torch.no_grad()
    def _begin(self) -> None:
        module, given = self.module, self.data.given
        was_training = module.training
        module.eval()
        latent = torch.cat([module.infer(x, given_, codes).mean for x, given_, codes in self._blocks()]).double().cpu().numpy()
        module.train(was_training)
        known = None if self.how.learn_transition else module.log_transition.double().exp().cpu().numpy()
        probs, matrix = noise_aware_classes(latent, given.numpy(), known, self.how.concentration)
        self.begun.copy_(torch.from_numpy(probs))
        if self.how.learn_transition:
            module.log_transition.copy_(torch.from_numpy(matrix).log())
        if self.how.prior == "auto":
            expected = (given >= 0).sum() * torch.from_numpy(probs.mean(axis=0)) + PRIOR_COUNTS
            module.prior.copy_(expected / expected.sum())
        weight = probs / probs.sum(axis=0)
        centre = torch.from_numpy(weight.T @ latent)
        module.z1_of_z2.centre.copy_(centre)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        device = self.begun.device
        for start in range(0, len(self.data), BLOCK):
            rows = slice(start, start + BLOCK)
            yield self.data.x[rows].to(device), self.data.given[rows].to(device), self.batch_codes[rows]
