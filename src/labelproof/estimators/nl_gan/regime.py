"""The training of NL-GAN, in the paper's order: noisy training (equation 2, figure 1), then the adversarial one (equations 4,
5).

References
----------
Chiaroni, Rahal, Hueber, Dufaux (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset using GAN.
"""

from __future__ import annotations

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from labelproof.estimators.nl_gan.adversaries import Discriminator, Generators, noise
from labelproof.estimators.nl_gan.soft_labels import Shares, SoftLabels, mixture_labels, shares_of, soft_labels
from labelproof.training.augmentation import affine
from labelproof.training.trainable import Batch, Group, Step, Trainable, TrainingData, predict_logits

BETAS = (0.5, 0.999)  # of Adam, as DCGAN has them
SEEN = 64  # pictures of a generator that are compared with each other
LOSSES = ("cross-entropy", "squared")


def soft_label_cost(logits: Tensor, target: Tensor | float, kind: str = "cross-entropy") -> Tensor:
    """H of the output ``sigmoid(logits)`` and labels in [0, 1], the items' mean: binary cross-entropy or squared error."""
    aims = torch.as_tensor(target, dtype=logits.dtype, device=logits.device).expand_as(logits)
    if kind == "squared":
        return functional.mse_loss(torch.sigmoid(logits), aims)
    return functional.binary_cross_entropy_with_logits(logits, aims)


def spread(pictures: Tensor) -> Tensor:
    """Mean distance of two of the pictures (n, ...)."""
    return nn.functional.pdist(pictures.flatten(1)).mean()


