"""The three terms of joint optimisation: ``L = L_c + α L_p + β L_e`` over soft labels that are updated as well.

References
----------
Tanaka, Ikami, Yamasaki and Aizawa (2018), Joint optimization framework for learning with noisy labels, equations 3 to 7.
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_label_divergence(logits: Tensor, soft_labels: Tensor) -> Tensor:
    """``L_c = KL(y ‖ s) = sum over j of y_j log (y_j / s_j)``, with ``0 log 0 = 0``. Shape (n,).

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    soft_labels : Tensor, shape (n, k); rows sum to one
    """
    return (torch.xlogy(soft_labels, soft_labels) - soft_labels * logits.log_softmax(dim=1)).sum(dim=1)


def prior_divergence(logits: Tensor, prior: Tensor) -> Tensor:
    """``L_p = KL(p ‖ mean of s)`` over the batch, a scalar: keeps the network from predicting one class for all.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    prior : Tensor, shape (k,), the distribution of the classes
    """
    mean = torch.logsumexp(logits.log_softmax(dim=1), dim=0) - torch.log(torch.tensor(float(len(logits))))
    return (torch.xlogy(prior, prior) - prior * mean).sum()


def entropy(logits: Tensor) -> Tensor:
    """``L_e = -sum over j of s_j log s_j``, shape (n,): sharpens predictions once labels are soft."""
    logs = logits.log_softmax(dim=1)
    return -(logs.exp() * logs).sum(dim=1)
