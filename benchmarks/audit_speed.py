"""Time and memory of an audit beside cleanlab's, each run in a process of its own, both on the same file of probabilities."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from _table import publish

# n, k, what cleanlab runs; None where it would need more memory than there is
SIZES = (
    (1_000_000, 100, "find_label_issues"),
    (5_000_000, 10, "find_label_issues_batched"),
    (200_000, 5_000, None),
    (1_000, 10, "find_label_issues"),
    (10_000, 10, "find_label_issues"),
    (100_000, 10, "find_label_issues"),
    (1_000_000, 10, "find_label_issues"),
    (100_000, 3, "find_label_issues"),
    (100_000, 30, "find_label_issues"),
    (100_000, 300, "find_label_issues"),
)

MEASURE = """
import json, resource, sys, time, threading
import numpy as np
folder, what = sys.argv[1:3]
labels = np.load(folder + "/labels.npy")
path = folder + "/probs.npy"

def own_memory():
    # resident memory that is this process's own, without pages of mapped files
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024

def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

if what == "labelproof":
    import labelproof as lp
    small = np.full((100, 3), 1 / 3, np.float32)
    lp.audit(np.arange(100) % 3, small)  # loads and compiles
    def run():
        return lp.audit(labels, path).error_probability
elif what == "labelproof in memory":
    import labelproof as lp
    probs = np.load(path)
    lp.audit(np.arange(100) % 3, np.full((100, 3), 1 / 3, np.float32))
    def run():
        return lp.audit(labels, probs).error_probability
elif what.startswith("find_label_issues_batched"):
    from cleanlab.experimental.label_issues_batched import find_label_issues_batched
    options = {} if what.endswith("default") else {"n_jobs": 1}
    def run():
        return find_label_issues_batched(labels=labels, pred_probs=np.load(path, mmap_mode="r"), verbose=False, **options)
elif what.startswith("find_label_issues"):
    from cleanlab.filter import find_label_issues
    probs = np.load(path, mmap_mode="r")
    options = {} if what.endswith("default") else {"n_jobs": 1}
    def run():
        return find_label_issues(labels, probs, **options)
elif what == "read once":
    def run():
        total, buffer = 0.0, bytearray(1 << 25)
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                total += count
        return np.array([total])
before_own, before = own_memory(), resident()
peak = [before_own, before]
done = threading.Event()
def watch():
    while not done.wait(0.005):
        peak[0], peak[1] = max(peak[0], own_memory()), max(peak[1], resident())
watcher = threading.Thread(target=watch); watcher.start()
seconds = []
for _ in range(int(sys.argv[3])):
    started = time.perf_counter(); result = run(); seconds.append(time.perf_counter() - started)
done.set(); watcher.join()
print(json.dumps({"seconds": min(seconds), "own_mb": peak[0] - before_own, "resident_mb": peak[1]}))
"""


def make(n: int, k: int, folder: Path) -> None:
    """A file of probabilities, written block by block, and labels of which a tenth are wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    probs = np.lib.format.open_memmap(folder / "probs.npy", mode="w+", dtype=np.float32, shape=(n, k))
    step = max(1, 20_000_000 // k)
    for start in range(0, n, step):
        part = rng.random((min(step, n - start), k), dtype=np.float32) ** 8
        rows = np.arange(len(part))
        part[rows, true[start : start + step]] += k / 20 + 3 * rng.random(len(part), dtype=np.float32)
        probs[start : start + step] = part / part.sum(axis=1, keepdims=True)
    probs.flush()
    np.save(folder / "labels.npy", np.where(rng.random(n) < 0.1, (true + 1) % k, true))


def measure(folder: Path, what: str, repeats: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, str(folder), what, str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    rows: list[dict[str, Any]] = []
    for n, k, peer in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(n, k, folder)
            large = n * k > 10_000_000
            limit = measure(folder, "read once", 3)
            ours = measure(folder, "labelproof", 2 if large else 5)
            memory = measure(folder, "labelproof in memory", 2 if large else 5) if n * k <= 200_000_000 else None
            default = measure(folder, f"{peer} default", 1 if large else 2) if peer else None
            single = measure(folder, f"{peer} n_jobs=1", 1 if large else 2) if peer else None
        rows.append(
            {
                "n": n,
                "k": k,
                "labelproof_seconds": ours["seconds"],
                "in_memory_seconds": memory["seconds"] if memory else float("nan"),
                "cleanlab": peer or "-",
                "cleanlab_seconds": default["seconds"] if default else float("nan"),
                "cleanlab_one_job_seconds": single["seconds"] if single else float("nan"),
                "times_faster": default["seconds"] / ours["seconds"] if default else float("nan"),
                "times_faster_than_one_job": single["seconds"] / ours["seconds"] if single else float("nan"),
                "read_once_seconds": limit["seconds"],
                "labelproof_mb": ours["own_mb"],
                "labelproof_resident_mb": ours["resident_mb"],
                "cleanlab_mb": single["own_mb"] if single else float("nan"),
            }
        )
    publish("audit_speed", rows, "float32 from a .npy file; memory is what the run adds to the process's own, in MiB.")
    plot(rows)


def plot(rows: list[dict[str, Any]]) -> None:
    """Growth with n and with k on logarithmic axes, against the time to read the file once."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, along, fixed, value in ((axes[0], "n", "k", 10), (axes[1], "k", "n", 100_000)):
        chosen = sorted(
            (r for r in rows if r[fixed] == value and r["cleanlab"] != "find_label_issues_batched"), key=lambda r: r[along]
        )
        for column, name in (
            ("cleanlab_one_job_seconds", "cleanlab, one job"),
            ("labelproof_seconds", "labelproof"),
            ("read_once_seconds", "reading the file once"),
        ):
            axis.loglog([r[along] for r in chosen], [r[column] for r in chosen], "o-", label=name)
        axis.set_xlabel(f"{along} ({fixed} = {value:,})")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds")
    axes[0].legend()
    figure.savefig(Path(__file__).parent / "results" / "audit_speed.png", dpi=110)


if __name__ == "__main__":
    main()
