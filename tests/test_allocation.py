"""Memory held between layers: page faults are spared, and given back at the end, also where holding is nested."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest

from labelproof import allocation
from labelproof.allocation import memory_held

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")


def _faults(rounds: int = 50) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        np.empty(8 << 20, np.uint8).fill(1)  # 2,048 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_pages_are_faulted_in_once():
    with memory_held():
        _faults(1)
        held = _faults()
    assert held < 3 * 2048


def test_nested_holding_ends_with_the_outermost():
    with memory_held():
        with memory_held():
            _faults(1)
        assert allocation._holders == 1
        assert _faults() < 3 * 2048
    assert allocation._holders == 0


def test_it_ends_when_what_is_inside_fails():
    with pytest.raises(ZeroDivisionError), memory_held():
        _ = 1 / 0
    assert allocation._holders == 0
