"""A fitted `NoisyTagClassifier` on disk: tensors and JSON."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from labelproof.data.encoding import ENCODERS, Encoder
from labelproof.errors import BadInput, CorruptArtifact
from labelproof.estimators.tagger.network import TagNetwork
from labelproof.estimators.tagger.noise_network import NoiseNetwork
from labelproof.estimators.tagger.stages import Stages
from labelproof.training.checkpoint import by_owner, load_model, save_model
from labelproof.training.trainable import TrainingData

ITEMS = ("error_probability_", "missing_", "incorrect_", "_varying", "_always")


def write_model(model: Any, folder: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write the files of `labelproof.NoisyTagClassifier.save`."""
    scales, arrays = model.encoder_.state()
    params = {**model.get_params(), "backbone": model.backbone if isinstance(model.backbone, str) else None, "weights": None}
    tensors = {f"items/{name}": torch.from_numpy(getattr(model, name)) for name in ITEMS}
    tensors |= {f"encoder/{name}": torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
    for owner, part in (("network", model.module_.network), ("noise", model.module_.noise)):
        if part is not None:
            tensors |= {f"{owner}/{name}": tensor for name, tensor in part.state_dict().items()}
    meta = {
        "params": params,
        "classes": model.classes_.tolist(),
        "constant": model.constant_,
        "encoder": {"kind": model.encoder_.kind, **scales},
    }
    save_model(folder, "noisy-tag-classifier", tensors, meta, overwrite=overwrite)


def read_model(cls: Any, folder: str | os.PathLike[str], backbone: Any) -> Any:
    """Read what `write_model` wrote."""
    tensors, meta = load_model(folder, "noisy-tag-classifier")
    parts = by_owner(tensors, "items", "encoder", "network", "noise")
    try:
        params = meta["params"]
        if params["backbone"] is None and backbone is None:
            raise BadInput("this model was trained with a network of its own kind. Pass backbone= to load it.")
        model = cls(**{**params, "stages": tuple(params["stages"]), "backbone": params["backbone"] or backbone})
        model.classes_, model.constant_ = np.array(meta["classes"]), meta["constant"]
        for name in ITEMS:
            setattr(model, name, parts["items"][name].numpy())
        scales = dict(meta["encoder"])
        encoder: Encoder = ENCODERS[scales.pop("kind")]()
        encoder.restore(scales, {name: tensor.numpy() for name, tensor in parts["encoder"].items()})
        model.encoder_ = encoder
        network = TagNetwork(model._backbone(len(model.classes_)), len(encoder.shape), model.pooling)
        network.load_state_dict(parts["network"])
        noise, weight = None, parts["noise"].get("weight")
        if parts["noise"]:
            noise = NoiseNetwork(
                1 if weight is None else weight.shape[-1], len(model.classes_), feature_dependent=weight is not None
            )
            noise.load_state_dict(parts["noise"])
        nothing = TrainingData(torch.zeros(0), torch.zeros(0))
        model.module_ = Stages(network, noise, nothing, list(model.stages)).eval()
        del model.module_.data
    except (KeyError, TypeError, RuntimeError) as error:
        raise CorruptArtifact(f"{str(folder)!r} does not fit together ({error}). Train again.") from error
    return model
