"""A table of a million rows with its labels repaired, beside a copy of the file: time and memory."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

import labelproof as lp
from _table import publish
from labelproof.data.copies import copy_table
from labelproof.data.edits import edits
from labelproof.data.frames import read_raw
from labelproof.data.readers.table import label_codes
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.log.store import Store

ROWS = 1_000_000
DECIDED = (200, 2_000)


def table(path: Path) -> None:
    """Numbers, codes with leading zeros, quoted text and a label."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, ROWS)
    frame = pl.DataFrame(
        {
            "id": np.arange(ROWS),
            "a": (y + rng.normal(0, 1, ROWS)).round(4),
            "zip": [f"{v:05d}" for v in rng.integers(500, 99_999, ROWS)],
            "text": np.array(["plain text here", "some text, quoted"])[rng.integers(0, 2, ROWS)],
            "label": np.array(["no", "yes"])[y],
        }
    )
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)


def timed(job: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some runs, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - started)
    return best


def copied(path: Path, target: Path) -> float:
    """Seconds of a copy through the program's own memory, as any program makes that changes a file."""

    def job() -> None:
        with path.open("rb") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 22)

    return timed(job)


def measured(path: Path, decided: int, work: Path, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """Times and peak memory of one kind of file, in a process of its own."""
    folder = work / f"audit-{path.suffix[1:]}-{decided}"
    data = lp.read_table(path, "label", id="id")
    rows = np.random.default_rng(1).choice(ROWS, decided, replace=False)
    believed = data.given.copy()
    believed[rows] = 1 - believed[rows]
    lp.audit(data, np.eye(2)[believed] * 0.98 + 0.01).save(folder)
    del data, believed
    plain = copied(path, work / f"plain{path.suffix}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    raw = read_raw(path)
    coded = label_codes(raw, "label", None)
    new: dict[int, str | None] = {int(row): str(coded.classes[1 - coded.codes[row]]) for row in rows}
    change = edits("label", coded.codes, coded.classes, new)
    written = timed(lambda: copy_table(raw, work / f"copy{path.suffix}", change))
    candidates, store = open_candidates(folder), Store(work / "none.sqlite")
    whole = timed(lambda: repair(candidates, store, work / f"clean{path.suffix}", obvious=True, overwrite=True))
    changed = repair(candidates, store, work / f"clean{path.suffix}", obvious=True, overwrite=True).obvious
    store.close()
    results.put(
        {
            "file": path.suffix, "decided": decided, "changed": changed, "MB": path.stat().st_size / 1e6, "copy s": plain, "written, copies": written / plain,
            "whole apply, copies": whole / plain, "whole apply s": whole,
            "more memory MB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3,
        }
    )  # fmt: skip


def main() -> None:
    """Measure both kinds of file."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for suffix in (".csv", ".parquet"):
            path = Path(name) / f"table{suffix}"
            table(path)
            for decided in DECIDED:
                context = multiprocessing.get_context("spawn")
                results: multiprocessing.Queue = context.Queue()  # type: ignore[type-arg]
                process = context.Process(target=measured, args=(path, decided, Path(name), results))
                process.start()
                rows.append(results.get())
                process.join()
    publish("apply_speed", rows, f"{ROWS:,} rows; the shortest of three runs")


if __name__ == "__main__":
    main()
