"""Pictures: one folder a class, or a manifest of paths and labels."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import Path_
from labelproof.data.picture_files import list_pictures
from labelproof.data.pictures import read_picture
from labelproof.data.table import how_read
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.progress import track
from labelproof.saving.files import load_array
from labelproof.validation import AnyArray, FloatArray, check_features, check_ids, check_labels

SHOWN_PIXELS = 192
Decoded = npt.NDArray[np.uint8]


def read_images(
    path: Path_,
    *,
    label: str | None = None,
    image: str | None = None,
    id: str | None = None,
    embeddings: Any | None = None,
    size: int = 32,
    missing: Sequence[Any] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read pictures from ``root/class/file.jpg``, or from a manifest with a column of paths and a column of labels.

    Pictures are decoded one by one straight into the array, as `labelproof.data.pictures.read_picture` opens them; one that
    cannot be decoded is skipped and listed in ``skipped``.

    Parameters
    ----------
    path : path
        A folder with one folder per class, or with folders ``train``, ``val`` … that hold those; or a .csv, .tsv or
        .parquet manifest. Hidden folders and ``__MACOSX`` are no classes.
    label, image : str, optional
        Columns of the manifest; paths are relative to the manifest's folder.
    id : str, optional
        Column of unique names; the path where left out.
    embeddings : array-like or path of .npy, shape (n, d), optional
        One row per picture, in the order of the manifest or of the sorted paths; learned from instead of pixels.
    size : int
        Pictures are scaled to ``size`` x ``size`` for the model; a person is shown the original.
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
    root = Path(path)
    found = list_pictures(root, label, image, id, encoding=encoding)
    files, names = found.files, found.names
    vectors = None if embeddings is None else _vectors(embeddings, len(files))
    pixels, kept, skipped = decode_all(files, names, size)
    if not kept:
        raise BadInput(f"none of the {len(files)} pictures in {str(root)!r} can be read; the first: {skipped[0][1]}.")
    what = "labels of the pictures" if label is None else f"label column {label!r}"
    coded = check_labels(found.labels[kept], name=what, missing=missing)
    shown = [files[i] for i in kept]
    return Dataset(
        x=pixels[: len(kept)] if vectors is None else vectors[kept],
        labels=Classes.of_codes(coded.codes, coded.classes),
        ids=check_ids(names[kept], len(kept)),
        show_item=lambda i: Shown(image=thumbnail(shown[i])),
        kind="images" if vectors is None else "arrays",
        skipped=skipped,
        split=None if found.splits is None else found.splits[kept],
        source={
            "kind": "images",
            "path": str(root.resolve()),
            "label": label,
            "image": image,
            "id": id,
            "size": size,
            "embeddings": vectors is not None,
            **how_read(missing, encoding),
        },
    )


def decode_all(
    files: Sequence[Path], names: Sequence[Any] | AnyArray, size: int, *, quiet: bool = False
) -> tuple[Decoded, list[int], list[tuple[str, str]]]:
    """Pictures that can be read, packed to the front of (n, size, size, 3), their numbers, and the others with the reason."""
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for i, file in enumerate(files if quiet else track(files, "reading pictures")):
        try:
            pixels[len(kept)] = np.asarray(read_picture(file, size, square=True))
        except BadInput as problem:
            skipped.append((str(names[i]), str(problem)))
        else:
            kept.append(i)
    return pixels, kept, skipped


def decode_each(files: Sequence[Path], names: Sequence[Any] | AnyArray, size: int, *, quiet: bool = False) -> Decoded:
    """Pictures (n, size, size, 3), where each must be readable.

    Raises
    ------
    BadInput
        Naming the first that is not.
    """
    pixels, _, skipped = decode_all(files, names, size, quiet=quiet)
    if skipped:
        raise BadInput(f"picture {skipped[0][0]!r} {skipped[0][1]}. Repair or remove it; {len(skipped)} in all.")
    return pixels


def _vectors(embeddings: Any, n: int) -> FloatArray:
    loaded = load_array(embeddings, "embeddings") if isinstance(embeddings, str | os.PathLike) else embeddings
    vectors = check_features(loaded, name="embeddings")
    if len(vectors) != n:
        raise BadInput(
            f"embeddings has {len(vectors)} rows but there are {n} pictures. Give one row per picture, in order of their paths."
        )
    return vectors


def thumbnail(file: Path, pixels: int = SHOWN_PIXELS) -> bytes:
    """A picture file at most so many pixels wide or high, as PNG or JPEG, whichever is the smaller.

    Raises
    ------
    BadInput
        If it cannot be read, with the reason alone.
    """
    return encode(read_picture(file, pixels))


def encode(picture: Image.Image) -> bytes:
    """The smaller of PNG and JPEG."""
    written = []
    for options in ({"format": "PNG", "optimize": True}, {"format": "JPEG", "quality": 85}):
        buffer = io.BytesIO()
        picture.save(buffer, **options)  # type: ignore[arg-type]
        written.append(buffer.getvalue())
    return min(written, key=len)
