"""A fitted `MislabeledVAE` on disk: tensors and JSON."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from labelproof.errors import CorruptArtifact
from labelproof.estimators.mislabeled_vae.cells import Cells
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.noise.transition import TransitionMatrix
from labelproof.training.checkpoint import by_owner, load_model, save_model

ITEMS = ("mean_", "spread_", "error_probability_", "posterior_")


def write_model(model: Any, folder: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write the files of `labelproof.MislabeledVAE.save`."""
    tensors = {f"items/{name}": torch.from_numpy(getattr(model, name)) for name in ITEMS}
    tensors |= {f"module/{name}": tensor for name, tensor in model.module_.state_dict().items()}
    save_model(folder, "mislabeled-vae", tensors, _meta(model), overwrite=overwrite)


def read_model(cls: Any, folder: str | os.PathLike[str]) -> Any:
    """Read what `write_model` wrote."""
    tensors, meta = load_model(folder, "mislabeled-vae")
    parts = by_owner(tensors, "items", "module")
    try:
        model = cls(**meta["params"])
        model.classes_, model.batches_ = np.array(meta["classes"]), np.array(meta["batches"])
        model.likelihood_, model.log_library_ = meta["likelihood"], tuple(meta["log_library"])
        model.elbo_, model.n_features_in_ = meta["elbo"], len(parts["items"]["mean_"])
        model.cells_ = None if meta["cells"] is None else Cells(**meta["cells"])
        for name in ITEMS:
            setattr(model, name, parts["items"][name].numpy())
        weights = parts["module"]
        module = MislabeledModule(model._shape(model.n_features_in_), weights["log_transition"], weights["prior"])
        module.load_state_dict(weights)
        model.module_ = module.eval()
        model.transition_ = model._as_trained()
    except (KeyError, TypeError, RuntimeError) as error:
        raise CorruptArtifact(f"{str(folder)!r} does not fit together ({error}). Train again.") from error
    return model


def _meta(model: Any) -> dict[str, Any]:
    params = model.get_params()
    if isinstance(params.get("transition"), TransitionMatrix):
        params["transition"] = params["transition"].matrix
    return {
        "params": {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in params.items()},
        "classes": model.classes_.tolist(),
        "batches": model.batches_.tolist(),
        "likelihood": model.likelihood_,
        "log_library": list(model.log_library_),
        "elbo": model.elbo_,
        "cells": None if model.cells_ is None else model.cells_._asdict(),
    }
