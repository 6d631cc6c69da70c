"""The one training loop, over Lightning Fabric: it owns devices, order, seeds, progress, checkpoints and history."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from labelproof.allocation import memory_held
from labelproof.data.frames import read_frame
from labelproof.errors import BadInput, CorruptArtifact
from labelproof.progress import track
from labelproof.saving.folders import LOG_FOLDER
from labelproof.saving.state import State, read_tensors, write_tensors
from labelproof.threads import one_thread
from labelproof.training.checkpoint import arrays_of, fingerprint, flat_optimizer, restore_optimizer, tensors_of
from labelproof.training.flat import FlatParameters
from labelproof.training.history import History
from labelproof.training.options import Options
from labelproof.training.processes import fabric_for, launch
from labelproof.training.schedule import SCHEDULES
from labelproof.training.trainable import PlainClassifier, Trainable, TrainingData, as_is, predict_logits

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # two seconds to import, which those who predict are spared

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.csv"
SMALL_BATCH = 50_000  # numbers


@dataclass
class _State:
    """The state of a run: everything in a checkpoint except the method and its optimizer."""

    epoch: int = 0
    position: int = 0  # batches of the epoch that are done
    order: Tensor | None = None  # of the epoch
    total_loss: float = 0.0
    right: float = 0.0
    seen: float = 0.0
    best: float = -math.inf
    best_epoch: int = -1
    best_weights: dict[str, Tensor] | None = None


def fit(
    model: nn.Module,
    data: TrainingData,
    options: Options | None = None,
    *,
    validation: TrainingData | None = None,
    history: History | None = None,
    folder: str | os.PathLike[str] | None = None,
    identity: Mapping[str, object] | None = None,
) -> nn.Module:
    """Train a module in place.

    Parameters
    ----------
    model : Trainable or any Module
        A plain module, ``(b, ...)`` to logits ``(b, k)``, is trained with cross-entropy.
    data : TrainingData
    options : Options, optional
    validation : TrainingData, optional
        Items with noisy labels on which accuracy is measured after each epoch, for ``patience``.
    history : History, optional
        Records the logits and losses of each item.
    folder : path, optional
        Folder for checkpoints and logs. A killed run resumes from it, on a CPU bit for bit as if it had not been interrupted.
    identity : mapping, optional
        JSON that must match that of the checkpoint for the run to resume.

    Returns
    -------
    Module
        The same, in evaluation mode and on the CPU.

    Raises
    ------
    BadInput
        If the loss is not finite (the message names the batch, and the last checkpoint stays), or the folder holds another run.
    CorruptArtifact
        If the checkpoint is damaged.
    """
    options = options or Options()
    trainable = model if isinstance(model, Trainable) else PlainClassifier(model)
    run = _Run(trainable, data, options, validation, history, None if folder is None else Path(folder), dict(identity or {}))
    if options.devices > 1:
        launch(run, history)
    else:
        run(fabric_for(options, run.folder))
    trainable.eval()
    return model


class _Run:
    """One call of `fit`."""

    def __init__(
        self,
        model: Trainable,
        data: TrainingData,
        options: Options,
        validation: TrainingData | None,
        history: History | None,
        folder: Path | None,
        identity: dict[str, object],
    ) -> None:
        self.model, self.data, self.options = model, data, options
        self.validation, self.history, self.folder = validation, history, folder
        self.phases = [length for length in model.phases(options.epochs) if length > 0]
        self.batches = options.batches(len(data))
        parts = {"x": data.x, "given": data.given, "weight": data.weight, "verified": data.verified}
        self.identity = {**identity, "options": options.decisive, "data": fingerprint(parts)}
        self.state = _State()
        self.history_folder: Path | None = None  # of the first of several processes
        self.result: Path | None = None  # where it writes the weights
        self.saved_at = time.monotonic()
        self.flat: FlatParameters | None = None  # if one process computes on a CPU

    @property
    def epochs(self) -> int:
        """Over all phases."""
        return sum(self.phases)

    def __call__(self, fabric: Fabric) -> None:
        """Train to the end, from a checkpoint if there is one."""
        self.fabric = fabric
        self.move = as_is if fabric.device.type == "cpu" else fabric.to_device
        with memory_held(), torch.random.fork_rng(devices=[]), one_thread() if self._small() else nullcontext():
            torch.manual_seed(self.options.seed)
            if fabric.world_size > 1:
                self.model.gather = self._gathered
            self.wrapped: nn.Module = fabric.setup_module(self.model)
            self._new_optimizer()
            self.logged = _logged(self.folder) if self.options.logger == "csv" and fabric.global_rank == 0 else []
            self._resume()
            self.model.train()
            for _ in track(range(self.state.epoch, self.epochs), self._doing):
                if not self._epoch():
                    break
            if self.state.best_weights is not None:
                self.model.load_state_dict(self.state.best_weights)
        for logger in fabric.loggers:
            logger.finalize("success")
        if self.flat is not None:
            self.flat.release()
        self.model.__dict__.pop("gather", None)
        self.model.cpu()

    def _small(self) -> bool:
        """Whether a batch is so small that several threads of a CPU would wait for one another longer than they compute."""
        numbers = math.prod(self.data.x.shape[1:]) * len(self.data) / self.batches
        return bool(self.fabric.device.type == "cpu" and numbers <= SMALL_BATCH)

    def _gathered(self, values: Tensor) -> Tensor:
        """Rows of all processes, one after the other."""
        return cast(Tensor, self.fabric.all_gather(values.contiguous())).flatten(0, 1)

    def _doing(self) -> str:
        state = self.state
        if not state.seen:
            return "training"
        return (
            f"training, loss {state.total_loss / state.seen:.3f}, accuracy on the given labels {state.right / state.seen:.1%}"
        )

    def _new_optimizer(self) -> None:
        """Optimizer and bases of the learning rates of the phase that begins."""
        options, groups = self.options, []
        for group in self.model.parameter_groups():
            scale = group.pop("lr_scale", 1.0)
            groups.append({"lr": options.learning_rate * scale, "base": options.learning_rate * scale, **group})
        if self.flat is not None:
            self.flat.release()
        if self.fabric.device.type == "cpu" and self.fabric.world_size == 1 and str(options.precision).startswith("32"):
            self.flat = FlatParameters(groups)
            groups = self.flat.groups
        if options.optimizer == "adamw":
            made: torch.optim.Optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay, fused=True)
        else:
            made = torch.optim.SGD(
                groups, lr=options.learning_rate, momentum=0.9, nesterov=True, weight_decay=options.weight_decay
            )
        self.optimizer = made if self.flat is not None else cast(torch.optim.Optimizer, self.fabric.setup_optimizers(made))

    def _epoch(self) -> bool:
        """One epoch, or the rest of it; returns whether to continue."""
        state, model = self.state, self.model
        phase, first = self._phase_of(state.epoch)
        if state.order is None:
            if state.epoch == first:
                if state.epoch > 0:
                    self._new_optimizer()
                model.phase_start(phase)
            model.epoch_start(state.epoch)
            state.order = self._drawn()
            state.position, state.total_loss, state.right, state.seen = 0, 0.0, 0.0, 0.0
        parts = state.order.tensor_split(self.batches)
        for rows in parts[state.position :]:
            self._set_rate((state.epoch - first + state.position / self.batches) / self.phases[phase])
            self._step(rows)
            state.position += 1
            if state.position < self.batches and self._minutes_are_over():
                self._save()
        model.epoch_end(state.epoch)
        going_on = self._measured(first, phase)
        state.epoch, state.order = state.epoch + 1, None
        if state.epoch % self.options.checkpoint_epochs == 0 or state.epoch == self.epochs or not going_on:
            self._save()
        return going_on

    def _phase_of(self, epoch: int) -> tuple[int, int]:
        """Number and first epoch of the phase."""
        first = 0
        for phase, length in enumerate(self.phases):
            if epoch < first + length:
                return phase, first
            first += length
        raise AssertionError(epoch)

    def _drawn(self) -> Tensor:
        weights = self.model.sampling_weights()
        n = len(self.data)
        return torch.randperm(n) if weights is None else torch.multinomial(weights.cpu(), n, replacement=True)

    def _set_rate(self, done: float) -> None:
        scale = SCHEDULES[self.options.schedule](done)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * scale

    def _step(self, rows: Tensor) -> None:
        fabric, state = self.fabric, self.state
        if fabric.world_size > 1:
            rows = rows[: len(rows) // fabric.world_size * fabric.world_size][fabric.global_rank :: fabric.world_size]
        batch = self.data.batch(rows, self.move)
        step = (self.wrapped if self.flat is None else self.model)(batch)
        value = step.loss
        if value.ndim:
            value = value.mean() if batch.weight is None else (value * batch.weight).sum() / batch.weight.sum().clamp_min(1e-12)
        number = value.item()
        if not math.isfinite(number):
            raise BadInput(self._no_number(number))
        self._descend(value)
        logits = step.logits.detach()
        state.total_loss += number * len(rows)
        state.seen += len(rows)
        if batch.given.ndim == 1:
            state.right += float((logits.argmax(dim=1) == batch.given).sum())
            if self.history is not None or self.history_folder is not None:
                self._record(batch.index, batch.given, logits, step.loss.detach())

    def _descend(self, value: Tensor) -> None:
        """One step of the optimizer; with one process on a CPU, without Fabric's detours for other cases."""
        most = self.options.clip_norm
        if self.flat is None:
            self.optimizer.zero_grad()
            self.fabric.backward(value)
            if most is not None:
                self.fabric.clip_gradients(self.model, self.optimizer, max_norm=most, error_if_nonfinite=False)
        else:
            self.flat.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            if most is not None:
                nn.utils.clip_grad_norm_(self.flat.whole, most)
        self.optimizer.step()

    def _record(self, index: Tensor, given: Tensor, logits: Tensor, loss: Tensor) -> None:
        if loss.ndim == 0:
            loss = nn.functional.cross_entropy(logits.float(), given.clamp_min(0), reduction="none")
        together = self.model.gather
        rows = [together(values) for values in (index, given, logits, loss)]
        if self.history is not None:
            self.history.record(self.state.epoch, *rows)

    def _no_number(self, value: float) -> str:
        state = self.state
        kept = "" if self.folder is None else f" The last good checkpoint is in {str(self.folder)!r}."
        return (
            f"The loss is {value} in epoch {state.epoch + 1}, batch {state.position + 1} of {self.batches}. "
            f"Lower learning_rate, now {self.options.learning_rate:g}, or set clip_norm.{kept}"
        )

    def _measured(self, first: int, phase: int) -> bool:
        """Log the epoch; returns whether the validation items suggest to continue."""
        state, options = self.state, self.options
        numbers = {"epoch": state.epoch + 1, "loss": state.total_loss / state.seen, "accuracy_given": state.right / state.seen}
        going_on = True
        if self.validation is not None:
            logits = predict_logits(self.model, self.validation.x, device=self.fabric.device)
            right = float((logits.argmax(dim=1) == self.validation.given).double().mean())
            numbers["validation_accuracy_given"] = right
            if phase == len(self.phases) - 1 and options.patience is not None:
                if right > state.best:
                    state.best, state.best_epoch = right, state.epoch
                    state.best_weights = {name: t.detach().cpu().clone() for name, t in self.model.state_dict().items()}
                going_on = state.epoch - state.best_epoch < options.patience
        self.fabric.log_dict(numbers, step=state.epoch)
        return going_on

    def _log_again(self, epochs: int) -> None:
        """The log of an earlier run for the epochs that are not run again."""
        for row in self.logged:
            if row["epoch"] <= epochs:
                numbers = {name: value for name, value in row.items() if name != "step" and value is not None}
                self.fabric.log_dict(numbers, step=int(row["step"]))

    def _minutes_are_over(self) -> bool:
        return self.folder is not None and time.monotonic() - self.saved_at > 60 * self.options.checkpoint_minutes

    def _save(self) -> None:
        """Write a checkpoint: the history first, so that it never lags behind."""
        if self.folder is None or self.fabric.global_rank > 0:
            return
        if self.history is not None:
            self.history.flush()
        for logger in self.fabric.loggers:
            logger.save()
        state = self.state
        optimizer, meta = flat_optimizer(self.optimizer)
        arrays = (
            arrays_of(self.model, "model") | arrays_of(optimizer, "optimizer") | arrays_of(state.best_weights or {}, "best")
        )
        arrays |= arrays_of({"random": torch.get_rng_state()} | ({} if state.order is None else {"order": state.order}))
        scalars = {n: getattr(state, n) for n in ("epoch", "position", "total_loss", "right", "seen", "best_epoch")}
        scalars["best"] = None if state.best == -math.inf else state.best
        write_tensors(self.folder / CHECKPOINT, arrays, {"identity": self.identity, "state": scalars, "optimizer": meta})
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        """Load a checkpoint, completely or not at all."""
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return
        arrays, meta = read_tensors(self.folder / CHECKPOINT)
        kept = State("checkpoint", meta, arrays)
        _check_same(kept.get("identity", dict), self.identity, self.folder)
        try:
            self.model.load_state_dict(tensors_of(kept.of("model")))
            restore_optimizer(self.optimizer, tensors_of(kept.of("optimizer")), kept.get("optimizer", dict))
        except (RuntimeError, ValueError) as error:
            raise CorruptArtifact(f"The checkpoint in {str(self.folder)!r} does not fit: {error}") from error
        scalars = kept.get("state", dict)
        scalars["best"] = -math.inf if scalars["best"] is None else scalars["best"]
        self._log_again(int(scalars["epoch"]))
        rest = tensors_of({name: array for name, array in arrays.items() if "/" not in name})
        self.state = _State(**scalars, order=rest.get("order"), best_weights=tensors_of(kept.of("best")) or None)
        torch.set_rng_state(rest["random"])
        stopped = self.options.patience is not None and self.state.epoch - 1 - self.state.best_epoch >= self.options.patience
        if self.state.best_weights is not None and stopped:
            self.state.epoch = self.epochs


def _logged(folder: Path | None) -> list[dict[str, float]]:
    """Rows of an earlier run's log; Fabric's logger begins a new file."""
    file = None if folder is None else folder / LOG_FOLDER / METRICS
    if file is None or not file.exists():
        return []
    rows = read_frame(file).to_dicts()
    file.unlink()
    return rows


def _check_same(written: Mapping[str, object], now: Mapping[str, object], folder: Path) -> None:
    """Refuse a checkpoint of another run, and name what differs."""
    flat = [{**run, **cast(dict[str, object], run.get("options", {}))} for run in (written, now)]
    differing = [name for name in sorted({*flat[0], *flat[1]} - {"options"}) if flat[0].get(name) != flat[1].get(name)]
    if differing:
        name = differing[0]
        what = "of other data" if name == "data" else f"with {name} {flat[0].get(name)!r}, now {flat[1].get(name)!r}"
        raise BadInput(
            f"{str(folder)!r} holds an unfinished run {what}. Repeat that command to resume it, or delete the folder."
        )
