"""What the benchmarks share: one table printed and written, with what it was measured on."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def data_folder() -> Path:
    """The folder of real data, or an exit that says how to name it."""
    folder = os.environ.get("LABELPROOF_DATA")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("LABELPROOF_DATA must name the folder of real data")
    return Path(folder)


def publish(name: str, rows: list[dict[str, Any]], note: str) -> None:
    """Print the rows and write them to ``results/NAME.json``."""
    table = Table(title=name, box=None, header_style="dim")
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=200).print(table)
    RESULTS.mkdir(exist_ok=True)
    measured = {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": _versions(),
    }
    rows = [{k: None if v != v else v for k, v in row.items()} for row in rows]  # JSON knows no NaN
    content = {"note": note, "measured_on": measured, "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")


def _processor() -> str:
    """Its name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def _versions() -> dict[str, str]:
    found = {}
    for package in ("labelproof", "cleanlab", "crowd-kit", "numpy", "scikit-learn", "numba", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
