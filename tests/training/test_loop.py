"""The loop learns, repeats, goes on bit for bit after a kill, and stops at a loss that is no number."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import labelproof as lp
from forked import start
from labelproof.training import Batch, History, Options, Step, Trainable, TrainingData, fit, predict_logits
from labelproof.training.schedule import SCHEDULES


def blobs(n: int = 300) -> TrainingData:
    order = torch.Generator().manual_seed(0)
    given = torch.randint(0, 3, (n,), generator=order)
    return TrainingData(torch.randn(n, 4, generator=order) + 3 * torch.eye(4)[given], given)


def linear() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 3))


def options(**changes) -> Options:
    return Options(**{"epochs": 4, "batch_size": 32, "learning_rate": 0.05, "accelerator": "cpu", **changes})


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])


def test_it_learns_and_leaves_the_callers_randomness_alone():
    data, module = blobs(), linear()
    before = torch.get_rng_state()
    trained = fit(module, data, options(epochs=20))
    assert torch.equal(before, torch.get_rng_state())
    assert trained is module
    assert not trained.training
    assert (predict_logits(trained, data.x).argmax(dim=1) == data.given).float().mean() > 0.9


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    found = [weights(fit(linear(), blobs(), options(seed=seed))) for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_no_batch_of_one_is_made():
    sizes: list[int] = []

    class Counting(Trainable):
        def __init__(self):
            super().__init__()
            self.network = linear()

        def loss(self, batch: Batch) -> Step:
            sizes.append(len(batch.x))
            logits = self.network(batch.x)
            return Step(torch.nn.functional.cross_entropy(logits, batch.given), logits)

    fit(Counting(), blobs(129), options(epochs=1, batch_size=64))
    assert sum(sizes) == 129
    assert min(sizes) > 60


def test_a_loss_that_is_no_number_stops_training_and_keeps_the_checkpoint(tmp_path):
    class Breaks(Trainable):
        def __init__(self):
            super().__init__()
            self.network = linear()

        def epoch_start(self, epoch: int) -> None:
            self.broken = epoch == 2

        def loss(self, batch: Batch) -> Step:
            logits = self.network(batch.x)
            loss = torch.nn.functional.cross_entropy(logits, batch.given, reduction="none")
            return Step(loss * torch.nan if self.broken else loss, logits)

    with pytest.raises(lp.BadInput, match=r"nan in epoch 3, batch 1 of 9.*last good checkpoint is in"):
        fit(Breaks(), blobs(), options(), folder=tmp_path)
    from labelproof.saving.state import read_tensors

    arrays, meta = read_tensors(tmp_path / "checkpoint.safetensors")
    assert meta["state"]["epoch"] == 2
    assert all(np.isfinite(array).all() for array in arrays.values())


class Stops(Exception):
    pass


class StopsAt(Trainable):
    """Raises before a given batch, as a kill would fall there."""

    def __init__(self, at: int | None):
        super().__init__()
        self.network, self.at, self.seen = linear(), at, 0
        self.register_buffer("marks", torch.zeros(300))

    def loss(self, batch: Batch) -> Step:
        self.seen += 1
        if self.seen == self.at:
            raise Stops
        logits = self.network(batch.x)
        self.remember(self.get_buffer("marks"), batch.index, torch.rand(len(batch.x)))
        return Step(torch.nn.functional.cross_entropy(logits, batch.given, reduction="none"), logits)

    def phases(self, epochs: int) -> list[int]:
        return [2, epochs - 2]


@pytest.mark.parametrize("at", [5, 9, 10, 19, 24])  # within epochs, at their ends, and across the phases
@pytest.mark.parametrize("minutes", [0.0, 5.0])  # a checkpoint after every batch, or only after epochs
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, at, minutes):
    how, data = options(schedule="one-cycle", checkpoint_minutes=minutes), blobs()
    whole, whole_history = StopsAt(None), History(300, 4)
    fit(whole, data, how, history=whole_history)
    with pytest.raises(Stops):
        fit(StopsAt(at), data, how, history=History(300, 4, tmp_path / "h"), folder=tmp_path)
    again, history = StopsAt(None), History(300, 4, tmp_path / "h")
    fit(again, data, how, history=history, folder=tmp_path)
    assert again.seen < whole.seen or (minutes and at <= 9)  # it did not begin anew
    assert torch.equal(weights(again), weights(whole))
    assert torch.equal(again.marks, whole.marks)
    for name in ("own_probability", "loss", "margin", "predicted"):
        assert np.array_equal(getattr(history, name), getattr(whole_history, name))


def train_apart(folder: Path, pause: float) -> None:
    net = linear()
    net.register_forward_hook(lambda *_: time.sleep(pause))
    fit(net, blobs(), options(epochs=6, checkpoint_minutes=0.0), folder=folder)
    torch.save(weights(net), folder / "weights.pt")


def test_a_killed_process_goes_on_bit_for_bit(tmp_path):
    def finished(folder: Path) -> int | None:
        process = start(train_apart, folder, 0.0)
        process.join()
        return process.exitcode

    assert finished(tmp_path / "whole") == 0
    killed = start(train_apart, tmp_path / "killed", 0.05)
    while not (tmp_path / "killed" / "checkpoint.safetensors").exists():
        time.sleep(0.01)
    time.sleep(0.4)
    assert killed.exitcode is None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert finished(tmp_path / "killed") == 0
    found = [torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "killed")]
    assert torch.equal(*found)


def test_a_damaged_checkpoint_is_refused_whole(tmp_path):
    fit(linear(), blobs(), options(epochs=1), folder=tmp_path)
    file = tmp_path / "checkpoint.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(lp.CorruptArtifact, match="not a complete file of tensors"):
        fit(linear(), blobs(), options(epochs=1), folder=tmp_path)
    file.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(lp.CorruptArtifact, match="checksum"):
        fit(linear(), blobs(), options(epochs=1), folder=tmp_path)
    save_file(load_file_safely(whole, tmp_path), file)
    with pytest.raises(lp.CorruptArtifact, match="has the format None, not 'labelproof 1'"):
        fit(linear(), blobs(), options(epochs=1), folder=tmp_path)


def load_file_safely(content: bytes, folder: Path) -> dict[str, torch.Tensor]:
    (folder / "copy.safetensors").write_bytes(content)
    return load_file(folder / "copy.safetensors")


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(linear(), blobs(), options(epochs=1), folder=tmp_path)
    with pytest.raises(lp.BadInput, match=r"unfinished run with learning_rate 0.05, now 0.1"):
        fit(linear(), blobs(), options(epochs=1, learning_rate=0.1), folder=tmp_path)
    with pytest.raises(lp.BadInput, match="of other data"):
        fit(linear(), blobs(200), options(epochs=1), folder=tmp_path)


def test_early_stopping_keeps_the_best_weights(tmp_path):
    data = blobs()
    order = torch.Generator().manual_seed(1)
    noise = TrainingData(data.x, torch.randint(0, 3, (300,), generator=order))
    right: list[float] = []

    class Watched(StopsAt):
        def phases(self, epochs: int) -> list[int]:
            return [epochs]

        def epoch_end(self, epoch: int) -> None:
            right.append(float((predict_logits(self, data.x).argmax(dim=1) == data.given).float().mean()))

        def logits(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x)

    model = Watched(None)
    fit(model, noise, options(epochs=50, patience=3, learning_rate=0.2), validation=data, folder=tmp_path)
    assert len(right) < 50
    kept = float((predict_logits(model, data.x).argmax(dim=1) == data.given).float().mean())
    assert kept == max(right)
    assert len(right) - 1 - right.index(max(right)) == 3
    again = Watched(None)
    fit(again, noise, options(epochs=50, patience=3, learning_rate=0.2), validation=data, folder=tmp_path)
    assert again.seen == 0
    assert torch.equal(weights(again), weights(model))


def test_weights_of_items_count():
    data = blobs()
    flipped = (data.given + 1) % 3
    both = TrainingData(
        torch.cat([data.x, data.x]), torch.cat([data.given, flipped]), torch.cat([torch.ones(300), torch.full((300,), 1e-6)])
    )
    trained = fit(linear(), both, options(epochs=20))
    assert (predict_logits(trained, data.x).argmax(dim=1) == data.given).float().mean() > 0.9


def test_schedules_run_from_and_to_what_they_say():
    assert SCHEDULES["one-cycle"](0.0) == pytest.approx(1 / 25)
    assert SCHEDULES["one-cycle"](0.3) == pytest.approx(1.0)
    assert SCHEDULES["one-cycle"](1.0) == pytest.approx(0.0, abs=1e-3)
    assert [SCHEDULES["step"](t) for t in (0.0, 0.6, 0.8)] == pytest.approx([1, 0.1, 0.01])
    assert SCHEDULES["cosine"](0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": -1.0}, "above 0"),
        ({"schedule": "one-cycel"}, "Did you mean 'one-cycle'"),
        ({"optimizer": "lbfgs"}, "Give one of adamw, sgd"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(lp.BadInput, match=message):
        options(**change)


def test_clipping_bounds_the_step():
    data = TrainingData(1e4 * blobs().x, blobs().given)
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 3)
    before = net.weight.detach().clone()
    how = options(
        epochs=1, batch_size=300, optimizer="sgd", schedule="constant", learning_rate=1.0, weight_decay=0.0, clip_norm=0.1
    )
    fit(net, data, how)
    # Nesterov's first step is (1 + 0.9) times the gradient
    assert (net.weight - before).norm() <= 1.9 * 0.1 + 1e-5


def test_it_logs_an_epoch_a_row_also_when_it_goes_on(tmp_path):
    with pytest.raises(Stops):
        fit(StopsAt(24), blobs(), options(logger="csv"), folder=tmp_path)
    fit(StopsAt(None), blobs(), options(logger="csv"), folder=tmp_path)
    lines = (tmp_path / "log" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 5
    epochs = [int(float(line.split(",")[lines[0].split(",").index("epoch")])) for line in lines[1:]]
    assert epochs == [1, 2, 3, 4]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns():
    """Without dropout the mean gradient of two halves is that of the whole."""
    data = blobs(256)
    nets = []
    for devices in (1, 2):
        torch.manual_seed(0)
        history = History(256, 3)
        nets.append(fit(torch.nn.Linear(4, 3), data, options(epochs=3, devices=devices), history=history))
        assert np.isfinite(history.own_probability.astype(float)).all()
    assert torch.allclose(weights(nets[0]), weights(nets[1]), atol=1e-5)


def test_mixed_precision_learns_as_well():
    data = blobs()
    trained = fit(linear(), data, options(epochs=20, precision="bf16-mixed"))
    assert trained[0].weight.dtype == torch.float32
    assert (predict_logits(trained, data.x).argmax(dim=1) == data.given).float().mean() > 0.9


def test_a_logger_without_a_folder_or_package_is_refused(tmp_path, monkeypatch):
    with pytest.raises(lp.BadInput, match="needs a folder"):
        fit(linear(), blobs(), options(logger="csv"))
    for name in ("tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.compat", None)
    import lightning_fabric.loggers.tensorboard as module

    monkeypatch.setattr(module, "_TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr(module, "_TENSORBOARDX_AVAILABLE", False)
    with pytest.raises(lp.MissingDependency, match="pip install tensorboard"):
        fit(linear(), blobs(), options(logger="tensorboard"), folder=tmp_path)
