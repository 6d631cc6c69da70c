"""Tensors and JSON in one safetensors file with a checksum: written whole or not at all, read whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from labelproof.errors import BadInput, CorruptArtifact
from labelproof.saving.files import atomic_write
from labelproof.saving.folders import SUMMARY, atomic_folder

FORMAT = "labelproof 1"
WEIGHTS = "weights.safetensors"  # in the folder of a model


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors by name, and anything that JSON holds, under a temporary name and then in place."""
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {"format": FORMAT, "meta": json.dumps(meta), "sha256": _digest(whole, json.dumps(meta))}
    atomic_write(path, save(whole, metadata=header))


def load_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises
    ------
    CorruptArtifact
        If the file is truncated, altered, or another kind of file: nothing of it is used then.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        if header.get("format") != FORMAT:
            raise CorruptArtifact(f"{str(path)!r} was not written by this version of labelproof ({header.get('format')!r}).")
        if header["sha256"] != _digest(tensors, header["meta"]):
            raise CorruptArtifact(f"{str(path)!r} is damaged: its checksum differs. Delete it and run again.")
        meta: dict[str, Any] = json.loads(header["meta"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CorruptArtifact(f"{str(path)!r} is no whole checkpoint ({error}). Delete it and run again.") from error
    return tensors, meta


def save_model(
    folder: str | os.PathLike[str], kind: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write a model into a folder of its own, whole or not at all.

    Raises
    ------
    BadInput
        If the folder exists and ``overwrite`` is false.
    """
    with atomic_folder(folder, overwrite=overwrite) as partial:
        save_tensors(partial / WEIGHTS, tensors, meta)
        (partial / SUMMARY).write_text(json.dumps({"kind": kind}) + "\n", encoding="utf-8")


def load_model(folder: str | os.PathLike[str], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_model` wrote, as `model_summary` and `load_tensors` do."""
    model_summary(folder, kind)
    return load_tensors(Path(folder) / WEIGHTS)


def model_summary(folder: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """What ``summary.json`` of a model's folder holds.

    Raises
    ------
    BadInput
        If it is the folder of something else.
    CorruptArtifact
        If it is missing or damaged.
    """
    try:
        summary: dict[str, Any] = json.loads((Path(folder) / SUMMARY).read_text(encoding="utf-8"))
        found = summary.get("kind", "folder without a model")
    except (OSError, ValueError, AttributeError) as error:
        raise CorruptArtifact(f"{str(folder)!r} is no whole model ({error}). Train again.") from error
    if found != kind:
        raise BadInput(f"{str(folder)!r} is a {found}, not a {kind}. Name the folder of the model that is wanted.")
    return summary


def by_owner(tensors: Mapping[str, Tensor], *owners: str) -> dict[str, dict[str, Tensor]]:
    """Tensors named ``owner/name`` by owner, then by name; the owners asked for are there even where they have none."""
    parts: dict[str, dict[str, Tensor]] = {owner: {} for owner in owners}
    for name, tensor in tensors.items():
        owner, _, rest = name.partition("/")
        if rest:
            parts.setdefault(owner, {})[rest] = tensor
    return parts


def flat_optimizer(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's ``state_dict`` as named tensors and JSON."""
    tensors, scalars = {}, {}
    for number, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{number}.{name}"] = value
            else:
                scalars[f"{number}.{name}"] = value
    return tensors, {"scalars": scalars, "param_groups": state["param_groups"]}


def nested_optimizer(tensors: Mapping[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
    """What `flat_optimizer` flattened."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *meta["scalars"].items()]:
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    return {"state": state, "param_groups": meta["param_groups"]}


def fingerprint(parts: Mapping[str, Tensor | None], rows: int = 1000) -> str:
    """A digest of tensors by shape, dtype and up to a thousand evenly spaced rows: two data sets are hardly ever alike."""
    found = hashlib.sha256()
    for name, tensor in sorted(parts.items()):
        if tensor is not None:
            some = tensor[:: max(1, len(tensor) // rows)].detach().cpu().contiguous()
            found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            found.update(_bytes(some))
    return found.hexdigest()


def _digest(tensors: Mapping[str, Tensor], meta: str) -> str:
    found = hashlib.sha256(meta.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.reshape(-1).view(torch.uint8).numpy()) if tensor.numel() else b""
