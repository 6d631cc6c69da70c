"""The E step item by item, from the posterior: what the products of `labelproof.noise.e_step` must come to."""

from __future__ import annotations

import numpy as np

from labelproof.noise.e_step import EStep, Expected, NoiseParams
from labelproof.noise.em import classifier_probs
from labelproof.noise.posterior import posterior, random_rate

TINY = np.finfo(np.float64).tiny


def reference(probs: np.ndarray, codes: np.ndarray, params: NoiseParams) -> Expected:
    k = probs.shape[1]
    classifier, matrix = classifier_probs(probs, params), params.matrix  # (n, k), (k, k)
    rate = random_rate(probs, params.ambiguity)  # (n,)
    at_random = rate * params.given_prior[codes]
    systematic = (1 - rate)[:, None] * matrix[:, codes].T  # (n, k)
    evidence = (classifier * (systematic + at_random[:, None])).sum(axis=1)
    true = posterior(classifier, codes, matrix, random_rate=rate, given_prior=params.given_prior)
    share = systematic / np.maximum(systematic + at_random[:, None], TINY)
    counts = np.zeros((k, k))
    np.add.at(counts.T, codes, true * share)
    if params.pooled:
        kept = np.diag(counts)
        counts = np.stack([kept, counts.sum(axis=1) - kept], axis=1)
    right = float(true[np.arange(len(codes)), codes].sum())
    likelihood = float(np.log(np.maximum(evidence, TINY)).sum())
    return Expected(counts, (true * (1 - share)).sum(axis=0), classifier.sum(axis=0), likelihood, len(codes), right)


def expected(probs: np.ndarray, codes: np.ndarray, params: NoiseParams) -> Expected:
    """What `EStep` finds under one noise model."""
    return EStep(probs, codes)([params])[0]
