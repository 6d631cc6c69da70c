"""How to train: options of the loop, independent of the method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import torch

from labelproof.errors import BadInput, did_you_mean
from labelproof.training.schedule import SCHEDULES
from labelproof.validation import check_seed

ACCELERATORS: dict[str, Callable[[], bool]] = {
    "cpu": lambda: True,
    "gpu": torch.cuda.is_available,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}
PRECISIONS = [
    "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true", "32", "16", "64", "bf16", 32, 16, 64
]  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How to train, independent of the method.

    Attributes
    ----------
    epochs : int
    batch_size : int, optional
        By default 128, or less for fewer than 2,560 items (a twentieth of them, at least 16): an epoch of few steps learns
        little.
    learning_rate : float
        Highest rate of the schedule.
    optimizer : {"adamw", "sgd"}
        SGD has Nesterov momentum 0.9.
    weight_decay : float
    schedule : {"one-cycle", "cosine", "constant", "step"}
    clip_norm : float, optional
        Largest norm of the gradient.
    patience : int, optional
        Epochs without a better accuracy on the validation items, before training stops; the best weights are kept.
    seed : int
        Decides order, dropout and augmentation; the same seed gives the same weights on the same kind of machine.
    accelerator, devices, precision
        As Lightning Fabric names them. Several devices train in parallel processes, each on its share of every batch.
    checkpoint_epochs, checkpoint_minutes : int, float
        A checkpoint is written after this many epochs, and within an epoch after this many minutes.
    logger : {"csv", "tensorboard"}, optional
        The loop's log in the checkpoint's folder, one row per epoch.
    """

    epochs: int = 30
    batch_size: int | None = None
    learning_rate: float = 3e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = 5e-3
    schedule: str = "one-cycle"
    clip_norm: float | None = None
    patience: int | None = None
    seed: int = 0
    accelerator: str = "auto"
    devices: int = 1
    precision: str | int = "32-true"
    checkpoint_epochs: int = 1
    checkpoint_minutes: float = 5.0
    logger: Literal["csv", "tensorboard"] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name in ("epochs", "batch_size", "devices", "checkpoint_epochs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"{name} is {value}. Give 1 or more.")
        if not self.learning_rate > 0:
            raise BadInput(f"learning_rate is {self.learning_rate!r}. Give a number above 0.")
        check_seed(self.seed)
        choices: dict[str, Sequence[object]] = {
            "schedule": list(SCHEDULES), "optimizer": ["adamw", "sgd"], "logger": ["csv", "tensorboard"],
            "accelerator": ["auto", *ACCELERATORS], "precision": PRECISIONS,
        }  # fmt: skip
        for name, known in choices.items():
            value = getattr(self, name)
            if value is not None and value not in known:
                raise BadInput(f"{name} is {value!r}. {did_you_mean(value, known)}Give one of {', '.join(map(str, known))}.")

        if self.accelerator != "auto" and not ACCELERATORS[self.accelerator]():
            raise BadInput(f"accelerator is {self.accelerator!r}, but torch finds none. Give auto or cpu.")

    def batches(self, n: int) -> int:
        """Batches of an epoch over n items; the rest is spread over them, so that none has a single item."""
        size = min(128, max(16, n // 20)) if self.batch_size is None else self.batch_size
        return max(1, n // size)

    @property
    def decisive(self) -> dict[str, object]:
        """The options that a run cannot change when it resumes."""
        free = ("accelerator", "devices", "checkpoint_epochs", "checkpoint_minutes", "logger")
        return {name: value for name, value in asdict(self).items() if name not in free}
