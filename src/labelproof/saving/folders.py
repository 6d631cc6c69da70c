"""Folders that labelproof writes: complete or not at all, marked as its own, and never replacing anything else.

Each holds a file ``.labelproof``, which lists the files that were written. Only a folder with this mark, and with no file
beyond those that it lists, is ever replaced or removed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labelproof.errors import BadInput
from labelproof.saving.files import permissions

SUMMARY = "summary.json"  # every folder that labelproof writes holds one
MARK = ".labelproof"
LOG_FOLDER = "log"  # of a training in progress
TRAINING_FILES = {".safetensors", ".npy"}
LATER = {"report.html"}  # written into a folder after it was finished


def check_output_folder(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Check, before any work is done, that a result can be written to a folder.

    Raises
    ------
    BadInput
        If it exists and ``overwrite`` is false, if it exists and holds anything that labelproof did not write, or if it
        cannot be written.
    """
    folder = Path(path)
    check_replaceable(folder, overwrite=overwrite)
    parent = folder.resolve().parent
    while not parent.exists():
        parent = parent.parent
    try:
        with tempfile.TemporaryDirectory(dir=parent):
            pass
    except OSError as error:
        raise BadInput(
            f"Output folder {str(folder)!r} cannot be written ({error.strerror}). Choose another with --out."
        ) from error
    return folder


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Check that a path is free, or is a folder of ours that may be replaced.

    Raises
    ------
    BadInput
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"Output {str(folder)!r} is a file. Choose a folder.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    foreign = foreign_file(folder)
    if foreign is not None:
        what = "has no mark of labelproof" if foreign == MARK else f"holds {foreign!r}, which labelproof did not write there"
        raise BadInput(
            f"Output folder {str(folder)!r} exists and {what}, so it is never replaced. Choose another folder, or move it away."
        )
    if not overwrite:
        raise BadInput(f"Output folder {str(folder)!r} exists. Add --overwrite to replace it, or choose another.")


def foreign_file(folder: Path) -> str | None:
    """A file of a folder that labelproof did not write; the mark itself if it is missing; ``None`` if all is ours."""
    try:
        ours = set(json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]) | LATER | {MARK}
    except (OSError, ValueError, KeyError, TypeError):
        return MARK
    found = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_symlink() or not p.is_dir())
    return next((name for name in found if name not in ours), None)


def mark(folder: Path) -> None:
    """Mark a folder, and all files that are in it now, as written by labelproof."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() and p.name != MARK)
    (folder / MARK).write_text(json.dumps({"labelproof": 1, "files": files}, ensure_ascii=False) + "\n", encoding="utf-8")


def claim_running(folder: Path) -> Path:
    """Mark the folder of a training in progress as ours, so that it may be removed when the training is done.

    Raises
    ------
    BadInput
        If it exists, is not empty, and has no mark.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{str(folder)!r}, where the training in progress is kept, is a file. Choose another --out.")
    if not (folder / MARK).is_file():
        if folder.exists() and any(folder.iterdir()):
            raise BadInput(
                f"{str(folder)!r}, where the training in progress is kept, exists and has no mark of labelproof. "
                "Move it away, or choose another --out."
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(json.dumps({"labelproof": 1, "files": []}) + "\n", encoding="utf-8")
    return folder


def remove_running(folder: Path) -> None:
    """Remove the folder of a training that is done, if it is ours. Files of other kinds than those of a training stay."""
    if folder.is_symlink() or not (folder / MARK).is_file():
        return
    files = [p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()]
    logs = folder / LOG_FOLDER
    own = {p for p in files if p.suffix in TRAINING_FILES or p.name == MARK or p.is_relative_to(logs)}
    if len(own) == len(files):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for file in own:
        if file.name != MARK:
            file.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder next to ``path`` that is renamed to it when the block succeeds, and removed when it fails.

    A kill at any time leaves the old folder or the new one. The next run removes what a killed run left. A folder that
    appeared in the meantime, or that somebody put files into, survives: the result is then next to it.

    Raises
    ------
    BadInput
        As `check_output_folder`; also at the end, naming the folder of the result, if ``path`` may not be replaced any more.
    """
    folder = check_output_folder(path, overwrite=overwrite).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left_over in folder.parent.glob(f".{folder.name}.*.partial"):
        if not _alive(left_over):
            shutil.rmtree(left_over, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{os.getpid()}.", suffix=".partial", dir=folder.parent))
    partial.chmod(permissions(0o777))
    try:
        yield partial
        mark(partial)
        _take_place(partial, folder, overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_place(partial: Path, folder: Path, overwrite: bool) -> None:
    try:
        check_replaceable(folder, overwrite=overwrite)
        if folder.exists() and any(folder.iterdir()):
            _exchange(partial, folder)
        else:
            partial.rename(folder)  # replaces an empty folder, and fails if it has entries
    except (BadInput, OSError) as error:
        beside = _free_name(folder)
        partial.rename(beside)
        raise BadInput(
            f"Output folder {str(folder)!r} changed while this ran ({error}) and was left as it is. "
            f"The result is in {str(beside)!r}."
        ) from error


def _free_name(folder: Path) -> Path:
    number = 2
    while (beside := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return beside


def _alive(partial: Path) -> bool:
    """Whether the process whose number a partial folder carries still runs."""
    try:
        os.kill(int(partial.name.split(".")[-3]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return False
    except PermissionError:
        return True
    return True


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders in one step if the kernel can (Linux), otherwise by two renames."""
    import ctypes

    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None and renameat2(here, os.fsencode(new), here, os.fsencode(old), swap) == 0:
        return
    aside = new.with_name(new.name + ".old")
    old.rename(aside)
    with suppress(OSError):
        new.rename(old)
    if not old.exists():
        aside.rename(old)
        raise OSError(f"{str(new)!r} cannot replace it")
    shutil.rmtree(aside, ignore_errors=True)
