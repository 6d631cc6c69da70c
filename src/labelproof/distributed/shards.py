"""Ray itself, its tasks as a map, and how the rows of a source are cut into shards for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.auditing.sources import NpyFile, Ordered, ParquetFiles, Source, rows_of_block
from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.validation import FloatArray

RETRIES = 5  # of a task whose worker is lost


def ray_itself() -> Any:
    """The package.

    Raises
    ------
    MissingDependency
    """
    with needed_by("a cluster"):
        import ray
    return ray


def ray_map(function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
    """Like `map`, each call a Ray task: for ``map_folds=`` of `labelproof.out_of_sample_probs`.

    The work of a lost worker is repeated elsewhere. Results come in order, and are released once they have come.
    """
    ray = ray_itself()
    task, shared = ray.remote(max_retries=RETRIES)(_call), ray.put(function)
    waiting = deque(task.remote(shared, *arguments) for arguments in zip(*columns, strict=True))
    while waiting:
        try:
            yield ray.get(waiting.popleft())
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error  # in its own words


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call with its own copies of arguments: Ray's are read-only, and many estimators sort their matrix in place."""
    return function(*(value.copy() if _read_only(value) else value for value in arguments))


def _read_only(value: Any) -> bool:
    if hasattr(value, "tocsr") or hasattr(value, "iloc"):  # a sparse matrix or a pandas frame, whose arrays are inside
        return True
    return isinstance(value, np.ndarray) and not value.flags.writeable


@dataclass(frozen=True)
class Shard:
    """Rows ``start`` to ``stop`` and how to load them."""

    start: int
    stop: int
    load: Callable[[], FloatArray]


def shards_of(source: Source) -> Iterator[Shard]:
    """Cut a source at natural boundaries: Parquet by file, ``.npy`` and arrays by blocks."""
    if isinstance(source, Ordered):
        yield from in_order_of(source, shards_of(source.source))
        return
    if isinstance(source, ParquetFiles):
        start = 0
        for file, rows in zip(source.files, source.sizes, strict=True):
            if rows:
                yield Shard(start, start + rows, partial(_load_parquet, str(Path(file).resolve()), source.columns))
            start += rows
        return
    rows = max(1, min(rows_of_block(source.k, 8), -(-source.n // 4)))
    if isinstance(source, NpyFile):
        for start in range(0, source.n, rows):
            stop = min(start + rows, source.n)
            yield Shard(start, stop, partial(_load_npy, str(source.path.resolve()), start, stop))
        return
    ray = ray_itself()
    start = 0
    for block in source.blocks(rows):  # in memory: the cluster's object store holds it
        yield Shard(start, start + len(block), partial(ray.get, ray.put(np.array(block))))
        start += len(block)


def in_order_of(source: Source, shards: Iterable[Shard]) -> Iterator[Shard]:
    """Shards that load their columns in the order that a source wants them."""
    for shard in shards:
        if isinstance(source, Ordered):
            yield Shard(shard.start, shard.stop, partial(_in_order, shard.load, source.order))
        else:
            yield shard


def _in_order(load: Callable[[], FloatArray], order: Any) -> FloatArray:
    return np.asarray(np.take(load(), order, axis=1))


def _load_npy(path: str, start: int, stop: int) -> FloatArray:
    """Memory-mapped, so that only the rows of a sample are read."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])


def _load_parquet(path: str, columns: list[str] | None) -> FloatArray:
    part = ParquetFiles(path)
    whole = np.concatenate(list(part.blocks()))
    return whole if columns is None or part.columns == columns else whole[:, [(part.columns or []).index(c) for c in columns]]


def loaded(shard: Shard) -> FloatArray:
    """The rows of a shard.

    Raises
    ------
    BadInput
        If there are others than there were.
    """
    block = shard.load()
    if len(block) != shard.stop - shard.start:
        raise BadInput(f"rows {shard.start} to {shard.stop} were requested but {len(block)} came. The data changed; run again.")
    return block
