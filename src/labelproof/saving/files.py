"""Files: found or named wrongly, read or damaged, and written so that a killed run leaves the old or the new, never half."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput, LabelproofError, did_you_mean


def existing(path: str | os.PathLike[str], what: str) -> Path:
    """The path, or `BadInput` with the nearest existing name."""
    found = Path(path)
    if not found.exists():
        beside = [p.name for p in found.parent.iterdir()] if found.parent.is_dir() else []
        raise BadInput(f"{what} {str(found)!r} does not exist. {did_you_mean(found.name, beside)}Check the path.")
    return found


@contextmanager
def damaged(path: Path, what: str = "file", error: type[LabelproofError] = BadInput) -> Iterator[None]:
    """Whatever a library raises inside the block over a damaged, half-written or forbidden file, as one error of ours.

    Parameters
    ----------
    path : Path
    what : str
        The expected kind of file.
    error : type
        `BadInput`, or `labelproof.CorruptArtifact` for a file that labelproof wrote.
    """
    try:
        yield
    except (LabelproofError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except PermissionError as problem:
        raise error(f"{str(path)!r} cannot be read ({problem.strerror}). Change its permissions.") from problem
    except BaseException as problem:  # libraries raise of every kind, panics of compiled ones included
        raise error(f"{str(path)!r} is not a readable {what} ({first_line(problem)}). Write it again.") from problem


def load_array(path: str | os.PathLike[str], what: str, *, key: str | None = None, mmap: bool = False) -> npt.NDArray[Any]:
    """Read one array from ``.npy`` or ``.npz`` into memory, never running pickled code.

    Other people's files are not mapped: a change by another program is an error, whereas a memory map would crash the
    process. ``mmap`` maps a file that only labelproof writes.

    Raises
    ------
    BadInput
        For a missing, truncated or pickled file, one that changes while it is read, or an ``.npz`` with several arrays and no
        name.
    """
    file = existing(path, what)
    before = stamp_of(file)
    try:
        with np.errstate(all="ignore"):
            loaded = np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
            array = loaded if isinstance(loaded, np.ndarray) else _member(loaded, file, what, key)
    except BadInput:
        raise
    except Exception as error:  # a damaged header is parsed as Python, a damaged archive as anything
        raise BadInput(
            f"{what} {str(file)!r} cannot be read ({first_line(error)}). "
            "It may be truncated or hold Python objects; save it again with numpy.save and a numeric or string dtype."
            if file.suffix in (".npy", ".npz")
            else f"{what} {str(file)!r} is no .npy or .npz file. Save the array with numpy.save."
        ) from error
    if stamp_of(file) != before:
        raise BadInput(f"{what} {str(file)!r} changed while it was read. Run again when it no longer changes.")
    return array


def _member(loaded: np.lib.npyio.NpzFile, file: Path, what: str, key: str | None) -> npt.NDArray[Any]:
    with loaded:
        names = loaded.files
        if key is None and len(names) == 1:
            key = names[0]
        if key is None or key not in names:
            raise BadInput(f"{what} {str(file)!r} holds the arrays {', '.join(names)}. Name one as FILE.npz:NAME.")
        return np.asarray(loaded[key])


def stamp_of(file: Path) -> tuple[int, int]:
    """Size and time of a file, which reveal a change."""
    state = file.stat()
    return state.st_size, state.st_mtime_ns


def first_line(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def atomic_stream(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into under a temporary name, renamed into place when the block ends well, removed when it does not.

    A special file, such as ``/dev/null`` or a pipe, is written into directly: nothing may replace it.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as special:
            yield special
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise BadInput(f"Output {str(path)!r} cannot be written ({error.strerror}). Choose another path.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(permissions(0o666))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and rename it into place."""
    with atomic_stream(path) as file:
        file.write(data)


def permissions(most: int) -> int:
    """``most``, minus the bits of the user's umask."""
    mask = os.umask(0)
    os.umask(mask)
    return most & ~mask
