"""Ways to train on noisy labels. `METHODS` names them; a new one is a file and a line here; the common test goes through them."""

from __future__ import annotations

from collections.abc import Mapping

from labelproof.errors import BadInput, did_you_mean
from labelproof.extras import needed_by

with needed_by("labelproof.methods"):
    from labelproof.methods.base import Method, Task
    from labelproof.methods.cascade import Cascade
    from labelproof.methods.co_teaching import CoTeaching
    from labelproof.methods.divide_mix import DivideMix
    from labelproof.methods.early_learning import EarlyLearning
    from labelproof.methods.expectation_maximization import ExpectationMaximization
    from labelproof.methods.joint_optimization import JointOptimization
    from labelproof.methods.loss_correction import Backward, Forward
    from labelproof.methods.nnaqc import NNAQC
    from labelproof.methods.noise_adaptation import NoiseAdaptation
    from labelproof.methods.noise_layer import DropoutNoiseLayer, NoiseLayer
    from labelproof.methods.pruning import ConfidentLearning, RankPruningNetwork
    from labelproof.methods.robust_loss import GCE, MAE, MSE, SCE, Bootstrap, CrossEntropy, Ramp, Unhinged
    from labelproof.methods.sample_overparametrization import SampleOverparametrization

METHODS: dict[str, type[Method]] = {
    "cross-entropy": CrossEntropy,
    "mae": MAE,
    "mse": MSE,
    "ramp": Ramp,
    "unhinged": Unhinged,
    "gce": GCE,
    "sce": SCE,
    "bootstrap": Bootstrap,
    "forward": Forward,
    "backward": Backward,
    "noise-layer": NoiseLayer,
    "dropout-noise-layer": DropoutNoiseLayer,
    "noise-adaptation": NoiseAdaptation,
    "nnaqc": NNAQC,
    "joint-optimization": JointOptimization,
    "em": ExpectationMaximization,
    "confident-learning": ConfidentLearning,
    "rank-pruning": RankPruningNetwork,
    "cascade": Cascade,
    "co-teaching": CoTeaching,
    "elr": EarlyLearning,
    "sop": SampleOverparametrization,
    "dividemix": DivideMix,
}


def make_method(name: str, options: Mapping[str, object] | None = None) -> Method:
    """Make a method by name, with its options.

    Raises
    ------
    BadInput
        For an unknown name or option, with the nearest ones.
    """
    if name not in METHODS:
        raise BadInput(f"method is {name!r}. {did_you_mean(name, list(METHODS))}Give one of {', '.join(METHODS)}.")
    try:
        return METHODS[name](**(options or {}))
    except TypeError as error:
        raise BadInput(f"method {name!r} does not take these options ({error}).") from error


__all__ = ["METHODS", "Method", "Task", "make_method"]
