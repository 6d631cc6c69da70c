"""WebDataset: a tar of pictures, each with its label in a file of the same name."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from labelproof.data.compressed import compression_of
from labelproof.data.picture_files import SUFFIXES
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.json_spans import locate, past_space
from labelproof.data.tables.json_text import typed
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream, damaged, existing, stamp_of

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions

KEY, IMAGE, CLASS, JSON = "key", "image", "cls", "json"
MOST_LABEL = 1 << 20  # bytes of a label file
BLOCK = 512  # of a tar


@dataclass
class Sample:
    """The files of one item, by their endings."""

    key: str
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)


class WebDataset(TableForm):
    """A key is an item; its label is the content of ``KEY.cls``, or the member ``label`` of ``KEY.json``, or another name."""

    suffixes = (".tar",)

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """The label is in ``cls`` files if there are any, otherwise in ``json.label``."""
        if options.text is not None:
            raise BadInput(f"{place!r} is a tar of pictures. Omit --text.")
        label = options.label
        if label is None:
            samples, _ = _samples(existing(place, "file"))
            label = CLASS if any(CLASS in sample.members for sample in samples) else f"{JSON}.label"
        return replace(options, label=label, image=options.image or IMAGE)

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = existing(place, "file")
        samples, stamp = _samples(path)
        pictures = [_picture(sample, path) for sample in samples]
        endings = dict.fromkeys(ending for sample in samples for ending in sample.members if f".{ending}" not in SUFFIXES)
        columns: dict[str, list[Any]] = {}
        with damaged(path, "tar"), path.open("rb") as file:
            for row, sample in enumerate(samples):
                for ending in endings:
                    for name, value in _values(sample, ending, file, path):
                        columns.setdefault(name, [None] * len(samples))[row] = value
        keys = pl.Series(KEY, [sample.key for sample in samples])
        frame = pl.DataFrame([keys, keys.rename(IMAGE), *(typed(name, own) for name, own in columns.items())])
        if stamp_of(path) != stamp:
            raise BadInput(f"{place!r} changed while it was read. Run again when it no longer changes.")
        return RawTable(frame, None, path, stamp=stamp, form=self, held=samples, pictures={IMAGE: pictures})

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        if change.added:
            raise BadInput("--explain adds columns that a tar cannot hold. Omit it, or write to .csv or .parquet.")
        with damaged(raw.path, "tar"), raw.path.open("rb") as source, atomic_stream(target) as out:
            new = dict(_changed(raw, change, source))
            at = 0
            for member, data in sorted(new.values(), key=lambda pair: pair[0].offset):
                _pass_on(source, out, at, member.offset)
                header = copy(member)
                header.pax_headers = {name: own for name, own in member.pax_headers.items() if name != "size"}
                header.size = len(data)
                out.write(header.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % BLOCK))
                at = _end(member)
            source.seek(at)
            shutil.copyfileobj(source, out)
            if stamp_of(raw.path) != raw.stamp:
                raise BadInput(f"{str(raw.path)!r} changed while it was copied. Run again when it no longer changes.")


def _samples(path: Path) -> tuple[list[Sample], tuple[int, int]]:
    stamp = stamp_of(path)
    with damaged(path, "tar"):
        if compression_of(path):
            raise BadInput(
                f"{str(path)!r} is compressed. Decompress it, because pictures are read from any position in the tar."
            )
        found: dict[str, Sample] = {}
        end = 0
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                end = _end(member)
                if member.isdir():
                    continue
                name = PurePosixPath(member.name)
                if not member.isreg() or member.issparse() or name.is_absolute() or ".." in name.parts:
                    raise BadInput(
                        f"{str(path)!r} holds {member.name!r}, which is a link or points outside the tar. Pack it again."
                    )
                stem, _, ending = name.name.partition(".")
                key = str(name.with_name(stem)) if stem else ""
                if not stem or not ending:
                    continue  # of no item
                sample = found.setdefault(key, Sample(key))
                if ending.lower() in sample.members:
                    raise BadInput(f"{str(path)!r} holds {member.name!r} twice. Give each item its own key.")
                if member.offset_data + member.size > stamp[0]:
                    raise BadInput(f"{str(path)!r} ends within {member.name!r}. Check that the file is complete.")
                sample.members[ending.lower()] = member
        with path.open("rb") as file:
            if _bytes(file, end, BLOCK) != bytes(BLOCK):
                raise BadInput(f"{str(path)!r} ends without an end mark. Check that the file is complete.")
    samples = [sample for sample in found.values() if any(f".{ending}" in SUFFIXES for ending in sample.members)]
    if not samples:
        raise BadInput(f"{str(path)!r} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return samples, stamp


def _picture(sample: Sample, path: Path) -> _Part:
    ending = next(ending for ending in sample.members if f".{ending}" in SUFFIXES)
    member = sample.members[ending]
    return _Part(path, member.offset_data, member.size)


@dataclass(frozen=True)
class _Part:
    """Reads some bytes of a file."""

    path: Path
    start: int
    size: int

    def __call__(self) -> bytes:
        with damaged(self.path), self.path.open("rb") as file:
            return _bytes(file, self.start, self.size)


def _end(member: tarfile.TarInfo) -> int:
    """The first byte after a file and what fills its last block."""
    return member.offset_data + member.size + -member.size % BLOCK


def _bytes(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _text(member: tarfile.TarInfo, file: IO[bytes], path: Path) -> str:
    if member.size > MOST_LABEL:
        raise BadInput(
            f"{member.name!r} in {str(path)!r} has {member.size:,} bytes, which is too large for a label. Store one label per file."
        )
    try:
        return _bytes(file, member.offset_data, member.size).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{member.name!r} in {str(path)!r} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error


def _values(sample: Sample, ending: str, file: IO[bytes], path: Path) -> Iterator[tuple[str, Any]]:
    """Columns and values of a file next to a picture: its text, or the members of its JSON object."""
    member = sample.members.get(ending)
    if member is None or ending not in (CLASS, JSON, "txt"):
        return
    text = _text(member, file, path)
    if ending != JSON:
        yield ending, int(text) if text.strip().lstrip("-").isdigit() and ending == CLASS else text.strip()
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{member.name!r} in {str(path)!r} is not JSON ({error}). Save it again.") from error
    if isinstance(value, dict):
        yield from ((f"{JSON}.{name}", own) for name, own in value.items())


def _changed(raw: RawTable, change: Edits, file: IO[bytes]) -> Iterator[tuple[str, tuple[tarfile.TarInfo, bytes]]]:
    """The files that change, and their new contents."""
    ending, _, name = change.column.partition(".")
    column = raw.frame[change.column]
    for row, source in zip(change.rows.tolist(), change.sources.tolist(), strict=True):
        member = raw.held[row].members.get(ending)
        if member is None:
            raise BadInput(
                f"{raw.held[row].key!r} has no file .{ending}, so it has no place for a label. Write to .csv or .parquet."
            )
        new = column[source] if source >= 0 else change.names[row]
        new = int(new) if column.dtype.is_integer() and isinstance(new, str) and new.lstrip("-").isdigit() else new
        old = _text(member, file, raw.path)
        if ending == JSON:
            span = locate(old, past_space(old, 0), (name,))
            words = json.dumps(new, ensure_ascii=False)
            if span is None:
                raise BadInput(f"{member.name!r} has no {name!r}, so it has no place for a label. Write to .csv or .parquet.")
            text = old[: span[0]] + words + old[span[1] :]
        else:
            text = old.replace(old.strip(), "" if new is None else str(new)) if old.strip() else str(new or "")
        yield member.name, (member, text.encode())


def _pass_on(source: IO[bytes], out: IO[bytes], start: int, end: int) -> None:
    source.seek(start)
    left = end - start
    while left > 0:
        data = source.read(min(left, 1 << 22))
        if not data:
            raise BadInput("The tar ends too early. Pack it again.")
        out.write(data)
        left -= len(data)
