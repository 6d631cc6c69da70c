"""The tutorials' commands run as printed, one after the other, and say what the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from commands import run

ROOT = Path(__file__).parent.parent
PAGES = ("tutorial-audit", "tutorial-review")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_printed(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "data", tmp_path / "examples" / "data")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ labelproof (.*)$", text, re.MULTILINE)
    assert len(commands) >= 2
    said = ""
    for command in commands:
        done = run(*command.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said += " ".join(done.stdout.split())
    if page == "tutorial-audit":
        for figure in (
            "8.1% of 800 labels look wrong",
            "41 obvious, 26 possible",
            "41 obvious errors changed without a review",
        ):
            assert figure in said
            assert figure in " ".join(text.split())
        truth, given, clean = (pl.read_csv(name)["sentiment"] for name in (
            "examples/data/reviews-truth.csv", "examples/data/reviews.csv", "clean.csv"))  # fmt: skip
        assert ((truth != given).sum(), (truth != clean).sum(), ((given != clean) & (truth != clean)).sum()) == (67, 26, 0)
