"""Rows sorted outside of memory: worst first, ties in the order of the input.

*Runs* of a size that fits are sorted and written, in Arrow's format, which is read directly from disk. Every run is then cut
at the same places, so that the slices between two cuts together hold a few million rows, a *range*. Ranges are consecutive,
and each is sorted by itself. No two rows are equal in error probability and row number, so there is a cut between any two of
them, however many ties there are, and memory is needed for one range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelproof.saving.files import atomic_stream

ERROR, INDEX = "error_probability", "index"
MARKS = 512  # of a run: rows by which it can be cut without being read
Cut = tuple[float, int]  # error probability and row number of the last row before it


@dataclass(frozen=True)
class Run:
    """A sorted piece of the input.

    Attributes
    ----------
    path : str
    rows : int
    error, index : ndarray, shape (m,)
        Error probability and row number of some of its rows, equally far apart.
    """

    path: str
    rows: int
    error: npt.NDArray[np.float64]
    index: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Range:
    """Neighbours in the sorted whole: a slice of each run, as path, first row and row after the last."""

    slices: tuple[tuple[str, int, int], ...]

    @property
    def rows(self) -> int:
        """Their number."""
        return sum(last - first for _, first, last in self.slices)


def write_run(rows: pa.Table, path: Path, size: int) -> Run:
    """Sort rows and write them.

    Parameters
    ----------
    rows : Table
        With columns ``error_probability`` and ``index``, in the order of the input.
    path : Path
    size : int
        Rows of a full run.
    """
    order = np.argsort(-rows.column(ERROR).to_numpy(), kind="stable")
    ordered = rows.take(order).combine_chunks()
    with atomic_stream(path) as file, pa.ipc.new_file(file, ordered.schema) as writer:
        writer.write_table(ordered)
    every = max(1, size // MARKS)
    error, index = (ordered.column(name).to_numpy()[every - 1 :: every].copy() for name in (ERROR, INDEX))
    return Run(str(path), len(ordered), error, index)


def cuts_of(runs: Sequence[Run], size: int) -> list[Cut]:
    """Choose the cuts, so that each range has about ``size`` rows, the size of a full run.

    Between two marks of a run are ``size / 512`` rows. So a range has at most those of its marks and, of each run, those up to
    the next.
    """
    error, index = np.concatenate([run.error for run in runs]), np.concatenate([run.index for run in runs])
    order = np.lexsort((index, -error))
    chosen = order[min(size, MARKS) - 1 :: min(size, MARKS)]
    return list(zip(error[chosen].tolist(), index[chosen].tolist(), strict=True))


def places_of(run: Run, cuts: Sequence[Cut]) -> npt.NDArray[np.int64]:
    """How many rows of a run come before each cut, with both ends, shape (cuts + 2,)."""
    rows = _opened(run.path)
    rising, index = rows.column(ERROR).to_numpy()[::-1], rows.column(INDEX).to_numpy()
    error = np.array([cut[0] for cut in cuts])
    worse, tied = (run.rows - np.searchsorted(rising, error, side=side) for side in ("right", "left"))
    among = [
        first + int(np.searchsorted(index[first:last], row, side="right"))
        for first, last, (_, row) in zip(worse.tolist(), tied.tolist(), cuts, strict=True)
    ]
    return np.array([0, *among, run.rows], np.int64)


def ranges_of(runs: Sequence[Run], places: Sequence[npt.NDArray[np.int64]]) -> list[Range]:
    """The ranges, worst first, by the places of the cuts in each run."""
    return [
        Range(tuple((run.path, int(at[i]), int(at[i + 1])) for run, at in zip(runs, places, strict=True) if at[i + 1] > at[i]))
        for i in range(len(places[0]) - 1)
    ]


def errors_of(part: Range) -> npt.NDArray[np.float64]:
    """The error probabilities of a range, falling."""
    pieces = [_opened(path).column(ERROR).slice(first, last - first).to_numpy() for path, first, last in part.slices]
    whole = np.concatenate(pieces) if pieces else np.empty(0)
    whole.sort()
    return whole[::-1]


def rows_of(part: Range) -> pa.Table:
    """The rows of a range, sorted: runs are in the order of the input, so ties stay in it."""
    table = pa.concat_tables([_opened(path).slice(first, last - first) for path, first, last in part.slices])
    return table.take(np.argsort(-table.column(ERROR).to_numpy(), kind="stable"))


def _opened(path: str) -> pa.Table:
    """A run that is read only as needed."""
    return pa.ipc.open_file(pa.memory_map(path)).read_all()
