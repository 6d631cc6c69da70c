"""Tensors of torch as arrays, which files hold, and back: of modules and of optimizers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from labelproof.validation import AnyArray


def arrays_of(tensors: Mapping[str, Tensor] | nn.Module, owner: str = "") -> dict[str, AnyArray]:
    """Tensors, or the weights of a module, as arrays named ``owner/name``."""
    named = tensors.state_dict() if isinstance(tensors, nn.Module) else tensors
    return {f"{owner}/{name}" if owner else name: _array(tensor) for name, tensor in named.items()}


def tensors_of(arrays: Mapping[str, AnyArray]) -> dict[str, Tensor]:
    """Arrays as tensors, by the same names."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def flat_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The state of an optimizer as named tensors and JSON."""
    state = optimizer.state_dict()
    tensors, scalars = {}, {}
    for number, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{number}.{name}"] = value
            else:
                scalars[f"{number}.{name}"] = value
    return tensors, {"scalars": scalars, "param_groups": state["param_groups"]}


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], meta: Mapping[str, object]) -> None:
    """Give an optimizer the state that `flat_optimizer` found."""
    state: dict[int, dict[str, object]] = {}
    scalars = meta["scalars"]
    assert isinstance(scalars, dict)
    for key, value in [*tensors.items(), *scalars.items()]:
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": meta["param_groups"]})


def fingerprint(parts: Mapping[str, Tensor | None], rows: int = 1000) -> str:
    """A digest of tensors by shape, dtype and up to a thousand evenly spaced rows: different data sets hardly ever share it."""
    found = hashlib.sha256()
    for name, tensor in sorted(parts.items()):
        if tensor is not None:
            some = tensor[:: max(1, len(tensor) // rows)].detach().cpu().contiguous()
            found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            found.update(some.reshape(-1).view(torch.uint8).numpy().data if some.numel() else b"")
    return found.hexdigest()


def _array(tensor: Tensor) -> AnyArray:
    held = tensor.detach().cpu()
    # numpy has no bfloat16; float32 holds it exactly
    return (held.float() if held.dtype == torch.bfloat16 else held).numpy().copy()
