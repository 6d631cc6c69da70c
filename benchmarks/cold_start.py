"""How long a new installation takes to answer, and its size on disk: the core alone, in an environment made for this.

The first time is that of the first process in it, the next that of a further process. The large audit is of 600,000 x 100, with compiled loops
that were kept by an earlier process: what the first audit of a process takes, imports included, and the second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from _table import publish

ROOT = Path(__file__).parent.parent
SMALL = """
import numpy as np, labelproof as lp
rng = np.random.default_rng(0)
true = rng.integers(0, 5, 1000)
probs = np.where(np.eye(5, dtype=bool)[true], 0.92, 0.02)
lp.audit(np.where(rng.random(1000) < 0.1, (true + 1) % 5, true), probs).issues.head()
"""
LARGE = """
import json, time, warnings
import numpy as np, labelproof as lp
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
true = rng.integers(0, 100, 600_000)
probs = rng.random((600_000, 100), dtype=np.float32) ** 8
probs[np.arange(600_000), true] += 5
probs /= probs.sum(axis=1, keepdims=True)
seconds = []
for _ in range(2):
    began = time.perf_counter(); lp.audit(true, probs); seconds.append(time.perf_counter() - began)
print(json.dumps(seconds))
"""
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}


def seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    return time.perf_counter() - began


def megabytes(folder: Path) -> float:
    return float(subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True).stdout.split()[0])


def core(folder: Path) -> list[dict[str, Any]]:
    """The core in a new environment."""
    from sklearn.datasets import load_breast_cancer

    load_breast_cancer(as_frame=True).frame.to_csv(folder / "breast_cancer.csv", index=False)
    home = folder / "environment"
    venv.create(home, with_pip=True)
    empty = megabytes(home)
    subprocess.run([home / "bin/pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT], check=True, env=ENVIRONMENT)
    rows: list[dict[str, Any]] = [{"what": "size of the core, MB", "first": megabytes(home), "next": None, "goal": 900}]
    rows.append({"what": "of which the empty environment, MB", "first": empty, "next": None, "goal": None})
    python, command = str(home / "bin/python"), str(home / "bin/labelproof")
    cases = {
        "import and audit of 1,000 x 5": ([python, "-W", "ignore", "-c", SMALL], 1.5),
        "labelproof audit breast_cancer.csv": (
            [command, "audit", "breast_cancer.csv", "--label", "target", "--out", "audit", "--overwrite"],
            4,
        ),
        "labelproof demo": ([command, "demo", "--overwrite"], 30),
        "labelproof --help": ([command, "--help"], 0.5),
    }
    for what, (line, goal) in cases.items():
        rows.append({"what": what, "first": seconds(line, folder), "next": seconds(line, folder), "goal": goal})
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        rows = core(Path(name))
    measure = [sys.executable, "-c", LARGE]
    subprocess.run(measure, check=True, capture_output=True)  # compiles, if this was never done
    first, second = min(
        json.loads(subprocess.run(measure, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        for _ in range(3)
    )
    rows.append({"what": "a large audit: the first of a process, and the second", "first": first, "next": second, "goal": None})
    publish("cold_start", rows, "seconds where nothing else is said; first and next are processes in a new environment")


if __name__ == "__main__":
    main()
