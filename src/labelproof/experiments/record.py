"""The results of an experiment: a JSON file that grows row by row, so that an interrupted run can resume."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from scipy import stats

from labelproof.errors import CorruptArtifact
from labelproof.saving.files import atomic_write
from labelproof.validation import Json

PACKAGES = ("labelproof", "torch", "numpy", "scikit-learn")
SPREAD = "_±"  # ends the name of a column that is the spread of another
Row = Json


@dataclass
class Record:
    """Rows measured so far, in the order of measuring.

    Attributes
    ----------
    path : Path
        ``NAME.json``; a figure is next to it as ``NAME.png``.
    rows : list of dict
        Each with ``seconds`` and ``device``.
    skipped : list of str
        Parts that were not measured, and why.
    """

    path: Path
    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], name: str) -> Record:
        """The record in a folder, with the rows of an earlier run if there is one."""
        path = Path(folder) / f"{name}.json"
        if not path.exists():
            return cls(path)
        try:
            return cls(path, list(json.loads(path.read_text(encoding="utf-8"))["rows"]))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise CorruptArtifact(f"{str(path)!r} is not a record of an experiment ({error}). Delete it.") from error

    def has(self, **key: object) -> bool:
        """Whether a row with these values was measured."""
        return any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def groups(self, *names: str) -> dict[tuple[Any, ...], list[Row]]:
        """Rows that are equal in these columns, in the order of measuring; a missing value is ``None``."""
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            found.setdefault(tuple(row.get(name) for name in names), []).append(row)
        return found

    @contextmanager
    def measuring(self, **key: object) -> Iterator[Row]:
        """A row to fill in; it is added and written when the block ends well."""
        row: Row = dict(key)
        began = time.perf_counter()
        yield row
        row["seconds"] = round(time.perf_counter() - began, 2)
        row["device"] = device()
        self.rows.append(row)
        self.write()

    def write(self) -> None:
        """Write all rows, a line each, with the versions they were measured with."""
        measured = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
        head = json.dumps({"versions": measured, "cores": os.cpu_count()})[1:-1]
        rows = ",\n".join(json.dumps(row) for row in self.rows)
        atomic_write(self.path, f'{{{head}, "rows": [\n{rows}\n]}}\n'.encode())

    def summary(self) -> list[Row]:
        """Rows as a reader wants them; `table` shows these."""
        return self.rows

    def table(self, rows: list[Row] | None = None) -> Table:
        """Rows as a table for the terminal; by default the summary."""
        shown = self.summary() if rows is None else rows
        table = Table(box=None, header_style="dim", title=self.path.stem)
        columns = list(dict.fromkeys(name for row in shown for name, value in row.items() if not isinstance(value, list)))
        columns = [name for name in columns if not name.endswith(SPREAD)]  # next to the mean that it belongs to
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in shown:
            table.add_row(*(_cell(row, name) for name in columns))
        return table


def _cell(row: Row, name: str) -> str:
    value, spread = row.get(name, ""), row.get(f"{name}{SPREAD}")
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    return f"{value:.3f}" if spread is None else f"{value:.3f} ± {spread:.3f}"


def averaged(rows: Iterable[Row], name: str) -> Row:
    """Mean of a column, and half of its 95 % interval by Student's t, over the rows that have it; ``None`` if none has."""
    known = np.array([row[name] for row in rows if row.get(name) is not None], float)
    if not len(known):
        return {name: None, f"{name}{SPREAD}": None}
    return {name: float(known.mean()), f"{name}{SPREAD}": half_interval(known)}


def half_interval(values: npt.NDArray[np.float64]) -> float:
    """Half of the 95 % interval of a mean by Student's t; 0 for a single value, whose interval is unknown."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0


def ahead(by_method: Mapping[str, Mapping[object, float]]) -> str | None:
    """The method whose mean is the best, if its paired difference to every other has a 95 % interval above zero.

    Parameters
    ----------
    by_method : mapping of method to mapping of seed to value
        Differences are of the seeds that both have.
    """
    best = max(by_method, key=lambda method: float(np.mean(list(by_method[method].values()))))
    for other, values in by_method.items():
        shared = np.array([by_method[best][seed] - values[seed] for seed in values if seed in by_method[best]], float)
        if other != best and (len(shared) < 2 or shared.mean() <= half_interval(shared)):
            return None
    return best


def gained(rows: Iterable[Row], name: str, base: Mapping[object, Row]) -> Row:
    """``gain``: how much more rows have than that of the same seed in ``base``, averaged over those that have one there."""
    return averaged([{"gain": row[name] - base[row["seed"]][name]} for row in rows if row["seed"] in base], "gain")


def device() -> str:
    """The device, in words."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
