"""How much slower the main operations are beside other work: each alone, and beside as many busy processes as there are cores.

Two processes for each core that work as hard as they can leave each half of it, so twice the time is what no program can avoid.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from _table import publish

ROUNDS = 3
MEASURE = """
import json, statistics, sys, tempfile, time, warnings
import numpy as np
warnings.simplefilter("ignore")
import labelproof as lp
rng = np.random.default_rng(0)

def problem(n, k):
    true = rng.integers(0, k, n)
    probs = rng.random((n, k), dtype=np.float32) ** 8
    probs[np.arange(n), true] += 0.5 + 3 * rng.random(n, dtype=np.float32)
    return np.where(rng.random(n) < 0.1, (true + 1) % k, true), probs / probs.sum(axis=1, keepdims=True)

what, folder = sys.argv[1], tempfile.mkdtemp()
if what.startswith("audit of probabilities"):
    n, k = (int(part.replace(",", "")) for part in what.split(", ", 1)[1].split(" x "))
    labels, probs = problem(n, k)
    run = lambda: lp.audit(labels, probs).error_probability
elif what == "audit of a table, 569 x 30":
    from sklearn.datasets import load_breast_cancer
    frame = load_breast_cancer(as_frame=True).frame
    run = lambda: lp.audit(frame, label="target")
elif what == "report of 1,000 labels":
    labels, probs = problem(1000, 5)
    found = lp.audit(labels, probs)
    run = lambda: found.to_html(folder + "/report.html")
elif what == "forecast of a review, 10,000 labels":
    labels, probs = problem(10_000, 5)
    found = lp.audit(labels, probs)
    from labelproof.review import forecast
    run = lambda: forecast(found)
else:
    labels, probs = problem(1000, 3)
    x = rng.normal(size=(1000, 20)).astype(np.float32)
    x[:, :3] += 2 * probs
    run = lambda: lp.NoisyLabelClassifier("forward", epochs=5, random_state=0).fit(x, labels)
run()
seconds = []
while len(seconds) < 30 and sum(seconds) < 6 or len(seconds) < 3:
    began = time.perf_counter(); run(); seconds.append(time.perf_counter() - began)
print(json.dumps(statistics.median(seconds)))
"""
OPERATIONS = (
    "audit of probabilities, 1,000 x 5",
    "audit of probabilities, 10,000 x 10",
    "audit of probabilities, 1,000,000 x 10",
    "audit of a table, 569 x 30",
    "report of 1,000 labels",
    "forecast of a review, 10,000 labels",
    "training by forward correction, 1,000 x 20, 5 epochs",
)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but count."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seconds(what: str) -> float:
    done = subprocess.run([sys.executable, "-c", MEASURE, what], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    rows = []
    for what in OPERATIONS:
        alone, beside = [], []
        for _ in range(ROUNDS):  # by turns: a machine's pace changes
            alone.append(seconds(what))
            with busy(cores):
                beside.append(seconds(what))
        quiet, slow = min(alone), sorted(beside)[ROUNDS // 2]
        rows.append({"what": what, "alone_ms": 1000 * quiet, "beside_ms": 1000 * slow, "times_slower": slow / quiet})
        print(rows[-1], flush=True)
    publish("busy_machine", rows, f"beside {cores} busy processes on {cores} cores")


if __name__ == "__main__":
    main()
