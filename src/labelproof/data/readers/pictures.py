"""The common part of readers of pictures: decoding, showing, and new pictures."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labelproof.data.array_files import from_file
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import located
from labelproof.data.images import SIZE, Decoded, decode_all, decode_each, thumbnail
from labelproof.data.picture_files import SUFFIXES, PictureFiles, pictures_below
from labelproof.data.picture_source import FileSource
from labelproof.data.pictures import Picture
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Inputs, Items, Reader, words
from labelproof.data.tables import form_of
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.saving.files import existing, load_array
from labelproof.validation import AnyArray, FloatArray, IntArray, check_features, check_ids, check_labels

PICTURE_PIXELS = 1024


@dataclass(frozen=True)
class PictureReader(Reader):
    """The common part of readers of picture files; see `read_images` for its fields."""

    path: str
    size: int = SIZE
    embeddings: object = None  # whether features were given with the pictures, once it was read
    missing: Sequence[object] | None = None

    @abstractmethod
    def files(self, *, quiet: bool) -> PictureFiles:
        """The picture files with their labels and names."""

    @property
    def what(self) -> str:
        """The labels, for messages."""
        return "labels of the pictures"

    def read(self) -> Dataset:
        root, found = Path(self.path), self.files(quiet=False)
        files, names = found.files, found.names
        vectors = None if self.embeddings is None else _vectors(self.embeddings, len(files))
        pixels, kept, skipped = decode_all(files, names, self.size)
        if not kept:
            raise BadInput(f"None of the {len(files)} pictures in {str(root)!r} can be read. The first {skipped[0][1]}.")
        coded = check_labels(found.labels[kept], name=self.what, missing=self.missing)
        shown = [files[i] for i in kept]
        return Dataset(
            x=pixels[: len(kept)] if vectors is None else vectors[kept],
            labels=Classes.of_codes(coded.codes, coded.classes),
            ids=check_ids(names[kept], len(kept)),
            show_item=lambda i: Shown(image=thumbnail(shown[i])),
            kind="images" if vectors is None else "arrays",
            pictures=FileSource(shown, names[kept]),
            skipped=skipped,
            split=None if found.splits is None else found.splits[kept],
            groups=None if found.groups is None else found.groups[kept],
            reader=replace(self, path=located(self.path), embeddings=vectors is not None, missing=words(self.missing)),
        )

    def reopen(self, skipped: Sequence[str] = ()) -> Items:
        """The pictures, as the audit read them."""
        found, left_out = self.files(quiet=True), set(skipped)
        files = [file for file, name in zip(found.files, found.names, strict=True) if str(name) not in left_out]

        def show(i: int) -> Shown:
            try:
                return Shown(image=thumbnail(files[i], PICTURE_PIXELS))
            except BadInput as reason:
                raise BadInput(f"picture {getattr(files[i], 'name', i)!r} {reason}.") from reason

        def take(rows: IntArray) -> Decoded:
            pixels, kept, _ = decode_all([files[i] for i in rows], [str(i) for i in rows], self.size)
            if len(kept) < len(rows):
                raise BadInput("Some pictures can no longer be read. Restore them, or audit the folder again.")
            return pixels

        return Items("images", len(files), show, take)

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[Inputs, AnyArray]:
        """A folder of pictures, one picture, or a manifest; an array if the model was trained on embeddings."""
        if self.embeddings:
            return new_rows(path)
        files: Sequence[Picture]
        place = Path(path)
        if form_of(path) is not None:
            files, names = self.listed(path, encoding)
        elif existing(place, "pictures").is_dir():
            files = below = pictures_below(place)
            names = [p.relative_to(place).as_posix() for p in below]
        elif place.suffix.lower() in SUFFIXES:
            files, names = [place], [place.name]
        else:
            files, names = self.listed(path, encoding)
        if not files:
            raise BadInput(f"No pictures in {str(path)!r} ({', '.join(sorted(SUFFIXES))}).")
        return decode_each(files, names, self.size), np.array(names, dtype=object)

    def listed(self, path: Path_, encoding: str | None) -> tuple[Sequence[Picture], list[str]]:
        """The pictures of a manifest, and their names."""
        raise BadInput(f"{str(path)!r} is not a folder of pictures. Give one.")


def new_rows(path: Path_) -> tuple[FloatArray, AnyArray]:
    """Rows of features in a file, and their numbers."""
    x = check_features(from_file(path, "data"), name="data")
    return x, np.arange(len(x))


def _vectors(embeddings: object, n: int) -> FloatArray:
    loaded = load_array(embeddings, "embeddings") if isinstance(embeddings, str | os.PathLike) else embeddings
    vectors = check_features(loaded, name="embeddings")
    if len(vectors) != n:
        raise BadInput(
            f"embeddings has {len(vectors)} rows but there are {n} pictures. Give one row per picture, in order of their paths."
        )
    return vectors
