"""Find the pictures of a folder and their classes before any is opened; copy the folder with pictures moved."""

from __future__ import annotations

import base64
import os
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelproof.data.frames import read_raw
from labelproof.data.pictures import Picture
from labelproof.data.raw_table import RawTable, label_values
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.saving.files import existing
from labelproof.saving.folders import atomic_folder
from labelproof.validation import AnyArray

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"}
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
NO_CLASSES = {"__MACOSX"}
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
UNLABELLED = ".unlabelled"  # hidden, so that it is no class when the copy is read


@dataclass(frozen=True)
class PictureFiles:
    """Pictures by path.

    Attributes
    ----------
    files : sequence of n paths, or of what opens pictures in memory
    labels : ndarray, shape (n,)
        As stored in the manifest, or the names of the class folders.
    names : ndarray, shape (n,)
        Ids; paths as in the manifest, or relative to the folder.
    splits : ndarray of str, shape (n,), optional
        ``train``, ``val`` … if these contain the class folders.
    groups : ndarray, shape (n,), optional
        What each picture belongs to.
    """

    files: Sequence[Picture]
    labels: AnyArray
    names: AnyArray
    splits: AnyArray | None = None
    groups: AnyArray | None = None


def list_pictures(
    root: Path,
    label: str | None,
    image: str | None,
    id: str | None,
    *,
    folder: str | None = None,
    encoding: str | None = None,
    part: str | None = None,
    quiet: bool = False,
) -> PictureFiles:
    """The pictures of a folder of class folders, or of a manifest, with paths relative to ``folder`` or to the manifest.

    Raises
    ------
    BadInput

    Warns
    -----
    LabelproofWarning
        Naming the endings of files in class folders that are no pictures, and how many there are.
    """
    existing(root, "image folder" if label is None else "manifest")
    if label is None and root.is_dir():
        return _walk(root, quiet)
    if label is None or image is None:
        raise BadInput(f"{str(root)!r} is a file. Name its columns of labels and of picture paths with --label and --image.")
    raw = read_raw(root, encoding=encoding, part=part, quiet=quiet)
    labels = label_values(raw.column(label, "--label"))
    files, names = named_pictures(raw, image, folder)
    return PictureFiles(files, labels, names if id is None else label_values(raw.column(id, "--id"), "--id"))


def pictures_below(root: Path) -> list[Path]:
    """All pictures of a folder by their endings, sorted; none in hidden folders."""
    return sorted(file for file in _visible_files(root) if file.suffix.lower() in SUFFIXES)


def _visible_files(root: Path) -> Iterator[Path]:
    for folder, inside, files in os.walk(root, followlinks=True):
        inside[:] = sorted(name for name in inside if not name.startswith(".") and name not in NO_CLASSES)
        yield from (Path(folder) / name for name in files if not name.startswith("."))


def _walk(root: Path, quiet: bool) -> PictureFiles:
    every = sorted(_visible_files(root))
    depth = class_depth(root, every)
    inside = [(file, file.relative_to(root)) for file in every]
    inside = [(file, path) for file, path in inside if len(path.parts) > depth + 1]
    others = Counter(file.suffix.lower() or "no ending" for file, _ in inside if file.suffix.lower() not in SUFFIXES)
    if others and not quiet:
        named = ", ".join(f"{ending} ({count:,})" for ending, count in others.most_common(8))
        warnings.warn(
            f"{sum(others.values()):,} files in the class folders of {str(root)!r} are skipped, because their endings are not those of pictures: {named}.",
            LabelproofWarning,
            stacklevel=4,
        )
    inside = [(file, path) for file, path in inside if file.suffix.lower() in SUFFIXES]
    if not inside:
        raise BadInput(
            f"No pictures in {str(root)!r}. Give one folder per class, e.g. {root.name}/cat/1.jpg "
            f"({', '.join(sorted(SUFFIXES))})."
        )
    paths = [path for _, path in inside]
    return PictureFiles(
        [file for file, _ in inside],
        np.array([path.parts[depth] for path in paths], dtype=object),
        np.array([path.as_posix() for path in paths], dtype=object),
        np.array([path.parts[0] for path in paths], dtype=object) if depth else None,
    )


