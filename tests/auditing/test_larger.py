"""An audit larger than memory is that of `labelproof.audit` in memory, to the bit, and leads to the same report, review and checks."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from commands import run
from labelproof.auditing import blockwise, fold, larger
from labelproof.auditing.kinds import classes
from labelproof.auditing.larger import LargerAudit
from labelproof.auditing.sources import base
from labelproof.review import forecast
from labelproof.review.candidates import open_candidates

N, K = 60_000, 5
NAMES = np.array(list("vwxyz"))


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Labels, and a file of probabilities with many ties."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, K, N)
    probs = 0.4 * rng.dirichlet(np.full(K, 0.5), N) + 0.6 * np.eye(K)[true]
    probs[: N // 4] = np.eye(K)[true[: N // 4]]
    path = tmp_path_factory.mktemp("probs") / "p.npy"
    np.save(path, (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32))
    return np.where(rng.random(N) < 0.1, rng.integers(0, K, N), true), path


@pytest.fixture
def small(monkeypatch):
    """Everything is large here."""
    monkeypatch.setattr(larger, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(larger, "WORST", 10_000)
    monkeypatch.setattr(blockwise, "RUN_ROWS", 7000)
    monkeypatch.setattr(base, "BLOCK_BYTES", 2**16)


def changed(labels, what):
    rng = np.random.default_rng(1)
    if what == "unlabelled":
        return np.where(rng.random(N) < 0.1, -1, labels), {}
    if what == "names and ids":
        return NAMES[labels], {"ids": np.array([f"item {i}" for i in range(N)])}
    if what == "known noise":
        return labels, {"transition": np.full((K, K), 0.02) + 0.9 * np.eye(K)}
    return labels, {}


@pytest.mark.parametrize("what", ["plain", "compiled", "unlabelled", "names and ids", "known noise"])
def test_the_answer_is_that_of_memory(small, problem, what, tmp_path, monkeypatch):
    if what == "compiled":
        monkeypatch.setattr(fold, "COMPILED_CELLS", 0)
        monkeypatch.setattr(classes, "SMALL_CELLS", 1000)  # in threads
    labels, options = changed(problem[0], what)
    one = lp.audit(labels, problem[1], **options)
    many = lp.audit(labels, problem[1], out=tmp_path / "audit", **options)
    assert type(many) is LargerAudit
    assert many.folder == tmp_path / "audit"
    assert many.error_rate == (pytest.approx(one.error_rate, rel=1e-12) if what == "known noise" else one.error_rate)
    loaded = lp.Audit.load(tmp_path / "audit")
    for found in (many, loaded):
        assert isinstance(found.issues, pl.LazyFrame)
        assert found.issues.collect().equals(one.issues)
        assert found.issues.collect_schema() == one.issues.schema
        assert found.items.collect().equals(one.items)
        assert found.worst.equals(one.issues.head(10_000))
        assert np.array_equal(found.error_probability, one.error_probability, equal_nan=True)
        assert found.counts == one.counts
        assert found.counts["possible"] > 0
        assert repr(found) == repr(one)
        assert {**found.summary, "error_rate": 0} == {**one.summary, "error_rate": 0}
    if what == "known noise":
        assert many.counts["obvious"] > 100


def test_parts_files_in_memory_and_on_disk_are_alike(small, problem, tmp_path):
    labels, path = problem
    one = lp.audit(labels, path, out=tmp_path / "one")
    np.save(tmp_path / "y.npy", labels.astype(np.uint8))
    two = lp.audit(tmp_path / "y.npy", np.load(path), out=tmp_path / "two")
    frame = pl.DataFrame(np.load(path), schema=[f"column {c}" for c in range(K)])
    (tmp_path / "parts").mkdir()
    for start in (0, 10_001):
        frame[start : 10_001 if start == 0 else N].write_parquet(tmp_path / "parts" / f"{start:05d}.parquet")
    three = lp.audit(labels, tmp_path / "parts", out=tmp_path / "three")
    for other in (two, three):
        assert other.issues.collect().equals(one.issues.collect())
    assert sum(1 for _ in (tmp_path / "one" / "issues.parquet").iterdir()) > 5


def test_the_report_is_the_same(small, problem, tmp_path):
    one = lp.audit(*problem)
    one.to_html(tmp_path / "one.html")
    many = lp.audit(*problem, out=tmp_path / "audit")
    many.to_html(tmp_path / "many.html")
    assert (tmp_path / "one.html").read_text() == (tmp_path / "many.html").read_text()
    assert many._repr_html_() == one._repr_html_()
    assert np.array_equal(many.histogram(7), one.histogram(7))


def test_saved_elsewhere_it_is_whole(small, problem, tmp_path):
    many = lp.audit(*problem, out=tmp_path / "audit")
    many.save(tmp_path / "copy")
    assert lp.Audit.load(tmp_path / "copy").summary == many.summary
    assert lp.Audit.load(tmp_path / "copy").issues.collect().equals(many.issues.collect())
    with pytest.raises(lp.BadInput, match="exists"):
        lp.audit(*problem, out=tmp_path / "copy")
    replaced = lp.audit(np.roll(problem[0], 1), problem[1], out=tmp_path / "copy", overwrite=True)
    assert replaced.error_rate != many.error_rate


def test_checks_and_forecasts_read_the_folder(small, problem, tmp_path):
    many = lp.audit(*problem, out=tmp_path / "audit")
    done = lp.check(tmp_path / "audit", max_error_rate=0.0, max_obvious=10**6)
    assert done.audit.counts == many.counts
    assert forecast(many, (50,)).equals(forecast(tmp_path / "audit", (50,)))


def test_a_review_is_of_the_worst_and_says_so(small, problem, tmp_path):
    many = lp.audit(*problem, out=tmp_path / "audit")
    known = open_candidates(tmp_path / "audit")
    assert len(known) == 10_000
    assert not known.whole
    assert known.of_all == "of the 10,000 labels that look worst"
    assert known.index.tolist() == many.worst["index"].to_list()
    rate = known.part.error_rate()
    assert rate.estimate == pytest.approx(many.worst["error_probability"].mean())
    assert rate.estimate > many.error_rate.estimate
    assert rate.low <= rate.estimate <= rate.high <= 1


def test_the_commands(small, problem, tmp_path):
    np.save(tmp_path / "y.npy", problem[0])
    audit = str(tmp_path / "audit")

    done = run("audit", "--labels", tmp_path / "y.npy", "--pred-probs", problem[1], "--out", audit)
    assert done.returncode == 0, done.stderr
    one = lp.audit(*problem)
    assert f"of {N:,} labels" in done.stdout
    assert f"{one.counts['possible']:,} possible" in done.stdout
    found = lp.Audit.load(audit)
    assert type(found) is LargerAudit
    assert found.issues.collect().equals(one.issues)
    assert found.source["labels"] == str(tmp_path / "y.npy")
    assert (tmp_path / "audit" / "report.html").stat().st_size > 10_000
    checked = run("check", audit, "--max-obvious", 10**6)
    assert checked.returncode == 0
    assert f"{N:,} labels" in checked.stdout
    assert run("export", audit, "--out", tmp_path / "queue.csv", "--budget", 50).returncode == 0
    listed = pl.read_csv(tmp_path / "queue.csv")
    assert set(listed["id"].to_list()) <= set(found.worst["index"].to_list())
    refused = run("apply", audit, "--obvious", "--out", tmp_path / "clean.npy")
    assert refused.returncode == 2
    assert "read_verified" in refused.stderr
    again = run("audit", "--labels", tmp_path / "y.npy", "--pred-probs", problem[1], "--out", audit, "--overwrite")
    assert again.returncode == 0, again.stderr


def test_what_is_not_held_is_refused_with_a_way_out(small, problem, tmp_path):
    many = lp.audit(*problem, out=tmp_path / "audit")
    for ask in (lambda: many.findings.error_probability[0], lambda: np.asarray(many.labels.values), lambda: many.suggested):
        with pytest.raises(lp.BadInput, match=r"audit\.issues\.head\(1000\)\.collect\(\)"):
            ask()
    with pytest.raises(lp.BadInput, match="too large to compare"):
        lp.compare(many, many)
    with pytest.raises(lp.BadInput, match="Join lazily"):
        many.join(pl.DataFrame({"a": [1]}))
    assert many.cleanlab_table().collect()["label_quality"].len() == N


@pytest.mark.parametrize("option", [{"reviews": {0: 1}}, {"features": np.zeros((N, 2))}, {"neighbours": True}, {"group": "a"}])
def test_options_that_need_memory_are_refused(small, problem, tmp_path, option):
    with pytest.raises(lp.BadInput, match=f"{next(iter(option))!r} is no option of an audit this large"):
        lp.audit(*problem, out=tmp_path / "audit", **option)
    assert list(tmp_path.iterdir()) == []


def test_a_small_audit_is_written_as_it_is_saved(problem, tmp_path):
    found = lp.audit(*problem, out=tmp_path / "out")
    lp.audit(*problem).save(tmp_path / "saved")
    assert isinstance(found.issues, pl.DataFrame)
    assert (tmp_path / "out" / "issues.parquet").read_bytes() == (tmp_path / "saved" / "issues.parquet").read_bytes()
    assert lp.audit(problem[0][:500], np.load(problem[1])[:500], out=tmp_path / "more").n == 500


def test_a_damaged_folder_is_told(small, problem, tmp_path):
    lp.audit(*problem, out=tmp_path / "audit")
    part = sorted((tmp_path / "audit" / "issues.parquet").iterdir())[2]
    part.unlink()
    with pytest.raises(lp.CorruptArtifact, match="not a complete audit folder"):
        lp.Audit.load(tmp_path / "audit")


def test_bad_rows_leave_nothing(small, problem, tmp_path):
    probs = np.load(problem[1])
    probs[41_234] = 2.0
    with pytest.raises(lp.BadInput, match="row 41234"):
        lp.audit(problem[0], probs, out=tmp_path / "audit")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_told_at_once(small, problem, tmp_path, monkeypatch):
    monkeypatch.setattr(blockwise.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(lp.BadInput, match=r"needs about 0\.00[0-9]+ GB"):
        lp.audit(*problem, out=tmp_path / "audit")
    assert list(tmp_path.iterdir()) == []


CHILD = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, labelproof as lp
from labelproof.auditing import blockwise, label_codes, larger
from labelproof.auditing.sources import base
larger.MOST_IN_MEMORY, blockwise.RUN_ROWS, label_codes.ROWS, base.BLOCK_BYTES = 1000, 2**16, 2**16, 2**20
"""


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    script = CHILD + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_a_run_that_is_killed_leaves_no_half_folder(problem, tmp_path):
    np.save(tmp_path / "y.npy", problem[0])
    slow = """
    write = blockwise.write_run
    def slow(*a):
        print("writing", flush=True)
        time.sleep(60)
        return write(*a)
    blockwise.write_run = slow
    lp.audit(sys.argv[1], sys.argv[2], out=sys.argv[3])
    """
    process = child(slow, tmp_path / "y.npy", problem[1], tmp_path / "audit")
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "audit").exists()
    assert len(list(tmp_path.glob(".audit.*.partial"))) == 1
    lp.audit(*problem, out=tmp_path / "audit")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "y.npy"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_labels(tmp_path):
    """What is allocated (RssAnon) for four times as many labels."""
    measure = """
    import threading
    n = int(sys.argv[1])
    def anon():
        return next(int(line.split()[1]) / 1e3 for line in open("/proc/self/status") if line.startswith("RssAnon"))
    file = np.lib.format.open_memmap(sys.argv[2] + "/p.npy", "w+", np.float32, (n, 4))
    labels = np.lib.format.open_memmap(sys.argv[2] + "/y.npy", "w+", np.int64, (n,))
    rng = np.random.default_rng(0)
    for start in range(0, n, 100_000):
        noise = rng.random((100_000, 4), np.float32)
        true = rng.integers(0, 4, 100_000)
        noise[np.arange(100_000), true] += 2
        file[start : start + 100_000] = noise / noise.sum(axis=1, keepdims=True)
        labels[start : start + 100_000] = np.where(rng.random(100_000) < 0.1, rng.integers(0, 4, 100_000), true)
    file.flush(); labels.flush()
    del file, labels
    lp.audit(np.arange(2000) % 4, np.full((2000, 4), 0.25))
    before, peak, done = anon(), [0.0], threading.Event()
    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], anon())
    watcher = threading.Thread(target=watch)
    watcher.start()
    lp.audit(sys.argv[2] + "/y.npy", sys.argv[2] + "/p.npy", out=sys.argv[2] + "/audit")
    done.set()
    watcher.join()
    print(peak[0] - before)
    """
    peaks = []
    for n in (1_000_000, 4_000_000):
        (tmp_path / str(n)).mkdir()
        with child(measure, n, tmp_path / str(n)) as process:
            peaks.append(float(process.stdout.read()))
    assert peaks[1] < 100  # MB; labels and findings of 4,000,000 are 130 in memory, and their table 300
    assert peaks[1] < peaks[0] + 25


def test_replaced_fields_are_kept(small, problem, tmp_path):
    many = replace(lp.audit(*problem, out=tmp_path / "audit"), source={"kind": "arrays"})
    many.write_into(many.folder)
    assert lp.Audit.load(tmp_path / "audit").source == {"kind": "arrays"}
