"""`Saveable`: `save` and `load` of everything that has a state."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from labelproof.errors import BadInput, CorruptArtifact, LabelproofError
from labelproof.saving.folders import atomic_folder
from labelproof.saving.state import State, read_state, write_state


class Saveable:
    """A thing with `to_state` and `from_state` that is saved in a folder and loaded from it."""

    kind: ClassVar[str]  #: of its state
    made_by: ClassVar[str] = ""  #: the command that writes such a folder, if there is one

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same object again, from what `to_state` returned."""
        raise NotImplementedError

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write it into a folder, completely or not at all: ``summary.json`` and ``weights.safetensors``, no pickle.

        Parameters
        ----------
        folder : path
        overwrite : bool, default=False
            Whether a folder that labelproof wrote may be replaced.

        Raises
        ------
        BadInput
            If the folder exists and ``overwrite`` is false, or something of it cannot be written down.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        with atomic_folder(folder, overwrite=overwrite) as partial:
            self.write_into(partial)

    def write_into(self, folder: Path) -> None:
        """Write the files of `save` into a folder that exists."""
        write_state(folder, self.to_state())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : path

        Raises
        ------
        BadInput
            If the folder holds something else, or a later version of labelproof wrote it.
        CorruptArtifact
            If a file is missing or damaged.
        """
        return cls._restored(folder, cls.from_state)

    @classmethod
    def _restored(cls, folder: str | os.PathLike[str], build: Callable[[State], Self]) -> Self:
        anew = f"Fit {cls.__name__} and save it again" + (f", or run {cls.made_by}." if cls.made_by else ".")
        state = read_state(folder, cls.kind, anew)
        try:
            return build(state)
        except LabelproofError:
            raise
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CorruptArtifact(f"{str(folder)!r} does not fit together ({error}). {anew}") from error


def plain_params(estimator: BaseEstimator, /, **changed: object) -> dict[str, object]:
    """The parameters of an estimator as JSON holds them, some of them changed.

    Raises
    ------
    BadInput
        If one is a function, a network or the like.
    """
    params = {**estimator.get_params(deep=False), **changed}
    return {name: plain(value, f"{type(estimator).__name__}.{name}") for name, value in params.items()}


def params_of(state: State, *, backbone: object = None) -> dict[str, Any]:
    """The parameters of a state as constructors take them: tuples, which JSON has as lists, and today's names.

    Raises
    ------
    BadInput
        If a network of the user's own, which is not in the state, is not passed again.
    """
    params = dict(state.get("params", dict))
    if "seed" in params:  # the name in version 0.1
        params["random_state"] = params.pop("seed")
    if backbone is not None:
        params["backbone"] = backbone
    elif params.get("backbone", "") is None:
        raise BadInput("backbone is missing: this model was trained with your own network. Pass backbone= to load it.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in params.items()}


def plain(value: object, name: str = "a value") -> object:
    """A value as JSON holds it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {key: plain(inner, f"{name}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, name) for inner in value]
    if isinstance(value, np.random.RandomState):
        return None  # it went on when it was used
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "matrix"):  # a TransitionMatrix
        value = value.matrix
    if hasattr(value, "tolist"):  # arrays, scalars of numpy, series, tensors
        return plain(value.tolist(), name)
    raise BadInput(f"{name} is a {type(value).__name__}, which cannot be saved without pickle. Give numbers, text or arrays.")


def columns_of(estimator: BaseEstimator) -> dict[str, object]:
    """Number and names of the columns that an estimator was fitted to, as JSON."""
    names = getattr(estimator, "feature_names_in_", np.array([]))
    return {"n_features_in": getattr(estimator, "n_features_in_", None), "feature_names_in": names.tolist()}


def restore_columns(estimator: BaseEstimator, state: State) -> None:
    """Give an estimator what `columns_of` found; version 0.1 did not save it for every one."""
    if state.meta.get("n_features_in") is not None:
        estimator.n_features_in_ = state.get("n_features_in", int)
    if state.meta.get("feature_names_in"):
        estimator.feature_names_in_ = np.array(state.get("feature_names_in", list), dtype=object)
