"""What an audit of 1e9 labels x 100 classes costs on 16 and on 256 workers, worked out from ``results/ray_cost.json``; runs no cluster.

Each step of an audit larger than memory (`labelproof.auditing.blockwise`) is either the workers', and takes a time a row that more of them
share, or the driver's, and takes as long whatever their number. The times a row are those of one worker; that of scoring is a line in the
number of classes. Bytes are counted: what is read and written once by somebody goes over the network once, where storage is shared.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from _table import RESULTS, publish

N, K = 1_000_000_000, 100
WORKERS = (16, 256)
RUN_ROWS = 2**21
PASSES = 4  # of tasks, one for each run or range
OBVIOUS = 0.05  # share of the labels whose ranges the driver looks at one after the other
LABEL_BYTES, CODE_BYTES, PROB_BYTES, ERROR_BYTES = 8, 1, 4, 8
SLICE_BYTES = 70  # of a run that is named to a task of a range, twice
LINK = 1.25  # GB/s: 10 Gbit/s between the storage and all workers


@dataclass(frozen=True)
class Cost:
    """Measured: seconds a row unless said otherwise."""

    labels: float
    sample: float
    score: float
    score_of_class: float
    sort: float
    fit: float  # seconds
    head: float  # of a label that is obvious
    task: float  # seconds a task, of the driver
    scratch_bytes: float
    written_bytes: float
    gathered: float  # bytes, whatever the number of rows
    gathered_of_row: float  # bytes a row
    worker_mb: float
    driver_mb: float


def measured() -> Cost:
    """From the runs with one worker."""
    rows = json.loads((RESULTS / "ray_cost.json").read_text(encoding="utf-8"))["rows"]
    one = [row for row in rows if row["workers"] == 1]
    narrow = sorted((row for row in one if row["k"] == 10), key=lambda row: row["n"])
    small, large = narrow[0], narrow[-1]
    wide = next(row for row in one if row["k"] == 100)

    def of_row(row: dict[str, Any], step: str) -> float:
        return float(row[f"{step}_seconds"]) / row["n"]

    def gathered(row: dict[str, Any]) -> float:
        return 1e6 * float(row["sent_mb"] + row["returned_mb"])

    slope = (of_row(wide, "score") - of_row(large, "score")) / (wide["k"] - large["k"])
    each = max(0.0, (gathered(large) - gathered(small)) / (large["n"] - small["n"]))
    return Cost(
        labels=of_row(large, "labels"),
        sample=of_row(wide, "sample"),
        score=of_row(large, "score") - large["k"] * slope,
        score_of_class=slope,
        sort=of_row(large, "sort"),
        fit=max(row["fit_seconds"] for row in one),
        head=large["head_seconds"] / (large["obvious_share"] * large["n"]),
        task=max(row["task_ms"] for row in rows) / 1e3,
        scratch_bytes=large["scratch_bytes_a_row"],
        written_bytes=large["issues_bytes_a_row"] + large["items_bytes_a_row"],
        gathered=gathered(large) - each * large["n"],
        gathered_of_row=each,
        worker_mb=max(row["worker_mb"] for row in rows),
        driver_mb=max(row["driver_mb"] for row in rows),
    )


def scaled(cost: Cost, n: int, k: int, workers: int) -> dict[str, Any]:
    """The cost of n x k on so many workers."""
    runs = math.ceil(n / RUN_ROWS)
    turns = math.ceil(runs / workers) * workers / runs  # the last turn is not full
    shared = n * (cost.sample + cost.score + k * cost.score_of_class + cost.sort) * turns / workers
    driver = n * cost.labels + cost.fit + n * OBVIOUS * cost.head + PASSES * runs * cost.task
    read = 2 * LABEL_BYTES + 2 * CODE_BYTES + k * PROB_BYTES + ERROR_BYTES + cost.scratch_bytes
    over_network = n * (read + CODE_BYTES + cost.scratch_bytes + cost.written_bytes)
    seconds, storage = shared + driver, over_network / 1e9 / LINK
    return {
        "n": n,
        "k": k,
        "workers": workers,
        "workers_seconds": shared,
        "driver_seconds": driver,
        "seconds": seconds,
        "network_gb": over_network / 1e9,
        "needed_gb_per_second": over_network / 1e9 / seconds,
        "seconds_at_10_gbit": max(seconds, storage),
        "limit": "storage" if storage > seconds else "scoring" if shared > driver else "driver",
        "to_and_from_driver_mb": (cost.gathered + n * cost.gathered_of_row + 2 * runs**2 * SLICE_BYTES) / 1e6,
        "worker_mb": cost.worker_mb,
        "node_of_16_gb": 16 * cost.worker_mb / 1024,
        "driver_mb": cost.driver_mb,
        "disk_gb": n * (CODE_BYTES + cost.scratch_bytes + cost.written_bytes) / 1e9,
    }


def main() -> None:
    cost = measured()
    rows = [scaled(cost, N, K, workers) for workers in WORKERS]
    publish(
        "scale",
        rows,
        "Worked out from ray_cost.json, not run. Time is that of the workers' and the driver's processors; seconds_at_10_gbit is what it takes "
        "where all of them share 10 Gbit/s of storage.",
    )
    print(
        f"The number that limits it: {rows[0]['network_gb']:,.0f} GB go through the storage, {4 * K / (rows[0]['network_gb'] * 1e9 / N):.0%} of them "
        f"the probabilities. {WORKERS[0]} workers keep up with {rows[0]['needed_gb_per_second']:.1f} GB/s, {WORKERS[-1]} with "
        f"{rows[-1]['needed_gb_per_second']:.1f} GB/s."
    )


if __name__ == "__main__":
    main()
