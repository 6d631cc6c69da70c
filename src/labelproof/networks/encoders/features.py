"""All items of a data set as features: cached, a batch at a time, the next batches prepared meanwhile."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from labelproof.allocation import memory_held
from labelproof.data.picture_source import PictureSource
from labelproof.errors import BadInput
from labelproof.networks.encoders import open_encoder
from labelproof.networks.encoders.base import Encoder, Features
from labelproof.networks.encoders.cache import KEY_BYTES, FeatureCache, Keys, key
from labelproof.networks.encoders.weights import UNKNOWN
from labelproof.progress import track
from labelproof.validation import IntArray

WORKERS = 2  # threads that read and prepare
AHEAD = 4  # batches prepared and not yet encoded
BLOCK_SECONDS, BLOCK_ITEMS = 60.0, 8192  # after which features are kept
SPREAD_ITEMS = 1024  # that another process encodes at a time
Batches = Iterator[tuple[IntArray, Features]]


class Spread(NamedTuple):
    """How other processes encode blocks of items.

    Attributes
    ----------
    map : callable
        Like the built-in ``map``, e.g. `labelproof.distributed.ray_map`.
    name, takes : str
        Options of `labelproof.networks.encoders.open_encoder`: each process opens its own encoder.
    """

    map: Callable[..., Iterable[Features]]
    name: str
    takes: str


def encode_texts(encoder: Encoder, texts: Sequence[str], *, cache: bool = True, spread: Spread | None = None) -> Features:
    """Features of texts, shape (n, d).

    Texts of like length are encoded together, so that little is spent on padding.

    Parameters
    ----------
    encoder : Encoder
    texts : sequence of n str
    cache : bool, default=True
        Whether features are kept for the next time.
    spread : Spread, optional
        The processes that encode. By default this one.
    """
    lengths = np.array([len(text) for text in texts])
    keys = [key(str(text).encode("utf-8", "surrogatepass")) for text in texts]
    order = np.argsort(-lengths, kind="stable")

    def batches(rows: IntArray) -> Batches:
        if spread is None:
            return _batches(encoder, rows, lambda some: [str(texts[i]) for i in some])
        return _spread(encoder, spread, rows, lambda some: [str(texts[i]) for i in some])

    return _encode(encoder, keys, order, batches, cache, load=spread is None)


def encode_pictures(encoder: Encoder, pictures: PictureSource, *, cache: bool = True, spread: Spread | None = None) -> Features:
    """Features of pictures, shape (n, d), decoded at the encoder's size a batch at a time.

    Parameters
    ----------
    encoder : Encoder
    pictures : PictureSource
    cache : bool, default=True
        Whether features are kept for the next time.
    spread : Spread, optional
        The processes that decode and encode. By default this one. They must be able to read the files.
    """
    keys = [key(pictures.content(i)) for i in range(len(pictures))]

    def batches(rows: IntArray) -> Batches:
        if spread is None:
            return _batches(encoder, rows, lambda some: pictures.decoded(some, encoder.size))
        return _spread(encoder, spread, rows, pictures.part)

    return _encode(encoder, keys, np.arange(len(keys)), batches, cache, load=spread is None)


def _encode(
    encoder: Encoder,
    names: Sequence[bytes],
    order: IntArray,
    batches: Callable[[IntArray], Batches],
    cache: bool,
    load: bool,
) -> Features:
    keys: Keys = np.frombuffer(b"".join(names), dtype=f"S{KEY_BYTES}")
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    original: IntArray = first[same.ravel()]  # the first row with the same content: duplicates are encoded once
    wanted = original == np.arange(len(keys))
    store = FeatureCache(encoder.name, encoder.revision) if cache and encoder.revision != UNKNOWN else None
    whole: Features = np.empty((0, 0), np.float32)
    known = () if store is None else store.find(keys, np.flatnonzero(wanted))
    for rows, features in known:
        whole = whole if len(whole) else np.empty((len(keys), features.shape[1]), np.float32)
        whole[rows], wanted[rows] = features, False
    block: list[IntArray] = []
    since = time.monotonic()
    if wanted.any() and load:
        encoder.load()
    try:
        for some, features in batches(np.asarray(order)[wanted[order]]):
            _check_finite(encoder, some, features)
            whole = whole if len(whole) else np.empty((len(keys), features.shape[1]), np.float32)
            whole[some] = features
            block.append(some)
            if time.monotonic() - since > BLOCK_SECONDS or sum(map(len, block)) >= BLOCK_ITEMS:
                done, block, since = block, [], time.monotonic()
                _keep(store, keys, whole, done)
    finally:  # finished features are also kept when a person stops it
        _keep(store, keys, whole, block)
    again = np.flatnonzero(original != np.arange(len(keys)))
    whole[again] = whole[original[again]]
    return whole


def _check_finite(encoder: Encoder, rows: IntArray, features: Features) -> None:
    odd = rows[~np.isfinite(features).all(axis=1)]
    if len(odd):
        raise BadInput(
            f"encoder {encoder.name} gives features that are not finite for row {odd.min()}. Use another encoder, or --encoder none."
        )


def _keep(store: FeatureCache | None, keys: Keys, features: Features, block: list[IntArray]) -> None:
    if store is not None and block:
        rows = np.concatenate(block)
        store.add(keys[rows], features[rows])


def _spread(encoder: Encoder, spread: Spread, rows: IntArray, part: Callable[[IntArray], Any]) -> Batches:
    """Blocks of rows with their features, encoded elsewhere in the same batches as here."""
    size = encoder.batch_size * max(1, SPREAD_ITEMS // encoder.batch_size)
    blocks = [rows[i : i + size] for i in range(0, len(rows), size)]
    n = len(blocks)
    found = spread.map(_encode_part, map(part, blocks), repeat(spread.name, n), repeat(spread.takes, n))
    said = f"encoding {len(rows):,} items with {encoder.name}"
    yield from zip(blocks, track(found, said, n), strict=True)


def _encode_part(part: Sequence[str] | PictureSource, name: str, takes: str) -> Features:
    """Features of texts or pictures, by an encoder that stays open for the next block."""
    encoder = _opened(name, takes)

    def take(rows: IntArray) -> Any:
        return [part[i] for i in rows] if isinstance(part, list) else part.decoded(rows, encoder.size)  # type: ignore[union-attr]

    return np.concatenate([features for _, features in _batches(encoder, np.arange(len(part)), take)])


@lru_cache(maxsize=1)
def _opened(name: str, takes: str) -> Encoder:
    encoder = open_encoder(name, takes)
    encoder.load()
    return encoder


def _batches(encoder: Encoder, rows: IntArray, take: Callable[[IntArray], Any]) -> Batches:
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
