"""An audit written block by block: what does not fit into memory is never held, and the answer is that of `labelproof.audit`.

1. Labels become codes in a file (`labelproof.auditing.label_codes`).
2. The two passes of `labelproof.auditing.fold`; the second writes, for every two million rows, a part of the items and a sorted run.
3. The runs are cut into ranges (`labelproof.auditing.runs`). Which labels are obvious depends on the whole sorted list. So the
ranges are first read for its quantiles, then the worst of them for its head. Last, each range is sorted and written as a part
of the issues.

Each of these is a map over parts, so that `labelproof.distributed` runs the same functions on a cluster.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from labelproof.auditing import fold, larger
from labelproof.auditing.doubts.base import say
from labelproof.auditing.doubts.of_data import of_unlabelled
from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.auditing.item_names import series
from labelproof.auditing.kinds.base import error_rate_from
from labelproof.auditing.kinds.classes import collect, doubts_of, noise_from, score_all
from labelproof.auditing.label_codes import Codes, LabelBlocks, write_codes
from labelproof.auditing.larger import LargerAudit, findings_in_files, labels_in_files
from labelproof.auditing.runs import ERROR, Range, Run, cuts_of, errors_of, places_of, ranges_of, rows_of, write_run
from labelproof.auditing.sources import Source, open_source
from labelproof.auditing.verdicts import POSSIBLE_PROBABILITY, VERDICTS, fall_of, head_of, places, verdicts_from
from labelproof.data.array_files import path_of
from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.noise.em import NoiseFit
from labelproof.progress import track
from labelproof.saving.files import atomic_stream
from labelproof.threads import one_thread
from labelproof.validation import AnyArray, IntArray, check_ids

RUN_ROWS = 2**21
ROW_BYTES = 55  # on disk, per label: about half of it only while the audit is made
SCRATCH = "scratch"  # codes and runs, while the audit is made


@dataclass(frozen=True)
class Target:
    """Where findings are written.

    Attributes
    ----------
    folder : str
    classes : tuple
    size : int
        Rows of a run.
    """

    folder: str
    classes: tuple[Any, ...]
    size: int

    @property
    def codes(self) -> str:
        """The file of the given labels."""
        return str(Path(self.folder) / SCRATCH / "codes.npy")

    def run(self, start: int) -> Path:
        """A sorted run, by its first row."""
        return Path(self.folder) / SCRATCH / f"{start:015d}.arrow"

    def items(self, start: int) -> Path:
        """A part of the items, by its first row."""
        return Path(self.folder) / ITEMS_FILE / f"part-{start:015d}.parquet"

    def issues(self, number: int) -> Path:
        """A part of the issues, by its number."""
        return Path(self.folder) / ISSUES_FILE / f"part-{number:06d}.parquet"


@dataclass(frozen=True)
class Written:
    """Counts of the written rows: a run, and sums over its labels."""

    run: Run
    likely: int  # with an error probability from which on a label is possibly wrong
    error: float
    spread: float  # of e (1 - e)
    expected_errors: npt.NDArray[np.float64]  # (c,)


class Passes(Protocol):
    """The two passes, and a map over the parts to sort."""

    def collect(self, source: Source, target: Target) -> fold.Sample:
        """The rows that the noise model is fitted to."""
        ...

    def write(self, source: Source, target: Target, noise: NoiseFit, ids: AnyArray | None) -> list[Written]:
        """Score all rows and write the results."""
        ...

    def map(self, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterable[Any]:
        """Same as the built-in ``map``."""
        ...


class Here:
    """On this machine, one block at a time."""

    def collect(self, source: Source, target: Target) -> fold.Sample:
        """See `Passes`."""
        return collect(source, cast(IntArray, Codes(target.codes)))

    def write(self, source: Source, target: Target, noise: NoiseFit, ids: AnyArray | None) -> list[Written]:
        """See `Passes`."""
        given = Codes(target.codes)
        return list(write_findings(score_all(source, cast(IntArray, given), noise), given, target, ids))

    def map(self, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterable[Any]:
        """The built-in ``map``."""
        return map(function, *columns)


def audit_into(
    folder: Path,
    labels: object,
    pred_probs: object,
    *,
    classes: Sequence[object] | None = None,
    missing: Sequence[object] | None = None,
    ids: object = None,
    transition: object = None,
    strength: float | None = None,
    ambiguity: float | None = None,
    passes: Passes | None = None,
) -> LargerAudit:
    """Audit class labels into a folder that exists and is empty.

    Parameters
    ----------
    folder : Path
    labels : array-like or path of a ``.npy`` file, shape (n,)
    pred_probs, classes, missing, ids, transition, strength, ambiguity
        As in `labelproof.audit`.
    passes : Passes, optional
        Where to run. By default on this machine.

    Returns
    -------
    LargerAudit
    """
    passes, blocks, source = Here() if passes is None else passes, LabelBlocks(labels), open_source(pred_probs)
    _check_room(folder, source.n)
    for name in (SCRATCH, ISSUES_FILE, ITEMS_FILE):
        (folder / name).mkdir()
    target = Target(str(folder.resolve()), (), RUN_ROWS)
    names, source = write_codes(blocks, source, Path(target.codes), classes=classes, missing=missing)
    target = Target(target.folder, names, target.size)
    with one_thread():  # of BLAS: pieces have threads of their own
        rows = passes.collect(source, target)
        fitted = noise_from(rows, names, transition=transition, strength=strength, ambiguity=ambiguity)
        written = passes.write(source, target, fitted.noise, None if ids is None else check_ids(ids, source.n))
    sites = sum(part.run.rows for part in written)
    rate = _rate(written, sites) if fitted.error_rate is None else fitted.error_rate
    counts = _sort(written, target, rate, passes)
    shutil.rmtree(folder / SCRATCH)
    for begun in folder.glob("*/.part-*"):  # by a worker that was lost
        begun.unlink()
    found = doubts_of(rows, names, rate, fitted.unlike, sites) + list(of_unlabelled(source.n, sites))
    made = LargerAudit(
        labels=labels_in_files(source.n, sites, names),
        findings=findings_in_files(sites),
        noise=fitted.noise.transition,
        error_rate=rate,
        doubts=say(found),
        folder=folder,
        verdicts=counts,
    )
    made.write_into(folder)
    return made


def beyond_memory(labels: object, pred_probs: object) -> bool:
    """Whether an audit that is written into a folder is written block by block: class labels, of more than 20 million items."""
    if pred_probs is None or isinstance(labels, Labels):
        return False
    if path_of(labels) is None and (not hasattr(labels, "__array__") or len(labels) <= larger.MOST_IN_MEMORY):  # type: ignore[arg-type]
        return False
    blocks = LabelBlocks(labels)
    return blocks.plain and blocks.n > larger.MOST_IN_MEMORY


def _check_room(folder: Path, n: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < n * ROW_BYTES:
        raise BadInput(
            f"An audit of {n:,} labels needs about {n * ROW_BYTES / 1e9:,.3g} GB on the disk of {str(folder.parent)!r}, which has "
            f"{free / 1e9:,.3g} GB left. Write to another disk."
        )


def write_findings(
    scores: Iterable[fold.Scores], given: Codes, target: Target, ids: AnyArray | None, start: int = 0
) -> Iterator[Written]:
    """Write scores that come in order, from row ``start`` on, whose names ``ids`` are: a part of the items and a run at a time."""
    first = start
    for part in _in_runs(scores, target.size):
        n = len(part.error_probability)
        index = np.arange(first, first + n)
        names = None if ids is None else series(ids[first - start : first - start + n])
        items = {"index": index, "id": index if names is None else names, ERROR: part.error_probability}
        with atomic_stream(target.items(first)) as file:
            pl.DataFrame(items).write_parquet(file)
        yield _written(part, given[first : first + n], index, names, target, first)
        first += n


def _in_runs(scores: Iterable[fold.Scores], size: int) -> Iterator[fold.Scores]:
    """Scores put together to the size of a run."""
    held: list[fold.Scores] = []
    room = size
    for block in scores:
        n, at = len(block.error_probability), 0
        while n - at >= room:
            yield _joined([*held, _cut(block, at, at + room)])
            held, at, room = [], at + room, size
        if n > at:
            held.append(_cut(block, at, n))
            room -= n - at
    if held:
        yield _joined(held)


def _cut(block: fold.Scores, first: int, last: int) -> fold.Scores:
    """Some rows; the expected errors, which are a sum, stay with the first of them."""
    whole = block.expected_errors if first == 0 else np.zeros_like(block.expected_errors)
    return fold.Scores(block.error_probability[first:last], block.suggested[first:last], block.confidence[first:last], whole)


def _joined(blocks: Sequence[fold.Scores]) -> fold.Scores:
    error, suggested, confidence = (
        np.concatenate([getattr(block, name) for block in blocks]) for name in ("error_probability", "suggested", "confidence")
    )
    return fold.Scores(error, suggested, confidence, np.sum([block.expected_errors for block in blocks], axis=0))


def _written(
    part: fold.Scores,
    given: npt.NDArray[np.int64],
    index: npt.NDArray[np.int64],
    names: pl.Series | None,
    target: Target,
    first: int,
) -> Written:
    kept = given >= 0
    error = part.error_probability[kept]
    small = np.min_scalar_type(-len(target.classes))
    columns: dict[str, Any] = {
        "index": index[kept],
        "given_label": given[kept].astype(small),
        "suggested_label": part.suggested[kept].astype(small),
        ERROR: error,
        "confidence": part.confidence[kept],
    }
    if names is not None:
        columns["id"] = names.filter(pl.Series(kept)).to_arrow()
    return Written(
        write_run(pa.table(columns), target.run(first), target.size),
        int((error >= POSSIBLE_PROBABILITY).sum()),
        float(error.sum()),
        float(error @ (1 - error)),
        part.expected_errors,
    )


def _rate(written: Sequence[Written], n: int) -> ErrorRate:
    """The error rate from the error probabilities alone, for known noise."""
    mean, spread = (math.fsum(getattr(part, name) for part in written) for name in ("error", "spread"))
    expected = np.sum([part.expected_errors for part in written], axis=0)
    return error_rate_from(mean / n, 1.96 * math.sqrt(spread) / n, expected / n)


def _sort(written: Sequence[Written], target: Target, rate: ErrorRate, passes: Passes) -> dict[str, int]:
    """Write the issues, worst first, and count the verdicts."""
    runs = [part.run for part in written if part.run.rows]
    cuts = cuts_of(runs, target.size)
    ranges = [part for part in ranges_of(runs, list(passes.map(places_of, runs, repeat(cuts, len(runs))))) if part.slices]
    ends = np.cumsum([part.rows for part in ranges])
    n = int(ends[-1])
    ranks = [0, *ends[:-1].tolist()]
    at = places(n)
    wanted = [at[(at >= rank) & (at < end)] - rank for rank, end in zip(ranks, ends.tolist(), strict=True)]
    points = np.concatenate(list(track(passes.map(_points, ranges, wanted), "looking at the findings", len(ranges))))
    mean = math.fsum(part.error for part in written) / n
    head = head_of(map(errors_of, ranges), fall_of(points, mean, rate.low))
    numbers = range(len(ranges))
    done = passes.map(_write_range, ranges, numbers, ranks, repeat(head, len(ranges)), repeat(target, len(ranges)))
    for _ in track(done, "sorting the findings", len(ranges)):
        pass
    likely = max(head, sum(part.likely for part in written))
    return dict(zip(VERDICTS, (head, likely - head, n - likely), strict=True))


def _points(part: Range, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Error probabilities at some places of a range, by rank."""
    return errors_of(part)[wanted] if len(wanted) else np.empty(0)


def _write_range(part: Range, number: int, rank: int, head: int, target: Target) -> None:
    """Sort a range, which begins at a rank, and write it as a part of the issues."""
    rows = rows_of(part)
    names = pl.Series(list(target.classes))
    error, index = rows.column(ERROR).to_numpy(), rows.column("index").to_numpy()
    frame = pl.DataFrame(
        {
            "index": index,
            "id": pl.from_arrow(rows.column("id")) if "id" in rows.column_names else index,
            "given_label": names.gather(rows.column("given_label").to_numpy()),
            "suggested_label": names.gather(rows.column("suggested_label").to_numpy()),
            ERROR: error,
            "verdict": verdicts_from(error, rank, head),
            "confidence": rows.column("confidence").to_numpy(),
        }
    )
    with atomic_stream(target.issues(number)) as file:
        frame.write_parquet(file)
