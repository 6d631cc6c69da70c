"""Heads at each place of a feature map."""

from __future__ import annotations

from torch import Tensor, nn


def at_each_place(head: nn.Module, features: Tensor) -> Tensor:
    """A head for vectors (n, c) to (n, k), also of maps (n, c, h, w) to (n, k, h, w)."""
    if features.ndim == 2:
        out: Tensor = head(features)
        return out
    return head(features.movedim(1, -1)).movedim(-1, 1)  # type: ignore[no-any-return]
