"""``st:NAME``: models of sentence-transformers, for text, and CLIP models for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from labelproof.errors import BadInput
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.devices import ON_CPU, ON_GPU, as_features, device, precision
from labelproof.networks.encoders.weights import check_place, load, revision_of

PICTURE_PIXELS = 256  # that a processor of the model's own scales further


class SentenceTransformerEncoder(Encoder):
    """A model of sentence-transformers.

    Parameters
    ----------
    place : str
        A folder, or a model of the hub.
    takes : {"text", "images"}
    """

    def __init__(self, place: str, takes: str) -> None:
        import sentence_transformers

        self.device = device()
        what = f"encoder st:{place}"
        check_place(place, what)
        _refuse_pickle(place, what)
        self.model = load(what, lambda: sentence_transformers.SentenceTransformer(place, device=str(self.device), trust_remote_code=False,
                                                                    model_kwargs={"use_safetensors": True}))  # fmt: skip
        modalities = self.model.modalities
        if {"text": "text", "images": "image"}[takes] not in modalities:
            raise BadInput(f"{what} takes {' and '.join(map(str, modalities))}, not {takes}. Name another model.")
        self.takes, self.name = takes, f"st:{place}"
        self.size = PICTURE_PIXELS if takes == "images" else 0
        self.batch_size = ON_GPU if self.device.type == "cuda" else ON_CPU
        self.revision = revision_of(place, self._commit)

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        return cls(place, takes)

    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        from PIL import Image

        items = (
            [str(text) for text in raw] if self.takes == "text" else [Image.fromarray(picture) for picture in np.asarray(raw)]
        )
        return self.model.preprocess(items)

    def encode(self, batch: Any) -> Features:
        moved = {name: part.to(self.device) if hasattr(part, "to") else part for name, part in batch.items()}
        with torch.inference_mode(), precision(self.device):
            return as_features(self.model(moved)["sentence_embedding"])

    def _commit(self) -> object:
        return getattr(self.model.model_card_data, "base_model_revision", None)


def _refuse_pickle(place: str, what: str) -> None:
    """Parts of a saved model whose weights are neither safetensors nor ONNX."""
    for pickled in Path(place).rglob("pytorch_model.bin") if Path(place).is_dir() else ():
        if not pickled.with_name("model.safetensors").exists():
            raise BadInput(f"{what} holds {str(pickled)!r}, a pickle, which is not read. Save the model as safetensors.")
