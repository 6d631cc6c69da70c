"""Progress bars on standard error: they appear once a job has lasted two seconds, and only in a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console  # not loaded if nobody sees it

T = TypeVar("T")
PATIENCE_SECONDS = 2.0
SHORT_PATIENCE_SECONDS = 1.5


def track(
    items: Iterable[T], description: str | Callable[[], str], total: int | None = None, console: Console | None = None
) -> Iterator[T]:
    """Yield from ``items`` and, past two seconds, show a bar with the estimated time to the end.

    Parameters
    ----------
    items : iterable
    description : str or callable
        What is being done, in the user's words; a callable is called again after each item.
    total : int, optional
        Number of items; by default ``len(items)`` if that exists.
    console : rich.console.Console, optional
        Defaults to standard error. Nothing is drawn unless it is a terminal.

    Examples
    --------
    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    if console is None and not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = console or Console(stderr=True)
    if total is None and isinstance(items, Sized):
        total = len(items)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started, bar = time.monotonic(), None
    try:
        for done, item in enumerate(items):
            if bar is None and console.is_terminal and time.monotonic() - started > PATIENCE_SECONDS:
                bar = Progress(*columns, console=console, transient=True)
                task = bar.add_task(_said(description), total=total, completed=done)
                bar.start()
            yield item
            if bar is not None:
                bar.update(task, advance=1, description=_said(description))
    finally:
        if bar is not None:
            bar.stop()


def _said(description: str | Callable[[], str]) -> str:
    return description if isinstance(description, str) else description()


@contextmanager
def announced(message: str) -> Iterator[None]:
    """Print what is being done on standard error, once it has taken 1.5 seconds, even if standard error is no terminal."""
    timer = threading.Timer(SHORT_PATIENCE_SECONDS, lambda: print(message, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
