"""A fitted `MislabeledVAE` as JSON and arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labelproof.estimators.mislabeled_vae.assumed_noise import noise_of
from labelproof.estimators.mislabeled_vae.cells import Cells
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.saving.saveable import columns_of, plain_params, restore_columns
from labelproof.saving.state import State
from labelproof.training.checkpoint import arrays_of, tensors_of

if TYPE_CHECKING:
    from labelproof.estimators.mislabeled_vae import MislabeledVAE

ITEMS = ("mean_", "spread_", "error_probability_", "posterior_")  # arrays other than the networks


def state_of(model: MislabeledVAE) -> State:
    """All of it."""
    meta = {
        "params": plain_params(model),
        "classes": model.classes_.tolist(),
        "batches": model.batches_.tolist(),
        "likelihood": model.likelihood_,
        "log_library": list(model.log_library_),
        "elbo": model.elbo_,
        "label_weight": [model.label_weight_, model.optimism_],
        "cells": None if model.cells_ is None else model.cells_._asdict(),
        **columns_of(model),
    }
    arrays = {f"items/{name}": getattr(model, name) for name in ITEMS} | arrays_of(model.module_, "module")
    return State(model.kind, meta, arrays | arrays_of(model.pretrained_, "pretrained"))


def restore(model: MislabeledVAE, state: State) -> None:
    """Give a new model what `state_of` found."""
    model.classes_, model.batches_ = np.array(state.get("classes", list)), np.array(state.get("batches", list))
    model.likelihood_, model.elbo_ = state.get("likelihood", str), state.get("elbo", float)
    heard = state.get("label_weight", list) if "label_weight" in state.meta else [0.0, 0.0]  # version 0.1 has none
    model.label_weight_, model.optimism_ = heard
    model.log_library_ = tuple(state.get("log_library", list))
    model.cells_ = None if state.meta["cells"] is None else Cells(**state.get("cells", dict))
    for name in ITEMS:
        setattr(model, name, state.of("items")[name])
    restore_columns(model, state)
    weights = tensors_of(state.of("module"))
    module = MislabeledModule(model._shape(len(model.mean_)), weights["log_transition"], weights["prior"])
    module.load_state_dict(weights)
    model.module_, model.pretrained_ = module.eval(), tensors_of(state.of("pretrained"))
    model.transition_ = noise_of(model.module_, model.classes_)
