"""`Contest`: what a training of NL-GAN leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.generative.adversaries import Generators
from labelproof.generative.soft_labels import Shares, SoftLabels


@dataclass(frozen=True)
class Contest:
    """Two generators that were trained against one discriminator.

    Attributes
    ----------
    generators : Generators
    soft_labels : SoftLabels
        δ_P and δ_N, what they were trained towards.
    shares : Shares
        π_P and π_N, shares of right labels: as given, or as the estimated δ say.
    diversity : ndarray of float, shape (epochs, 2)
        How different the pictures of each generator are, 1 as different as the given ones.
    outputs : ndarray of float, shape (m,)
        Of the pre-trained discriminator, for as many given positives as negatives; empty where δ was not estimated.
    """

    generators: Generators
    soft_labels: SoftLabels
    shares: Shares
    diversity: npt.NDArray[np.float32]
    outputs: npt.NDArray[np.float32]

    def made(self, z: Tensor, *, positive: bool) -> Tensor:
        """Pictures (n, channels, height, width) in [-1, 1] of one class, of numbers (n, 100) in [-1, 1]."""
        none = z[:0]
        positives, negatives = self.generators.eval()(*((z, none) if positive else (none, z)))
        return positives if positive else negatives  # type: ignore[no-any-return]

    def tensors(self, number: int) -> dict[str, Tensor]:
        """What `read` needs, named after the contest's number."""
        found = {f"generators{number}/{name}": tensor for name, tensor in self.generators.state_dict().items()}
        return found | {f"figures{number}/{name}": torch.from_numpy(getattr(self, name)) for name in ("diversity", "outputs")}

    @classmethod
    def read(
        cls,
        generators: Generators,
        soft_labels: SoftLabels,
        shares: Shares,
        parts: Mapping[str, dict[str, Tensor]],
        number: int,
    ) -> Self:
        """A contest of these generators, whose weights are not read yet."""
        generators.eval().load_state_dict(parts[f"generators{number}"])
        figures = parts[f"figures{number}"]
        return cls(generators, soft_labels, shares, figures["diversity"].numpy(), figures["outputs"].numpy())
