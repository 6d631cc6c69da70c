"""Runs the golden cases, each in a process of its own: ``python tests/golden/run.py OUT [--only GLOB] [--src PATH]``."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from cases import CASES
from keep import Keep

MARK = "_case.json"  # in the folder of a case that is whole
LONGEST = 600  # seconds of one case, on a busy machine
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the cases that are not done yet; 1 if one of them failed in a way that is none of its outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the outputs, a folder for each case")
    parser.add_argument("--only", default="*", help="cases whose name this matches, e.g. 'review-*'")
    parser.add_argument("--src", type=Path, default=ROOT / "src", help="where labelproof is imported from")
    parser.add_argument("--anew", action="store_true", help="run cases again that are done")
    parser.add_argument("--quick", action="store_true", help="leave out the slow ones")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return run_here(options.one, options.out.resolve())
    chosen = [name for name in CASES if fnmatch.fnmatch(name, options.only) and not (options.quick and CASES[name].slow)]
    options.out.mkdir(parents=True, exist_ok=True)
    failed = [name for name in chosen if not done(name, options.out, options.src.resolve(), anew=options.anew)]
    if failed:
        print("failed: " + ", ".join(failed))
    return 1 if failed or not chosen else 0


def done(name: str, out: Path, src: Path, *, anew: bool) -> bool:
    """Whether the outputs of a case are there, after it was run where they were not."""
    goal, partial = out / name, out / f".{name}"
    if (goal / MARK).exists() and not anew:
        return True
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    began, worked = time.monotonic(), cpu_seconds()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LABELPROOF_", "COLUMNS", "LINES"))}
    environment |= {k: os.environ[k] for k in ("LABELPROOF_DATA",) if k in os.environ}
    environment |= {"PYTHONPATH": str(src), "COLUMNS": "160", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "TZ": "UTC"}
    command = [sys.executable, __file__, str(partial), "--one", name]
    try:
        ended = subprocess.run(command, env=environment, timeout=LONGEST, capture_output=True, text=True, check=False)
        problem = ended.stderr if ended.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"not done after {LONGEST} s"
    lacks = "" if problem else json.loads((partial / MARK).read_text())["skipped"]
    note = "  FAILED" if problem else "  raised" if (partial / "error.txt").exists() else f"  skipped: {lacks}" if lacks else ""
    print(f"{name:<32} {time.monotonic() - began:6.1f} s, {cpu_seconds() - worked:5.1f} s of CPU{note}", flush=True)
    if problem:
        print(problem[-2000:])
        return False
    shutil.rmtree(goal, ignore_errors=True)
    partial.rename(goal)
    return True


def cpu_seconds() -> float:
    """What the cases so far took of a core."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run_here(name: str, out: Path) -> int:
    """Run one case in this process and write its outputs."""
    case = CASES[name]
    work = Path(tempfile.mkdtemp(prefix="golden-"))
    os.chdir(work)
    about = {"trained": case.trained, "skipped": case.lacks()}
    keep = Keep(work, out)
    try:
        if not about["skipped"]:
            case.function(keep)
    except Exception as error:
        keep.text("error", f"{type(error).__name__}: {error}")
        frames = traceback.extract_tb(error.__traceback__)  # to look at, and not compared: lines move
        (out / "_traceback.log").write_text("".join(traceback.format_list(frames)))
    finally:
        os.chdir(ROOT)
        shutil.rmtree(work, ignore_errors=True)
    (out / MARK).write_text(json.dumps(about) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
