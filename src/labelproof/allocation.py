"""Memory that a network's layers take and give back thousands of times, held meanwhile by the process."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
HELD, LARGE = 256 << 20, 1 << 30  # bytes
USUAL = 128 << 10  # glibc's own thresholds
_lock, _holders = threading.Lock(), 0


@contextmanager
def memory_held() -> Iterator[None]:
    """Let glibc reuse memory instead of requesting it from the system at every layer.

    By default glibc maps and unmaps each block over 128 KiB, and every page of it faults again. For small networks on a CPU
    that takes a third to two thirds of the time (docs/encoders.md, benchmarks/memory_held.py). Without glibc, nothing is done.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _change(libc, +1, ((TOP_PAD, HELD), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, LARGE)))
    try:
        yield
    finally:
        if _change(libc, -1, ((TOP_PAD, 0), (MMAP_THRESHOLD, USUAL), (TRIM_THRESHOLD, USUAL))):
            libc.malloc_trim(0)


def _change(libc: ctypes.CDLL, step: int, settings: tuple[tuple[int, int], ...]) -> bool:
    """Begin or end holding. Nested requests, and those of other threads, change nothing. Returns whether anything changed."""
    global _holders
    with _lock:
        _holders += step
        outermost = _holders == (1 if step > 0 else 0)
        for option, value in settings if outermost else ():
            libc.mallopt(option, value)
    return outermost


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None
    except OSError:
        return None
