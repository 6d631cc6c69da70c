"""Cross-entropy corrected by a transition ``T[i, j] = p(given = j | true = i)``, as tensor (k, k)."""

from __future__ import annotations

import torch
from torch import Tensor

from labelproof.errors import BadInput


def forward_correction(logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
    """``-log (p @ T)_z``: the network predicts the true label, and the transition maps it to the given one. Shape (n,).

    Its gradient at the logit of class y is ``p(y | x) - p(y | z, x)``: training towards the posterior.

    References
    ----------
    Patrini et al. (2017), Making deep neural networks robust to label noise: a loss correction approach, theorem 2.

    Examples
    --------
    >>> import torch
    >>> forward_correction(torch.zeros(1, 2), torch.tensor([0]), torch.tensor([[0.8, 0.2], [0.4, 0.6]])).exp()
    tensor([1.6667])
    """
    log_noise = transition.clamp_min(torch.finfo(transition.dtype).tiny).log()[:, given].T  # (n, k)
    return -torch.logsumexp(logits.log_softmax(dim=1) + log_noise, dim=1)


def backward_correction(logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
    """``sum over j of (T⁻¹)_zj (-log p_j)``: unbiased, since its mean over the noise is the loss of the true label; may be
    negative.

    Raises
    ------
    BadInput
        If the transition has no inverse.

    References
    ----------
    Patrini et al. (2017), theorem 1.
    """
    if torch.linalg.matrix_rank(transition) < len(transition):
        raise BadInput(
            "transition has no inverse, because two classes have the same row. Use forward correction, or merge the classes."
        )
    weights: Tensor = torch.linalg.inv(transition)[given]  # (n, k)
    return -(weights * logits.log_softmax(dim=1)).sum(dim=1)


def transition_outside_log(logits: Tensor, given: Tensor, transition: Tensor) -> Tensor:
    """``-sum over j of T_zj log p_j``: the given label's row of the transition as a soft target.

    Unlike `forward_correction`, where the matrix is inside the logarithm. With the identity both are
    cross-entropy.
    """
    return -(transition[given] * logits.log_softmax(dim=1)).sum(dim=1)
