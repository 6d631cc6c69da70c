"""Data sets that Hugging Face's `datasets` saved on disk: one, or a folder of splits; read and written without that library."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from labelproof.data.pictures import Picture
from labelproof.data.raw_table import RawTable
from labelproof.data.tables.arrow_file import batch_at, batches, copy_arrow, frame_of, opened
from labelproof.data.tables.base import TableForm, check_folder, names_folder
from labelproof.data.tables.parquet_folder import part_of, stacked
from labelproof.errors import BadInput
from labelproof.saving.files import damaged, stamp_of
from labelproof.saving.folders import MARK, atomic_folder
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions

SPLITS, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
ITEM = "split/row"  # the column that names the items of several splits
ROW = "\0row"  # of a file while it is read
UNLABELLED = -1  # unlabelled among the numbers of classes, as the library writes it
STRING = {"dtype": "string", "_type": "Value"}


@dataclass(frozen=True)
class Shard:
    """An Arrow file of a data set.

    Attributes
    ----------
    path : Path
    split : str
        Empty if there is only one.
    rows : int
    """

    path: Path
    split: str
    rows: int


class SavedDataset(TableForm):
    """Rows with class labels by name and pictures as pictures; in a copy, unchanged files are copied as files."""

    also = ", or to a folder like the input"

    @classmethod
    def fits(cls, place: str) -> bool:
        """A folder that holds what `save_to_disk` writes."""
        root = Path(place)
        return root.is_dir() and ((root / SPLITS).is_file() or ((root / STATE).is_file() and (root / INFO).is_file()))

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """The one column of class labels, and the one of pictures or of text."""
        features = _features(_folders(Path(place))[0][1])
        kinds = {name: kind.get("_type") for name, kind in features.items() if isinstance(kind, dict)}
        labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
        images = [name for name, kind in kinds.items() if kind == "Image"]
        texts = [
            n for n, kind in features.items() if kind in (STRING, {**STRING, "dtype": "large_string"}) and n != options.label
        ]
        label = options.label or (labels[0] if len(labels) == 1 else None)
        others = set(kinds) - {label, *texts, "id", "idx"}
        text, image = options.text, options.image
        if text is None and image is None:
            image = images[0] if images else None
            text = texts[0] if len(texts) == 1 and not others else None
        several = (Path(place) / SPLITS).is_file() and options.id is None
        return replace(options, label=label, text=text, image=image, id=ITEM if several else options.id)

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        root, frames, shards = Path(place), [], list[Shard]()
        pictures: dict[str, list[Picture]] = {}
        for split, folder in _folders(root):
            features, first = _features(folder), 0
            images = [n for n, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "Image"]
            for path in _files(folder):
                frame, own = _read(path, features, images)
                ids = [f"{split}/{row}" if split else str(row) for row in range(first, first + frame.height)]
                names = {name: pl.Series(name, ids) for name in images}
                frame = frame.with_columns(**names, **({ITEM: pl.Series(ids)} if split else {}))
                for name in images:
                    pictures.setdefault(name, []).extend(own[name])
                frames.append(frame)
                shards.append(Shard(path, split, frame.height))
                first += frame.height
        whole = stacked(frames, [str(shard.path.relative_to(root)) for shard in shards], root)
        return RawTable(whole, None, root, form=self, held=shards, pictures=pictures)

    def takes(self, target: Path) -> bool:
        return names_folder(target)

    def check(self, target: Path, *, overwrite: bool, source: str) -> None:
        check_folder(target, overwrite=overwrite, source=source)

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        with atomic_folder(target, overwrite=overwrite) as partial:
            for path in sorted(raw.path.rglob("*")):
                if path.is_file() and path.name != MARK:
                    goal = partial / path.relative_to(raw.path)
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, goal)
            if change.nothing:
                return
            done = 0
            for shard in raw.held:
                own = part_of(change, raw.frame[change.column], done, done + shard.rows)
                if not own.nothing:
                    _copy_shard(shard.path, partial / shard.path.relative_to(raw.path), own)
                done += shard.rows
            for folder in {shard.path.parent for shard in raw.held}:
                _describe(partial / folder.relative_to(raw.path), change)


def _json(path: Path) -> Any:
    with damaged(path, "file of a saved data set"):
        return json.loads(path.read_text(encoding="utf-8"))


def _folders(root: Path) -> list[tuple[str, Path]]:
    if not (root / SPLITS).is_file():
        return [("", root)]
    names = _json(root / SPLITS).get("splits") or []
    bad = next((str(name) for name in names if "/" in str(name) or not (root / str(name) / STATE).is_file()), None)
    if bad is not None or not names:
        raise BadInput(f"{str(root)!r} has no split {bad!r}, which its {SPLITS} names. Save it again.")
    return [(str(name), root / str(name)) for name in names]


def _features(folder: Path) -> Json:
    found = _json(folder / INFO).get("features")
    if not isinstance(found, dict):
        raise BadInput(f"{str(folder / INFO)!r} names no features. Save the data set again.")
    return found


def _files(folder: Path) -> list[Path]:
    state = _json(folder / STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise BadInput(f"{str(folder)!r} is a selection of another data set. Save its flatten_indices().")
    names = [Path(str(file.get("filename"))).name for file in state.get("_data_files") or []]
    if not names:
        raise BadInput(f"{str(folder / STATE)!r} names no data files. Save the data set again.")
    return [folder / name for name in names]


def _read(path: Path, features: Json, images: Sequence[str]) -> tuple[pl.DataFrame, dict[str, list[Picture]]]:
    """The columns besides pictures, and the pictures, which are read when they are looked at."""
    parts: list[Any] = []
    pictures: dict[str, list[Picture]] = {name: [] for name in images}
    for at, batch in batches(path):
        for name in images:
            pictures[name] += [_Picture(path, at, name, row) for row in range(batch.num_rows)]
        rest = {name: batch.column(name) for name in batch.schema.names if name not in images}
        numbers = pa.array(range(batch.num_rows), pa.int64())  # without columns a table has no height either
        parts.append(pa.table({**rest, ROW: numbers}).take(numbers))  # a copy, which does not hold on to the pictures
    with damaged(path, "Arrow file"):
        frame = frame_of(pa.concat_tables(parts), path).drop(ROW) if parts else pl.DataFrame()
    for name, kind in features.items():
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and name in frame.columns:
            names = dict(enumerate(map(str, kind.get("names") or [])))
            frame = frame.with_columns(frame[name].replace_strict(names, default=None, return_dtype=pl.String))
    return frame, pictures


@dataclass(frozen=True)
class _Picture:
    """Reads a picture out of its batch."""

    path: Path
    place: int
    column: str
    row: int

    def __call__(self) -> bytes:
        batch = _batch(self.path, stamp_of(self.path), self.place)
        value = batch.column(self.column)[self.row].as_py() or {}
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        if value.get("path") is None:
            raise BadInput("is empty")
        try:
            return (self.path.parent / str(value["path"])).read_bytes()
        except OSError as error:
            raise BadInput(f"cannot be read: file {value['path']!r} ({error.strerror})") from error


@lru_cache(maxsize=2)
def _batch(path: Path, stamp: tuple[int, int], place: int) -> Any:
    return batch_at(path, place)


def _copy_shard(path: Path, target: Path, change: Edits) -> None:
    """A copy of an Arrow file with other labels, by number if the column holds numbers of classes."""
    with opened(path) as (reader, _):
        schema = reader.schema
    metadata = dict(schema.metadata or {})
    kind = _features(path.parent).get(change.column)
    if isinstance(kind, dict) and kind.get("_type") == "ClassLabel":
        number = {str(name): code for code, name in enumerate(kind.get("names") or [])}
        unknown = next((name for name in change.names.values() if name is not None and name not in number), None)
        if unknown is not None:
            raise BadInput(f"{unknown!r} is not one of the class names of {change.column!r}. Write to .csv or .parquet.")
        coded = {row: str(UNLABELLED if name is None else number[name]) for row, name in change.names.items()}
        change = replace(change, names=coded)
    if change.added and b"huggingface" in metadata:
        with damaged(path, "file of a saved data set"):
            known = json.loads(metadata[b"huggingface"])
            known["info"]["features"] |= dict.fromkeys(change.added, STRING)
        metadata[b"huggingface"] = json.dumps(known).encode()
    copy_arrow(path, target, change, metadata=metadata if change.added else None)


def _describe(folder: Path, change: Edits) -> None:
    """Record what is new: the columns, and a fingerprint, which the library uses as the key of its cache."""
    info, state = _json(folder / INFO), _json(folder / STATE)
    info["features"] |= dict.fromkeys(change.added, STRING)
    digest = hashlib.sha256(str(state.get("_fingerprint")).encode())
    for path in _files(folder):
        digest.update(path.read_bytes())
    state["_fingerprint"] = digest.hexdigest()[:16]
    (folder / INFO).write_text(json.dumps(info, indent=2), encoding="utf-8")
    (folder / STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")
