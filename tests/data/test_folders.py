"""Writing is all or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import labelproof as lp
from labelproof.saving.files import atomic_write
from labelproof.saving.folders import SUMMARY, atomic_folder, check_output_folder, claim_running, remove_running


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    goal = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError), atomic_folder(goal) as partial:
        (partial / SUMMARY).write_text("{}")
        raise RuntimeError
    assert not goal.exists()
    assert list(goal.parent.iterdir()) == []
    with atomic_folder(goal) as partial:
        (partial / SUMMARY).write_text("1")
        assert not goal.exists()
    assert (goal / SUMMARY).read_text() == "1"
    assert [p.name for p in goal.parent.iterdir()] == ["out"]


def test_overwriting_replaces_all_or_keeps_all(tmp_path):
    goal = tmp_path / "out"
    with atomic_folder(goal) as partial:
        (partial / SUMMARY).write_text("old")
    with pytest.raises(lp.BadInput, match="--overwrite"), atomic_folder(goal):
        pass
    with pytest.raises(RuntimeError), atomic_folder(goal, overwrite=True) as partial:
        raise RuntimeError
    assert (goal / SUMMARY).read_text() == "old"
    with atomic_folder(goal, overwrite=True) as partial:
        (partial / SUMMARY).write_text("new")
    assert (goal / SUMMARY).read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(lp.BadInput, match="has no mark of labelproof"):
        check_output_folder(tmp_path, overwrite=True)
    with pytest.raises(lp.BadInput, match="is a file"):
        check_output_folder(tmp_path / "precious.txt", overwrite=True)


def test_an_unwritable_place_is_found_before_any_work():
    with pytest.raises(lp.BadInput, match="cannot be written"):
        check_output_folder("/proc/labelproof-out", overwrite=False)


KILLED = """
import sys, time
from labelproof.saving.folders import SUMMARY, atomic_folder
with atomic_folder(sys.argv[1]) as partial:
    (partial / SUMMARY).write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_left_is_removed_by_the_next_but_not_what_a_live_one_writes(tmp_path):
    goal = tmp_path / "out"
    running = subprocess.Popen([sys.executable, "-c", KILLED, str(goal)], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    with atomic_folder(tmp_path / "out2") as partial:
        (partial / SUMMARY).write_text("")
    assert len(list(tmp_path.glob(".out.*"))) == 1
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not goal.exists()
    with atomic_folder(goal) as partial:
        (partial / SUMMARY).write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out2"]


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "a" / "f.txt"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["f.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    with pytest.raises(lp.BadInput, match="cannot be written"):
        atomic_write(Path("/proc/x/f.txt"), b"")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _result(goal: Path, **files: str) -> Path:
    with atomic_folder(goal) as partial:
        for name, text in files.items():
            (partial / f"{name}.json").write_text(text)
    return goal


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_summary_alone_is_no_mark(tmp_path, overwrite):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / SUMMARY).write_text('{"labelproof": "0.1.0"}')
    with pytest.raises(lp.BadInput, match="no mark of labelproof"), atomic_folder(tmp_path / "theirs", overwrite=overwrite):
        pass
    assert (tmp_path / "theirs" / SUMMARY).exists()


def test_a_file_that_somebody_put_into_our_folder_keeps_it(tmp_path):
    goal = _result(tmp_path / "out", summary="old")
    (goal / "report.html").write_text("a report is ours, whenever it was written")
    with atomic_folder(goal, overwrite=True) as partial:
        (partial / SUMMARY).write_text("new")
    (goal / "notes").mkdir()
    (goal / "notes" / "thoughts.txt").write_text("precious")
    with pytest.raises(lp.BadInput, match=r"notes/thoughts\.txt.*did not write"), atomic_folder(goal, overwrite=True):
        pass
    assert (goal / "notes" / "thoughts.txt").read_text() == "precious"


def test_a_folder_that_appears_while_a_result_is_made_survives_and_so_does_the_result(tmp_path):
    goal = tmp_path / "out"
    with pytest.raises(lp.BadInput, match=r"out-2"), atomic_folder(goal) as partial:
        (partial / SUMMARY).write_text("found")
        goal.mkdir()
        (goal / "precious.txt").write_text("x")
    assert [p.name for p in goal.iterdir()] == ["precious.txt"]
    assert (tmp_path / "out-2" / SUMMARY).read_text() == "found"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out-2"]


def test_the_folder_of_a_training_is_removed_only_if_it_is_ours(tmp_path):
    theirs, ours = tmp_path / "a.training", tmp_path / "b.training"
    theirs.mkdir()
    (theirs / "x.npy").write_text("precious")
    with pytest.raises(lp.BadInput, match="no mark"):
        claim_running(theirs)
    remove_running(theirs)
    assert (theirs / "x.npy").exists()
    claim_running(ours)
    (ours / "checkpoint.safetensors").write_text("")
    (ours / "notes.txt").write_text("precious")
    remove_running(claim_running(ours))
    assert [p.name for p in ours.iterdir() if p.suffix] == ["notes.txt"]
    (ours / "notes.txt").unlink()
    remove_running(ours)
    assert not ours.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_or_device_is_written_into_and_stays_what_it_is(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    atomic_write(pipe, b"found")
    reader.join(10)
    assert got == [b"found"]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
