"""What an audit larger than memory costs on Ray: time a row and a task, bytes moved, memory of a worker; by local clusters of one and two.

``python benchmarks/ray_cost.py`` makes and deletes files of up to 12 GB in the temporary folder; sizes may be named, as in ``10000000x10``.
``benchmarks/scale.py`` works out from the result what larger clusters would take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _table import publish
from audit_speed import make

SIZES = ((10_000_000, 10), (30_000_000, 10), (100_000_000, 10), (10_000_000, 100))
WORKERS = (1, 2)

MEASURE = """
import json, os, pickle, sys, threading, time
from pathlib import Path
import numpy as np
import ray
from labelproof.auditing import blockwise
from labelproof.distributed import OnRay, ray_map

folder, workers = Path(sys.argv[1]), int(sys.argv[2])
spent, moved, tasks = {}, {"sent": 0, "returned": 0}, [0]

def timed(name, function):
    def run(*arguments, **more):
        started = time.perf_counter()
        found = function(*arguments, **more)
        spent[name] = spent.get(name, 0) + time.perf_counter() - started
        return found
    return run

def counted(function, *columns):
    calls = list(zip(*columns, strict=True))
    tasks[0] += len(calls)
    moved["sent"] += sum(len(pickle.dumps(arguments)) for arguments in calls)
    found = list(ray_map(function, *zip(*calls)))
    moved["returned"] += sum(len(pickle.dumps(one)) for one in found)
    return found

def anonymous(process):
    try:
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{process}/status") if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0.0

def is_task(process):
    try:
        return open(f"/proc/{process}/cmdline").read().startswith("ray::_call")
    except OSError:
        return False

import labelproof.distributed.writing as writing
writing.ray_map = counted
blockwise.write_codes = timed("labels", blockwise.write_codes)
blockwise.noise_from = timed("fit", blockwise.noise_from)
blockwise.head_of = timed("head", blockwise.head_of)

class Measured(OnRay):
    collect = timed("sample", OnRay.collect)
    write = timed("score", OnRay.write)
    map = timed("sort", OnRay.map)

ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
small = folder / "small"
small.mkdir()
np.save(small / "p.npy", np.load(folder / "probs.npy", mmap_mode="r")[:200_000])
np.save(small / "y.npy", np.load(folder / "labels.npy", mmap_mode="r")[:200_000])
(small / "audit").mkdir()
blockwise.RUN_ROWS = 50_000
blockwise.audit_into(small / "audit", small / "y.npy", small / "p.npy", passes=Measured())  # every worker loads and compiles
blockwise.RUN_ROWS = 2**21
started = time.perf_counter()
list(ray_map(abs, range(400)))
task = (time.perf_counter() - started) / 400
spent.clear(); moved.update(sent=0, returned=0); tasks[0] = 0
peak, done, before = {"worker": 0.0, "driver": 0.0}, threading.Event(), anonymous("self")
def watch():
    while not done.wait(0.05):
        peak["driver"] = max(peak["driver"], anonymous("self"))
        own = [anonymous(name) for name in os.listdir("/proc") if name.isdigit() and is_task(name)]
        peak["worker"] = max(peak["worker"], *own, 0.0)
watcher = threading.Thread(target=watch)
watcher.start()
place = folder / "audit"
place.mkdir()
scratch = [0]
rmtree = blockwise.shutil.rmtree
def weighed(path):
    scratch[0] = sum(file.stat().st_size for file in Path(path).iterdir())
    rmtree(path)
blockwise.shutil.rmtree = weighed
started = time.perf_counter()
found = blockwise.audit_into(place, folder / "labels.npy", folder / "probs.npy", passes=Measured())
seconds = time.perf_counter() - started
done.set()
watcher.join()
size = {name: sum(file.stat().st_size for file in (place / name).iterdir()) for name in ("issues.parquet", "items.parquet")}
rmtree(place)
rmtree(small)
print(json.dumps({
    "seconds": seconds,
    **{f"{name}_seconds": spent[name] for name in ("labels", "sample", "fit", "score", "sort", "head")},
    "tasks": tasks[0], "task_ms": 1e3 * task,
    "sent_mb": moved["sent"] / 1e6, "returned_mb": moved["returned"] / 1e6,
    "scratch_bytes_a_row": scratch[0] / found.n,
    "issues_bytes_a_row": size["issues.parquet"] / found.n, "items_bytes_a_row": size["items.parquet"] / found.n,
    "obvious_share": found.counts["obvious"] / found.n,
    "worker_mb": peak["worker"], "driver_mb": peak["driver"] - before,
}))
"""


def measure(folder: Path, workers: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, str(folder), str(workers)]
    at_once = {**os.environ, "RAY_worker_niceness": "0"}  # Ray lets its workers wait behind all other processes
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=at_once)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    named = [tuple(map(int, size.split("x"))) for size in sys.argv[1:]]
    rows: list[dict[str, Any]] = []
    for n, k in named or SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(n, k, folder)
            for workers in WORKERS:
                rows.append({"n": n, "k": k, "workers": workers, **measure(folder, workers)})
                print(f"{n:,} x {k}, {workers} workers: {rows[-1]['seconds']:.1f} s", flush=True)
    if named:  # a try
        print(json.dumps(rows, indent=1))
        return
    publish(
        "ray_cost",
        rows,
        "float32 from a .npy file, audited into a folder by a local Ray cluster whose driver shares the cores; seconds of each step as the "
        "driver waits for it; bytes sent and returned are those of tasks; memory is what the processes allocate, in MiB.",
    )


if __name__ == "__main__":
    main()
