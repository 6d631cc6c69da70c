"""A manifest: a table with a column of picture paths and one of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from labelproof.data.frames import located, read_raw
from labelproof.data.picture_files import PictureFiles, list_pictures, named_pictures
from labelproof.data.pictures import Picture
from labelproof.data.raw_table import Path_, RawTable
from labelproof.data.readers.base import Audited, ReadOptions, kept
from labelproof.data.readers.pictures import PictureReader
from labelproof.data.readers.table import ColumnReader
from labelproof.data.tables import form_of
from labelproof.errors import BadInput
from labelproof.validation import IntArray


@dataclass(frozen=True)
class ManifestReader(PictureReader, ColumnReader):
    """Pictures at the paths in a table; written back as a table."""

    kind = "manifest"

    image: str = "path"
    folder: str | None = None  # the base of the paths, if not the folder of the table

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """A column of picture paths is named."""
        return options.image is not None and (not path.is_dir() or form_of(path) is not None)

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        if options.label is None or options.image is None:
            raise BadInput(
                f"{str(path)!r} is a file. Name its columns of labels and of picture paths with --label and --image."
            )
        return cls(
            path=str(path), label=options.label, image=options.image, id=options.id, embeddings=options.embeddings,
            missing=options.missing, encoding=options.encoding, group=options.group, part=options.part,
            folder=None if options.images is None else located(options.images),
        )  # fmt: skip

    @property
    def what(self) -> str:
        return f"label column {self.label!r}"

    def files(self, *, quiet: bool) -> PictureFiles:
        found = list_pictures(
            Path(self.path), self.label, self.image, self.id, folder=self.folder, encoding=self.encoding, part=self.part,
            quiet=quiet,
        )  # fmt: skip
        return found if self.group is None else replace(found, groups=self.groups(self.raw(quiet=True)))

    def rows(self, raw: RawTable, audited: Audited) -> IntArray:
        """The rows whose pictures could be read."""
        return kept(
            raw.column(self.id, "--id") if self.id else named_pictures(raw, self.image, self.folder)[1], audited.skipped
        )

    def listed(self, path: Path_, encoding: str | None) -> tuple[Sequence[Picture], list[str]]:
        files, names = named_pictures(read_raw(path, encoding=encoding or self.encoding, part=self.part), self.image)
        return files, names.tolist()
