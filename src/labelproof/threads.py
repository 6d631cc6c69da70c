"""The number of threads to use, and work spread over them.

Threads of BLAS and OpenMP wait for one another in a busy loop. In parallel with other work, small jobs then take many times as
long. So small jobs run in one thread, and large ones in threads that sleep while they wait.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

SMALL_CELLS = 500_000  # numbers that one thread works through sooner than several agree on who does what

_MOST: ContextVar[int | None] = ContextVar("most threads", default=None)
_LOCK = threading.Lock()
_inside = 0  # how many blocks of `one_thread` are open
_limit: Any = None


def usable(n_jobs: int | None = None) -> int:
    """The number of threads that this process may use.

    Its cores (affinity and the quota of its cgroup, as joblib counts them), at most ``OMP_NUM_THREADS`` if that is set, and at
    most what `at_most` sets.

    Parameters
    ----------
    n_jobs : int, optional
        As in scikit-learn: that many; -1 all, -2 all but one.
    """
    cores = _cores()
    for most in (n_jobs, _MOST.get()):
        if most is not None:
            cores = min(cores, most) if most > 0 else max(1, cores + 1 + most)
    return cores


@cache
def _cores() -> int:
    from joblib import cpu_count  # takes a while to load, and small jobs never ask

    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(cpu_count(), int(wanted))) if wanted.isdigit() and int(wanted) else int(cpu_count())


@contextmanager
def at_most(n_jobs: int | None) -> Iterator[None]:
    """Within the block `usable` counts at most ``n_jobs`` threads; ``None`` changes nothing."""
    token = _MOST.set(_MOST.get() if n_jobs is None else n_jobs)
    try:
        yield
    finally:
        _MOST.reset(token)


def in_threads(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Like `map`, over a number of threads; a few items are under way at a time, and results come in order."""
    if threads <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="labelproof") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block BLAS and OpenMP use one thread; afterwards as many as before, even if blocks overlap."""
    global _inside, _limit
    with _LOCK:
        if _inside == 0:
            _limit = _controller(tuple(name in sys.modules for name in ("scipy.linalg", "sklearn", "torch"))).limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if _inside == 0:
                _restore()


def _restore() -> None:
    """Undo `_limit` in any thread; threadpoolctl allows only the thread that set a limit to undo it."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)
    _limit.restore_original_limits()
    OpenBLASController.clear_controlling_thread(force=True)


@cache
def _controller(loaded: tuple[bool, ...]) -> Any:
    """The libraries that are loaded now, including numpy's BLAS; searched again when more are."""
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
