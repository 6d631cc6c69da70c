"""Parameters in one tensor, so that an optimizer and a limit on gradients take one step instead of one for each.

With small networks on a CPU, calls for each of some dozens of tensors cost more than their arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

Group = dict[str, Any]


class FlatParameters:
    """The parameters of an optimizer's groups, which become views of one tensor a group, as do their gradients.

    A parameter that a loss does not reach has a gradient of zero, and weight decay shrinks it to zero like all others.

    Attributes
    ----------
    groups : list of dict
        As they were, with one parameter each.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        self.groups: list[Group] = []
        self._parts: list[nn.Parameter] = []
        for group in groups:
            parts = [part for part in group["params"] if part.requires_grad]
            if parts:
                self.groups.append({**group, "params": [_joined(parts)]})
                self._parts.extend(parts)

    @property
    def whole(self) -> list[nn.Parameter]:
        """One parameter a group."""
        return [group["params"][0] for group in self.groups]

    def zero_grad(self) -> None:
        """Gradients are summed from here."""
        for part in self.whole:
            if part.grad is not None:
                part.grad.zero_()

    @torch.no_grad()
    def release(self) -> None:
        """Parameters have memory of their own again, and no gradient."""
        for part in self._parts:
            part.data, part.grad = part.data.clone(), None


@torch.no_grad()
def _joined(parts: list[nn.Parameter]) -> nn.Parameter:
    whole = nn.Parameter(torch.cat([part.reshape(-1) for part in parts]))
    grad = torch.zeros_like(whole)
    for part, own, own_grad in zip(parts, _views(whole.data, parts), _views(grad, parts), strict=True):
        part.data, part.grad = own, own_grad
    whole.grad = grad
    return whole


def _views(whole: Tensor, parts: list[nn.Parameter]) -> list[Tensor]:
    pieces = torch.split(whole, [part.numel() for part in parts])
    return [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]
