"""The nonlinear, noise-aware, quasi-clustering loss (NNAQC)."""

from __future__ import annotations

from torch import Tensor

from labelproof.losses.robust import bootstrap_soft, cross_entropy


def noise_aware(logits: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """``-log softmax(W softmax(logits))_z``: a second softmax makes the transfer nonlinear and more diffuse. Shape (n,).

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    given : Tensor of int64, shape (n,)
    weight : Tensor, shape (k, k)
        ``W[j, i]`` from true class i to given class j, learned; initialised to a multiple of the identity.
    """
    return cross_entropy(logits.softmax(dim=1) @ weight.T, given)


def quasi_clustering(logits: Tensor, given: Tensor, beta: float = 0.2) -> Tensor:
    """``-sum over j of (β p_j + (1 - β) [j = z]) log p_j``: soft bootstrapping, β the share of the network's own belief."""
    return bootstrap_soft(logits, given, beta=1 - beta)


def nonlinear_noise_aware_quasi_clustering(
    logits: Tensor, given: Tensor, weight: Tensor, alpha: float = 0.9, beta: float = 0.2
) -> Tensor:
    """``α L_NNA + (1 - α) L_QC``, shape (n,).

    References
    ----------
    Jindal, Pressel, Lester and Nokleby (2019), A nonlinear, noise-aware, quasi-clustering approach to learning deep CNNs
    from noisy labels.
    """
    return alpha * noise_aware(logits, given, weight) + (1 - alpha) * quasi_clustering(logits, given, beta)
