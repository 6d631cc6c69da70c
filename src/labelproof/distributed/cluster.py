"""The audit's two passes over a Ray Data dataset of shards, and cross-validation as Ray tasks.

A shard is a range of rows and a function that loads them where the task runs, so probabilities travel only as findings.
The passes are those of `labelproof.auditing.fold`; what a lost node had done is done again elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from labelproof.auditing import fold
from labelproof.auditing.doubts.base import say
from labelproof.auditing.findings import Audit
from labelproof.auditing.kinds.classes import judged_from, matched
from labelproof.auditing.sharpness import read_sharpness
from labelproof.auditing.sources import NpyFile, Ordered, ParquetFiles, Source, rows_of_block
from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.noise.em import NoiseFit
from labelproof.validation import FloatArray, check_ids

CONNECT_SECONDS = 20.0


@dataclass(frozen=True)
class Shard:
    """Rows ``start`` to ``stop`` and how to load them."""

    start: int
    stop: int
    load: Callable[[], FloatArray]


def connect(address: str = "local") -> None:
    """Connect to a Ray cluster, or start one on this machine.

    Parameters
    ----------
    address : str
        ``local``, or ``host:port`` of the cluster's head.

    Raises
    ------
    MissingDependency
        If Ray is not installed.
    BadInput
        If nothing answers at the address within 20 seconds.
    """
    ray = _ray()
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
    if address == "local":
        ray.init(**quiet)
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise BadInput(f"--ray is {address!r}. Give host:port of the cluster's head, or local.")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise BadInput(
            f"no Ray cluster answers at {address!r} ({error}). Start one with ray start --head, check the address, or use --ray local."
        ) from error
    del quiet["include_dashboard"]
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadInput(f"what answers at {address!r} is no Ray cluster ({str(error).splitlines()[0][:160]}).") from error


def ray_map(function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
    """Like `map`, each call a Ray task: for ``map_folds=`` of `labelproof.out_of_sample_probs`."""
    ray = _ray()
    task = ray.remote(max_retries=5)(function)
    references = [task.remote(*arguments) for arguments in zip(*columns, strict=True)]
    for reference in references:
        yield ray.get(reference)


def audit_on_ray(
    labels: object,
    pred_probs: object,
    *,
    classes: Sequence[object] | None = None,
    ids: object = None,
    missing: Sequence[object] | None = None,
    strength: float | None = None,
    ambiguity: float | None = None,
    shards: Sequence[Shard] | None = None,
) -> Audit:
    """`labelproof.audit` on the connected Ray cluster, with the same answer.

    Parameters
    ----------
    labels, pred_probs, classes, ids, missing, strength, ambiguity
        As in `labelproof.audit`. Paths of ``.npy`` and Parquet files must be readable on every node.
    shards : sequence of Shard, optional
        How the rows are cut and loaded; by blocks of the file, or one for each Parquet file, where left out.

    Returns
    -------
    Audit
    """
    _ray()
    import ray.data

    checked, source = matched(labels, pred_probs, classes, missing)
    given = checked.codes
    cut = list(shards_of(source) if shards is None else _in_order_of(source, shards))
    items = [{"shard": shard, "given": given[shard.start : shard.stop]} for shard in cut]
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.from_items(items, override_num_blocks=len(items))
    samples = dataset.map(partial(_sample, n=source.n)).take_all()
    rows = fold.together(row["sample"] for row in samples)
    fitted = read_sharpness(rows, checked.classes, ambiguity=ambiguity, strength=strength)
    scored = dataset.map(partial(_score, noise=fitted.noise)).take_all()
    parts = [row["scores"] for row in sorted(scored, key=lambda row: row["start"])]
    judged = judged_from(parts, checked, fitted, rows)
    names = None if ids is None else check_ids(ids, source.n)
    return Audit(checked, judged.findings, judged.noise, judged.error_rate, names, doubts=say(judged.doubts))


def shards_of(source: Source) -> Iterator[Shard]:
    """Cut a source where it is natural: Parquet by file, ``.npy`` and arrays by blocks."""
    if isinstance(source, Ordered):
        yield from _in_order_of(source, shards_of(source.source))
        return
    if isinstance(source, ParquetFiles):
        start = 0
        for file, rows in zip(source.files, source.sizes, strict=True):
            if rows:
                yield Shard(start, start + rows, partial(_load_parquet, file, source.columns))
            start += rows
        return
    rows = max(1, min(rows_of_block(source.k, 8), -(-source.n // 4)))
    if isinstance(source, NpyFile):
        for start in range(0, source.n, rows):
            stop = min(start + rows, source.n)
            yield Shard(start, stop, partial(_load_npy, str(source.path), start, stop))
        return
    ray = _ray()
    start = 0
    for block in source.blocks(rows):  # in memory: the cluster's object store holds it
        yield Shard(start, start + len(block), partial(ray.get, ray.put(np.array(block))))
        start += len(block)


def _in_order_of(source: Source, shards: Iterable[Shard]) -> Iterator[Shard]:
    """Shards that load their columns in the order that a source wants them."""
    for shard in shards:
        if isinstance(source, Ordered):
            yield Shard(shard.start, shard.stop, partial(_in_order, shard.load, source.order))
        else:
            yield shard


def _in_order(load: Callable[[], FloatArray], order: Any) -> FloatArray:
    return np.asarray(np.take(load(), order, axis=1))


def _load_npy(path: str, start: int, stop: int) -> FloatArray:
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])


def _load_parquet(path: str, columns: list[str] | None) -> FloatArray:
    part = ParquetFiles(path)
    whole = np.concatenate(list(part.blocks()))
    return whole if columns is None or part.columns == columns else whole[:, [(part.columns or []).index(c) for c in columns]]


def _sample(row: dict[str, Any], n: int) -> dict[str, Any]:
    shard, given = row["shard"], np.asarray(row["given"])
    return {"sample": fold.sample(_loaded(shard), given, shard.start, n)}


def _score(row: dict[str, Any], noise: NoiseFit) -> dict[str, Any]:
    shard, given = row["shard"], np.asarray(row["given"])
    return {"start": shard.start, "scores": fold.score(_loaded(shard), given, noise, shard.start)}


def _loaded(shard: Shard) -> FloatArray:
    block = shard.load()
    if len(block) != shard.stop - shard.start:
        raise BadInput(f"rows {shard.start} to {shard.stop} were asked for and {len(block)} came. The data changed; run again.")
    return block


def _ray() -> Any:
    with needed_by("a cluster"):
        import ray
    return ray
