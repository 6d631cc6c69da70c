"""Delimited text (CSV, TSV): how a file is written, and its records, block by block."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from labelproof.data.compressed import Plain, compression_of
from labelproof.data.records import Records, scan
from labelproof.errors import BadInput

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BLOCK = 1 << 24  # bytes
SAMPLE = 1 << 18
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Dialect:
    """The format of a file of delimited text.

    Attributes
    ----------
    separator : str
    encoding : str
        Name of a Python codec, without a byte order mark of its own.
    bom : bytes
        The byte order mark at the file's beginning, if any.
    compression : str
        ``gzip``, ``zstd``, or the empty string.
    quoted_lines : bool
        Whether quoted fields may hold line ends; otherwise every line is a record.
    width : int
        Number of fields of the header: a quoted field that would hold several whole lines with as many fields each is not one.
    """

    separator: str
    encoding: str = "utf-8"
    bom: bytes = b""
    compression: str = ""
    quoted_lines: bool = True
    width: int = 0

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes of the file are UTF-8 text."""
        return self.encoding == "utf-8"

    def open(self, path: Path) -> IO[bytes]:
        """The bytes of the file after its byte order mark, decompressed."""
        file = cast(IO[bytes], Plain(path, self.compression))
        file.read(len(self.bom))
        return file


def detect(path: Path, separator: str, encoding: str | None = None) -> Dialect:
    """The dialect of a file, from its first 256 KiB.

    Parameters
    ----------
    path : Path
    separator : str
        The separator that the file name suggests; used unless another fits the lines and this one does not.
    encoding : str, optional
        As the user declares it. By default a byte order mark decides, zero bytes indicate UTF-16, and otherwise it is UTF-8.

    Raises
    ------
    BadInput
        For an unknown encoding, and for bytes that are no text.
    """
    with reading(path):
        dialect = Dialect(separator, compression=compression_of(path))
    with reading(path), dialect.open(path) as stream:
        start = stream.read(SAMPLE)
    bom, found = next(((mark, name) for mark, name in BOMS if start.startswith(mark)), (b"", None))
    dialect = replace(dialect, bom=bom, encoding=_encoding(path, start[len(bom) :], encoding, found))
    text = codecs.getincrementaldecoder(dialect.encoding)(errors="replace").decode(start[len(bom) :])
    if "\0" in text:
        raise BadInput(f"{str(path)!r} holds zero bytes, so it is not text in {dialect.encoding}. Save it as CSV in UTF-8.")
    sample, whole = text.encode("utf-8", "replace"), len(start) < SAMPLE
    chosen = _separator(sample, separator, whole)
    header = scan(sample, chosen, final=True)
    return replace(dialect, separator=chosen, width=int(header.widths[0]) if len(header) else 0)


def _encoding(path: Path, start: bytes, declared: str | None, found: str | None) -> str:
    if declared is not None:
        try:
            name = codecs.lookup(declared).name
        except LookupError as error:
            raise BadInput(
                f"--encoding {declared!r} is unknown. Give e.g. utf-8, latin-1, cp1252, utf-16 or gb18030."
            ) from error
        wide = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}
        return found if found is not None and found.startswith(name.removesuffix("-sig")) else wide.get(name, name)
    if found is not None:
        return found
    pairs = np.frombuffer(start[: len(start) // 2 * 2], np.uint8).reshape(-1, 2)
    zero = (pairs == 0).mean(axis=0) if len(pairs) else np.zeros(2)
    if zero.max() > 0.3 and zero.min() < 0.05:
        return "utf-16-le" if zero[1] > zero[0] else "utf-16-be"
    return "utf-8"


def _separator(sample: bytes, promised: str, whole: bool) -> str:
    """The separator with which the first hundred records have equally many fields, above one."""
    scores: dict[str, tuple[float, int]] = {}
    for candidate in (promised, *(s for s in SEPARATORS if s != promised)):
        found = scan(sample, candidate, final=whole)
        widths = found.widths[:100]
        if len(widths) == 0 or widths[0] < 2:
            continue
        scores[candidate] = (float((widths == widths[0]).mean()), int(widths[0]))
        if candidate == promised and scores[candidate][0] == 1.0:
            return promised
    best = max(scores, key=lambda s: scores[s], default=promised)
    return best if promised not in scores or scores[best][0] == 1.0 else promised


def records(path: Path, dialect: Dialect, block: int = BLOCK) -> Iterator[Records]:
    """The records of a file, in blocks of about ``block`` bytes (or of one record if that is larger).

    Raises
    ------
    BadInput
        For bytes that are not in the dialect's encoding, naming the line, and for a damaged file.
    """
    held, lines, size = b"", 0, block
    with reading(path), dialect.open(path) as file:
        decoder = None if dialect.is_utf8 else codecs.getincrementaldecoder(dialect.encoding)()
        while True:
            raw = file.read(size)
            final = len(raw) == 0
            if decoder is not None:
                raw = _decoded(path, decoder, raw, final, lines + held.count(b"\n"), dialect)
            text = held + raw
            found = scan(text, dialect.separator, final=final, quoted_lines=dialect.quoted_lines, width=dialect.width)
            whole = text if final else text[: found.consumed]
            if decoder is None:
                _check_utf8(path, whole, lines)
            if whole:
                yield replace(found, text=whole)
            if final:
                return
            held = text[found.consumed :]
            lines += whole.count(b"\n")
            size = max(block, len(held))  # a field larger than a block: double the block each time


def _decoded(path: Path, decoder: Any, raw: bytes, final: bool, lines: int, dialect: Dialect) -> bytes:
    try:
        return str(decoder.decode(raw, final)).encode("utf-8")
    except UnicodeError as error:
        near = lines + raw[: getattr(error, "start", 0)].count(b"\n") + 1
        raise BadInput(
            f"{str(path)!r} near line {near} is not text in {dialect.encoding}. Name the encoding that it was saved in, or save it as UTF-8."
        ) from error


def _check_utf8(path: Path, text: bytes, lines: int) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines + text[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{str(path)!r} line {line} is not UTF-8 text (byte 0x{text[error.start]:02x}). Save it as UTF-8; audit, train, "
            "predict and simulate also take its encoding, e.g. --encoding cp1252 (encoding= in Python)."
        ) from error


class reading:  # a context manager, used like a function
    """Turns the errors of a damaged or forbidden file into `BadInput`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise `BadInput` instead of the error of the system or the decompressor."""
        import zlib

        if isinstance(error, OSError | EOFError | zlib.error):
            raise BadInput(f"{str(self.path)!r} cannot be read ({error}). Check the file and its permissions.") from error
