"""What a case is, and the list of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keep import Keep

CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """One use of labelproof.

    Attributes
    ----------
    function : callable
        Takes the `Keep` of the case; the working directory is empty.
    data : bool
        Whether it reads the real data below ``LABELPROOF_DATA``.
    trained : bool
        Whether its numbers come from a trained network, and so may differ a little more.
    slow : bool
    module : str
        What must be installed beside labelproof; empty for nothing.
    """

    function: Callable[[Keep], None]
    data: bool
    trained: bool
    slow: bool
    module: str

    def lacks(self) -> str:
        """What this machine lacks for it; empty for nothing."""
        folder = os.environ.get("LABELPROOF_DATA")
        if self.data and not (folder and Path(folder).is_dir()):
            return "LABELPROOF_DATA names no folder of real data"
        if self.module and importlib.util.find_spec(self.module) is None:
            return f"{self.module} is not installed"
        return ""


def case(
    *, data: bool = False, trained: bool = False, slow: bool = False, module: str = ""
) -> Callable[[Callable[[Keep], None]], Callable[[Keep], None]]:
    """Put a function into the list, under its own name with hyphens."""

    def take(function: Callable[[Keep], None]) -> Callable[[Keep], None]:
        CASES[function.__name__.replace("_", "-")] = Case(function, data, trained, slow, module)
        return function

    return take
