"""The interface of encoders: raw items in, features out. An encoder sees no labels, so features are made once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]


class Encoder(ABC):
    """A pretrained network that turns texts or pictures into features.

    Attributes
    ----------
    named : bool
        Whether a name or folder follows the family, as in ``st:NAME``.
    takes : {"text", "images"}
        Its input: strings, or pictures as uint8 (n, size, size, 3).
    size : int
        For pictures: their width and height in pixels.
    name : str
        For people, and for the cache.
    revision : str
        Changes whenever the features would: the checksum of the weights. For the cache.
    batch_size : int
        Items a batch.
    """

    named: ClassVar[bool] = True
    takes: str
    size: int = 0
    name: str
    revision: str
    batch_size: int = 16

    @classmethod
    @abstractmethod
    def opened(cls, place: str, takes: str) -> Self:
        """The encoder with its weights.

        Raises
        ------
        BadInput
        MissingDependency
        """

    def load(self) -> None:  # noqa: B027 - most are loaded when they are opened
        """Load the weights, if that waited: called before anything is encoded, once or more often."""

    @abstractmethod
    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        """A batch of raw items as the network takes it; several threads may do this at a time."""

    @abstractmethod
    def encode(self, batch: Any) -> Features:
        """Features of what `prepare` made, shape (n, d)."""
