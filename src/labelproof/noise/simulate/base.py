"""The result of a simulation."""

from __future__ import annotations

from typing import NamedTuple

from labelproof.validation import AnyArray, BoolArray


class Noisy(NamedTuple):
    """The result of a simulation."""

    labels: AnyArray  #: (n,) codes, or (n, k) tags
    changed: BoolArray  #: same shape: whether the label differs from the clean one
