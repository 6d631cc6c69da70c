"""Features on disk, by their items and their encoder.

A folder an encoder and revision; in it, blocks of keys and features as safetensors. A block is written completely or not at all, so that
an interrupted encoding resumes, and several processes may share the cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from labelproof.errors import BadInput, LabelproofWarning
from labelproof.networks.encoders.base import Features

PLACE, LIMIT = "LABELPROOF_CACHE", "LABELPROOF_CACHE_GB"  # environment variables
LIMIT_GB = 4.0
KEY_BYTES = 16
CHECKSUM = "checksum"  # in a block's metadata
FOLDER = re.compile(r".*-[0-9a-f]{32}")  # other files in the cache's folder are not ours
BLOCK, PARTIAL = re.compile(r"[0-9a-f]{32}\.safetensors"), re.compile(r"\.[0-9a-f]{32}")
Keys = npt.NDArray[np.bytes_]  # (n,) of KEY_BYTES


class Kept(NamedTuple):
    """The cached features of one encoder."""

    name: str
    items: int
    size: int  # bytes
    used: float  # seconds since 1970


def folder() -> Path:
    """The folder of the cache: ``LABELPROOF_CACHE``, otherwise ``labelproof`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    named = os.environ.get(PLACE)
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelproof"


def limit() -> int:
    """The most bytes that are kept: ``LABELPROOF_CACHE_GB``, default 4.

    Raises
    ------
    BadInput
    """
    given = os.environ.get(LIMIT, str(LIMIT_GB))
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{LIMIT} is {given!r}. Give a number of gigabytes; 0 keeps nothing.") from error


def key(content: bytes) -> bytes:
    """The name of an item under which its features are kept."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


class FeatureCache:
    """The features that one encoder made.

    Parameters
    ----------
    name, revision : str
        Name and revision of the encoder.

    Raises
    ------
    BadInput
        If the limit is no number.
    """

    def __init__(self, name: str, revision: str) -> None:
        self.most = limit()
        self.folder = folder() / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[-60:]}-{key(f'{name} {revision}'.encode()).hex()}"

    def find(self, keys: Keys, rows: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Features]]:
        """Those of some rows that are known, a block at a time.

        Parameters
        ----------
        keys : ndarray of bytes, shape (n,)
        rows : ndarray of int64, shape (m,)

        Yields
        ------
        rows : ndarray of int64, shape (b,)
        features : ndarray of float32, shape (b, d)
        """
        width = 0
        for block in sorted(_files(self.folder, BLOCK)):
            loaded = _read(block)
            if loaded is None:
                continue
            own, features = loaded
            width = width or features.shape[1]
            place = np.minimum(np.searchsorted(own, keys[rows]), len(own) - 1)
            known = own[place] == keys[rows]
            if known.any() and features.shape[1] == width:
                with suppress(OSError):  # of a cache that may only be read, or a block that another process removed
                    os.utime(block)  # blocks that are used last longest
                yield rows[known], features[place[known]]
                rows = rows[~known]
            if not len(rows):
                return

    def add(self, keys: Keys, features: Features) -> None:
        """Keep a block of features; warns once if nothing can be written."""
        own, first = np.unique(keys, return_index=True)
        if not len(own) or self.most <= 0:
            return
        partial = self.folder / f".{uuid.uuid4().hex}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tensors: dict[str, npt.NDArray[Any]] = {
                "keys": own.view(np.uint8).reshape(-1, KEY_BYTES).copy(),
                "features": np.ascontiguousarray(features[first]),
            }
            save_file(tensors, partial, {CHECKSUM: _checksum(tensors)})
            partial.replace(self.folder / f"{uuid.uuid4().hex}.safetensors")
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or error
            warnings.warn(
                f"Features are not cached, because {str(folder())!r} cannot be written ({reason}). Set {PLACE} to another folder.",
                LabelproofWarning,
                stacklevel=2,
            )
            self.most = 0  # warned once
            return
        shrink(self.most)


def kept() -> list[Kept]:
    """The contents of the cache, the largest first."""
    found = []
    for place in _folders():
        blocks = [(block, block.stat()) for block in _files(place, BLOCK)]
        if blocks:
            items = sum(len(loaded[0]) for block, _ in blocks if (loaded := _read(block)) is not None)
            name = place.name.rpartition("-")[0]
            found.append(Kept(name, items, sum(s.st_size for _, s in blocks), max(s.st_mtime for _, s in blocks)))
    return sorted(found, key=lambda one: -one.size)


def shrink(most: int) -> None:
    """Remove the least recently used blocks, until at most the given number of bytes is kept."""
    blocks = []
    for block in (block for place in _folders() for block in _files(place, BLOCK)):
        try:
            stat = block.stat()
        except FileNotFoundError:  # another process was quicker
            continue
        blocks.append((stat.st_mtime, stat.st_size, block))
    size = sum(one for _, one, _ in blocks)
    for _, own, block in sorted(blocks):
        if size <= most:
            break
        block.unlink(missing_ok=True)
        size -= own


def clear() -> None:
    """Remove the contents of the cache, and nothing else.

    Raises
    ------
    BadInput
        If a file cannot be removed.
    """
    for place in _folders():
        for own in [*_files(place, BLOCK), *_files(place, PARTIAL)]:
            try:
                own.unlink(missing_ok=True)
            except OSError as error:
                raise BadInput(f"{str(own)!r} cannot be removed ({error.strerror}). Remove it as its owner.") from error
        with suppress(OSError):  # if somebody put another file there
            place.rmdir()


def _folders() -> list[Path]:
    return [place for place in folder().glob("*/") if FOLDER.fullmatch(place.name)]


def _files(place: Path, form: re.Pattern[str]) -> list[Path]:
    return [file for file in place.glob("*") if form.fullmatch(file.name)]


def _checksum(tensors: dict[str, npt.NDArray[Any]]) -> str:
    found = hashlib.blake2b(digest_size=KEY_BYTES)
    for name in ("keys", "features"):
        found.update(np.ascontiguousarray(tensors[name]).data)
    return found.hexdigest()


def _read(block: Path) -> tuple[Keys, Features] | None:
    """Keys, sorted, and features; ``None`` for a damaged block, which is removed."""
    try:
        with safe_open(block, "numpy") as opened:
            keys, features = opened.get_tensor("keys"), opened.get_tensor("features")
            known = (opened.metadata() or {}).get(CHECKSUM)
        if known != _checksum({"keys": keys, "features": features}):
            raise ValueError("what was written is not what is there")
        if keys.shape != (len(features), KEY_BYTES) or features.dtype != np.float32 or features.ndim != 2 or not len(keys):
            raise ValueError("keys and features do not match")
        return np.ascontiguousarray(keys).view(f"S{KEY_BYTES}").ravel(), features
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, KeyError, ValueError):
        with suppress(OSError):
            block.unlink(missing_ok=True)
        return None
