"""README tells the truth: its tables are those of the result files, its commands exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labelproof.cli import app

ROOT = Path(__file__).parent.parent


def test_tables_are_made_from_the_result_files():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from _readme import filled

    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert filled(text) == text, f"run python benchmarks/_readme.py: a table of {path.name} is out of date"


def test_every_command_and_option_that_the_pages_name_exists():
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for command, rest in re.findall(
            r"labelproof (audit|simulate|demo|version|train|predict|methods|reproduce|review|apply|export|import|check|compare|cache)\b([^\n`|]*)",
            path.read_text(encoding="utf-8"),
        ):
            shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [command, "--help"]).output
            for option in re.findall(r"--[a-z-]+", rest):
                assert option in shown, f"{path.name}: labelproof {command} has no {option}"


@pytest.mark.needs("torch")
def test_the_number_of_methods_that_pages_name_is_that_of_the_registry():
    from labelproof.methods import METHODS

    named = {
        path.name: re.findall(pattern, path.read_text(encoding="utf-8"))
        for path, pattern in (
            (ROOT / "README.md", r"\[(\d+) methods\]"),
            (ROOT / "docs/training.md", r"lists all (\d+)"),
            (ROOT / "docs/reproduced.md", r"(\d+) methods, 12 kinds"),
        )
    }
    assert named == {page: [str(len(METHODS))] for page in named}
