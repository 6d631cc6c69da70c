"""The training of taggers: the classifier alone, then the classifier and its noise together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.estimators.tagger.network import TagNetwork
from labelproof.estimators.tagger.noise_network import NoiseNetwork, noisy_cross_entropy, posterior_logits
from labelproof.losses import warp_tags
from labelproof.training.trainable import Batch, Group, Step, Trainable, TrainingData

BLOCK = 256
PSEUDO = 1.0  # counts of each kind that a rate by expectation-maximisation begins with


class Stages(Trainable):
    """Two stages (section 3).

    1. The classifier by cross-entropy (equation 1), or WARP, on the given tags.
    2. Classifier and noise network by ``-log p(z | x)`` (equation 2; 7 of the appendix); without a noise network more of the
       first. With ``em``, each epoch first computes ρ of all items (equation 2 of the appendix) and the rates of the tags, then
       trains the classifier towards ρ (equation 4 of the appendix).

    Parameters
    ----------
    network : TagNetwork
    noise : NoiseNetwork, optional
    data : TrainingData
        ``given`` is (n, k) of 0, 1 and, for unknown, -1.
    lengths : list of two int
        Epochs.
    em : bool
    ranking : bool
        WARP instead of cross-entropy.
    noise_lr : float
        Learning rate of the noise network, as a multiple of the classifier's.
    evidence : Tensor, shape (n, k, e), optional
        Inputs of the noise network for each item and tag, in addition to the features.
    """

    soft: Tensor
    evidence: Tensor | None

    def __init__(
        self,
        network: TagNetwork,
        noise: NoiseNetwork | None,
        data: TrainingData,
        lengths: list[int],
        *,
        em: bool = False,
        ranking: bool = False,
        noise_lr: float = 1.0,
        evidence: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network, self.noise, self.data, self.lengths = network, noise, data, lengths
        self.em, self.ranking, self.noise_lr = em, ranking, noise_lr
        self.second = lengths[0] == 0
        self.register_buffer("evidence", evidence, persistent=False)
        self.register_buffer("soft", data.given.float() if em else torch.zeros(0))

    def phases(self, epochs: int) -> list[int]:
        """Epochs of each stage."""
        return self.lengths

    def parameter_groups(self) -> list[Group]:
        """The noise network has learning rates of its own, and no weight decay: that would draw rates to one half.

        Optimisers that scale each step, as Adam does, move log-odds that c weights make together c times as fast as a bias does,
        and features would explain whatever was given before the classifier could. The weights' rate is that of the biases over c.
        """
        groups: list[Group] = [{"params": list(self.network.parameters())}]
        if self.noise is not None and not self.em:
            groups.append({"params": [self.noise.bias], "lr_scale": self.noise_lr, "weight_decay": 0.0})
            if self.noise.slope is not None:
                groups.append({"params": [self.noise.slope], "lr_scale": self.noise_lr, "weight_decay": 0.0})
            if self.noise.weight is not None:
                each = self.noise_lr / self.noise.weight.shape[1]
                groups.append({"params": [self.noise.weight], "lr_scale": each, "weight_decay": 0.0})
        return groups

    def epoch_start(self, epoch: int) -> None:
        """Switch to the second stage when it is due, and take the expectation step."""
        self.second = epoch >= self.lengths[0]
        if self.em and self.second:
            self._expect()

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy of the given, or of the observed, tags: a mean over the known tags."""
        found = self.network(batch.x)
        given, logits = batch.given[found.owner], found.own_logits
        known = given >= 0
        if self.second and self.em:  # (4) of the appendix
            cost = functional.binary_cross_entropy_with_logits(logits, self.soft[batch.index][found.owner], reduction="none")
        elif self.second and self.noise is not None:  # (2), with q of (3) or (4) and p(z | x) of (5)
            cost = noisy_cross_entropy(logits, given, self.noise(found.own_features, self._evidence(batch.index, found.owner)))
        elif self.ranking:
            return Step(_by_item(warp_tags(logits, given), found.owner, len(batch.given)), found.logits)
        else:  # (1)
            cost = functional.binary_cross_entropy_with_logits(logits, given.clamp_min(0).float(), reduction="none")
        per_instance = (cost * known).sum(dim=1) / known.sum(dim=1).clamp_min(1)
        return Step(_by_item(per_instance, found.owner, len(batch.given)), found.logits)

    def _evidence(self, index: Tensor, owner: Tensor) -> Tensor | None:
        return None if self.evidence is None else self.evidence[index][owner]

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the true tags, by the classifier alone."""
        out: Tensor = self.network(x).logits
        return out

    @torch.no_grad()
    def _expect(self) -> None:
        """ρ of all items with the current rates, then the most likely rates with that ρ."""
        assert self.noise is not None
        was_training = self.training
        self.eval()
        device = self.soft.device
        for start in range(0, len(self.data), BLOCK):
            rows = slice(start, start + BLOCK)
            x, given = self.data.x[rows].to(device), self.data.given[rows].to(device)
            logits = self.logits(x)
            rho = posterior_logits(logits, given, self.noise(x.new_zeros(1, 1)))  # (2) of the appendix
            self.soft[rows] = torch.where(given >= 0, rho, logits).sigmoid()
        self.noise.start(*likeliest_rates(self.soft, self.data.given.to(device)))
        self.train(was_training)


def likeliest_rates(true: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
    """``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` of each tag from ρ, each (k,): the maximum of equation 6 of the appendix.

    Parameters
    ----------
    true : Tensor, shape (n, k)
        ``p(y = 1 | z, x)``.
    given : Tensor, shape (n, k)
        0, 1, or -1 where unknown.
    """
    known = given >= 0
    present, absent = true * known, (1 - true) * known
    rates = []
    for share, changed in ((present, given == 0), (absent, given == 1)):
        rates.append((((share * changed).sum(dim=0) + 0.05 * PSEUDO) / (share.sum(dim=0) + PSEUDO)).clamp(1e-6, 1 - 1e-6))
    return rates[0], rates[1]


def _by_item(values: Tensor, owner: Tensor, n: int) -> Tensor:
    """The mean over an item's instances, shape (n,)."""
    if len(values) == n:
        return values
    size = torch.bincount(owner, minlength=n)
    return values.new_zeros(n).index_add(0, owner, values) / size
