"""Tags as an array of 0 and 1, with what a person sees of each item."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl

from labelproof.data.array_files import from_file
from labelproof.data.frames import write_frame
from labelproof.data.readers.arrays import ArraysReader
from labelproof.data.readers.base import Audited
from labelproof.data.targets import check_table_target, check_target
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream
from labelproof.validation import check_tags

ADDED = ("id", "tags_change")  # columns of a table beside those of the tags


@dataclass(frozen=True)
class TagArraysReader(ArraysReader):
    """Given tags (n, k), and features (n, ...) that are shown."""

    kind = "tag arrays"

    tags: str | None = None

    def read(self) -> NoReturn:
        raise BadInput(
            "--pred-probs is missing: an audit of a tag array needs the probability of each tag. Give --tags and --pred-probs."
        )

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """An array of the same type for a target in .npy; otherwise a table: ``id``, a column for each tag, ``tags_change``."""
        if self.tags is None:
            raise BadInput("The audit does not record which file its labels came from. Audit the file with labelproof audit.")
        check = check_target if target.suffix == ".npy" else check_table_target
        check(target, overwrite=overwrite, source=self.tags)
        array = np.asarray(from_file(self.tags, "tags"))
        names = [str(name) for name in audited.classes]
        taken = [name for name in names if name in ADDED]
        if taken and target.suffix != ".npy":
            raise BadInput(f"A tag is called {taken[0]!r}, like a column that the table adds. Give a target in .npy.")
        now = check_tags(array).copy()
        given = [json.dumps([name for name, own in zip(names, row, strict=True) if own], ensure_ascii=False) for row in now]
        if given != audited.given.tolist():
            raise BadInput("The tags are not those that were audited. The file has changed; audit it again.")
        why = [""] * len(now)
        for item, change in audited.changes.items():
            held = set(json.loads(str(change.label)))
            now[item], why[item] = [name in held for name in names], change.why
        if target.suffix == ".npy":
            with atomic_stream(target) as out:
                np.save(out, now.astype(array.dtype), allow_pickle=False)
            return
        columns = {name: pl.Series(now[:, j], dtype=pl.Int8) for j, name in enumerate(names)}
        write_frame(pl.DataFrame({ADDED[0]: np.arange(len(now)), **columns, ADDED[1]: why}), target)
