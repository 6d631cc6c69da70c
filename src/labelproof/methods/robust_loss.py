"""One network, one loss: cross-entropy, which memorises noise in the end, and the losses that resist it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from labelproof.losses import LOSSES
from labelproof.methods.base import Method
from labelproof.training.trainable import Batch, Step


class LossMethod(Method):
    """``mean of loss(f(x), z)`` with a loss of `labelproof.losses`; options are those of the loss."""

    name: ClassVar[str]

    def __init__(self, **options: float) -> None:
        super().__init__()
        self.options = options
        self.per_item: Callable[..., Tensor] = LOSSES[self.name]

    def loss(self, batch: Batch) -> Step:
        """The named loss of each item."""
        logits = self.network(self.varied(batch.x))
        return Step(self.per_item(logits.float(), batch.given, **self.options), logits)


class CrossEntropy(LossMethod):
    """``-log p_z``, the baseline of every other method."""

    name = "cross-entropy"
    purpose = "the usual loss: good on clean labels, memorises wrong ones in the end"


class MAE(LossMethod):
    """``1 - p_z`` (Ghosh et al. 2017)."""

    name = "mae"
    purpose = "robust to symmetric noise by theory, slow to learn many classes"


class MSE(LossMethod):
    """``sum of (p - e_z)²``."""

    name = "mse"
    purpose = "between cross-entropy and mae: bounded, learns quickly, memorises late"


class Ramp(LossMethod):
    """A clipped margin loss (Brooks 2011)."""

    name = "ramp"
    purpose = "a bounded margin loss: hopeless items stop pulling"


class Unhinged(LossMethod):
    """A linear margin loss (van Rooyen et al. 2015), on normalised logits, without which it has no minimum."""

    name = "unhinged"
    purpose = "linear, so symmetric noise only scales it; on logits of unit length"

    def loss(self, batch: Batch) -> Step:
        """The loss of normalised logits: ``f / |f|`` times a fixed length."""
        logits = self.network(self.varied(batch.x))
        unit = logits.float() / logits.float().norm(dim=1, keepdim=True).clamp_min(1.0)
        return Step(self.per_item(unit, batch.given), logits)


class GCE(LossMethod):
    """``(1 - p_z^q) / q`` (Zhang and Sabuncu 2018)."""

    name = "gce"
    purpose = "between cross-entropy (q near 0) and mae (q = 1): a good first choice"


class SCE(LossMethod):
    """Cross-entropy and its reverse (Wang et al. 2019)."""

    name = "sce"
    purpose = "cross-entropy for learning plus its reverse for robustness"


class Bootstrap(LossMethod):
    """Targets mixed with the network's own predictions (Reed et al. 2015, soft)."""

    name = "bootstrap"
    purpose = "targets are partly the network's predictions; mild noise"

    def __init__(self, beta: float = 0.8) -> None:
        super().__init__(beta=beta)
