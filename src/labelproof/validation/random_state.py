"""Randomness as in scikit-learn: ``random_state`` is a whole number, a generator or ``None``; ``seed`` is its old name."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np

from labelproof.errors import BadInput, LabelproofWarning

RandomState = int | np.random.RandomState | np.random.Generator | None
Seed = RandomState
F = TypeVar("F", bound=Callable[..., object])

_STREAM = 20_190_803


def seed_from(random_state: RandomState) -> int:
    """A seed: the number itself, or one that is drawn from a generator, or afresh for ``None``.

    Raises
    ------
    BadInput
        For a number below 0 or above 2 ** 32 - 1, and for anything else.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**32, dtype=np.uint32))
    return check_seed(random_state, name="random_state")


def rng_from(random_state: RandomState) -> np.random.Generator:
    """A numpy generator from a seed, a generator, or ``None`` for fresh randomness.

    A whole number seeds a stream of labelproof's own: noise drawn with seed 0 must not follow the very numbers that the
    caller's ``default_rng(0)`` made the data from.
    """
    if isinstance(random_state, int | np.integer):
        check_seed(int(random_state))
        return np.random.default_rng(np.random.SeedSequence(int(random_state), spawn_key=(_STREAM,)))
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(seed_from(random_state))
    return np.random.default_rng(random_state)


def check_seed(seed: int, *, name: str = "seed") -> int:
    """Check a random seed: 0 or more, below 2 ** 32."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise BadInput(f"{name} is {seed!r}. Give a whole number from 0 to {2**32 - 1}.")
    return int(seed)


def accepts_seed(owner: F) -> F:
    """Decorate a function, or the class of an estimator, so that the old name ``seed=`` of ``random_state`` works until version 0.3.

    In an estimator, ``__init__`` and ``set_params`` take it; its parameters, which scikit-learn reads from the signature, are
    those of today.
    """
    if not isinstance(owner, type):
        return _renaming(owner, owner.__qualname__)
    for method in ("__init__", "set_params"):
        setattr(owner, method, _renaming(getattr(owner, method), owner.__name__))
    return owner


def _renaming(function: F, name: str) -> F:
    @functools.wraps(function)
    def renamed(*args: object, **kwargs: object) -> object:
        if "seed" in kwargs:
            if "random_state" in kwargs:
                raise BadInput(f"{name} got both seed and random_state, which are the same. Give only random_state.")
            warnings.warn(
                f"seed of {name} is now called random_state, and version 0.3 will drop seed=. Give random_state=.",
                LabelproofWarning,
                stacklevel=2,
            )
            kwargs["random_state"] = kwargs.pop("seed")
        return function(*args, **kwargs)

    return cast(F, renamed)
