"""One file for each study. A new one is a file with ``run(record, data, seeds, quick)`` and a line in `EXPERIMENTS`."""

from __future__ import annotations

import os
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from labelproof.errors import BadInput, did_you_mean
from labelproof.experiments.record import Record
from labelproof.extras import needed_by

EXPERIMENTS = {
    "memorization": "labelproof.experiments.memorization",
    "regularization": "labelproof.experiments.regularization",
    "survey": "labelproof.experiments.survey",
    "methods-benchmark": "labelproof.experiments.methods_benchmark",
    **dict.fromkeys(("cifar10n", "cifar10n-reduced"), "labelproof.experiments.cifar10n"),
    "m-vae-figure-1": "labelproof.experiments.m_vae",
    **dict.fromkeys(("nl-gan-table-1", "nl-gan-figure-1", "nl-gan-figure-3"), "labelproof.experiments.nl_gan"),
    **dict.fromkeys(("nmn-table-1", "nmn-table-2", "nmn-table-3"), "labelproof.experiments.nmn"),
    "nmn-table-4": "labelproof.experiments.nmn_captions",
    "nmn-figure-4": "labelproof.experiments.nmn_words",
    "nmn-evidence": "labelproof.experiments.nmn_evidence",
}


def run_experiment(
    name: str,
    folder: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    seeds: int = 3,
    quick: bool = False,
    **parts: Any,
) -> Record:
    """Run or resume a study, and write ``NAME.json`` and ``NAME.png`` into a folder.

    Parameters
    ----------
    name : str
    folder : path
    data : path, optional
    seeds : int
    quick : bool
    **parts
        Which part of it: ``rows``, ``epochs`` and ``filters``, of the studies that have a choice.

    Raises
    ------
    BadInput
        For an unknown name, or a part that the study does not have.
    """
    if name not in EXPERIMENTS:
        raise BadInput(f"{name!r} is not a study. {did_you_mean(name, list(EXPERIMENTS))}There are {', '.join(EXPERIMENTS)}.")
    record = Record.open(folder, name)
    place = None if data is None else Path(data)
    with needed_by(f"the study {name}"):
        run = import_module(EXPERIMENTS[name]).run
    for part in parts:
        if part not in signature(run).parameters:
            raise BadInput(f"{name} has no choice of {part}. Omit --{part}.")
    found: Record = run(record, data=place, seeds=seeds, quick=quick, **parts)
    return found


__all__ = ["EXPERIMENTS", "Record", "run_experiment"]
