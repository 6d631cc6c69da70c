"""Compressed files: gzip and Zstandard, recognised by their first bytes, and decompressed within a limit."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, cast

import pyarrow as pa

from labelproof.errors import BadInput

SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
MOST_TIMES, ALWAYS = 300, 1 << 28  # the most that a file may grow, once it is over this many bytes


def compression_of(path: Path) -> str:
    """``gzip``, ``zstd``, or the empty string, by the content of a file."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in MAGIC.items() if start.startswith(mark)), "")


def promised(path: Path) -> str:
    """``gzip``, ``zstd``, or the empty string, by the ending of a file's name."""
    return SUFFIXES.get(path.suffix.lower(), "")


def plain_name(path: Path) -> str:
    """The name of a file in lower case, without the ending of its compression."""
    return path.name.lower().removesuffix(path.suffix.lower()) if promised(path) else path.name.lower()


class Plain:
    """The bytes of a file, decompressed.

    Parameters
    ----------
    path : Path
    compression : str
        As `compression_of` returns it.

    Raises
    ------
    BadInput
        From ``read``, for a small file that becomes a huge one.
    """

    def __init__(self, path: Path, compression: str) -> None:
        self._path, self._read, self._bound = path, 0, compression != ""
        self._most = max(ALWAYS, MOST_TIMES * path.stat().st_size)
        self._file: Any = path.open("rb") if not compression else gzip.GzipFile(path) if compression == "gzip" else _zstd(path)

    def read(self, size: int = -1) -> bytes:
        """The requested bytes, or all that are left."""
        if not self._bound:
            return cast(bytes, self._file.read(size))
        wanted = self._most - self._read + 1
        data = cast(bytes, self._file.read(wanted if size < 0 else min(size, wanted)))
        self._read += len(data)
        if self._read > self._most:
            raise BadInput(
                f"{str(self._path)!r} grows over {MOST_TIMES} times when it is decompressed. If that is right, "
                "decompress it yourself and give the file."
            )
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _zstd(path: Path) -> Any:
    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


@contextmanager
def compressing(out: IO[bytes], compression: str) -> Iterator[IO[bytes]]:
    """A file whose bytes go into another one, compressed."""
    if not compression:
        yield out
        return
    if compression == "gzip":
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as sink:
            yield cast(IO[bytes], sink)
        return
    with pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(out), "w"), "zstd") as sink:
        yield cast(IO[bytes], sink)


class _KeptOpen:
    """A file that stays open when what writes into it is closed."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.write, self.flush, self.tell = file.write, file.flush, file.tell

    def close(self) -> None:
        """Nothing to do: the caller owns the file."""

    def writable(self) -> bool:
        """It is."""
        return True
