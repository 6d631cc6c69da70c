"""The audit's two passes as Ray tasks over shards.

A shard is a range of rows and a function that loads them where the task runs, so probabilities travel only as findings; of an audit
larger than memory, findings also stay where they are made (`labelproof.distributed.writing`). The passes are those of
`labelproof.auditing.fold`; the work of a lost node is repeated elsewhere.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

from labelproof.auditing import fold
from labelproof.auditing.blockwise import audit_into, beyond_memory
from labelproof.auditing.doubts.base import say
from labelproof.auditing.findings import Audit
from labelproof.auditing.kinds.classes import judged_from, matched
from labelproof.auditing.sharpness import read_sharpness
from labelproof.data.array_files import from_file
from labelproof.distributed.shards import Shard, in_order_of, loaded, ray_itself, ray_map, shards_of
from labelproof.distributed.writing import OnRay
from labelproof.errors import BadInput
from labelproof.noise.em import NoiseFit
from labelproof.saving.folders import atomic_folder
from labelproof.validation import IntArray, check_ids

CONNECT_SECONDS = 20.0


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
    ray = ray_itself()
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
            f"No Ray cluster answers at {address!r} ({error}). Start one with ray start --head, check the address, or use --ray local."
        ) from error
    del quiet["include_dashboard"]
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"The server at {address!r} is not a Ray cluster ({str(error).splitlines()[0][:160]}). Check the address."
        ) from error


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
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Audit:
    """Run `labelproof.audit` on the connected Ray cluster, with the same result.

    Parameters
    ----------
    labels, pred_probs, classes, ids, missing, strength, ambiguity, out, overwrite
        As in `labelproof.audit`. All nodes must be able to read the paths of ``.npy`` and Parquet files and, for more than 20
        million labels, to write to ``out``: every node then writes its findings there, and nothing is gathered.
    shards : sequence of Shard, optional
        How the rows are cut and loaded. By default by blocks of the file, or one for each Parquet file.

    Returns
    -------
    Audit
    """
    ray_itself()
    if out is not None:
        options = {"classes": classes, "ids": ids, "missing": missing, "strength": strength, "ambiguity": ambiguity}
        with atomic_folder(out, overwrite=overwrite) as folder:
            if not beyond_memory(labels, pred_probs):
                found = audit_on_ray(labels, pred_probs, shards=shards, **options)  # type: ignore[arg-type]
                found.write_into(folder)
                return found
            made = audit_into(folder, labels, pred_probs, passes=OnRay(shards), **options)  # type: ignore[arg-type]
        return replace(made, folder=Path(out))
    checked, source = matched(from_file(labels, "labels"), pred_probs, classes, missing)
    given = checked.codes
    cut = list(shards_of(source) if shards is None else in_order_of(source, shards))
    parts = [given[shard.start : shard.stop] for shard in cut]
    rows = fold.together(ray_map(_sample, cut, parts, repeat(source.n, len(cut))))
    fitted = read_sharpness(rows, checked.classes, ambiguity=ambiguity, strength=strength)
    noise = repeat(ray_itself().put(fitted.noise), len(cut))
    scores = ray_map(_score, cut, parts, noise, repeat(source.n * source.k, len(cut)))
    judged = judged_from(scores, checked, fitted, rows)
    names = None if ids is None else check_ids(ids, source.n)
    return Audit(checked, judged.findings, judged.noise, judged.error_rate, names, doubts=say(judged.doubts))


def _sample(shard: Shard, given: IntArray, n: int) -> fold.Sample:
    return fold.sample(loaded(shard), given, shard.start, n)


def _score(shard: Shard, given: IntArray, noise: NoiseFit, cells: int) -> fold.Scores:
    return fold.score(loaded(shard), given, noise, shard.start, cells=cells)
