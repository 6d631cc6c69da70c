"""The encoders that the shared tests run over: every family, with what it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tiny_models


class Row(NamedTuple):
    """An encoder of a family, and what its features are like."""

    family: str
    takes: str
    width: int
    make: Callable[..., Path] | None = None
    suffix: str = ""


ROWS = {
    "st": Row("st", "text", 16, tiny_models.sentences),
    "st, CLIP, text": Row("st", "text", 12, tiny_models.clip),
    "st, CLIP, pictures": Row("st", "images", 12, tiny_models.clip),
    "hf, text": Row("hf", "text", 16, tiny_models.bert),
    "hf, first token": Row("hf", "text", 16, tiny_models.bert, "@cls"),
    "hf, pictures": Row("hf", "images", 16, tiny_models.vit),
    "hf, CLIP, text": Row("hf", "text", 12, tiny_models.clip),
    "hf, CLIP, pictures": Row("hf", "images", 12, tiny_models.clip),
    "onnx, text": Row("onnx", "text", 16, tiny_models.onnx_text),
    "onnx, pictures": Row("onnx", "images", 16, tiny_models.onnx_pictures),
    "minilm": Row("minilm", "text", 3 * 384),
    "efficientnet-lite2": Row("efficientnet-lite2", "images", 1280),
}
NAMED = {name: row for name, row in ROWS.items() if row.make is not None}
