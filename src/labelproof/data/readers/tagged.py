"""Pictures, or videos as folders of frames, with a manifest of tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelproof.data.bags import Bags, evenly
from labelproof.data.frames import read_frame
from labelproof.data.images import Decoded, decode_all, decode_each
from labelproof.data.picture_files import SUFFIXES
from labelproof.data.raw_table import Path_, column
from labelproof.errors import BadInput
from labelproof.saving.files import existing


@dataclass(frozen=True)
class Tagged:
    """Items with tags.

    Attributes
    ----------
    x : ndarray of uint8 (n, size, size, 3), or Bags of such pictures
    tags : ndarray of int8, shape (n, k)
    names : tuple of length k
        Sorted.
    ids : tuple of length n
        Paths as in the manifest.
    skipped : list of (id, reason)
    """

    x: Decoded | Bags
    tags: npt.NDArray[np.int8]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read_tagged(
    manifest: Path_, *, path: str = "path", tags: str = "tags", separator: str = ";", size: int = 32, frames: int = 26
) -> Tagged:
    """Read the files that a manifest names: pictures, or videos as folders of frames in the order of their names.

    Parameters
    ----------
    manifest : path of a .csv, .tsv or .parquet file
    path, tags : str
        Its columns: paths relative to the manifest's folder; tags joined by ``separator``, an empty field for none.
    size : int
        Pictures are scaled to ``size`` x ``size``.
    frames : int
        Frames taken of a video, evenly spread.

    Returns
    -------
    Tagged
        Items that cannot be read are in ``skipped``.

    Raises
    ------
    BadInput
        If pictures and folders are mixed, no item can be read, or no item has a tag.
    """
    file = existing(manifest, "manifest")
    frame = read_frame(file, text_columns=[path, tags])
    ids = column(frame, path, file, "path").to_list()
    if None in ids:
        raise BadInput(f"{path!r} is empty in row {ids.index(None)} of {str(file)!r}. Fill in the path.")
    given = [
        [tag.strip() for tag in (own or "").split(separator) if tag.strip()]
        for own in column(frame, tags, file, "tags").to_list()
    ]
    places = [file.parent / name for name in ids]
    videos = [place.is_dir() for place in places]
    if any(videos) and not all(videos):
        raise BadInput(
            f"{ids[videos.index(True)]!r} is a folder, but {ids[videos.index(False)]!r} is not. Give only pictures or only folders of frames."
        )
    x, kept, skipped = _videos(places, ids, size, frames) if any(videos) else _pictures(places, ids, size)
    if not kept:
        raise BadInput(f"None of the {len(ids)} items of {str(file)!r} can be read. The first {skipped[0][1]}.")
    names = tuple(sorted({tag for own in given for tag in own}))
    if not names:
        raise BadInput(f"{tags!r} of {str(file)!r} has no tags. Name the column that holds them.")
    matrix = np.array([[name in given[row] for name in names] for row in kept], np.int8)
    return Tagged(x, matrix, names, tuple(ids[row] for row in kept), skipped)


def list_items(folder: Path_) -> tuple[list[str], list[list[Path]]]:
    """Names of the items of a folder, and their files: each picture is one, or each folder of frames.

    Returns
    -------
    names : list of n str
        Paths relative to the folder, sorted.
    files : list of n lists of Path
        The file of a picture, or the frames of a video in the order of their names.

    Raises
    ------
    BadInput
        If there are neither pictures nor folders with frames, or both.
    """
    root = existing(folder, "folder")
    if not root.is_dir():
        raise BadInput(f"{str(root)!r} is a file. Give a folder of pictures, or of videos as folders of frames.")
    entries = sorted(root.iterdir())
    pictures = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]
    videos = [(entry, own) for entry in entries if entry.is_dir() and (own := frames_of(entry))]
    if pictures and videos:
        raise BadInput(
            f"{str(root)!r} has pictures ({pictures[0].name}) and folders of frames ({videos[0][0].name}). Give only one of the two."
        )
    if not pictures and not videos:
        raise BadInput(f"{str(root)!r} has no pictures and no folders of frames ({', '.join(sorted(SUFFIXES))}).")
    if pictures:
        return [file.name for file in pictures], [[file] for file in pictures]
    return [video.name for video, _ in videos], [own for _, own in videos]


def decode_items(files: list[list[Path]], size: int) -> Decoded | Bags:
    """The files that `list_items` found, in memory.

    Returns
    -------
    ndarray of uint8 (n, size, size, 3), or Bags of such pictures where an item has several

    Raises
    ------
    BadInput
        Naming a file that cannot be read.
    """
    each = [file for own in files for file in own]
    pixels = decode_each(each, [str(file) for file in each], size)
    sizes = np.array([len(own) for own in files])
    return pixels if sizes.max() == 1 else Bags(pixels, sizes)


def frames_of(video: Path, most: int | None = None) -> list[Path]:
    """Picture files of a folder, in the order of their names; evenly spaced ones for a limited number."""
    files = sorted(file for file in video.iterdir() if file.suffix.lower() in SUFFIXES)
    return files if most is None else [files[i] for i in evenly(len(files), most)]


def _pictures(places: list[Path], ids: list[str], size: int) -> tuple[Decoded, list[int], list[tuple[str, str]]]:
    pixels, kept, skipped = decode_all(places, ids, size)
    return pixels[: len(kept)], kept, skipped


def _videos(places: list[Path], ids: list[str], size: int, frames: int) -> tuple[Bags, list[int], list[tuple[str, str]]]:
    bags, kept = [], []
    skipped: list[tuple[str, str]] = []
    for row, (place, name) in enumerate(zip(places, ids, strict=True)):
        chosen = frames_of(place, frames)
        pixels, read, bad = decode_all(chosen, [f"{name}/{p.name}" for p in chosen], size)
        skipped += bad
        if read:
            bags.append(pixels[: len(read)].copy())
            kept.append(row)
        else:
            skipped.append((name, "no frame that can be read"))
    return (Bags.of(bags) if bags else Bags(np.empty((0, size, size, 3), np.uint8), np.empty(0, np.int64))), kept, skipped
