"""Pretrained encoders of text and pictures: one file each, one line in `ENCODERS`, a row in the tests."""

from __future__ import annotations

from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.labels.registry import Registry
from labelproof.networks.encoders.base import Encoder as Encoder

ENCODERS: Registry[type[Encoder]] = Registry(
    "encoder",
    {
        "st": "labelproof.networks.encoders.sentence_transformer:SentenceTransformerEncoder",
        "hf": "labelproof.networks.encoders.hugging_face:HuggingFaceEncoder",
        "onnx": "labelproof.networks.encoders.onnx:OnnxEncoder",
        "minilm": "labelproof.networks.encoders.minilm:MiniLMEncoder",
        "efficientnet-lite2": "labelproof.networks.encoders.efficientnet_lite2:EfficientNetLite2Encoder",
    },
)


def open_encoder(name: str, takes: str) -> Encoder:
    """An encoder by name, with its weights.

    Parameters
    ----------
    name : str
        ``st:NAME``, ``hf:NAME`` or ``onnx:FOLDER``, where a NAME is a folder or a model of the hub, which is then downloaded;
        or ``minilm`` or ``efficientnet-lite2``, whose weights are in the extra ``offline``.
    takes : {"text", "images"}
        What there is to encode.

    Raises
    ------
    BadInput
        If there is no such encoder, or it does not take such items.
    MissingDependency
        If a package is missing, with the command that installs it.
    """
    family, colon, place = name.partition(":")
    extra = "onnx" if family == "onnx" else {"text": "text", "images": "vision"}[takes]
    with needed_by(f"encoder {name}", extra=extra):
        if family not in ENCODERS or bool(colon) != ENCODERS[family].named:
            raise BadInput(
                f"encoder is {name!r}. Give auto, none, st:NAME (sentence-transformers), hf:NAME (transformers), onnx:FOLDER, "
                "minilm or efficientnet-lite2."
            )
        if colon and not place:
            raise BadInput(f"encoder is {name!r}. Name a folder or a model after the colon, e.g. {name}folder/.")
        return ENCODERS[family].opened(place, takes)
