"""Writing is all or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labelproof as lp
from labelproof.data.files import MARKER, atomic_folder, atomic_write, check_output_folder


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    goal = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError), atomic_folder(goal) as partial:
        (partial / MARKER).write_text("{}")
        raise RuntimeError
    assert not goal.exists()
    assert list(goal.parent.iterdir()) == []
    with atomic_folder(goal) as partial:
        (partial / MARKER).write_text("1")
        assert not goal.exists()
    assert (goal / MARKER).read_text() == "1"
    assert [p.name for p in goal.parent.iterdir()] == ["out"]


def test_overwriting_replaces_all_or_keeps_all(tmp_path):
    goal = tmp_path / "out"
    with atomic_folder(goal) as partial:
        (partial / MARKER).write_text("old")
    with pytest.raises(lp.BadInput, match="--overwrite"), atomic_folder(goal):
        pass
    with pytest.raises(RuntimeError), atomic_folder(goal, overwrite=True) as partial:
        raise RuntimeError
    assert (goal / MARKER).read_text() == "old"
    with atomic_folder(goal, overwrite=True) as partial:
        (partial / MARKER).write_text("new")
    assert (goal / MARKER).read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(lp.BadInput, match="holds no labelproof result"):
        check_output_folder(tmp_path, overwrite=True)
    with pytest.raises(lp.BadInput, match="is a file"):
        check_output_folder(tmp_path / "precious.txt", overwrite=True)


def test_an_unwritable_place_is_found_before_any_work():
    with pytest.raises(lp.BadInput, match="cannot be written"):
        check_output_folder("/proc/labelproof-out", overwrite=False)


KILLED = """
import sys, time
from labelproof.data.files import MARKER, atomic_folder
with atomic_folder(sys.argv[1]) as partial:
    (partial / MARKER).write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_left_is_removed_by_the_next_but_not_what_a_live_one_writes(tmp_path):
    goal = tmp_path / "out"
    running = subprocess.Popen([sys.executable, "-c", KILLED, str(goal)], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    with atomic_folder(tmp_path / "out2") as partial:
        (partial / MARKER).write_text("")
    assert len(list(tmp_path.glob(".out.*"))) == 1
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not goal.exists()
    with atomic_folder(goal) as partial:
        (partial / MARKER).write_text("whole")
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
