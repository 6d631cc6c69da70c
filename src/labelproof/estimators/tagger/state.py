"""A fitted `NoisyTagClassifier` as JSON and arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from labelproof.data.encoding import ENCODERS
from labelproof.estimators.tagger.network import TagNetwork, backbone_of
from labelproof.estimators.tagger.noise_network import NoiseNetwork
from labelproof.estimators.tagger.stages import Stages
from labelproof.saving.saveable import columns_of, plain_params, restore_columns
from labelproof.saving.state import State
from labelproof.training.checkpoint import arrays_of, tensors_of
from labelproof.training.trainable import TrainingData

if TYPE_CHECKING:
    from labelproof.estimators.tagger import NoisyTagClassifier

ITEMS = ("error_probability_", "missing_", "incorrect_", "_varying", "_always")  # results for the training items


def state_of(model: NoisyTagClassifier) -> State:
    """All of it; of the user's own network only the weights."""
    scales, arrays = model.encoder_.state()
    own_network = not isinstance(model.backbone, str)
    meta = {
        "params": plain_params(model, weights=None, **({"backbone": None} if own_network else {})),
        "classes": model.classes_.tolist(),
        "constant": model.constant_,
        "encoder": {"kind": model.encoder_.kind, **scales},
        **columns_of(model),
    }
    found = {f"items/{name}": getattr(model, name) for name in ITEMS}
    found |= {f"encoder/{name}": np.asarray(array) for name, array in arrays.items()}
    found |= arrays_of(model.module_.network, "network")
    found |= {} if model.module_.noise is None else arrays_of(model.module_.noise, "noise")
    return State(model.kind, meta, found)


def restore(model: NoisyTagClassifier, state: State) -> None:
    """Give a new model what `state_of` found."""
    model.classes_, model.constant_ = np.array(state.get("classes", list)), state.get("constant", list)
    for name in ITEMS:
        setattr(model, name, state.of("items")[name])
    restore_columns(model, state)
    model.out_of_sample_ = None  # of the training items, which a saved model does not know
    scales = dict(state.get("encoder", dict))
    model.encoder_ = ENCODERS[scales.pop("kind")]()
    model.encoder_.restore(scales, state.of("encoder"))
    tags, noise, weights = len(model.classes_), None, tensors_of(state.of("noise"))
    backbone = backbone_of(model.backbone, model.weights, model.encoder_, tags)
    network = TagNetwork(backbone, len(model.encoder_.shape), model.pooling)
    network.load_state_dict(tensors_of(state.of("network")))
    if weights:
        dependent = "weight" in weights
        noise = NoiseNetwork(
            weights["weight"].shape[-1] if dependent else 1, tags, feature_dependent=dependent,
            evidence=weights["centre"].shape[0] if "centre" in weights else 0,
        )  # fmt: skip
        noise.load_state_dict(weights)
    model.module_ = Stages(network, noise, TrainingData(torch.zeros(0), torch.zeros(0)), list(model.stages)).eval()
    del model.module_.data
