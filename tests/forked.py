"""Commands in processes of their own, forked from one that has imported the library: the two seconds of a start are paid once."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess

import pytest

PRELOADED = [
    "labelproof.cli",
    "labelproof.data.readers.arrays",
    "labelproof.data.readers.table",
    "labelproof.data.readers.text",
    "labelproof.estimators.noisy_label_classifier.noisy_label_classifier",
    "labelproof.review.candidates",
    "labelproof.review.page.describe",
    "labelproof.review.page.desk",
    "labelproof.review.page.opening",
    "labelproof.review.page.serving",
    "labelproof.training.checkpoint",
    "lightning_fabric",
    "sqlalchemy.dialects.sqlite",
    "torch._dynamo",  # which the first optimizer asks for
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.h11_impl",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


def start(function: Callable[..., object], *arguments: object) -> BaseProcess:
    """A function of a module of the tests in a process of its own."""
    process = _context.Process(target=function, args=arguments)
    process.start()
    return process


class Forked:
    """`labelproof ARGUMENTS` in a process of its own, with as much of `subprocess.Popen` as tests need."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", environment["COLUMNS"])  # read when the commands are imported
            ensure_running()
        self.stdout, out = _pipe()
        self.stderr, err = _pipe()
        self._process = _context.Process(target=_run, args=(arguments, dict(environment), out, err))
        self._process.start()
        out.close()
        err.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it printed since."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"it runs still after {timeout} s"
        with self.stdout, self.stderr:
            return self.stdout.read(), self.stderr.read()


def _pipe() -> tuple[io.TextIOWrapper, Connection]:
    reader, writer = _context.Pipe(duplex=False)
    return open(os.dup(reader.fileno()), encoding="utf-8"), writer  # noqa: PTH123


def _run(arguments: list[str], environment: dict[str, str], out: Connection, err: Connection) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, pipe in ((1, out), (2, err)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = ["labelproof", *arguments]
    from labelproof import cli

    cli.main()
