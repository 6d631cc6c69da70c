"""A fitted `NoisyLabelClassifier` as JSON and arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from labelproof.data.encoding import ENCODERS
from labelproof.data.projection import Projection
from labelproof.methods import make_method
from labelproof.noise.conformal import ConformalSets
from labelproof.noise.transition import TransitionMatrix
from labelproof.saving.saveable import columns_of, plain, plain_params, restore_columns
from labelproof.saving.state import State
from labelproof.training.checkpoint import arrays_of, tensors_of

if TYPE_CHECKING:
    from labelproof.estimators.noisy_label_classifier import NoisyLabelClassifier

KIND = "classifier"


def state_of(model: NoisyLabelClassifier) -> State:
    """All of it except the history of training, which has its own folder next to it."""
    scales, arrays = model.encoder_.state()
    own_network, own_augment = not isinstance(model.backbone, str), callable(model.augment)
    changed = {"checkpoints": None, "logger": None} | ({"backbone": None} if own_network else {})
    noise, projection = model.transition_, model.projection_
    meta = {
        "params": plain_params(model, **changed | ({"augment": None} if own_augment else {})),
        "classes": model.classes_.tolist(),
        "source": model.source_,
        "encoder": {"kind": model.encoder_.kind, **scales},
        "temperature": float(model.temperature_),
        "transition": None if noise is None else {"matrix": noise.matrix.tolist(), "prior": noise.prior.tolist()},
        "projection": None if projection is None else {"genes": projection.genes.tolist(), "total": projection.total},
        **columns_of(model),
    }
    found = {f"encoder/{name}": np.asarray(array) for name, array in arrays.items()}
    found |= arrays_of(model.module_.network, "network")
    second = getattr(model.module_, "second", None)
    found |= {} if second is None else arrays_of(second, "second")
    found |= {} if projection is None else {"projection/axes": projection.axes}
    sets = model.calibration_
    found |= {} if sets is None else {f"calibration/{name}": array for name, array in vars(sets).items()}
    found |= {"items/error_probability": model.error_probability_, "items/history_index": model.history_index_}
    return State(KIND, meta, found)


def identity_of(model: NoisyLabelClassifier) -> dict[str, object]:
    """What must match for a training in progress to resume, as JSON, in addition to data and options of the loop."""
    return {
        "method": model.method,
        "validation_fraction": model.validation_fraction,
        **({"calibration_fraction": model.calibration_fraction} if model.calibration_fraction else {}),
        "classes": model.classes_.tolist(),
        "method_options": {name: plain(value) for name, value in sorted((model.method_options or {}).items())},
        "backbone": model.backbone if isinstance(model.backbone, str) else type(model.backbone).__name__,
        "augment": "callable" if callable(model.augment) else model.augment,
    }


def restore(model: NoisyLabelClassifier, state: State) -> None:
    """Give a new model what `state_of` found."""
    model.classes_, model.source_ = np.array(state.get("classes", list)), state.get("source", dict)
    model.projection_ = None
    if state.meta.get("projection") is not None:
        kept = state.get("projection", dict)
        model.projection_ = Projection(np.array(kept["genes"], str), kept["total"], state.of("projection")["axes"])
    scales = dict(state.get("encoder", dict))
    model.encoder_ = ENCODERS[scales.pop("kind")]()
    model.encoder_.restore(scales, state.of("encoder"))
    model.temperature_ = state.get("temperature", float)
    restore_columns(model, state)
    noise = state.meta["transition"]
    model.transition_ = (
        None if noise is None else TransitionMatrix(**state.get("transition", dict), classes=model.classes_.tolist())
    )
    make_network = model._network_maker()
    method = make_method(model.method, model.method_options)
    for name in ("network", "second"):
        if weights := tensors_of(state.of(name)):
            network: nn.Module = make_network()
            network.load_state_dict(weights)
            setattr(method, name, network)
    model._settle(method.eval())
    sets = state.of("calibration")
    model.calibration_ = ConformalSets(**sets) if sets else None
    items = state.of("items")
    model.error_probability_, model.history_index_ = items["error_probability"], items["history_index"]