class AdversarialRegime(Trainable):
    """Positives and negatives with noisy labels, a discriminator, and a generator of each.

    Parameters
    ----------
    data : TrainingData
        Pictures (n, channels, height, width) in [-1, 1]; ``given`` is 1 for given positives, 0 for negatives, as many of each.
    fold : Tensor of int64, shape (n,)
        0 or 1, the same for every copy of a picture: the probe that is trained on it.
    shares : Shares, optional
        π_P and π_N. By default they are estimated, with δ_P and δ_N.
    lengths : (int, int)
        Epochs of the noisy pre-training, 0 if the targets are given, and of the adversarial training.
    alpha, beta : float
        Weights of equation 5.
    loss : {"cross-entropy", "squared"}
    augment : float
        Strength of the affine augmentation of every picture that a discriminator sees, real or generated. Without it, the
        discriminator memorises few pictures and their wrong labels, and generators learn these (Zhao et al. 2020).
    coverage : float
        Weight, reached after half of the epochs, of the cost of generated pictures that are distinguishable from given ones
        whatever their label. By equation 3 as many given positives as negatives are ``π_P + 1 - π_N`` parts true positives and
        ``1 - π_P + π_N`` parts true negatives: together, in these parts, generated pictures must be distributed as given ones
        are, all kinds of them.
    shared : bool
        Whether the generators share all layers but the first.
    filters : tuple of int, optional

    Attributes
    ----------
    outputs : Tensor, shape (n,)
        Output of the pre-trained discriminator that had not seen the picture. Its logit is the mean over all epochs except the
        first third, calibrated by logistic regression on the given labels of these pictures: from epoch to epoch all outputs
        swing together by some hundredths, and those of a discriminator that overfits are too far apart. 0 without
        pre-training.
    diversity : Tensor, shape (epochs, 2)
        Mean distance of two generated positives, and negatives, over that of two pictures given so.
    """

    outputs: Tensor
    aims: Tensor
    parts: Tensor
    diversity: Tensor
    real_spread: Tensor
    fixed: Tensor
    epoch: Tensor

    def __init__(
        self,
        data: TrainingData,
        fold: Tensor,
        shares: Shares | None,
        lengths: tuple[int, int],
        *,
        alpha: float,
        beta: float,
        loss: str,
        augment: float,
        coverage: float,
        shared: bool,
        filters: tuple[int, ...] | None,
    ) -> None:
        super().__init__()
        shape = (int(data.x.shape[1]), int(data.x.shape[2]), int(data.x.shape[3]))
        self.data, self.fold, self.lengths, self.alpha, self.beta = data, fold, lengths, alpha, beta
        self.kind, self.augment, self.coverage = loss, augment, coverage
        self.probes = nn.ModuleList(Discriminator(shape, filters) for _ in range(2 if lengths[0] else 0))
        self.discriminator = Discriminator(shape, filters)
        self.generators = Generators(shape, filters, shared=shared)
        real = [data.x[data.given == label][:SEEN] for label in (1, 0)]
        self.register_buffer("aims", torch.tensor((0.0, 1.0)))
        self.register_buffer("parts", torch.tensor((1.0, 1.0)))
        if shares is not None:
            self._aim(soft_labels(shares), shares)
        self.register_buffer("outputs", torch.zeros(len(data)))
        self.register_buffer("diversity", torch.full((lengths[1], 2), torch.nan))
        self.register_buffer("real_spread", torch.stack([spread(pictures) for pictures in real]))
        self.register_buffer("fixed", noise(SEEN, torch.device("cpu")))
        self.register_buffer("epoch", torch.tensor(0))

    def _aim(self, labels: SoftLabels, shares: Shares) -> None:
        self.aims.copy_(torch.tensor(labels))
        difference = shares.positive - shares.negative
        self.parts.copy_(torch.tensor((1 + difference, 1 - difference)))

    def phases(self, epochs: int) -> list[int]:
        """Noisy pre-training, adversarial training."""
        return list(self.lengths)

    def parameter_groups(self) -> list[Group]:
        """All, with DCGAN's momentum."""
        return [{"params": list(self.parameters()), "betas": BETAS}]

    def epoch_start(self, epoch: int) -> None:
        """Remember which it is, also when a run resumes within it."""
        self.epoch.fill_(epoch)

    @property
    def covering(self) -> float:
        """Weight of coverage for the generators in this epoch: labels are learnt first."""
        return self.coverage * min(1.0, 2 * (int(self.epoch) - self.lengths[0] + 0.5) / self.lengths[1])

    def epoch_end(self, epoch: int) -> None:
        """Aims after the last epoch of the pre-training; how much the pictures differ after the others."""
        if epoch >= self.lengths[0]:
            self._compare(epoch - self.lengths[0])
        elif (asked := epoch - self.lengths[0] // 3) >= 0:
            self._ask(asked)
            if epoch == self.lengths[0] - 1:
                self._calibrate()
                found = mixture_labels(self.outputs.cpu().numpy())
                self._aim(found, shares_of(found))

    def loss(self, batch: Batch) -> Step:
        """The loss of a batch in the noisy pre-training (section 2.1) or in the adversarial training (section 2.2)."""
        return self._noisy_training(batch) if self.epoch < self.lengths[0] else self._adversarial_training(batch)

    def _noisy_training(self, batch: Batch) -> Step:
        """Equation 2 for each probe, on its half of the pictures."""
        fold, logits = self.fold[batch.index.cpu()].to(batch.x.device), batch.x.new_zeros(len(batch.x))
        cost = batch.x.new_zeros(())
        for number, probe in enumerate(self.probes):
            own = fold == number
            if own.any():
                logits[own] = found = probe(self._seen(batch.x[own]))[:, 0]
                cost = cost + self._noisy(found, batch.given[own])  # (2)
        return Step(cost, _as_classes(logits))

    def _noisy(self, logits: Tensor, given: Tensor, targets: tuple[float, float] = (0.0, 1.0)) -> Tensor:
        """Equation 2, also for other targets of given positives and negatives; an expectation over no item is omitted."""
        total = logits.new_zeros(())
        for label, target in zip((1, 0), targets, strict=True):
            own = given == label
            if own.any():
                total = total + self._h(logits[own], target)
        return total

    def _ask(self, before: int) -> None:
        """The logits of each probe for the pictures that it does not see, averaged with those of earlier epochs."""
        for number, probe in enumerate(self.probes):
            unseen = self.fold != number
            logits = predict_logits(probe, self.data.x[unseen])[:, 0].to(self.outputs.device)
            self.outputs[unseen] += (logits - self.outputs[unseen]) / (before + 1)

    def _calibrate(self) -> None:
        """Logits to outputs."""
        negative = (self.data.given == 0).numpy()
        for number in range(len(self.probes)):
            unseen = (self.fold != number).numpy()
            logits = self.outputs.cpu().numpy()[unseen, None]
            probs = LogisticRegression(C=1e4).fit(logits, negative[unseen]).predict_proba(logits)[:, 1]
            self.outputs[torch.from_numpy(unseen)] = torch.from_numpy(probs).to(self.outputs)

    def _adversarial_training(self, batch: Batch) -> Step:
        """Equation 5 for the discriminator and 4 for the generators, each with its own gradients.

        The discriminator's loss on given or generated pictures, L_U, and the generators' counterpart, are added to both.
        """
        half, device = max(2, len(batch.x) // 2), batch.x.device
        positives, negatives = self.generators(noise(half, device), noise(half, device))  # G_P(z), G_N(z)
        together = self._seen(torch.cat([batch.x, positives.detach(), negatives.detach()]))
        real, made_positive, made_negative = torch.split(self.discriminator(together), [len(batch.x), half, half])
        cost = self.alpha * self._noisy(real[:, 0], batch.given)  # (5), first bracket: (2)
        cost = cost + self.beta * (self._h(made_positive[:, 0], 1.0) + self._h(made_negative[:, 0], 0.0))  # (5), second bracket
        judged_positive, judged_negative = self.discriminator.judged(self._seen(torch.cat([positives, negatives]))).chunk(2)
        cost = cost + self._h(judged_positive[:, 0], self.aims[0]) + self._h(judged_negative[:, 0], self.aims[1])  # (4)
        if self.coverage:  # beyond the paper: L_U of `labelproof.NLGAN`
            cost = cost + self._noisy(real[:, 1], batch.given, (1.0, 1.0)) + self._taken(made_positive, made_negative, 0.0)
            cost = cost + self.covering * self._taken(judged_positive, judged_negative, 1.0)
        return Step(cost, _as_classes(real[:, 0]))

    def _taken(self, positives: Tensor, negatives: Tensor, target: float) -> Tensor:
        """The loss for generated pictures that are taken for given ones, each class by its part."""
        return self.parts[0] * self._h(positives[:, 1], target) + self.parts[1] * self._h(negatives[:, 1], target)

    def _seen(self, pictures: Tensor) -> Tensor:
        return affine(pictures, self.augment)

    def _h(self, logits: Tensor, target: Tensor | float) -> Tensor:
        return soft_label_cost(logits, target, self.kind)

    @torch.no_grad()
    def _compare(self, epoch: int) -> None:
        self.generators.eval()
        for column, pictures in enumerate(self.generators(self.fixed, self.fixed)):
            self.diversity[epoch, column] = spread(pictures) / self.real_spread[column].clamp_min(1e-6)
        self.generators.train()


def _as_classes(logits: Tensor) -> Tensor:
    """Logits of (negative, positive) whose probability of negative is the output, shape (b, 2)."""
    return torch.stack([logits, -logits], dim=1).detach() / 2
