"""Multiple instance learning: the tags of a bag of instances, from those of each instance.

An image is a bag of regions, a video a bag of regions of frames. Everything is kept in logits, so that ten thousand instances
neither underflow nor saturate.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 2.4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput, did_you_mean


def noisy_or(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """A bag has a tag unless every instance lacks it: ``1 - prod over m of (1 - p_m)``, as a logit.

    With ``t = -sum of log(1 - p_m)`` the logit is ``log(exp(t) - 1) = t + log(-expm1(-t))``.

    Parameters
    ----------
    logits : Tensor, shape (n, m, k)
    mask : Tensor of bool, shape (n, m), optional
        Which instances there are; a bag has at least one.

    Returns
    -------
    Tensor, shape (n, k)
    """
    absent = functional.softplus(logits)  # -log(1 - p)
    if mask is not None:
        absent = absent * mask[..., None].to(absent.dtype)
    total = absent.sum(dim=1).clamp_min(torch.finfo(absent.dtype).tiny)
    return total + torch.log(-torch.expm1(-total))


def mean_pooling(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of the instances' probabilities, as a logit. Shapes as for `noisy_or`."""
    present, absent = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    if mask is not None:
        gone = ~mask[..., None]
        present, absent = present.masked_fill(gone, -torch.inf), absent.masked_fill(gone, -torch.inf)
    return torch.logsumexp(present, dim=1) - torch.logsumexp(absent, dim=1)


def max_pooling(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """The most certain instance's logit. Shapes as for `noisy_or`."""
    return (logits if mask is None else logits.masked_fill(~mask[..., None], -torch.inf)).amax(dim=1)


POOLINGS: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "noisy-or": noisy_or,
    "mean": mean_pooling,
    "max": max_pooling,
}


def pooling_of(name: str) -> Callable[[Tensor, Tensor | None], Tensor]:
    """A pooling by name.

    Raises
    ------
    BadInput
        For an unknown name.
    """
    if name not in POOLINGS:
        raise BadInput(f"pooling is {name!r}. {did_you_mean(name, list(POOLINGS))}Give one of none, {', '.join(POOLINGS)}.")
    return POOLINGS[name]
