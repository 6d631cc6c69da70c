"""Bags of instances: regions of a picture, frames of a video, any number of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, check_features, check_ids


@dataclass(frozen=True)
class Bags:
    """Instances of all bags in one sequence, and the size of each bag.

    Attributes
    ----------
    instances : ndarray, shape (sum of sizes, ...)
        Vectors (d,), pictures (height, width) or (height, width, channels).
    sizes : ndarray of int64, shape (n,)
        Each 1 or more.

    Examples
    --------
    >>> import numpy as np
    >>> bags = Bags.of([np.zeros((3, 7)), np.ones((1, 7))])
    >>> len(bags), bags.instances.shape, bags.padded().shape
    (2, (4, 7), (2, 3, 7))
    """

    instances: npt.NDArray[Any]
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, bags: Sequence[object] | AnyArray, *, ids: object = None) -> Bags:
        """Make bags of one array (n, m, ...), or of a sequence of arrays (m_i, ...).

        Parameters
        ----------
        bags : array or sequence of arrays
        ids : sequence of length n, optional
            Names of the bags, for messages.

        Raises
        ------
        BadInput
            Naming the first bag that has no instance, or instances of another shape.
        """
        if not len(bags):
            raise BadInput("There are no bags. Give one or more.")
        names = check_ids(ids, len(bags)).tolist()
        parts = [np.asarray(bag) for bag in bags]
        for name, part in zip(names, parts, strict=True):
            if part.ndim < 2 or not len(part):
                raise BadInput(f"bag {name!r} has shape {part.shape}: no instances. Give each bag one or more, or drop it.")
            if part.shape[1:] != parts[0].shape[1:]:
                raise BadInput(
                    f"The instances of bag {name!r} have shape {part.shape[1:]}, those of the first bag {parts[0].shape[1:]}. Give all instances the same shape."
                )
        instances = check_features(np.concatenate(parts), name="instances")
        return cls(instances, np.array([len(part) for part in parts]))

    def __len__(self) -> int:
        return len(self.sizes)

    def take(self, rows: npt.NDArray[np.int64]) -> Bags:
        """Some bags, by number."""
        ends = np.cumsum(self.sizes)
        parts = [self.instances[ends[row] - self.sizes[row] : ends[row]] for row in rows]
        return Bags(np.concatenate(parts), self.sizes[rows])

    def padded(self, encode: Callable[[AnyArray], AnyArray] | None = None) -> npt.NDArray[np.float32]:
        """One array (n, largest size, ...) of float32; NaN where a bag has fewer.

        Parameters
        ----------
        encode : callable, optional
            Applied to all instances first.
        """
        encoded = self.instances if encode is None else encode(self.instances)
        whole = np.full((len(self), int(self.sizes.max()), *encoded.shape[1:]), np.nan, np.float32)
        row = np.repeat(np.arange(len(self)), self.sizes)
        first = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        whole[row, np.arange(len(row)) - first] = encoded
        return whole


def evenly(count: int, wanted: int) -> npt.NDArray[np.int64]:
    """Numbers of ``wanted`` frames spread evenly over ``count``, or all of them if there are fewer.

    The middles of ``wanted`` equal stretches.
    """
    if count <= wanted:
        return np.arange(count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(np.int64)
