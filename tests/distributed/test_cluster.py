"""On a Ray cluster of two nodes: the answer of one machine, also when a node dies; a clear error where none answers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from commands import run
from labelproof.auditing import blockwise, larger
from labelproof.auditing.larger import LargerAudit
from labelproof.distributed import audit_on_ray, connect, ray_map, writing
from labelproof.distributed.shards import Shard

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 200_000_000, "include_dashboard": False}
    )
    nodes.add_node(num_cpus=1, object_store_memory=200_000_000)
    connect(nodes.address)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="module")
def stored(noisy_problem, tmp_path_factory):
    labels, probs, _ = noisy_problem(n=3000)
    folder = tmp_path_factory.mktemp("probs")
    np.save(folder / "p.npy", probs)
    (folder / "parts").mkdir()
    frame = pl.DataFrame(probs, schema=["c0", "c1", "c2", "c3"])
    for i in range(3):
        frame[i * 1000 : (i + 1) * 1000].write_parquet(folder / "parts" / f"{i}.parquet")
    return labels, probs, folder


@pytest.mark.parametrize("kind", ["memory", "npy", "parquet", "unlabelled"])
def test_the_answer_is_that_of_one_machine(cluster, stored, kind):
    labels, probs, folder = stored
    if kind == "unlabelled":
        labels = np.where(np.arange(3000) % 7 == 0, -1, labels)
    one = lp.audit(labels, probs)
    many = audit_on_ray(labels, {"npy": folder / "p.npy", "parquet": folder / "parts"}.get(kind, probs))
    assert many.issues.equals(one.issues)
    assert many.error_rate == one.error_rate


def test_columns_in_another_order(cluster, stored):
    labels, probs, _ = stored
    names = np.array(["d", "b", "a", "c"])
    one = lp.audit(names[labels], probs, classes=names)
    assert np.allclose(audit_on_ray(names[labels], probs, classes=names).error_probability, one.error_probability)


def test_a_part_without_rows_is_passed_over(cluster, stored, tmp_path):
    labels, probs, _ = stored
    frame = pl.DataFrame(probs, schema=["c0", "c1", "c2", "c3"])
    for name, part in (("a", frame[:1200]), ("b", frame[:0]), ("c", frame[1200:])):
        part.write_parquet(tmp_path / f"{name}.parquet")
    assert np.allclose(audit_on_ray(labels, tmp_path).error_probability, lp.audit(labels, probs).error_probability)


def test_cross_validation_as_tasks(cluster, digits):
    x, y = digits.data[:300] / 16, digits.target[:300]
    model = LogisticRegression(max_iter=500)
    here = lp.out_of_sample_probs(x, y, estimator=model)
    assert np.allclose(lp.out_of_sample_probs(x, y, estimator=model, map_folds=ray_map), here)


def test_a_node_that_dies_during_the_run_changes_nothing(cluster, stored):
    labels, probs, _ = stored
    doomed = cluster.add_node(num_cpus=1, object_store_memory=200_000_000)

    def slow(start: int) -> np.ndarray:
        time.sleep(1.0)
        return probs[start : start + 250]

    shards = [Shard(start, start + 250, partial(slow, start)) for start in range(0, 3000, 250)]
    killer = threading.Timer(3.0, lambda: cluster.remove_node(doomed, allow_graceful=False))
    killer.start()
    started = time.monotonic()
    found = audit_on_ray(labels, probs, shards=shards)
    assert time.monotonic() - started > 3.0, "the run ended before the node was killed"
    killer.join()
    assert found.issues.equals(lp.audit(labels, probs).issues)


@pytest.fixture
def small(monkeypatch):
    """Everything is large here."""
    monkeypatch.setattr(larger, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(blockwise, "RUN_ROWS", 400)


@pytest.mark.parametrize("kind", ["memory", "npy", "parquet", "unlabelled", "names and ids"])
def test_what_workers_write_is_the_answer_of_one_machine(cluster, stored, small, kind, tmp_path):
    labels, probs, folder = stored
    ids = None
    if kind == "unlabelled":
        labels = np.where(np.arange(3000) % 7 == 0, -1, labels)
    if kind == "names and ids":
        labels, ids = np.array(list("dbac"))[labels], np.array([f"item {i}" for i in range(3000)])
    source = {"npy": folder / "p.npy", "parquet": folder / "parts"}.get(kind, probs)
    one = lp.audit(labels, probs, ids=ids)
    many = audit_on_ray(labels, source, ids=ids, out=tmp_path / "audit")
    assert isinstance(many, LargerAudit)
    assert many.issues.collect().equals(one.issues)
    assert many.items.collect().equals(one.items)
    assert lp.Audit.load(tmp_path / "audit").summary == one.summary
    assert sum(1 for _ in (tmp_path / "audit" / "issues.parquet").iterdir()) >= 3000 // 400
    assert not (tmp_path / "audit" / "scratch").exists()


def test_a_small_audit_on_ray_is_written_as_it_is_saved(cluster, stored, tmp_path):
    labels, probs, _ = stored
    found = audit_on_ray(labels, probs, out=tmp_path / "audit")
    assert isinstance(found.issues, pl.DataFrame)
    assert lp.Audit.load(tmp_path / "audit").issues.equals(lp.audit(labels, probs).issues)


def test_the_command_lets_the_workers_write(cluster, stored, small, tmp_path):
    labels, probs, folder = stored
    np.save(tmp_path / "y.npy", labels)
    files = ("--labels", tmp_path / "y.npy", "--pred-probs", folder / "p.npy")
    done = run("audit", *files, "--ray", cluster.address, "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    found = lp.Audit.load(tmp_path / "audit")
    assert isinstance(found, LargerAudit)
    assert found.issues.collect().equals(lp.audit(labels, probs).issues)


@pytest.mark.parametrize("written", [False, True])
def test_a_worker_that_is_killed_while_it_scores_changes_nothing(cluster, stored, small, written, tmp_path):
    labels, probs, _ = stored

    def load(start: int, calls: Path = tmp_path / "calls") -> np.ndarray:
        with calls.open("a") as file:
            file.write(f"{start}\n")
        if start == 1500 and calls.read_text().split().count("1500") in (2, 3):  # the first is for the sample
            os.kill(os.getpid(), signal.SIGKILL)
        return probs[start : start + 250]

    shards = [Shard(start, start + 250, partial(load, start)) for start in range(0, 3000, 250)]
    found = audit_on_ray(labels, probs, shards=shards, **({"out": tmp_path / "audit"} if written else {}))
    assert (tmp_path / "calls").read_text().split().count("1500") == 4
    assert found.issues.lazy().collect().equals(lp.audit(labels, probs).issues)
    assert not written or not list((tmp_path / "audit").rglob(".part-*"))


def test_a_node_that_dies_while_it_writes_changes_nothing(cluster, stored, small, tmp_path):
    labels, probs, _ = stored
    doomed = cluster.add_node(num_cpus=1, object_store_memory=200_000_000)

    def slow(start: int) -> np.ndarray:
        time.sleep(1.0)
        return probs[start : start + 250]

    shards = [Shard(start, start + 250, partial(slow, start)) for start in range(0, 3000, 250)]
    killer = threading.Timer(3.0, lambda: cluster.remove_node(doomed, allow_graceful=False))
    killer.start()
    started = time.monotonic()
    found = audit_on_ray(labels, probs, shards=shards, out=tmp_path / "audit")
    assert time.monotonic() - started > 3.0, "the run ended before the node was killed"
    killer.join()
    assert found.issues.collect().equals(lp.audit(labels, probs).issues)


def test_bad_rows_are_told_in_plain_words_and_leave_nothing(cluster, stored, small, tmp_path):
    labels, probs, _ = stored
    bad = probs.copy()
    bad[2345] = 3.0
    for more in ({}, {"out": tmp_path / "audit"}):
        with pytest.raises(lp.BadInput, match="row 2345") as error:
            audit_on_ray(labels, bad, **more)
        assert "Traceback" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_bad_input_reaches_the_caller(cluster, stored):
    labels, probs, _ = stored
    with pytest.raises(lp.BadInput, match="labels has 3000 rows but pred_probs has 2999"):
        audit_on_ray(labels, probs[:-1])


def test_an_address_where_nothing_answers(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    started = time.monotonic()
    with pytest.raises(lp.BadInput, match=r"No Ray cluster answers at '127\.0\.0\.1:1'"):
        connect("127.0.0.1:1")
    with pytest.raises(lp.BadInput, match="host:port"):
        connect("nonsense")
    assert time.monotonic() - started < 30


def test_a_folder_that_a_node_does_not_see_is_told(tmp_path):
    with pytest.raises(lp.BadInput, match="Name a folder on storage that all nodes share"):
        writing._sample([], 10, str(tmp_path / "nowhere" / "scratch" / "codes.npy"))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(lp.MissingDependency, match=r"labelproof\[ray\]"):
        connect("local")
