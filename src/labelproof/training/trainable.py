"""The interface between the loop and the things that it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TrainingData:
    """Items as tensors; every one has n rows.

    Attributes
    ----------
    x : Tensor, shape (n, ...)
    given : Tensor, shape (n,) of int64 codes, -1 where unlabelled; or (n, k) of tags
    weight : Tensor of float, shape (n,), optional
    verified : Tensor of bool, shape (n,), optional
        Labels that a person has re-checked: they are treated as true.
    """

    x: Tensor
    given: Tensor
    weight: Tensor | None = None
    verified: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, move: Callable[[Tensor], Tensor]) -> Batch:
        """The rows, moved to the device that computes them."""
        given = move(self.given[rows])
        weight = None if self.weight is None else move(self.weight[rows])
        verified = None if self.verified is None else move(self.verified[rows])
        return Batch(move(self.x[rows]), given, move(rows), weight, verified)


@dataclass
class Batch:
    """Some items, with their row numbers among all."""

    x: Tensor  # (b, ...)
    given: Tensor  # (b,) or (b, k)
    index: Tensor  # (b,)
    weight: Tensor | None = None  # (b,)
    verified: Tensor | None = None  # (b,)


class Step(NamedTuple):
    """The loss of a batch, and the logits."""

    loss: Tensor  # (b,), or a scalar
    logits: Tensor  # (b, k), of the true label


class Group(TypedDict, total=False):
    """Parameters with options of their own for the optimizer."""

    params: Sequence[Tensor]
    lr_scale: float  # by which the learning rate is multiplied
    weight_decay: float
    betas: tuple[float, float]


def as_is(values: Tensor) -> Tensor:
    """A placeholder for a gather or a move if there is none."""
    return values


class Trainable(nn.Module):
    """Networks, and how a batch becomes a loss. The loop owns devices, order, seeds, progress, checkpoints and history.

    State that must survive a checkpoint is a parameter, a submodule or a buffer of its final shape. Randomness comes from
    torch's default generator, which the loop seeds and saves.
    """

    #: Joins rows over processes, (b, ...) to (world b, ...); the loop sets it if there are several.
    gather: Callable[[Tensor], Tensor] = staticmethod(as_is)

    def loss(self, batch: Batch) -> Step:
        """One step's loss."""
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the true label, shape (b, k), as predictions use them."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Step:
        """The loss; named so that data parallel wrappers see it."""
        return self.loss(batch)

    def phases(self, epochs: int) -> list[int]:
        """Epochs of each phase; the learning rate runs its whole course and the optimizer restarts in each."""
        return [epochs]

    def phase_start(self, phase: int) -> None:
        """Before the first epoch of a phase, counted from 0."""

    def epoch_start(self, epoch: int) -> None:
        """Before an epoch, counted from 0 over all phases."""

    def epoch_end(self, epoch: int) -> None:
        """After an epoch."""

    def parameter_groups(self) -> list[Group]:
        """Groups for the optimizer."""
        return [{"params": list(self.parameters())}]

    def sampling_weights(self) -> Tensor | None:
        """How often each item is drawn in the coming epoch, shape (n,); ``None``: every item once."""
        return None

    def remember(self, buffer: Tensor, index: Tensor, values: Tensor) -> None:
        """Write rows of a per-item buffer, those of the other processes too."""
        buffer[self.gather(index)] = self.gather(values.detach()).to(buffer.dtype)


class PlainClassifier(Trainable):
    """Any network with a loss of ``(logits, given)``."""

    def __init__(self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.network = network
        self.per_item = _cross_entropy if loss is None else loss

    def loss(self, batch: Batch) -> Step:
        """The loss of the network's logits."""
        logits = self.network(batch.x)
        return Step(self.per_item(logits, batch.given), logits)

    def logits(self, x: Tensor) -> Tensor:
        """The network's own."""
        out: Tensor = self.network(x)
        return out


def _cross_entropy(logits: Tensor, given: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, given, reduction="none")


def _exact(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


@torch.inference_mode()
def predict_logits(
    module: nn.Module | Callable[[Tensor], Tensor], x: Tensor, *, batch_size: int = 512, device: torch.device | None = None
) -> Tensor:
    """Logits of every item in evaluation mode, shape (n, k) float32 (float64 of a double module), on the CPU.

    Parameters
    ----------
    module : Module or callable
        ``(b, ...)`` to ``(b, k)``; a `Trainable` answers with its ``logits``. A module's mode is restored.
    x : Tensor, shape (n, ...)
    batch_size : int
    device : torch.device, optional
        By default that of the module's parameters.
    """
    owner = module if isinstance(module, nn.Module) else getattr(module, "__self__", None)
    answer = module.logits if isinstance(module, Trainable) else module
    was_training = isinstance(owner, nn.Module) and owner.training
    if isinstance(owner, nn.Module):
        owner.eval()
        if device is None:
            device = next((p.device for p in owner.parameters()), None)
    try:
        return torch.cat([_exact(answer(part.to(device))).cpu() for part in torch.split(x, batch_size)])
    finally:
        if was_training and isinstance(owner, nn.Module):
            owner.train()
