"""What a method costs beside a plain loop written by hand: the same network, batches and data, in one run.

The plain loop is AdamW on cross-entropy, without history, checkpoints, progress or anything else. Ratios are medians over
rounds in which the plain loop is timed before and after each method.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

import labelproof as lp
from _table import data_folder, publish
from labelproof.methods import Task, make_method
from labelproof.networks import SmallConvNet
from labelproof.training import History, Options, TrainingData, fit

N, BATCH, EPOCHS, ROUNDS = 2_560, 128, 2, 4
KNOWN = {"transition": lp.TransitionMatrix.symmetric(10, 0.4).matrix}
CASES = {
    "cross-entropy": ({}, 1.10),
    "mae": ({}, 1.10),
    "gce": ({}, 1.10),
    "sce": ({}, 1.10),
    "bootstrap": ({}, 1.10),
    "forward": (KNOWN, 1.10),
    "backward": (KNOWN, 1.10),
    "nnaqc": ({}, 1.10),
    "elr": ({}, None),
    "sop": ({}, None),
    "joint-optimization": ({}, 1.15),
    "em": ({}, None),
    "confident-learning": ({}, None),
    "co-teaching": ({"forget_rate": 0.4}, 2.2),
    "dividemix": ({}, 5.0),
}


def network() -> torch.nn.Module:
    return SmallConvNet(10, in_channels=1, width=16)


def plain(x: torch.Tensor, given: torch.Tensor, epochs: int) -> float:
    net = network()
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=5e-3)
    began = time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).tensor_split(len(x) // BATCH):
            loss = torch.nn.functional.cross_entropy(net(x[rows]), given[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - began


def ours(name: str, options: dict, x: torch.Tensor, given: torch.Tensor, epochs: int) -> float:
    method = make_method(name, options)
    began = time.perf_counter()
    method.build(Task(TrainingData(x, given), 10, epochs, network))
    history = History(len(x), sum(method.phases(epochs)))
    fit(method, TrainingData(x, given), Options(epochs=epochs, batch_size=BATCH, accelerator="cpu"), history=history)
    return time.perf_counter() - began


def main() -> None:
    data = np.load(data_folder() / "mnist.npz")
    x = torch.from_numpy(data["x_train"][:N]).float().unsqueeze(1) / 255 - 0.5
    given = torch.from_numpy(lp.simulate.symmetric(data["y_train"][:N].astype(int), 0.4, random_state=0).labels)
    plain(x, given, 1)
    rows = []
    for name, (options, goal) in CASES.items():
        epochs = 5 if name in ("dividemix", "confident-learning", "em", "joint-optimization") else EPOCHS
        ratios = []
        for _ in range(ROUNDS if epochs == EPOCHS else 2):
            before = plain(x, given, epochs)
            mine = ours(name, options, x, given, epochs)
            ratios.append(mine / ((before + plain(x, given, epochs)) / 2))
        spread = max(ratios) - min(ratios)
        rows.append({"method": name, "times plain": statistics.median(ratios), "spread": spread, "goal": goal or float("nan")})
        print(rows[-1], flush=True)
    publish("training_cost", rows, "SmallConvNet of width 16 on 2,560 MNIST pictures, batches of 128, history recorded, CPU")


if __name__ == "__main__":
    main()
