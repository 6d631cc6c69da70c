"""Losses for noisy labels: logits (n, k) and given labels (n,) in, one loss per item out, unless documented otherwise.

`LOSSES` names those that need nothing else; a new one is a function in its file, a line here and a row in the tests.
"""

from __future__ import annotations

from collections.abc import Callable

from labelproof.extras import needed_by

with needed_by("labelproof.losses"):
    from torch import Tensor

    from labelproof.losses.corrected import backward_correction, forward_correction, transition_outside_log
    from labelproof.losses.joint import entropy, prior_divergence, soft_label_divergence
    from labelproof.losses.nnaqc import noise_aware, nonlinear_noise_aware_quasi_clustering, quasi_clustering
    from labelproof.losses.ranking import warp, warp_sampled, warp_tags
    from labelproof.losses.robust import (
        bootstrap_hard,
        bootstrap_soft,
        cross_entropy,
        generalized_cross_entropy,
        mean_absolute_error,
        mean_squared_error,
        ramp,
        symmetric_cross_entropy,
        unhinged,
    )

LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross-entropy": cross_entropy,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "ramp": ramp,
    "unhinged": unhinged,
    "gce": generalized_cross_entropy,
    "sce": symmetric_cross_entropy,
    "bootstrap": bootstrap_soft,
    "bootstrap-hard": bootstrap_hard,
    "warp": warp,
}

__all__ = [
    "LOSSES",
    "backward_correction",
    "bootstrap_hard",
    "bootstrap_soft",
    "cross_entropy",
    "entropy",
    "forward_correction",
    "generalized_cross_entropy",
    "mean_absolute_error",
    "mean_squared_error",
    "noise_aware",
    "nonlinear_noise_aware_quasi_clustering",
    "prior_divergence",
    "quasi_clustering",
    "ramp",
    "soft_label_divergence",
    "symmetric_cross_entropy",
    "transition_outside_log",
    "unhinged",
    "warp",
    "warp_sampled",
    "warp_tags",
]
