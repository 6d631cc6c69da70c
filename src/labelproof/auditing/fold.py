"""The audit as a fold over blocks: ``partial(block, params) -> Expected``, ``Expected + Expected``, and the M step.

In memory there is one block. A source of blocks is a callable that yields ``(probs (m, k), given (m,))`` afresh at each
call, because EM passes over the data several times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.kernels import as_kernel_input, expected_counts, score_rows
from labelproof.noise.estimate import AMBIGUITY, Expected, NoiseFit, NoiseParams, fit_noise
from labelproof.validation import FloatArray, IntArray

Block = tuple[FloatArray, IntArray]
Source = Callable[[], Iterable[Block]]


@dataclass(frozen=True)
class Scores:
    """What the last pass says of each labelled item of a block."""

    error_probability: npt.NDArray[np.float64]  # (m,)
    suggested: npt.NDArray[np.int64]  # (m,) codes
    confidence: npt.NDArray[np.float64]  # (m,)
    expected_errors: npt.NDArray[np.float64]  # (c,), under each component of the noise model


def partial(block: Block, params: NoiseParams) -> Expected:
    """One block's share of an E step."""
    probs, given = block
    counts, random, likelihood = expected_counts(
        as_kernel_input(probs), given, params.systematic, params.given_prior, params.sharpness, params.ambiguity
    )
    return Expected(counts, random, float(likelihood), len(given))


def fit(
    source: Source,
    given_counts: npt.NDArray[np.float64],
    classes: Sequence[Any],
    *,
    strength: float | None = None,
    ambiguity: float = AMBIGUITY,
) -> NoiseFit:
    """Fit the noise model by EM, each E step a fold over the blocks."""

    def e_step(params: NoiseParams) -> Expected:
        return reduce(Expected.__add__, (partial(block, params) for block in source()))

    return fit_noise(e_step, given_counts, classes, strength=strength, ambiguity=ambiguity)


def score(source: Source, noise: NoiseFit) -> Iterator[Scores]:
    """The last pass: findings block by block, from the posterior averaged over the components."""
    stacked = [
        np.stack([params.systematic for params in noise.components]),
        np.stack([params.given_prior for params in noise.components]),
        np.array([params.sharpness for params in noise.components]),
        np.array([params.ambiguity for params in noise.components]),
    ]
    for probs, given in source():
        yield Scores(*score_rows(as_kernel_input(probs), given, *stacked))
