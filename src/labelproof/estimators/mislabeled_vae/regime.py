"""How M-VAE is trained: without labels, then from classes that a noise-aware classifier begins, then by its whole bound."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.estimators.mislabeled_vae.start import noise_aware_classes
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData

BLOCK = 4096
STEPS, EPOCHS = (400, 150, 150), (20, 10, 10)  # of a phase, at least
PRIOR_COUNTS = 50  # of each class; a few labels, drawn for each class alike, say little of how common the classes are
FOLLOW = 5.0  # weight of the classifier's cross-entropy to the classes that it begins with


def phase_lengths(n: int, batch_size: int, asked: tuple[int, int, int] | None) -> list[int]:
    """Epochs of each phase for n items: those that were asked for, or enough of them to learn something.

    Raises
    ------
    BadInput
        For other than three numbers, 0 or more.
    """
    if asked is None:
        steps = max(1, n // batch_size)
        return [max(epochs, math.ceil(least / steps)) for epochs, least in zip(EPOCHS, STEPS, strict=True)]
    lengths = [int(length) for length in asked]
    if len(lengths) != 3 or min(lengths) < 0 or not sum(lengths):
        raise BadInput(f"epochs is {asked!r}. Give three numbers of epochs, 0 or more.")
    return lengths


class Regime(Trainable):
    """Three phases.

    0. *Pre-training*: a variational autoencoder of x alone (M1), so that z1 shows the clusters before any label is heard.
    1. *Beginning*: classes come from `noise_aware_classes` and are held; the networks that know the class learn them.
    2. *Joint*: equation 1.

    Parameters
    ----------
    module : MislabeledModule
    data : TrainingData
        ``x`` is a tensor or `labelproof.data.rows.SparseRows`.
    batch : Tensor of int64, shape (n,), optional
        Codes of the batch covariate.
    lengths : list of three int
        Epochs of each phase.
    beta : float
        Weight of all that is not reconstruction. Below one more dimensions of z1 are used, in which a small difference between
        two kinds is kept that the whole weight would have smoothed away.
    learn_transition : bool
        By expectation-maximisation: the expected counts of an epoch are the next one's posterior mean.
    concentration : ndarray, shape (k, k)
    prior : {"auto", "held", "learned"}
        ``p(y)`` is the mean of the classes that begin, with 50 pseudo-counts for each class beside the labelled items, and
        held from there; or held from the first; or learned like the transition, with one pseudo-count for each class.
    """

    batch_codes: Tensor
    begun: Tensor
    counts: Tensor
    classes: Tensor

    def __init__(
        self,
        module: MislabeledModule,
        data: TrainingData,
        batch: Tensor | None,
        lengths: list[int],
        *,
        beta: float,
        learn_transition: bool,
        concentration: npt.NDArray[np.float64],
        prior: str,
    ) -> None:
        super().__init__()
        self.module, self.data, self.lengths, self.beta = module, data, lengths, beta
        self.learn_transition, self.concentration, self.prior = learn_transition, concentration, prior
        k = module.shape.classes
        self.phase = 0
        self.pretrained: dict[str, Tensor] = {}  # networks of x and z1, as they were before they heard a label
        self.register_buffer("batch_codes", torch.zeros(len(data), dtype=torch.int64) if batch is None else batch)
        self.register_buffer("begun", torch.full((len(data), k), 1.0 / k))
        self.register_buffer("counts", torch.zeros(k, k))  # of true and given class, in this epoch
        self.register_buffer("classes", torch.zeros(k))

    def phases(self, epochs: int) -> list[int]:
        """Epochs of each phase."""
        return self.lengths

    def epoch_start(self, epoch: int) -> None:
        """Which phase it is, also where a run goes on; after the pre-training, the classes begin."""
        self.phase = int(np.searchsorted(np.cumsum(self.lengths), epoch, side="right"))
        self.counts.zero_()
        self.classes.zero_()
        if epoch == self.lengths[0]:
            self._begin()

    def epoch_end(self, epoch: int) -> None:
        """What is learned by counting."""
        if self.phase < 2:
            return
        module = self.module
        if self.learn_transition:
            expected = self.counts.double() + torch.as_tensor(self.concentration, device=self.counts.device)
            module.log_transition.copy_((expected / expected.sum(dim=1, keepdim=True)).log())
        if self.prior == "learned":
            module.prior.copy_((self.classes + 1) / (self.classes + 1).sum())

    def loss(self, batch: Batch) -> Step:
        """Minus the bound of the phase, an item's average."""
        module, codes = self.module, self.batch_codes[batch.index]
        if self.phase == 0:
            bound = module.plain(batch.x, batch.given, codes, beta=self.beta)
            return Step(-bound.mean(), bound.new_zeros(len(bound), module.shape.classes))
        held = self.begun[batch.index] if self.phase == 1 else None
        terms, logits = module.terms_and_logits(batch.x, batch.given, codes, held)
        cost = -terms.weighted(self.beta).mean()
        if held is not None:
            return Step(cost + FOLLOW * functional.cross_entropy(logits, held), logits)
        if self.learn_transition or self.prior == "learned":
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
        heard = ("classifier", "z2_of_z1", "z1_of_z2", "log_transition", "prior")
        weights = module.state_dict().items()
        self.pretrained = {name: t.detach().cpu().clone() for name, t in weights if not name.startswith(heard)}
        was_training = module.training
        module.eval()
        latent = torch.cat([module.infer(x, given_, codes).mean for x, given_, codes in self._blocks()]).double().cpu().numpy()
        module.train(was_training)
        known = None if self.learn_transition else module.log_transition.double().exp().cpu().numpy()
        probs, matrix = noise_aware_classes(latent, given.numpy(), known, self.concentration)
        self.begun.copy_(torch.from_numpy(probs))
        if self.learn_transition:
            module.log_transition.copy_(torch.from_numpy(matrix).log())
        if self.prior == "auto":
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
