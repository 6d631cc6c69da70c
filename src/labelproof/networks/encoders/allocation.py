"""Memory that a network's layers take and give back thousands of times, held meanwhile by the process."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
HELD, LARGE = 256 << 20, 1 << 30  # bytes
USUAL = 128 << 10  # glibc's own thresholds


@contextmanager
def memory_held() -> Iterator[None]:
    """Let glibc hand the same memory out again instead of asking the system for it at every layer.

    By default each block over 128 KiB is mapped and unmapped, and every page of it faulted in anew: of small networks on a processor
    that is half of the time (docs/encoders.md). Elsewhere than under glibc nothing is done.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for option, value in ((TOP_PAD, HELD), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, LARGE)):
        libc.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in ((TOP_PAD, 0), (MMAP_THRESHOLD, USUAL), (TRIM_THRESHOLD, USUAL)):
            libc.mallopt(option, value)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None
    except OSError:
        return None
