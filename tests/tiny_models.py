"""Tiny pretrained models with random weights, saved as their libraries save them: no network is asked for any."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WORDS = [
    "good",
    "bad",
    "great",
    "poor",
    "dull",
    "bright",
    "a",
    "the",
    "and",
    "of",
    "in",
    "film",
    "plot",
    "actor",
    "sea",
    "wood",
]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS), *"0123456789.,!?"]
SIDE = 32  # pixels of a picture


def tokenizer(length: int | None = None):
    """A WordPiece tokenizer, as the package `tokenizers` has it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(dict.fromkeys(VOCABULARY))}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    if length is not None:
        made.enable_truncation(length)
    return made


def bert(folder: Path, seed: int = 0) -> Path:
    """BERT of two layers, for text."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=40, **sizes)).save_pretrained(folder)
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer(), model_max_length=40, **special).save_pretrained(folder)
    return folder


def sentences(folder: Path, seed: int = 0) -> Path:
    """The same BERT as sentence-transformers save it, with a module that takes the mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    parts = Transformer(str(bert(folder.with_name(f"{folder.name}-bert"), seed)))
    SentenceTransformer(modules=[parts, Pooling(16)], device="cpu").save(str(folder))
    return folder


def vit(folder: Path, seed: int = 0) -> Path:
    """A vision transformer of two layers, for pictures of 32 x 32."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ViTModel(ViTConfig(image_size=SIDE, patch_size=8, **sizes)).save_pretrained(folder)
    _processor(folder, "ViTImageProcessor", {"height": SIDE, "width": SIDE})
    return folder


def clip(folder: Path, seed: int = 0) -> Path:
    """CLIP: a tower for text, one for pictures."""
    import torch
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    text = {**sizes, **ends, "vocab_size": len(VOCABULARY), "max_position_embeddings": 40}
    made = CLIPConfig(text_config=text, vision_config={**sizes, "image_size": SIDE, "patch_size": 8}, projection_dim=12)
    CLIPModel(made).save_pretrained(folder)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer(), model_max_length=40, **special).save_pretrained(folder)
    _processor(folder, "CLIPImageProcessor", {"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return folder


def _processor(folder: Path, kind: str, size: dict[str, int], **more: object) -> None:
    how = {"image_processor_type": kind, "do_resize": True, "size": size, "do_normalize": True, "do_rescale": True}
    how |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255, "resample": 3, **more}
    (folder / "preprocessor_config.json").write_text(json.dumps(how))


def onnx_text(folder: Path, seed: int = 0) -> Path:
    """Embeddings of tokens as an ONNX graph."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(len(VOCABULARY), 16)).astype(np.float32)
    names = ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"]) for name in names]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "tokens", 16])
    node = helper.make_node("Gather", ["weights", "input_ids"], ["last_hidden_state"], axis=0)
    _save_onnx(folder, helper.make_graph([node], "text", inputs, [output], [numpy_helper.from_array(weights, "weights")]))
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def onnx_pictures(folder: Path, seed: int = 0) -> Path:
    """One convolution as an ONNX graph, for pictures of 32 x 32."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(16, 3, 8, 8)).astype(np.float32)
    inputs = [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])]
    output = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 16, 4, 4])
    nodes = [
        helper.make_node("Conv", ["pixel_values", "weights"], ["filtered"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Relu", ["filtered"], ["features"]),
    ]
    _save_onnx(folder, helper.make_graph(nodes, "pictures", inputs, [output], [numpy_helper.from_array(weights, "weights")]))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    return folder


def _save_onnx(folder: Path, graph: object) -> None:
    import onnx
    from onnx import helper

    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx")
