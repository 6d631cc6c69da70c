"""How labels go wrong: transition matrices, simulation, estimation, and the posterior of the true label."""

from labelproof.noise import simulate
from labelproof.noise.e_step import NoiseParams
from labelproof.noise.em import NoiseFit, expectation_maximization
from labelproof.noise.estimate import anchor_points, confident_joint
from labelproof.noise.posterior import error_probability, noisy_probs, posterior, shared_posterior, sharpened
from labelproof.noise.transition import TransitionMatrix

__all__ = [
    "NoiseFit",
    "NoiseParams",
    "TransitionMatrix",
    "anchor_points",
    "confident_joint",
    "error_probability",
    "expectation_maximization",
    "noisy_probs",
    "posterior",
    "shared_posterior",
    "sharpened",
    "simulate",
]
