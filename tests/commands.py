"""Commands as a user types them: in this process, where nothing asks for more, or in one of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forked import Forked
from labelproof import cli

COMMAND = [sys.executable, "-m", "labelproof.cli"]
MODULES = (cli.shared, cli.audit, cli.cache, cli.captioning, cli.pipelines, cli.reproduce, cli.review, cli.small, cli.training)


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in this process, which spares the seconds of a start: what it prints, and its exit status."""
    command = [str(argument) for argument in arguments]
    texts = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["labelproof", *command])
        for module in MODULES:
            for name, text in zip(("out", "err"), texts, strict=True):
                if hasattr(module, name):
                    patch.setattr(module, name, cli.shared.SafeConsole(file=text, width=200))
        if cwd is not None:
            patch.chdir(cwd)
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
    return subprocess.CompletedProcess(command, int(status), *(text.getvalue() for text in texts))


def apart(*arguments: object) -> Forked:
    """A command in a process that is forked from one which has imported the library; it runs on."""
    return Forked([str(argument) for argument in arguments], {**os.environ, "COLUMNS": "200"})


def outside(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, with as many threads as any other such process."""
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False)
