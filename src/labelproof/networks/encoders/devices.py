"""The device of an encoder: a GPU with 16 bits if there is one, otherwise the CPU."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from labelproof.networks.encoders.base import Features

ON_GPU, ON_CPU = 256, 16  # items a batch


def device() -> torch.device:
    """The first GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision(where: torch.device, dtype: torch.dtype = torch.bfloat16) -> AbstractContextManager[Any]:
    """16 bits on a GPU, float32 elsewhere."""
    return torch.autocast("cuda", dtype) if where.type == "cuda" else nullcontext()


def as_features(encoded: Tensor) -> Features:
    """Float32 in the processor's memory."""
    return encoded.float().cpu().numpy()
