"""All items of a data set as features: cached, a batch at a time, the next batches prepared meanwhile."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from labelproof.allocation import memory_held
from labelproof.data.picture_source import PictureSource
from labelproof.errors import BadInput
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.cache import KEY_BYTES, FeatureCache, Keys, key
from labelproof.networks.encoders.weights import UNKNOWN
from labelproof.progress import track
from labelproof.validation import IntArray

WORKERS = 2  # threads that read and prepare
AHEAD = 4  # batches prepared and not yet encoded
BLOCK_SECONDS, BLOCK_ITEMS = 60.0, 8192  # after which what was encoded is kept


def encode_texts(encoder: Encoder, texts: Sequence[str], *, cache: bool = True) -> Features:
    """Features of texts, shape (n, d).

    Texts of like length are encoded together, so that little is spent on padding.
    """
    lengths = np.array([len(text) for text in texts])
    keys = [key(str(text).encode("utf-8", "surrogatepass")) for text in texts]
    return _encode(encoder, keys, np.argsort(-lengths, kind="stable"), lambda rows: [str(texts[i]) for i in rows], cache)


def encode_pictures(encoder: Encoder, pictures: PictureSource, *, cache: bool = True) -> Features:
    """Features of pictures, shape (n, d), decoded at the encoder's size a batch at a time.

    Parameters
    ----------
    encoder : Encoder
    pictures : PictureSource
    cache : bool, default=True
        Whether features are kept for the next time.
    """
    keys = [key(pictures.content(i)) for i in range(len(pictures))]
    return _encode(encoder, keys, np.arange(len(keys)), lambda rows: pictures.decoded(rows, encoder.size), cache)


def _encode(
    encoder: Encoder, names: Sequence[bytes], order: IntArray, take: Callable[[IntArray], Any], cache: bool
) -> Features:
    keys: Keys = np.frombuffer(b"".join(names), dtype=f"S{KEY_BYTES}")
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    original: IntArray = first[same.ravel()]  # the first row with the same content: what is there twice is encoded once
    wanted = original == np.arange(len(keys))
    store = FeatureCache(encoder.name, encoder.revision) if cache and encoder.revision != UNKNOWN else None
    whole: Features = np.empty((0, 0), np.float32)
    known = () if store is None else store.find(keys, np.flatnonzero(wanted))
    for rows, features in known:
        whole = whole if len(whole) else np.empty((len(keys), features.shape[1]), np.float32)
        whole[rows], wanted[rows] = features, False
    block: list[IntArray] = []
    since = time.monotonic()
    if wanted.any():
        encoder.load()
    try:
        for some, features in _batches(encoder, np.asarray(order)[wanted[order]], take):
            _check_finite(encoder, some, features)
            whole = whole if len(whole) else np.empty((len(keys), features.shape[1]), np.float32)
            whole[some] = features
            block.append(some)
            if time.monotonic() - since > BLOCK_SECONDS or sum(map(len, block)) >= BLOCK_ITEMS:
                done, block, since = block, [], time.monotonic()
                _keep(store, keys, whole, done)
    finally:  # what is there is kept too when a person stops it
        _keep(store, keys, whole, block)
    again = np.flatnonzero(original != np.arange(len(keys)))
    whole[again] = whole[original[again]]
    return whole


def _check_finite(encoder: Encoder, rows: IntArray, features: Features) -> None:
    odd = rows[~np.isfinite(features).all(axis=1)]
    if len(odd):
        raise BadInput(
            f"encoder {encoder.name} gives no finite features for row {odd.min()}. Use another encoder, or --encoder none."
        )


def _keep(store: FeatureCache | None, keys: Keys, features: Features, block: list[IntArray]) -> None:
    if store is not None and block:
        rows = np.concatenate(block)
        store.add(keys[rows], features[rows])


def _batches(encoder: Encoder, rows: IntArray, take: Callable[[IntArray], Any]) -> Iterator[tuple[IntArray, Features]]:
    """Batches of rows with their features, while the next ones are read and prepared."""
    batches = [rows[i : i + encoder.batch_size] for i in range(0, len(rows), encoder.batch_size)]
    waiting: deque[tuple[IntArray, Any]] = deque()
    with memory_held(), ThreadPoolExecutor(WORKERS) as pool:
        ahead = iter(batches)

        def fill() -> None:
            for some in ahead:
                waiting.append((some, pool.submit(lambda part: encoder.prepare(take(part)), some)))
                if len(waiting) >= AHEAD:
                    return

        fill()
        for _ in track(range(len(batches)), f"encoding {len(rows):,} items with {encoder.name}"):
            some, prepared = waiting.popleft()
            features = encoder.encode(prepared.result())
            fill()
            yield some, np.asarray(features, np.float32)
