"""README tells the truth: its tables are those of the result files, its commands exist."""

from __future__ import annotations

import itertools
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


def cells(row: str) -> int:
    """The number of cells of a table's row; a pipe that is escaped or in a code span separates none."""
    bare = re.sub(r"(`+).*?\1", "", re.sub(r"\\\|", "", row)).strip()
    return bare.removeprefix("|").removesuffix("|").count("|") + 1


def test_cells_are_counted():
    assert cells("| a | b |") == cells("a | b") == cells(r"| a \| c | b |") == cells("| `a | c` | b |") == 2
    assert cells("| a |") == 1


def test_each_row_of_a_table_has_as_many_cells_as_its_heading():
    tables = 0
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        lines = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines()
        for place, line in enumerate(lines):
            if place == 0 or not re.fullmatch(r"\|?(\s*:?-+:?\s*\|)*\s*:?-+:?\s*\|?", line) or "|" not in line:
                continue
            tables += 1
            heading = cells(lines[place - 1])
            for row in (line, *itertools.takewhile(lambda row: "|" in row, lines[place + 1 :])):
                assert cells(row) == heading, f"{path.name}: {heading} headings above the row {row!r}"
    assert tables > 20


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
