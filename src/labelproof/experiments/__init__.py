"""One file for each study. A new one is a file with ``run(record, data, seeds, quick)`` and a line in `EXPERIMENTS`."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from labelproof.errors import BadInput
from labelproof.experiments.record import Record
from labelproof.validation import did_you_mean

EXPERIMENTS = {
    "memorization": "labelproof.experiments.memorization",
    "methods-benchmark": "labelproof.experiments.methods_benchmark",
    "cifar10n": "labelproof.experiments.cifar10n",
    "m-vae-figure-1": "labelproof.experiments.m_vae",
    **dict.fromkeys(("nmn-table-1", "nmn-table-2", "nmn-table-3"), "labelproof.experiments.nmn"),
}


def run_experiment(
    name: str,
    folder: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    seeds: int = 3,
    quick: bool = False,
) -> Record:
    """Run a study, or go on with one, and write ``NAME.json`` and ``NAME.png`` into a folder.

    Raises
    ------
    BadInput
        For an unknown name.
    """
    if name not in EXPERIMENTS:
        raise BadInput(f"{name!r} is no study. {did_you_mean(name, list(EXPERIMENTS))}There are {', '.join(EXPERIMENTS)}.")
    record = Record.open(folder, name)
    place = None if data is None else Path(data)
    found: Record = import_module(EXPERIMENTS[name]).run(record, data=place, seeds=seeds, quick=quick)
    return found


__all__ = ["EXPERIMENTS", "Record", "run_experiment"]
