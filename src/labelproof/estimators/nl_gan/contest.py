"""`Contest`: the result of a training of NL-GAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from labelproof.estimators.nl_gan.adversaries import Generators
from labelproof.estimators.nl_gan.soft_labels import Shares, SoftLabels
from labelproof.saving.state import State
from labelproof.training.checkpoint import arrays_of, tensors_of
from labelproof.validation import AnyArray


@dataclass(frozen=True)
class Contest:
    """Two generators that were trained against one discriminator.

    Attributes
    ----------
    generators : Generators
        In evaluation mode.
    soft_labels : SoftLabels
        δ_P and δ_N, the targets of the training.
    shares : Shares
        π_P and π_N, shares of right labels: as given, or from the estimated δ.
    diversity : ndarray of float, shape (epochs, 2)
        How different the pictures of each generator are, 1 as different as the given ones.
    outputs : ndarray of float, shape (m,)
        Output of the pre-trained discriminator, for as many given positives as negatives; empty if δ was not estimated.
    """

    generators: Generators
    soft_labels: SoftLabels
    shares: Shares
    diversity: npt.NDArray[np.float32]
    outputs: npt.NDArray[np.float32]

    def made(self, z: Tensor, *, positive: bool) -> Tensor:
        """Pictures (n, channels, height, width) in [-1, 1] of one class, of numbers (n, 100) in [-1, 1]."""
        none = z[:0]
        made: Tensor = self.generators(z, none)[0] if positive else self.generators(none, z)[1]
        return made

    def arrays(self, number: int) -> dict[str, AnyArray]:
        """The arrays for `read`, named after the contest's number, in addition to `meta`."""
        figures = {f"figures{number}/diversity": self.diversity, f"figures{number}/outputs": self.outputs}
        return arrays_of(self.generators, f"generators{number}") | figures

    @property
    def meta(self) -> dict[str, object]:
        """The JSON for `read`."""
        return {"soft_labels": list(self.soft_labels), "shares": list(self.shares)}

    @classmethod
    def read(cls, generators: Generators, meta: Mapping[str, list[float]], state: State, number: int) -> Self:
        """A contest of new generators of the right size, which get the weights that were saved."""
        generators.eval().load_state_dict(tensors_of(state.of(f"generators{number}")))
        figures = state.of(f"figures{number}")
        return cls(
            generators, SoftLabels(*meta["soft_labels"]), Shares(*meta["shares"]), figures["diversity"], figures["outputs"]
        )
