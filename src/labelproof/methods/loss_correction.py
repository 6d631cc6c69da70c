"""Forward and backward correction, with a transition that is known, estimated after a warm-up, or learned."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from labelproof.errors import BadInput
from labelproof.losses import backward_correction, forward_correction
from labelproof.methods.base import Method, Task, scaled
from labelproof.methods.cross_fit import CrossFit
from labelproof.noise.em import expectation_maximization
from labelproof.noise.estimate import anchor_points, confident_joint
from labelproof.noise.posterior import matrix_of
from labelproof.training.trainable import Batch, Group, Step

ESTIMATES = ("em", "confident-joint", "anchor")
IDENTITY_LOGIT = 4.0


class CorrectedLoss(Method):
    """The network predicts the true label, and a transition maps it to the given one.

    Parameters
    ----------
    transition : "em", "confident-joint", "anchor", "joint", or array (k, k)
        Estimated from the predictions of two networks, each trained on one half of the items, for the other half; learned by
        gradient together with the network (forward only), initialised near the identity; or known.
    warm_up : float in (0, 1)
        Share of the epochs for the two networks, if the transition is estimated.
    """

    needs: ClassVar[str] = "a transition, or lets one be estimated"
    may_learn: ClassVar[bool] = True

    def __init__(self, transition: str | npt.ArrayLike = "em", warm_up: float = 0.3) -> None:
        super().__init__()
        self.source = transition
        self.warm_up = warm_up

    def build(self, task: Task) -> None:
        """Make the network and, as buffer or parameter, the matrix."""
        super().build(task)
        k = task.n_classes
        self.estimated = isinstance(self.source, str) and self.source in ESTIMATES
        if isinstance(self.source, str):
            if not self.estimated and not (self.source == "joint" and self.may_learn):
                kinds = [*ESTIMATES, *(["joint"] if self.may_learn else [])]
                raise BadInput(f"transition is {self.source!r}. Give one of {', '.join(kinds)}, or a matrix.")
            matrix = torch.eye(k)
        else:
            known = matrix_of(self.source)
            if known.shape != (k, k):
                raise BadInput(f"transition is {known.shape[0]} x {known.shape[1]} but there are {k} classes.")
            matrix = torch.from_numpy(known).float()
        self.learned = (
            nn.Parameter(IDENTITY_LOGIT * torch.eye(k)) if isinstance(self.source, str) and not self.estimated else None
        )
        self.register_buffer("matrix", matrix)
        self.register_buffer("warming", torch.tensor(self.estimated))
        self.halves = CrossFit(task.make_network, task.data.given, 2) if self.estimated else None

    def phases(self, epochs: int) -> list[int]:
        """A warm-up only if the transition is estimated."""
        if not self.estimated:
            return [epochs]
        warm = scaled(epochs, self.warm_up)
        return [warm, epochs - warm]

    def phase_start(self, phase: int) -> None:
        """Estimate the transition after the warm-up."""
        if phase == 1 and self.halves is not None:
            probs = self.halves.probs(self.task.data.x, self.task.n_classes)
            self.get_buffer("matrix").copy_(self._estimate(probs, self.given))
            self.get_buffer("warming").fill_(False)

    def _estimate(self, probs: npt.NDArray[np.float64], given: npt.NDArray[np.int64]) -> Tensor:
        if self.source == "anchor":
            found = anchor_points(probs)
        elif self.source == "confident-joint":
            found = confident_joint(given, probs, classes=range(self.task.n_classes))
        else:
            found = expectation_maximization(given, probs, classes=range(self.task.n_classes)).transition
        return torch.from_numpy(np.asarray(found.matrix)).float()

    def transition(self) -> Tensor | None:
        """The known, estimated or learned matrix."""
        return self.get_buffer("matrix") if self.learned is None else self.learned.softmax(dim=1)

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy of the halves in the warm-up, then the corrected loss."""
        if self.halves is not None and self.get_buffer("warming"):
            return Step(*self.halves.loss(self.varied(batch.x), batch.given, batch.index, self.task.n_classes))
        logits = self.network(self.varied(batch.x))
        transition = self.transition()
        assert transition is not None
        return Step(self.corrected(logits.float(), batch.given, transition), logits)

    def corrected(self, logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
        """The loss of each item, shape (b,)."""
        raise NotImplementedError

    def parameter_groups(self) -> list[Group]:
        """A learned matrix has no weight decay."""
        if self.learned is None:
            return super().parameter_groups()
        return [{"params": list(self.network.parameters())}, {"params": [self.learned], "weight_decay": 0.0}]


class Forward(CorrectedLoss):
    """``-log (p @ T)_z`` (Patrini et al. 2017, theorem 2)."""

    purpose = "noise that depends only on the class; also gives the transition"

    def corrected(self, logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
        """Forward correction."""
        return forward_correction(logits, given, transition)


class Backward(CorrectedLoss):
    """``sum of (T⁻¹)_zj (-log p_j)`` (Patrini et al. 2017, theorem 1).

    The sum is unbiased but unbounded below: a network that can memorise decreases it without end. Adding 0.02 of the identity
    to the matrix keeps its inverse small.
    """

    purpose = "like forward; unbiased for any model, but of high variance"
    may_learn = False

    def corrected(self, logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
        """Backward correction with a matrix kept away from singular ones."""
        mixed = 0.98 * transition + 0.02 * torch.eye(len(transition), device=transition.device)
        return backward_correction(logits, given, mixed)
