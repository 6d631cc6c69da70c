"""Losses that wrong labels pull less than cross-entropy. ``p = softmax(logits)``, ``z`` the given label, ``k`` classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, given: Tensor) -> Tensor:
    """``-log p_z``, shape (n,)."""
    return functional.cross_entropy(logits, given, reduction="none")


def mean_absolute_error(logits: Tensor, given: Tensor) -> Tensor:
    """``1 - p_z``, half the distance ``sum over j of |p_j - [j = z]|``; in [0, 1], and constant summed over all labels.

    References
    ----------
    Ghosh, Kumar and Sastry (2017), Robust loss functions under label noise for deep neural networks.
    """
    return 1 - _own(logits.softmax(dim=1), given)


def mean_squared_error(logits: Tensor, given: Tensor) -> Tensor:
    """``sum over j of (p_j - [j = z])²``, in [0, 2]."""
    probs = logits.softmax(dim=1)
    return 1 - 2 * _own(probs, given) + (probs**2).sum(dim=1)


def ramp(logits: Tensor, given: Tensor) -> Tensor:
    """``clip((1 - m) / 2, 0, 1)`` of the margin ``m = f_z - max over j ≠ z of f_j``: bounded, which limits the pull of
    outliers.

    References
    ----------
    Brooks (2011), Support vector machines with the ramp loss and the hard margin loss.
    """
    return ((1 - _margin(logits, given)) / 2).clamp(0, 1)


def unhinged(logits: Tensor, given: Tensor) -> Tensor:
    """``1 - (f_z - mean of f)``: linear, so its sum over all labels is k for any logits; bound them, or it diverges.

    References
    ----------
    van Rooyen, Menon and Williamson (2015), Learning with symmetric label noise: the importance of being unhinged.
    """
    return 1 - (_own(logits, given) - logits.mean(dim=1))


def generalized_cross_entropy(logits: Tensor, given: Tensor, q: float = 0.7) -> Tensor:
    """``(1 - p_z^q) / q``: cross-entropy as q tends to 0, the mean absolute error at q = 1.

    References
    ----------
    Zhang and Sabuncu (2018), Generalized cross entropy loss for training deep neural networks with noisy labels, equation 6.
    """
    return -torch.expm1(-q * cross_entropy(logits, given)) / q


def symmetric_cross_entropy(
    logits: Tensor, given: Tensor, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0
) -> Tensor:
    """``α CE + β RCE`` with the reverse cross-entropy ``RCE = -sum over j of p_j log [j = z]``, where log 0 is ``log_zero``.

    References
    ----------
    Wang et al. (2019), Symmetric cross entropy for robust learning with noisy labels, equation 6.
    """
    return alpha * cross_entropy(logits, given) - beta * log_zero * mean_absolute_error(logits, given)


def bootstrap_soft(logits: Tensor, given: Tensor, beta: float = 0.95) -> Tensor:
    """``-sum over j of (β [j = z] + (1 - β) p_j) log p_j``: the target is partly the network's prediction.

    References
    ----------
    Reed et al. (2015), Training deep neural networks on noisy labels with bootstrapping, equation 6.
    """
    logs = logits.log_softmax(dim=1)
    return -beta * _own(logs, given) - (1 - beta) * (logs.exp() * logs).sum(dim=1)


def bootstrap_hard(logits: Tensor, given: Tensor, beta: float = 0.8) -> Tensor:
    """``-β log p_z - (1 - β) max over j of log p_j``: the target is partly the network's predicted class.

    References
    ----------
    Reed et al. (2015), equation 7.
    """
    logs = logits.log_softmax(dim=1)
    return -beta * _own(logs, given) - (1 - beta) * logs.max(dim=1).values


def _own(values: Tensor, given: Tensor) -> Tensor:
    return values.gather(1, given[:, None])[:, 0]


def _margin(logits: Tensor, given: Tensor) -> Tensor:
    others = logits.scatter(1, given[:, None], -torch.inf)
    return _own(logits, given) - others.max(dim=1).values
