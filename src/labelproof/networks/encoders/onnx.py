"""``onnx:FOLDER``: a network as ONNX, with a tokenizer for text or a size for pictures; it needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.weights import check_place, checksum_of_folder, load
from labelproof.saving.files import existing

TOKENIZER, PICTURES = "tokenizer.json", "preprocessor_config.json"
MOST_TOKENS = 256  # if the tokenizer sets no limit
OUTPUTS = ("sentence_embedding", "image_embeds", "pooler_output")  # the first that exists; otherwise the first output


class OnnxEncoder(Encoder):
    """A network in ONNX: ``model.onnx`` with a ``tokenizer.json``, or with pictures as its input.

    Parameters
    ----------
    place : str
        A folder with one ``.onnx`` file. For text it holds ``tokenizer.json``. For pictures, whose size is that of the
        network's input, ``preprocessor_config.json`` may give ``image_mean`` and ``image_std`` (of channels from 0 to 1;
        default: 0 and 1) and, if the input's size is not fixed, ``size``.
    takes : {"text", "images"}
    """

    def __init__(self, place: str, takes: str) -> None:
        import onnxruntime as runtime

        what = f"encoder onnx:{place}"
        check_place(place, what)
        folder = existing(place, "encoder's folder")
        file = _only_model(folder, what)
        self.session = load(what, lambda: runtime.InferenceSession(file, providers=runtime.get_available_providers()))
        self.inputs = {part.name: part for part in self.session.get_inputs()}
        names = [part.name for part in self.session.get_outputs()]
        self.output = next((name for name in OUTPUTS if name in names), names[0])
        self.takes, self.name, self.revision = takes, f"onnx:{place}", checksum_of_folder(folder)
        if takes == "text":
            if not (folder / TOKENIZER).exists():
                raise BadInput(f"{what} has no {TOKENIZER}, which text needs. Put it next to the .onnx file.")
            from tokenizers import Tokenizer

            self.tokenizer = load(what, lambda: Tokenizer.from_file(str(folder / TOKENIZER)))
            if self.tokenizer.truncation is None:
                self.tokenizer.enable_truncation(MOST_TOKENS)
            self.tokenizer.enable_padding(**(self.tokenizer.padding or {}) | {"length": None})
        else:
            told = folder / PICTURES
            how = load(what, lambda: json.loads(told.read_text(encoding="utf-8"))) if told.exists() else {}
            self.mean = np.array(how.get("image_mean", [0.0] * 3), np.float32)[:, None, None]
            self.deviation = np.array(how.get("image_std", [1.0] * 3), np.float32)[:, None, None]
            self.size = self._size(how, what)

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        return cls(place, takes)

    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        if self.takes == "images":
            pictures = np.asarray(raw).transpose(0, 3, 1, 2).astype(np.float32) / 255  # (n, 3, size, size)
            return {next(iter(self.inputs)): (pictures - self.mean) / self.deviation}
        found = self.tokenizer.encode_batch([str(text) for text in raw])
        parts = {
            "input_ids": [text.ids for text in found],
            "attention_mask": [text.attention_mask for text in found],
            "token_type_ids": [text.type_ids for text in found],
        }
        return {name: np.array(values, np.int64) for name, values in parts.items()}

    def encode(self, batch: Any) -> Features:
        fed = {name: part for name, part in batch.items() if name in self.inputs}
        (hidden,) = self.session.run([self.output], fed)
        if hidden.ndim == 4:  # (n, d, h, w)
            hidden = hidden.mean(axis=(2, 3))
        elif hidden.ndim == 3:  # (n, tokens, d)
            weights = batch.get("attention_mask", np.ones(hidden.shape[:2]))[..., None]
            hidden = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
        return np.asarray(hidden, np.float32)

    def _size(self, how: dict[str, Any], what: str) -> int:
        shape = next(iter(self.inputs.values())).shape
        if len(shape) != 4 or shape[1] != 3:
            raise BadInput(f"{what} takes an input of shape {shape}. For pictures it must be (n, 3, height, width).")
        if isinstance(shape[2], int):
            return int(shape[2])
        size = how.get("size", 224)
        return int(size if isinstance(size, int) else max(value for value in size.values() if isinstance(value, int)))


def _only_model(folder: Path, what: str) -> str:
    files = sorted(folder.rglob("*.onnx"))
    chosen = [file for file in files if file.name == "model.onnx"] or files
    if len(chosen) != 1:
        raise BadInput(f"{what} needs a folder with one .onnx file, or one named model.onnx; it has {len(files)}.")
    return str(chosen[0])
