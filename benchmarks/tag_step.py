"""What the noise modeling network adds to a training step of 1,000 tags: medians of steps taken in turn, forward, backward and AdamW.

The classifier's own step is with binary cross-entropy; both have the same backbone and batch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from _table import publish
from labelproof.estimators.tagger.network import TagNetwork
from labelproof.estimators.tagger.noise_network import NoiseNetwork, noisy_cross_entropy
from labelproof.networks import FCNVGG16, MLP, SmallConvNet

TAGS, ROUNDS = 1_000, 25
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str, int]] = {
    "rows of 2,048 numbers, batch 128": (lambda: MLP(TAGS, 2048, hidden=(1024, 512)), (128, 2048), "none", ROUNDS),
    "pictures 64 x 64, small network, noisy-OR, batch 32": (lambda: SmallConvNet(TAGS, 3), (32, 3, 64, 64), "noisy-or", ROUNDS),
    "pictures 64 x 64, VGG16 (512 wide), noisy-OR, batch 4": (lambda: FCNVGG16(TAGS, width=512), (4, 3, 64, 64), "noisy-or", 9),
}


def steps(make: Callable[[], nn.Module], shape: tuple[int, ...], pooling: str, rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    network = TagNetwork(make(), len(shape) - 1, pooling)
    x, tags = torch.randn(shape), (torch.rand(shape[0], TAGS) < 0.02).long()
    with torch.no_grad():
        features = network(x[:2]).features.shape[1]
    noises = {
        "classifier": None,
        "FI": NoiseNetwork(features, TAGS, feature_dependent=False),
        "FD": NoiseNetwork(features, TAGS),
    }
    optimizers = {
        name: torch.optim.AdamW([*network.parameters(), *([] if noise is None else noise.parameters())], fused=True)
        for name, noise in noises.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in noises}
    for _ in range(rounds + 2):
        for name, noise in noises.items():
            began = time.perf_counter()
            found = network(x)
            if noise is None:
                cost = functional.binary_cross_entropy_with_logits(found.own_logits, tags.float())
            else:
                cost = noisy_cross_entropy(found.own_logits, tags, noise(found.own_features)).mean()
            optimizers[name].zero_grad()
            cost.backward()
            optimizers[name].step()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[2:]) for name, values in seconds.items()}


def main() -> None:
    rows = []
    for name, case in CASES.items():
        found = steps(*case)
        base = found["classifier"]
        rows.append(
            {"step": name, "classifier_ms": 1000 * base, "FI": found["FI"] / base, "FD": found["FD"] / base, "goal": 1.3}
        )
    publish("tag_step", rows, " ".join((__doc__ or "").split()))


if __name__ == "__main__":
    main()
