"""What the tests of the review loop share: small audits, a fresh PostgreSQL database, the served page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelproof as lp
from commands import COMMAND
from forked import Forked
from labelproof.review.candidates import open_candidates
from labelproof.review.log.session import ReviewSession
from labelproof.review.log.store import Store

TOKEN = "a-token-for-tests-only-0123456789"
START_SECONDS = 60


@pytest.fixture
def postgres_url(absent: Callable[[str, str], None]) -> Iterator[str]:
    """A fresh database of the PostgreSQL server that LABELPROOF_POSTGRES names."""
    server = os.environ.get("LABELPROOF_POSTGRES")
    if not server:
        absent("postgres", "LABELPROOF_POSTGRES names no PostgreSQL server")
    import psycopg

    name = f"labelproof_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(str(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield str(server).rsplit("/", 1)[0] + "/" + name
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: Any, tmp_path: Path) -> str:
    """Where decisions are kept: both kinds."""
    return str(tmp_path / "reviews.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty store."""
    opened = Store(database)
    yield opened
    opened.close()


@pytest.fixture
def audit_of(tmp_path: Path, digits: Any) -> Callable[..., tuple[Path, np.ndarray, np.ndarray]]:
    """Makes an audit folder of the first digits with flipped labels; the folder, the given labels and the true ones."""

    def make(n: int = 300, name: str = "audit", pictures: bool = True) -> tuple[Path, np.ndarray, np.ndarray]:
        true = digits.target[:n]
        noisy = lp.simulate.symmetric(true, 0.15, n_classes=10, random_state=1)
        rng = np.random.default_rng(0)
        logits = 3 * np.eye(10)[true] + rng.normal(0, 0.7, (n, 10))
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        x = digits.images[:n] if pictures else digits.data[:n]
        np.save(tmp_path / f"{name}.x.npy", x)
        np.save(tmp_path / f"{name}.y.npy", noisy.labels)
        data = lp.read_arrays(tmp_path / f"{name}.x.npy", tmp_path / f"{name}.y.npy")
        lp.audit(data, probs).save(tmp_path / name)
        return tmp_path / name, noisy.labels, true

    return make


@pytest.fixture
def session_of(tmp_path: Path) -> Iterator[Callable[..., ReviewSession]]:
    """Opens the review of a folder on a SQLite store beside the others."""
    opened: list[Store] = []

    def make(folder: Path, budget: int = 100, database: str | None = None, **options: Any) -> ReviewSession:
        opened.append(Store(database or tmp_path / "session.sqlite"))
        return ReviewSession(open_candidates(folder), opened[-1], budget=budget, **options)

    yield make
    for store in opened:
        store.close()


class Served:
    """`labelproof review` in a process of its own: forked from one that has imported it, or as a user starts it."""

    def __init__(self, folder: Path, *options: object, token: str | None = TOKEN, forked: bool = True) -> None:
        arguments = ["review", str(folder), "--no-browser", *map(str, options)]
        environment = {**os.environ, "COLUMNS": "200"}
        environment.pop("LABELPROOF_TOKEN", None)
        if token is not None:
            environment["LABELPROOF_TOKEN"] = token
        self.process: Any = (
            Forked(arguments, environment)
            if forked
            else subprocess.Popen(
                [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
        )
        printed = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            printed += line
            found = re.search(r"(http://[^/\s]+)/\?token=(\S+)", line)
            if found:
                self.address, self.token = found.groups()
                self.link = found.group()
                break
        else:
            _, problem = self.process.communicate()
            raise AssertionError(f"no link: {printed}{problem}")
        self.printed = printed

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """As Ctrl-C does; what was printed on standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=START_SECONDS)[1]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts the page; whatever still runs at the end is killed."""
    running: list[Served] = []

    def start(*arguments: Any, **options: Any) -> Served:
        running.append(Served(*arguments, **options))
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            served.kill()
