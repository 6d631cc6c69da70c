"""The how-to guides: their code and commands run in order, and the figures that the pages show are those of the commands."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from commands import run
from labelproof.cli import app

ROOT = Path(__file__).parent.parent
PIPELINES = ROOT / "docs" / "pipelines.md"
GUIDES = {  # page: how many labels a person or --obvious changes in the end, as the page says it
    "audit-tables": 1,
    "audit-text": None,
    "audit-images": 14,
    "audit-cells": 19,
    "audit-probabilities": 79,
    "guide-label-studio": 36,
    "guide-argilla": 41,
    "guide-fiftyone": 14,
}
FIGURES = r"\d+ obvious, \d+ possible"


def steps(page: str) -> list[tuple[str, str]]:
    """Blocks of Python and lines of commands, in the order of the page."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = []
    for kind, block in re.findall(r"^```(python|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            found.append(("python", block))
        else:
            found += [("command", line) for line in re.findall(r"^\$ labelproof (.*)$", block, re.MULTILINE)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=pytest.mark.needs("anndata")) if p == "audit-cells" else p for p in GUIDES]
)
def test_a_guide_runs_as_printed(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "data", tmp_path / "examples" / "data")
    monkeypatch.chdir(tmp_path)
    said = {}
    for kind, step in steps(page):
        if kind == "python":
            exec(compile(step, page, "exec"), {})
            continue
        done = run(*shlex.split(step), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said[step] = " ".join(done.stdout.split())
    shown = re.findall(FIGURES, (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    assert shown and set(shown) <= set(re.findall(FIGURES, " ".join(said.values())))
    if GUIDES[page] is not None:
        applied = next(text for step, text in said.items() if step.startswith("apply "))
        assert re.search(rf"\b{GUIDES[page]}\b", applied)


def blocks_of_yaml() -> list[dict]:
    text = PIPELINES.read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def test_the_workflow_and_the_hook_are_whole_and_name_options_that_exist():
    workflow, hook = blocks_of_yaml()
    job = workflow["jobs"]["check"]
    assert workflow["name"] and workflow[True] and job["runs-on"]  # YAML reads the key `on` as true
    assert all("uses" in step or "run" in step for step in job["steps"])
    commands = [step["run"] for step in job["steps"] if "labelproof check" in step.get("run", "")]
    own = hook["repos"][0]["hooks"][0]
    assert own["pass_filenames"] is False and re.match(own["files"], "data/reviews.csv")
    commands.append(own["entry"])
    assert len(commands) == 2
    for command in commands:
        name, *rest = shlex.split(command)[1:]
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [name, "--help"]).output
        for option in rest:
            assert not option.startswith("--") or option in shown, option


def test_the_hook_stops_a_commit_of_bad_labels_and_lets_good_ones_pass(tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "examples" / "data" / "reviews.csv", tmp_path / "data" / "reviews.csv")
    entry = shlex.split(blocks_of_yaml()[1]["repos"][0]["hooks"][0]["entry"])[1:]
    done = run(*entry, cwd=tmp_path)
    assert done.returncode == 1
    shown = PIPELINES.read_text(encoding="utf-8")
    assert re.search(FIGURES, " ".join(done.stdout.split()))[0] in shown
    given, true = (pl.read_csv(ROOT / "examples" / "data" / name) for name in ("reviews.csv", "reviews-truth.csv"))
    given.with_columns(true["sentiment"]).write_csv(tmp_path / "data" / "reviews.csv")
    assert run(*entry, cwd=tmp_path).returncode == 0


def test_the_reference_of_commands_lists_every_command_and_option():
    import sys

    sys.path.insert(0, str(ROOT / "docs"))
    from _cli import page

    text = page()
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--help"]).output
    for name in re.findall(r"^│ (\w+)  ", shown, re.MULTILINE):
        assert f"## labelproof {name}\n" in text
        own = text.split(f"## labelproof {name}\n")[1].split("\n## ")[0]
        help_of = CliRunner(env={"COLUMNS": "200"}).invoke(app, [name, "--help"]).output
        for option in set(re.findall(r"(?<=[│,] )--[a-z][a-z-]+", help_of)) - {"--help"}:
            assert f"`{option}`" in own, f"{name} {option}"
    assert "| `--budget` | integer, 1 or more | `200` |" in text
