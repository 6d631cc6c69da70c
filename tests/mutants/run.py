"""Changes the code at random, one place at a time, and counts how often the tests notice: ``python tests/mutants/run.py``.

The changes are those of cosmic-ray, `candidates` says which; ``modules.toml`` says of which modules, and which tests are asked;
``harmless.toml`` holds the changes that were judged to change no answer. They are made in a copy of the tree. What is done is kept in
``.mutants/``, so a run that was stopped goes on where it was; ``--again`` asks the tests once more about what they did not
notice. The count goes to ``benchmarks/results/mutants.json``.
"""

from __future__ import annotations

import argparse
import compileall
import difflib
import fcntl
import gc
import json
import os
import py_compile
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / ".mutants"
TREE = WORK / "tree"
RESULTS = ROOT / "benchmarks" / "results" / "mutants.json"
PRELOADED = "numpy scipy.stats scipy.optimize scipy.sparse sklearn.linear_model sklearn.model_selection sklearn.metrics sklearn.datasets"
PRELOADED += " numba _hypothesis_pytestplugin pytest_timeout xdist.plugin torch polars pyarrow.parquet sqlalchemy joblib pytest hypothesis.extra.numpy hypothesis.strategies"


def main() -> None:
    """Run the mutants of the named modules, or of all, each module in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="as in modules.toml; all where left out")
    parser.add_argument("--again", action="store_true", help="try the mutants that went unnoticed once more")
    parser.add_argument("--count", action="store_true", help="only count again what is done")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = tomllib.loads((HERE / "modules.toml").read_text())
    if options.one:
        run_module(options.one, config, again=options.again)
        return
    if options.count:
        write_results(config)
        return
    WORK.mkdir(exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in options.modules or config["modules"]:
            copy_tree()
            environment = {
                **os.environ,
                "PYTHONPATH": str(TREE / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NUMBA_CACHE_DIR": str(WORK / "numba"),
                "NUMBA_DISABLE_JIT": str(int(name in config["interpreted"])),
                "OMP_NUM_THREADS": "1",
                "NUMBA_NUM_THREADS": "1",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            }
            command = [sys.executable, __file__, "--one", name, *(["--again"] if options.again else [])]
            subprocess.run(command, env=environment, cwd=TREE, check=True)
            write_results(config)


def copy_tree() -> None:
    """What the tests need, as it stands; times are kept, because compiled kernels are known by them."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__", "mutants"))
    shutil.copy2(ROOT / "pyproject.toml", TREE)
    compileall.compile_dir(TREE / "src", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def run_module(name: str, config: dict, *, again: bool) -> None:
    """Try the sample of one module; the working directory is the copy of the tree."""
    from candidates import sample
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

    for library in PRELOADED.split():
        __import__(library)
    gc.freeze()  # what is loaded need not be gone through again in each fork
    tests = list(config["modules"][name])
    if chosen := config["interpreted"].get(name):
        tests += ["-k", chosen]
    items, total = sample(Path("src/labelproof") / f"{name}.py", config["mutants"], config["seed"])
    session_of(name).with_suffix(".json").write_text(json.dumps({"changes": total}))
    with use_db(session_of(name), WorkDB.Mode.create) as database:
        known = dict(database.results)
        database.clear()
        database.add_work_items(items)
        for item in items:
            if item.job_id in known and (known[item.job_id].is_killed or not again):
                database.set_result(item.job_id, known[item.job_id])
        start = time.monotonic()
        noticed, said = ask(tests, config["timeout"] * 5, first=True)
        if noticed:
            sys.exit(f"{name}: the tests fail on the code as it is\n{said}")
        print(f"{name}: {len(items)} of {total} changes, {time.monotonic() - start:.1f} s as it is", flush=True)
        for item in sorted(database.pending_work_items, key=lambda item: item.job_id):
            (mutation,) = item.mutations
            begun = time.monotonic()
            with use_mutation(mutation.module_path, get_operator(mutation.operator_name)(), mutation.occurrence) as (old, new):
                noticed, said = ask(tests, config["timeout"])
            diff = "\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))
            outcome = TestOutcome.KILLED if noticed else TestOutcome.SURVIVED
            database.set_result(
                item.job_id,
                WorkResult(WorkerOutcome.NORMAL, f"{time.monotonic() - begun:.1f} s\n{said[-2000:]}", outcome, diff),
            )
            if not noticed:
                print(f"  line {mutation.start_pos[0]}: " + "  ->  ".join(changed_lines(diff)), flush=True)


def ask(tests: list[str], seconds: float, *, first: bool = False) -> tuple[bool, str]:
    """Whether the tests fail, in a fork that has the libraries loaded already, and what they print."""
    output = WORK / "output"
    child = os.fork()
    if child == 0:
        os.setsid()
        with output.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(run_tests(tests, first=first))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0, output.read_text(errors="replace")
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True, "timeout"


def run_tests(tests: list[str], *, first: bool) -> int:
    """Run pytest in this process, with examples that are the same each time and are not made small."""
    import hypothesis
    import pytest

    sys.dont_write_bytecode = not first
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, phases=phases, deadline=None, max_examples=20
    )
    hypothesis.settings.load_profile("mutants")
    return int(
        pytest.main(
            [
                *shlex.split(
                    "-x -q --no-header --tb=line -p no:cacheprovider -p xdist.plugin -p pytest_timeout -p _hypothesis_pytestplugin -n 0"
                ),
                *tests,
            ]
        )
    )


def session_of(name: str) -> Path:
    """Where cosmic-ray keeps what is done of a module."""
    return WORK / f"{name.replace('/', '_')}.sqlite"


def changed_lines(diff: str) -> tuple[str, str]:
    """The old line and the new one."""
    lines = diff.splitlines()[3:]
    return tuple(" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")


def write_results(config: dict) -> None:
    """The table: of each module how many were tried and noticed, and what became of the others."""
    from cosmic_ray.work_db import WorkDB, use_db

    harmless = {
        (entry["module"], entry["was"], entry["now"]): entry["why"]
        for entry in tomllib.loads((HERE / "harmless.toml").read_text())["harmless"]
    }
    table, tried, noticed = {}, 0, 0
    for name in config["modules"]:
        if not session_of(name).exists():
            continue
        with use_db(session_of(name), WorkDB.Mode.open) as database:
            results = [result for _, result in database.results]
        unnoticed = [(name, *changed_lines(result.diff)) for result in results if not result.is_killed]
        spared = [key for key in unnoticed if key in harmless]
        row = {"sampled": len(results), "noticed": len(results) - len(unnoticed)}
        row |= json.loads(session_of(name).with_suffix(".json").read_text())
        row["seconds"] = round(sum(float(result.output.split()[0]) for result in results))
        row["harmless"] = [{"was": was, "now": now, "why": harmless[name, was, now]} for _, was, now in sorted(spared)]
        row["unnoticed"] = [{"was": was, "now": now} for _, was, now in sorted(set(unnoticed) - set(spared))]
        tried, noticed = tried + row["sampled"] - len(spared), noticed + row["noticed"]
        table[name] = row
    share = round(noticed / tried, 4) if tried else None
    whole = {"seed": config["seed"], "change an answer": tried, "noticed": noticed, "share": share, "modules": table}
    RESULTS.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
