"""A folder of pictures with one folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from labelproof.data.dataset import Dataset
from labelproof.data.label_columns.classes import ClassColumn
from labelproof.data.picture_files import PictureFiles, copy_pictures, list_pictures
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Audited, ReadOptions, check_same, kept
from labelproof.data.readers.lists import write_list
from labelproof.data.readers.manifest import ManifestReader
from labelproof.data.readers.pictures import PictureReader
from labelproof.data.tables import form_of
from labelproof.data.targets import check_table_target, table_suffix
from labelproof.saving.files import existing
from labelproof.validation import Json


@dataclass(frozen=True)
class PictureFolderReader(PictureReader):
    """Class folders, or folders ``train``, ``val`` … that hold those."""

    kind = "images"

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Any folder that is no table."""
        return path.is_dir() and form_of(path) is None

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        return cls(str(path), embeddings=options.embeddings, missing=options.missing)

    def files(self, *, quiet: bool) -> PictureFiles:
        return list_pictures(Path(self.path), None, None, None, quiet=quiet)

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A copy of the folder with pictures moved to the folder of their class; a table of path and label, if named as one."""
        table = table_suffix(target) is not None
        if table:
            check_table_target(target, overwrite=overwrite, source=self.path)
        found = self.files(quiet=True)
        given = ClassColumn.of_array(found.labels, self.what, self.missing)
        rows = kept(found.names, audited.skipped)
        check_same(given.texts, rows, audited)
        if table:
            write_list(target, given, "path", [str(file) for file in found.files], "label", rows, audited)
        else:
            moved = {str(found.names[rows[item]]): change.label for item, change in audited.changes.items()}
            copy_pictures(Path(self.path), target, moved, overwrite=overwrite)


def read_images(
    path: Path_,
    *,
    label: str | None = None,
    image: str | None = None,
    id: str | None = None,
    embeddings: object | None = None,
    size: int = 32,
    missing: Sequence[object] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read pictures from ``root/class/file.jpg``, or from a manifest with a column of paths and a column of labels.

    Pictures are decoded one by one straight into the array, by `labelproof.data.pictures.read_picture`. One that cannot be
    decoded is skipped and listed in ``skipped``.

    Parameters
    ----------
    path : path
        A folder with one folder per class, or with folders ``train``, ``val`` … that hold those; or a .csv, .tsv or .parquet
        manifest. Hidden folders and ``__MACOSX`` are ignored.
    label, image : str, optional
        Columns of the manifest; paths are relative to the manifest's folder.
    id : str, optional
        Column of unique names. By default the path.
    embeddings : array-like or path of .npy, shape (n, d), optional
        One row per picture, in the order of the manifest or of the sorted paths; used instead of pixels.
    size : int
        Pictures are scaled to ``size`` x ``size`` for the model; a person sees the original.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a manifest that is not UTF-8.

    Returns
    -------
    Dataset
        ``x`` is uint8 of shape (n, size, size, 3), or the embeddings.

    Raises
    ------
    BadInput
    """
    how: Json = {"size": size, "embeddings": embeddings, "missing": missing}
    if Path(path).is_dir():
        return PictureFolderReader(str(path), **how).read()
    options = ReadOptions(label=label, image=image, id=id, embeddings=embeddings, missing=missing, encoding=encoding)
    return replace(
        ManifestReader.of(existing(path, "image folder" if label is None else "manifest"), options), size=size
    ).read()
