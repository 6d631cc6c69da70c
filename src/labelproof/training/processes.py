"""The place of a run: this process, or several on one machine."""

from __future__ import annotations

import copy
import gc
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch

from labelproof.errors import BadInput
from labelproof.extras import missing, needed_by
from labelproof.saving.folders import LOG_FOLDER
from labelproof.saving.state import read_tensors, write_tensors
from labelproof.training.checkpoint import arrays_of, tensors_of
from labelproof.training.history import COLUMNS, History
from labelproof.training.options import Options
from labelproof.training.trainable import Trainable, TrainingData

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # two seconds to import, which those who predict are spared
    from lightning_fabric.loggers.logger import Logger
    from lightning_fabric.plugins.precision.precision import _PRECISION_INPUT
    from lightning_fabric.strategies.strategy import Strategy


class Run(Protocol):
    """The loop's arguments.

    Attributes
    ----------
    history : History or None
        Filled during the run.
    history_folder : Path or None
        Where the first of several processes keeps it.
    result : Path or None
        Where that process writes the weights.
    wrapped, optimizer
        Fabric's, which must be gone before a process ends.
    """

    model: Trainable
    data: TrainingData
    options: Options
    folder: Path | None
    history: History | None
    history_folder: Path | None
    result: Path | None
    wrapped: torch.nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def epochs(self) -> int:
        """Over all phases."""

    def __call__(self, fabric: Fabric) -> None:
        """Train to the end."""


def launch(run: Run, history: History | None) -> None:
    """Train in several processes. Their results come back through files, because Fabric's queue holds next to nothing."""
    with needed_by("training"):
        from lightning_fabric.strategies.ddp import DDPStrategy

    options, model = run.options, run.model
    strategy = DDPStrategy(
        start_method="spawn",
        find_unused_parameters=True,
        forward_sync_buffers=False,
        process_group_backend="gloo" if options.accelerator == "cpu" else None,
    )
    with tempfile.TemporaryDirectory(prefix="labelproof-processes-") as place:
        run.result, run.history = Path(place) / "model.safetensors", None
        if history is not None:
            run.history_folder = Path(place) if history.folder is None else history.folder
        fabric_for(options, run.folder, strategy=strategy).launch(partial(_in_processes, run=run))
        model.load_state_dict(tensors_of(read_tensors(run.result)[0]))
        if history is not None and history.folder is None:
            kept = History.load(place)
            history.__dict__.update({name: np.array(getattr(kept, name)) for name in COLUMNS})


def _in_processes(fabric: Fabric, run: Run) -> None:
    """One of several processes."""
    run.model = copy.deepcopy(run.model)  # tensors were passed in shared memory: each process would step for all
    fabric.barrier()
    if run.history_folder is not None and fabric.global_rank == 0:
        run.history = History(len(run.data), run.epochs, run.history_folder)
    run(fabric)
    if fabric.global_rank == 0 and run.result is not None:
        write_tensors(run.result, arrays_of(run.model), {})
        if run.history is not None:
            run.history.flush()
    del run.wrapped, run.optimizer
    gc.collect()
    fabric.barrier()
    torch.distributed.destroy_process_group()  # its threads must be gone before the process ends


def fabric_for(options: Options, folder: Path | None, strategy: Strategy | str = "auto") -> Fabric:
    """Lightning Fabric with these options, and a logger that writes into the folder."""
    with needed_by("training"):
        from lightning_fabric import Fabric

    loggers: list[Logger] = []
    if options.logger is not None and folder is None:
        raise BadInput(f"logger {options.logger!r} needs a folder to write to. Name one.")
    if options.logger == "csv" and folder is not None:
        from lightning_fabric.loggers.csv_logs import CSVLogger

        loggers = [CSVLogger(folder / LOG_FOLDER, name="", version="")]
    elif options.logger == "tensorboard" and folder is not None:
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger

        try:
            loggers = [TensorBoardLogger(folder / LOG_FOLDER, name="", version="")]
        except ModuleNotFoundError as error:  # Lightning's own error, which does not give the name of the package separately
            raise missing("tensorboard", "logger 'tensorboard'") from error
    return Fabric(
        accelerator=options.accelerator,
        devices=options.devices,
        precision=cast("_PRECISION_INPUT", options.precision),
        loggers=loggers,
        strategy=strategy,
    )
