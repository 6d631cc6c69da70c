"""WARP, the weighted approximate-rank pairwise loss: a wrong class ranked above the given one costs more near the top.

References
----------
Weston, Bengio and Usunier (2011), WSABIE: scaling up to large vocabulary image annotation, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

MARGIN = 1.0


def rank_weight(rank: Tensor) -> Tensor:
    """``L(k) = sum for j = 1 to k of α_j`` with ``α_j = 1 / j``; ``L(0) = 0``. Shape of ``rank`` (int64)."""
    most = int(rank.max()) if rank.numel() else 0
    harmonic = torch.zeros(most + 1, device=rank.device, dtype=torch.get_default_dtype())
    harmonic[1:] = torch.cumsum(1 / torch.arange(1, most + 1, device=rank.device, dtype=harmonic.dtype), dim=0)
    return harmonic[rank]


def warp(logits: Tensor, given: Tensor) -> Tensor:
    """``sum over i ≠ z of L(rank) |1 - f_z + f_i|₊ / rank``, shape (n,).

    ``rank`` counts the classes within the margin, ``1 + f_i > f_z``; it is a constant to the gradient, and 0/0 = 0.
    """
    hinge, violates = _violations(logits, given)
    rank = violates.sum(dim=1)
    mean = (hinge * violates).sum(dim=1) / rank.clamp_min(1)
    return rank_weight(rank).to(logits.dtype) * mean


def warp_sampled(
    logits: Tensor, given: Tensor, *, generator: torch.Generator | None = None, known_rank: bool = False
) -> Tensor:
    """One sampled violator for each item, weighted by a rank that is estimated from the number of draws. Shape (n,).

    Classes other than z are drawn until one violates the margin, at the N-th draw; then ``rank ≈ ⌊(k - 1) / N⌋`` and the loss
    is ``L(rank) |1 - f_z + f_i|₊``. Without a violator in k - 1 draws it is 0.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    given : Tensor of int64, shape (n,)
    generator : torch.Generator, optional
    known_rank : bool
        Weigh by the exact rank, and keep drawing until there is a violator: then the mean over draws is `warp`.
    """
    n, k = logits.shape
    hinge, violates = _violations(logits, given)
    if known_rank:
        rank = violates.sum(dim=1)
        even = torch.where(rank[:, None] > 0, violates.to(logits.dtype), torch.ones_like(logits))
        found = torch.multinomial(even, 1, generator=generator)[:, 0]
    else:
        drawn = torch.randint(0, k - 1, (n, k - 1), generator=generator, device=logits.device)
        drawn = drawn + (drawn >= given[:, None])  # never the given class
        hit = violates.gather(1, drawn)
        first = hit.int().argmax(dim=1)  # 0 also if no violator was found
        rank = torch.where(hit.any(dim=1), (k - 1) // (first + 1), 0)
        found = drawn.gather(1, first[:, None])[:, 0]
    return rank_weight(rank).to(logits.dtype) * hinge.gather(1, found[:, None])[:, 0]


def warp_tags(logits: Tensor, tags: Tensor) -> Tensor:
    """`warp` of every present tag against the absent ones, summed over an item's present tags, shape (n,).

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    tags : Tensor of 0/1, shape (n, k)
    """
    rows, present = (tags > 0).nonzero(as_tuple=True)
    gap = MARGIN - logits[rows, present][:, None] + logits[rows]
    violates = (gap > 0) & (tags[rows] <= 0)
    rank = violates.sum(dim=1)
    cost = rank_weight(rank).to(logits.dtype) * (gap * violates).sum(dim=1) / rank.clamp_min(1)
    return logits.new_zeros(len(logits)).index_add(0, rows, cost)


def _violations(logits: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
    """``|1 - f_z + f_i|₊`` and whether class i is within the margin, each (n, k); the given class violates nothing."""
    gap = MARGIN - logits.gather(1, given[:, None]) + logits
    own = torch.zeros_like(gap, dtype=torch.bool).scatter(1, given[:, None], True)
    return gap.clamp_min(0), (gap > 0) & ~own
