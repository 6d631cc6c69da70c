"""The one training loop, over Lightning Fabric: it owns devices, seeds and progress; losses and methods do not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from labelproof.errors import BadInput
from labelproof.progress import track

Loss = Callable[[Tensor, Tensor], Tensor]  # (logits (b, k), given (b,)) -> (b,)


def per_item_cross_entropy(logits: Tensor, given: Tensor) -> Tensor:
    """Cross-entropy of each item, shape (b,)."""
    return nn.functional.cross_entropy(logits, given, reduction="none")


def fit(
    module: nn.Module,
    x: Tensor,
    given: Tensor,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 5e-3,
    loss: Loss = per_item_cross_entropy,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> nn.Module:
    """Train a module in place with AdamW and a one-cycle learning rate.

    Parameters
    ----------
    module : torch.nn.Module
        ``(b, ...)`` to logits ``(b, k)``.
    x : Tensor, shape (n, ...)
    given : Tensor of int64, shape (n,)
    epochs, batch_size : int
    learning_rate : float
        Highest rate of the cycle.
    weight_decay : float
    loss : callable
        ``(logits, given)`` to per-item losses.
    augment : callable, optional
        ``(batch, generator) -> batch``, applied in training only.
    seed : int
        Decides order, dropout and augmentation; the same seed gives the same weights.
    accelerator : str
        As Lightning Fabric names them.

    Returns
    -------
    torch.nn.Module
        The module, in evaluation mode.

    Raises
    ------
    BadInput
        If the loss turns NaN.
    """
    fabric = Fabric(accelerator=accelerator, devices=1)
    order = torch.Generator().manual_seed(seed)
    batches = max(1, len(x) // batch_size)  # the rest is spread: no batch of one, on which batch norm fails
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * batches)
    wrapped, wrapped_optimizer = fabric.setup(module, optimizer)
    wrapped.train()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for epoch in track(range(epochs), "training"):
            for rows in torch.randperm(len(x), generator=order).tensor_split(batches):
                batch = x[rows] if augment is None else augment(x[rows], order)
                value = loss(wrapped(fabric.to_device(batch)), fabric.to_device(given[rows])).mean()
                if not torch.isfinite(value):
                    raise BadInput(
                        f"the loss is {value.item()} in epoch {epoch + 1}. Lower learning_rate, now {learning_rate:g}."
                    )
                wrapped_optimizer.zero_grad()
                fabric.backward(value)
                wrapped_optimizer.step()
                schedule.step()
    return module.eval()


@torch.inference_mode()
def predict_logits(module: nn.Module, x: Tensor, *, batch_size: int = 512) -> Tensor:
    """Logits of every item, shape (n, k), on the CPU."""
    module.eval()
    device = next(module.parameters()).device
    return torch.cat([module(part.to(device)).cpu() for part in torch.split(x, batch_size)])
