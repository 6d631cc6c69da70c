"""Learning-rate schedules as functions of the finished share of a phase, so that nothing needs saving."""

from __future__ import annotations

import math
from collections.abc import Callable

WARM_UP = 0.3  # of a one-cycle schedule
FIRST, LAST = 1 / 25, 1e-4  # its first and last rate, as factors


def one_cycle(done: float) -> float:
    """Up from 1/25 to 1 in the first 30 %, then down to nearly 0, along cosines (Smith and Topin 2019)."""
    if done < WARM_UP:
        return 1 + (FIRST - 1) * (1 + math.cos(math.pi * done / WARM_UP)) / 2
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "one-cycle": one_cycle,
    "step": lambda done: 0.1 ** sum(done >= at for at in (0.5, 0.75)),
}