def class_depth(root: Path, files: Sequence[Path]) -> int:
    """1 if all folders of the root are splits (``train``, ``val`` …) with class folders inside, otherwise 0."""
    paths = [file.relative_to(root).parts for file in files if file.suffix.lower() in SUFFIXES]
    tops = {parts[0] for parts in paths if len(parts) > 1}
    splits = bool(tops) and all(top.lower() in SPLITS for top in tops)
    return int(splits and all(len(parts) > 2 for parts in paths if len(parts) > 1))


def named_pictures(raw: RawTable, image: str, folder: str | None = None) -> tuple[Sequence[Picture], AnyArray]:
    """The pictures that a column of a table names or holds, and their names.

    Parameters
    ----------
    raw : RawTable
    image : str
    folder : str, optional
        What paths are relative to. By default the folder of the table, or one next to it if the format has such.

    Raises
    ------
    BadInput
        For a value that is not a path, and for a URL: nothing is downloaded.
    """
    names = raw.column(image, "--image").to_list()
    if None in names:
        raise BadInput(f"--image {image!r} is empty in row {names.index(None)} of {str(raw.path)!r}. Fill in the path.")
    if image in raw.pictures:
        return raw.pictures[image], np.array(names, dtype=object)
    odd = next((i for i, path in enumerate(names) if not isinstance(path, str)), None)
    if odd is not None:
        raise BadInput(
            f"--image {image!r} holds values of type {type(names[odd]).__name__}, not paths. Name the column of picture paths."
        )
    roots = [raw.path.parent / name for name in raw.beside] if folder is None else [Path(folder)]
    files = [_named(name, roots, row, image, raw.path) for row, name in enumerate(names)]
    short = [f"picture {row}" if name.startswith("data:") else name for row, name in enumerate(names)]
    return files, np.array(short, dtype=object)


@dataclass(frozen=True)
class _DataUrl:
    """Opens the picture that a ``data:`` URL holds."""

    url: str

    def __call__(self) -> bytes:
        try:
            return base64.b64decode(self.url.partition(",")[2], validate=True)
        except ValueError as error:
            raise BadInput(f"cannot be decoded (its data: URL is no base64: {error})") from error


def _named(name: str, roots: Sequence[Path], row: int, image: str, file: Path) -> Picture:
    if name.startswith("data:"):
        return _DataUrl(name)
    if URL.match(name):
        raise BadInput(
            f"--image {image!r} row {row} of {str(file)!r} is a URL: {name[:80]!r}. labelproof downloads nothing. Download the pictures, and name the files."
        )
    return next((found for root in roots if len(roots) > 1 and (found := root / name).exists()), roots[0] / name)


def copy_pictures(root: Path, target: Path, moved: Mapping[str, str | None], *, overwrite: bool) -> None:
    """Copy a folder of class folders, with some pictures in the folder of another class.

    Every file is copied, including those that are no pictures. A picture of none of the classes goes into the hidden folder
    ``.unlabelled``.

    Parameters
    ----------
    root, target : Path
    moved : mapping of name to class
        By the name that `list_pictures` gives.
    overwrite : bool

    Raises
    ------
    BadInput
        If the target is inside the folder, or is there already and not ours.
    """
    if target.resolve().is_relative_to(root.resolve()):
        raise BadInput(
            f"--out {str(target)!r} is inside the input {str(root)!r}, which is never modified. Choose another folder."
        )
    every = [file for file in sorted(root.rglob("*")) if file.is_file()]
    depth = class_depth(root, list(_visible_files(root)))
    taken = {file.relative_to(root).as_posix() for file in every} - set(moved)
    with atomic_folder(target, overwrite=overwrite) as partial:
        for file in every:
            path = file.relative_to(root)
            name = path.as_posix()
            if name in moved:
                folder = UNLABELLED if moved[name] is None else str(moved[name])
                name = _free(Path(*path.parts[:depth], folder, *path.parts[depth + 1 :]), path.parts[depth], taken)
                taken.add(name)
            goal = partial / name
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, goal)


def _free(path: Path, was: str, taken: set[str]) -> str:
    """A name that no other picture has, with the former class in it if needed."""
    number, name = 1, path.as_posix()
    while name in taken:
        name = path.with_name(f"{path.stem} (was {was}{'' if number == 1 else f' {number}'}){path.suffix}").as_posix()
        number += 1
    return name
