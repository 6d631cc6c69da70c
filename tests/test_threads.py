"""Threads: how many may be used, results in order, and nothing that outlasts a call."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import labelproof as lp
from labelproof import threads


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_cores_that_a_process_may_use_are_counted(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads._cores.cache_clear()
    cores = threads.usable()
    assert 1 <= cores <= len(os.sched_getaffinity(0))
    assert threads.usable(1) == 1
    assert threads.usable(-1) == cores
    assert threads.usable(-10_000) == 1
    with threads.at_most(1):
        assert threads.usable() == threads.usable(8) == 1
        with threads.at_most(None):
            assert threads.usable() == 1
    assert threads.usable() == cores
    monkeypatch.setenv("OMP_NUM_THREADS", "1,2")
    threads._cores.cache_clear()
    assert threads.usable() == 1
    threads._cores.cache_clear()


def test_results_come_in_order_and_few_items_are_under_way():
    under_way, most = 0, 0
    lock = threading.Lock()

    def slow(i):
        nonlocal under_way
        time.sleep(0.002 * (i % 3))
        return i * i

    def items():
        nonlocal under_way, most
        for i in range(60):
            with lock:
                under_way += 1
                most = max(most, under_way)
            yield i

    for count, found in enumerate(threads.in_threads(slow, items(), 2)):
        assert found == count * count
        with lock:
            under_way -= 1
    assert count == 59
    assert most <= 10


def test_an_error_in_a_thread_is_raised_where_the_results_are_taken():
    def bad(i):
        if i == 7:
            raise ValueError("seven")
        return i

    with pytest.raises(ValueError, match="seven"):
        list(threads.in_threads(bad, range(100), 2))


def test_one_thread_within_the_block_and_as_many_as_before_after_it_also_where_blocks_overlap():
    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with threads.one_thread():
            inside.set()
            leave.wait(10)

    with threads.one_thread():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(10)
        assert blas_threads() == {1}
    assert blas_threads() == {1}  # the other block is still open
    leave.set()
    thread.join()
    assert blas_threads() == before


def test_an_audit_leaves_the_number_of_threads_as_it_was():
    before = blas_threads()
    rng = np.random.default_rng(0)
    lp.audit(rng.integers(0, 3, 300), rng.dirichlet(np.ones(3), 300))
    assert blas_threads() == before


def test_small_audits_run_in_one_thread_and_jobs_bound_large_ones(monkeypatch):
    asked = []
    real = threads.ThreadPoolExecutor

    class Pool(real):
        def __init__(self, count, **how):
            asked.append(count)
            super().__init__(count, **how)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(threads, "_cores", lambda: 4)
    rng = np.random.default_rng(0)
    small, large = 1000, 300_000
    probs = rng.dirichlet(np.ones(8), large).astype(np.float32)
    labels = rng.integers(0, 8, large)
    lp.audit(labels[:small], probs[:small])
    assert asked == []
    plain = lp.audit(labels, probs)
    assert asked == [4, 4]
    bounded = lp.audit(labels, probs, n_jobs=2)
    assert asked == [4, 4, 2, 2]
    lp.audit(labels, probs, n_jobs=1)
    assert asked == [4, 4, 2, 2]
    assert np.array_equal(plain.error_probability, bounded.error_probability)
