"""``hf:NAME``: models of transformers, for text and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.errors import BadInput
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.devices import ON_CPU, ON_GPU, as_features, device, precision
from labelproof.networks.encoders.weights import check_place, load, revision_of

POOLINGS = ("mean", "cls")
MOST_TOKENS = 512  # if neither model nor tokenizer has a limit


class HuggingFaceEncoder(Encoder):
    """A model of transformers: the mean of the last hidden states, or the first one.

    Parameters
    ----------
    place : str
        A folder, or a model of the hub; ``NAME@cls`` or ``NAME@mean`` selects the pooling of tokens.
    takes : {"text", "images"}
    pooling : {"mean", "cls"}, optional
        By default mean for text; for pictures the model's own pooling, or the first token if it has none.
    """

    def __init__(self, place: str, takes: str, pooling: str | None = None) -> None:
        library: Any = import_module("transformers")
        name, what = place, f"encoder hf:{place}"
        if pooling is None and "@" in place:
            place, _, pooling = place.rpartition("@")
        if pooling not in (None, *POOLINGS):
            raise BadInput(f"The pooling of {what} is {pooling!r}. Give mean or cls.")
        check_place(place, what)
        self.device = device()
        self.takes, self.name = takes, f"hf:{name}"
        self.pooling = pooling or ("mean" if takes == "text" else None)
        self.model = load(
            what, lambda: library.AutoModel.from_pretrained(place, use_safetensors=True, trust_remote_code=False)
        ).to(self.device).eval()  # fmt: skip
        self.batch_size = ON_GPU if self.device.type == "cuda" else ON_CPU
        self.revision = revision_of(place, lambda: getattr(self.model.config, "_commit_hash", None)) + (self.pooling or "")
        if takes == "text":
            self.tokenizer = load(what, lambda: library.AutoTokenizer.from_pretrained(place, trust_remote_code=False))
            positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", MOST_TOKENS) or MOST_TOKENS
            self.most = min(self.tokenizer.model_max_length, positions)
            if self.tokenizer.pad_token is None:
                self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        else:
            self.processor = load(
                what, lambda: library.AutoImageProcessor.from_pretrained(place, backend="pil", trust_remote_code=False)
            )
            sides = [value for value in dict(self.processor.size).values() if isinstance(value, int)]
            self.size = max(sides, default=224)

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        return cls(place, takes)

    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        if self.takes == "text":
            texts = [str(text) for text in raw]
            return self.tokenizer(texts, padding=True, truncation=True, max_length=self.most, return_tensors="pt")
        return self.processor(images=list(raw), return_tensors="pt")

    def encode(self, batch: Any) -> Features:
        moved = {name: part.to(self.device) for name, part in batch.items()}
        with torch.inference_mode(), precision(self.device):
            tower = getattr(self.model, {"text": "get_text_features", "images": "get_image_features"}[self.takes], None)
            if tower is not None:  # CLIP and its like
                found = tower(**moved)
                return as_features(found if isinstance(found, Tensor) else found.pooler_output)
            found = self.model(**moved)
            return as_features(self._pooled(found, moved.get("attention_mask")))

    def _pooled(self, found: Any, mask: Tensor | None) -> Tensor:
        hidden: Tensor = found.last_hidden_state  # (n, tokens, d), of some networks of pictures (n, d, h, w)
        pooler = getattr(found, "pooler_output", None)
        if self.pooling is None and pooler is not None:
            return pooler.flatten(1)  # type: ignore[no-any-return]
        if hidden.ndim == 4:
            return hidden.mean(dim=(2, 3))
        if self.pooling != "mean":
            return hidden[:, 0]
        if mask is None:
            return hidden.mean(dim=1)
        weights = mask[..., None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
