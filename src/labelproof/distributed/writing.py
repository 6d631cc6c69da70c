"""An audit larger than memory on Ray: each task writes its own findings, and returns counts.

The folder must be one path for all nodes. A lost task is run again and writes the same files, each of which is complete or
absent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from labelproof.auditing import fold
from labelproof.auditing.blockwise import Target, Written, write_findings
from labelproof.auditing.label_codes import Codes
from labelproof.auditing.sources import Source
from labelproof.auditing.sources.base import rows_of_piece
from labelproof.distributed.shards import Shard, in_order_of, loaded, ray_itself, ray_map, shards_of
from labelproof.errors import BadInput
from labelproof.noise.em import NoiseFit
from labelproof.progress import track
from labelproof.validation import AnyArray


class OnRay:
    """The two passes as tasks, one for each batch of shards of about two million rows; see `labelproof.auditing.blockwise.Passes`.

    Parameters
    ----------
    shards : sequence of Shard, optional
        How the rows are cut and loaded.
    """

    def __init__(self, shards: Sequence[Shard] | None = None) -> None:
        self._shards = shards

    def collect(self, source: Source, target: Target) -> fold.Sample:
        """The samples of all batches together, which are sent."""
        batches = self._batches(source, target)
        found = ray_map(_sample, batches, repeat(source.n, len(batches)), repeat(target.codes, len(batches)))
        return fold.together(track(found, "sampling", len(batches)))

    def write(self, source: Source, target: Target, noise: NoiseFit, ids: AnyArray | None) -> list[Written]:
        """Counts, and the marks of the runs that were written."""
        batches = self._batches(source, target)
        names = [None if ids is None else ids[batch[0].start : batch[-1].stop] for batch in batches]
        shared, cells = repeat(ray_itself().put(noise), len(batches)), repeat(source.n * source.k, len(batches))
        found = ray_map(_write, batches, shared, cells, repeat(target, len(batches)), names)
        return list(chain.from_iterable(track(found, "scoring", len(batches))))

    def map(self, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
        """Each call a task."""
        return ray_map(function, *columns)

    def _batches(self, source: Source, target: Target) -> list[list[Shard]]:
        """Neighbouring shards together, until they are as large as a run."""
        batches: list[list[Shard]] = []
        for shard in shards_of(source) if self._shards is None else in_order_of(source, self._shards):
            if not batches or batches[-1][-1].stop - batches[-1][0].start >= target.size:
                batches.append([])
            batches[-1].append(shard)
        return batches


def _sample(batch: list[Shard], n: int, codes: str) -> fold.Sample:
    given = _given(codes)
    return fold.together(fold.sample(loaded(shard), given[shard.start : shard.stop], shard.start, n) for shard in batch)


def _write(batch: list[Shard], noise: NoiseFit, cells: int, target: Target, ids: AnyArray | None) -> list[Written]:
    given = _given(target.codes)
    return list(write_findings(_scores(batch, given, noise, cells), given, target, ids, batch[0].start))


def _scores(batch: list[Shard], given: Codes, noise: NoiseFit, cells: int) -> Iterator[fold.Scores]:
    """Scores of the rows of shards, a piece at a time that stays in a core's cache."""
    for shard in batch:
        block = loaded(shard)
        score, rows = fold.Scorer(noise, block.dtype, cells), rows_of_piece(block.shape[1], block.itemsize)
        for first in range(shard.start, shard.stop, rows):
            piece = block[first - shard.start : first - shard.start + rows]
            yield score(piece, given[first : first + len(piece)], first)


def _given(codes: str) -> Codes:
    """The codes of the labels, if this node can read them."""
    if not Path(codes).exists():
        raise BadInput(
            f"A node of the cluster ({socket.gethostname()}) does not see {str(Path(codes).parents[2])!r}. For an audit this large, the nodes write the findings. Name a folder on storage that all nodes share."
        )
    return Codes(codes)
