"""A trained model as a folder: ``summary.json``, ``weights.safetensors`` and ``history/``. No pickle anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelproof.data.projection import Projection
from labelproof.noise.transition import TransitionMatrix
from labelproof.saving.folders import SUMMARY
from labelproof.saving.version import VERSION
from labelproof.training.checkpoint import WEIGHTS, by_owner, load_tensors, model_summary, save_tensors

HISTORY_FOLDER = "history"
Parts = dict[str, dict[str, Tensor]]


def write_model(model: Any, folder: Path) -> None:
    """Write a fitted `labelproof.NoisyLabelClassifier` into a folder that exists."""
    scales, arrays = model.encoder_.state()
    params = {name: plain(value) for name, value in model.get_params().items() if name not in ("backbone", "augment")}
    params["backbone"] = model.backbone if isinstance(model.backbone, str) else None
    params["augment"] = None if callable(model.augment) else model.augment
    noise = model.transition_
    summary = {
        "labelproof": VERSION,
        "kind": "classifier",
        "params": params,
        "classes": model.classes_.tolist(),
        "source": model.source_,
        "encoder": {"kind": model.encoder_.kind, **scales},
        "temperature": model.temperature_,
        "n_features_in": model.n_features_in_,
        "feature_names_in": getattr(model, "feature_names_in_", np.array([])).tolist(),
        "transition": None if noise is None else {"matrix": noise.matrix.tolist(), "prior": noise.prior.tolist()},
    }
    weights = {f"network/{name}": tensor for name, tensor in model.module_.network.state_dict().items()}
    second = getattr(model.module_, "second", None)
    if second is not None:
        weights |= {f"second/{name}": tensor for name, tensor in second.state_dict().items()}
    weights |= {f"encoder/{name}": torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
    if model.projection_ is not None:
        summary["projection"] = {"genes": model.projection_.genes.tolist(), "total": model.projection_.total}
        weights["projection/axes"] = torch.from_numpy(model.projection_.axes)
    weights["items/error_probability"] = torch.from_numpy(model.error_probability_)
    weights["items/history_index"] = torch.from_numpy(model.history_index_)
    save_tensors(folder / WEIGHTS, weights, {})
    model.history_.save(folder / HISTORY_FOLDER)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")


def read_model(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], Parts]:
    """The summary and the tensors by owner: ``network``, ``second``, ``encoder``, ``items`` and ``projection``.

    Raises
    ------
    BadInput
        If the folder holds something else.
    CorruptArtifact
        If a file is missing or damaged.
    """
    summary = model_summary(folder, "classifier")
    tensors, _ = load_tensors(Path(folder) / WEIGHTS)
    return summary, by_owner(tensors, "network", "second", "encoder", "items", "projection")


def projection_of(summary: dict[str, Any], parts: Parts) -> Projection | None:
    """How cells become features, where the model was trained on cells."""
    kept = summary.get("projection")
    if kept is None:
        return None
    return Projection(np.array(kept["genes"], dtype=str), kept["total"], parts["projection"]["axes"].numpy())


def plain(value: Any) -> Any:
    """A parameter as JSON holds it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, TransitionMatrix):
        return value.matrix.tolist()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value
