"""`Method`: a way to train on noisy labels. The loop owns devices, progress, checkpoints, seeds and history; a method never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from labelproof.errors import BadInput
from labelproof.losses import cross_entropy
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData, predict_logits


@dataclass(frozen=True)
class Task:
    """The task of a method: data, network and epochs.

    Attributes
    ----------
    data : TrainingData
        All training items; ``given`` has codes 0..k-1, and -1 only for methods that use unlabelled items.
    n_classes : int
    epochs : int
        As the user requested; a method may divide them into phases.
    make_network : callable
        Returns a network with fresh weights, ``(b, ...)`` to logits ``(b, k)``.
    augment : callable, optional
        Maps a batch (b, ...) to its random augmentation.
    n_codes : int
        The last columns of x, this many, are codes of categories, which cannot be mixed.
    """

    data: TrainingData
    n_classes: int
    epochs: int
    make_network: Callable[[], nn.Module]
    augment: Callable[[Tensor], Tensor] | None = None
    n_codes: int = 0


class Method(Trainable):
    """Base class of methods. A method is a file with a subclass, a line in the registry, and a row in the common test.

    Constructor arguments are the method's own options, plain JSON values or arrays. `build` makes networks and noise layers,
    and `loss` returns the loss of one step, one number per item. Hooks of `Trainable` run at the start and end of phases and
    epochs.
    """

    purpose: ClassVar[str] = ""  #: its purpose, in the table of methods
    needs: ClassVar[str] = "nothing"  #: the knowledge or choice that it needs from the user
    cost: ClassVar[str] = "1"  #: times a plain training step
    uses_unlabelled: ClassVar[bool] = False
    suggested: ClassVar[dict[str, str]] = {}  #: options of the loop that suit it better than the usual ones

    task: Task
    network: nn.Module

    def build(self, task: Task) -> None:
        """Make networks and noise layers for a task."""
        self.task = task
        self.network = task.make_network()

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the true label, shape (b, k)."""
        out: Tensor = self.network(x)
        return out

    def transition(self) -> Tensor | None:
        """The method's ``p(given | true)``, shape (k, k), or ``None``."""
        return None

    def forward(self, batch: Batch) -> Step:
        """The method's loss; an item with a verified label counts with the cross-entropy of that label."""
        step = self.loss(batch)
        if batch.verified is None or not batch.verified.any():
            return step
        clean = cross_entropy(step.logits, batch.given.clamp_min(0))
        return Step(torch.where(batch.verified, clean, step.loss), step.logits)

    def varied(self, x: Tensor) -> Tensor:
        """The inputs as training sees them, with the random augmentation of the task."""
        return x if self.task.augment is None or not self.training else self.task.augment(x)

    def training_probs(self, answer: Callable[[Tensor], Tensor] | nn.Module | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of all training items by the current network, shape (n, k)."""
        logits = predict_logits(self if answer is None else answer, self.task.data.x, device=self.device)
        return np.asarray(logits.double().softmax(dim=1).numpy())

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(self.network.parameters()).device

    @property
    def given(self) -> npt.NDArray[np.int64]:
        """Given labels of all training items, shape (n,); -1 where unlabelled."""
        return np.asarray(self.task.data.given.numpy())


def check_share(value: float, name: str) -> float:
    """Check that a number is from 0 to 1."""
    if not 0 <= value <= 1:
        raise BadInput(f"{name} is {value!r}. Give a number from 0 to 1.")
    return value


def scaled(epochs: int, share: float, *, least: int = 1) -> int:
    """A share of the epochs, at least ``least`` and never all."""
    return max(min(least, epochs - 1), min(round(share * epochs), epochs - 1))
