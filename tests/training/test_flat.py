"""Parameters side by side: the steps of an optimizer are those that it takes for each by itself."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from labelproof.training.flat import FlatParameters


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_the_steps_are_those_of_each_parameter_by_itself(optimizer):
    apart = network()
    together = copy.deepcopy(apart)
    x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))

    def groups(model):
        return [{"params": list(model[0].parameters()), "lr": 0.1}, {"params": list(model[1:].parameters()), "lr": 0.01}]

    one, flat = optimizer(groups(apart), weight_decay=0.1), FlatParameters(groups(together))
    other = optimizer(flat.groups, weight_decay=0.1)
    assert [group["lr"] for group in flat.groups] == [0.1, 0.01]
    for _ in range(5):
        for model, made, parts in ((apart, one, list(apart.parameters())), (together, other, flat.whole)):
            if model is apart:
                made.zero_grad()
            else:
                flat.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            nn.utils.clip_grad_norm_(parts, 0.5)
            made.step()
    for first, second in zip(apart.parameters(), together.parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


def test_frozen_parameters_are_left_alone_and_all_have_memory_of_their_own_afterwards():
    model = network()
    frozen = model[3].weight.requires_grad_(False)
    before = frozen.data_ptr()
    flat = FlatParameters([{"params": list(model.parameters())}])
    assert flat.whole[0].numel() == sum(part.numel() for part in model.parameters() if part.requires_grad)
    assert frozen.data_ptr() == before
    weights = copy.deepcopy(model.state_dict())
    flat.release()
    storages = [part.untyped_storage().data_ptr() for part in model.parameters()]
    assert len({*storages}) == len(storages)
    assert all(part.grad is None for part in model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
