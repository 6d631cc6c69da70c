"""DivideMix: wrong labels are discarded and their items kept; two networks guess labels for each other."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.nn import functional

from labelproof.losses import cross_entropy, entropy, prior_divergence
from labelproof.methods.base import Task, scaled
from labelproof.methods.co_teaching import TwoNetworks
from labelproof.training.trainable import Batch, Step, predict_logits


class DivideMix(TwoNetworks):
    """Divide the items before each epoch: a mixture of two Gaussians on each network's losses selects clean labels for the
    *other* one.

    Labels that are clean with a probability w above the threshold are refined, ``w z + (1 - w) p``. Both networks together
    guess those of the other items and of unlabelled ones. Both kinds are sharpened and trained on in pairs mixed by ``λ ~
    Beta(α, α)`` (MixMatch): cross-entropy on the first, squared error on the second.

    Labels of pictures are guessed from two random augmentations, those of other items from the item itself. Codes of
    categories are not mixed: they are those of the item with the greater share.

    Parameters
    ----------
    warm_up : float in (0, 1)
        Share of the epochs with plain cross-entropy.
    threshold : float in (0, 1)
        Threshold of w.
    unlabelled_weight : float
        λ_u, the weight of the squared error, reached over a ramp of the epochs after the warm-up.
    temperature : float
        Temperature of the sharpening.
    alpha : float
        Parameter of the Beta distribution.

    References
    ----------
    Li, Socher and Hoi (2020), DivideMix: learning with noisy labels as semi-supervised learning, algorithm 1.
    """

    purpose = "strong noise of any kind; the best and the most expensive"
    cost = "up to 5"
    uses_unlabelled = True

    def __init__(
        self,
        warm_up: float = 0.2,
        threshold: float = 0.5,
        unlabelled_weight: float = 1.0,
        temperature: float = 0.5,
        alpha: float = 0.75,
    ) -> None:
        super().__init__()
        self.warm_up, self.threshold, self.unlabelled_weight = warm_up, threshold, unlabelled_weight
        self.temperature, self.alpha = temperature, alpha

    def build(self, task: Task) -> None:
        """Make two networks, and the probability by each that each label is clean (2, n)."""
        super().build(task)
        self.warm_epochs = scaled(task.epochs, self.warm_up)
        self.register_buffer("clean", torch.ones(2, len(task.data)))
        self.register_buffer("ramp", torch.tensor(0.0))
        given = task.data.given[task.data.given >= 0]
        self.register_buffer("prior", torch.bincount(given, minlength=task.n_classes) / len(given))

    def epoch_start(self, epoch: int) -> None:
        """Divide the items again."""
        if epoch < self.warm_epochs:
            return
        rest = self.task.epochs - self.warm_epochs
        self.get_buffer("ramp").fill_(min(1.0, (epoch - self.warm_epochs + 1) / max(1, rest / 2)))
        data, seed = self.task.data, epoch
        for number, net in enumerate((self.network, self.second)):
            logits = predict_logits(net, data.x, device=self.device)
            losses = cross_entropy(logits, data.given.clamp_min(0)).double().numpy()
            clean = torch.from_numpy(self._cleanness(losses, data.given.numpy() >= 0, seed)).float()
            if data.verified is not None:
                clean[data.verified] = 1.0
            self.get_buffer("clean")[number].copy_(clean)

    @staticmethod
    def _cleanness(losses: np.ndarray, labelled: np.ndarray, seed: int) -> np.ndarray:
        """Probability of the component of small losses, shape (n,); 0 for unlabelled items."""
        out = np.zeros(len(losses))
        known = losses[labelled]
        span = known.max() - known.min()
        scaled_losses = ((known - known.min()) / (span if span > 0 else 1.0))[:, None]
        mixture = GaussianMixture(2, max_iter=50, tol=1e-2, reg_covar=5e-4, random_state=seed).fit(scaled_losses)
        out[labelled] = mixture.predict_proba(scaled_losses)[:, int(mixture.means_[:, 0].argmin())]
        return out

    def loss(self, batch: Batch) -> Step:
        """Warm-up: cross-entropy minus entropy. Then the MixMatch losses of both networks."""
        if not self.get_buffer("ramp"):
            return self._warm(batch)
        views = [self.varied(batch.x) for _ in range(1 if self.task.augment is None else 2)]
        with torch.no_grad():
            own = [torch.stack([net(view).float().softmax(dim=1) for view in views]).mean(dim=0) for net in self._networks()]
            guess = (own[0] + own[1]) / 2
        given = functional.one_hot(batch.given.clamp_min(0), self.task.n_classes).float()
        total = torch.zeros(len(batch.x), device=batch.x.device)
        for number, net in enumerate(self._networks()):
            clean = self.get_buffer("clean")[1 - number][batch.index][:, None]  # predictions of the other network
            labelled = clean > self.threshold
            target = torch.where(labelled, clean * given + (1 - clean) * own[number], guess)
            target = target ** (1 / self.temperature)
            total = total + self._mixed(net, views[0], target / target.sum(dim=1, keepdim=True), labelled[:, 0])
        return Step(total, guess.clamp_min(1e-8).log())

    def forward(self, batch: Batch) -> Step:
        """Verified labels are clean in every epoch; otherwise they are treated like others."""
        return self.loss(batch)

    def _networks(self) -> tuple[nn.Module, nn.Module]:
        return self.network, self.second

    def _warm(self, batch: Batch) -> Step:
        x = self.varied(batch.x)
        logits = [net(x).float() for net in self._networks()]
        known = batch.given >= 0
        losses = [torch.where(known, cross_entropy(f, batch.given.clamp_min(0)), 0.0) - entropy(f) * 0.1 for f in logits]
        return Step(losses[0] + losses[1], torch.stack(logits).detach().log_softmax(dim=2).logsumexp(dim=0))

    def _mixed(self, net: nn.Module, x: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
        """MixMatch of a batch with itself in another order, shape (b,)."""
        share = torch.distributions.Beta(self.alpha, self.alpha).sample().clamp_min(0)
        share = torch.maximum(share, 1 - share).to(x.device)
        other = torch.randperm(len(x), device=x.device)
        inputs = share * x + (1 - share) * x[other]
        if self.task.n_codes:
            inputs = torch.cat([inputs[:, : -self.task.n_codes], x[:, -self.task.n_codes :]], dim=1)
        target = share * target + (1 - share) * target[other]
        logits = net(inputs).float()
        fitting = -(target * logits.log_softmax(dim=1)).sum(dim=1)
        squared = ((logits.softmax(dim=1) - target) ** 2).mean(dim=1)
        weight = self.unlabelled_weight * self.get_buffer("ramp")
        n, first = len(x), labelled.sum()
        # each term is a mean over its own items
        parts = torch.where(labelled, fitting * n / first.clamp_min(1), weight * squared * n / (n - first).clamp_min(1))
        return parts + prior_divergence(logits, self.get_buffer("prior"))
