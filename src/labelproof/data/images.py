"""Pictures: one folder a class, or a manifest of paths and labels."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.files import existing, load_array
from labelproof.data.frames import Path_, column, label_values, read_frame
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.validation import AnyArray, FloatArray, check_features, check_ids, check_labels

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
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
) -> Dataset:
    """Read pictures from ``root/class/file.jpg``, or from a manifest with a column of paths and a column of labels.

    Pictures are decoded one by one straight into the array; one that cannot be decoded is skipped and listed in
    ``skipped``.

    Parameters
    ----------
    path : path
        A folder with one folder per class, or a .csv, .tsv or .parquet manifest.
    label, image : str, optional
        Columns of the manifest; paths are relative to the manifest's folder.
    id : str, optional
        Column of unique names; the path where left out.
    embeddings : array-like or path of .npy, shape (n, d), optional
        One row per picture, in the order of the manifest or of the sorted paths; learned from instead of pixels.
    size : int
        Pictures are scaled to ``size`` x ``size`` for the model; a person is shown the original.

    Returns
    -------
    Dataset
        ``x`` is uint8 of shape (n, size, size, 3), or the embeddings.

    Raises
    ------
    BadInput
    """
    root = Path(path)
    files, labels, names = list_pictures(root, label, image, id)
    vectors = None if embeddings is None else _vectors(embeddings, len(files))
    pixels, kept, skipped = decode_all(files, names, size)
    if not kept:
        raise BadInput(f"none of the {len(files)} pictures in {str(root)!r} can be read; the first: {skipped[0][1]}.")
    coded = check_labels(labels[kept], name="labels of the pictures")
    shown = [files[i] for i in kept]
    return Dataset(
        x=pixels[: len(kept)] if vectors is None else vectors[kept],
        given=coded.codes,
        classes=coded.classes,
        ids=check_ids(names[kept], len(kept)),
        show_item=lambda i: Shown(image=thumbnail(shown[i])),
        kind="images" if vectors is None else "arrays",
        skipped=skipped,
        source={
            "kind": "images",
            "path": str(root.resolve()),
            "label": label,
            "image": image,
            "id": id,
            "size": size,
            "embeddings": vectors is not None,
        },
    )


def list_pictures(
    root: Path, label: str | None, image: str | None, id: str | None
) -> tuple[Sequence[Path], AnyArray, AnyArray]:
    """Files, labels and names of a folder of class folders or of a manifest, before any is opened."""
    existing(root, "image folder" if label is None else "manifest")
    if root.is_dir():
        return _walk(root)
    if label is None or image is None:
        raise BadInput(f"{str(root)!r} is a file: give --label and --image, its columns of labels and of picture paths.")
    return _manifest(root, label, image, id)


def decode_all(
    files: Sequence[Path], names: Sequence[Any] | AnyArray, size: int, *, quiet: bool = False
) -> tuple[Decoded, list[int], list[tuple[str, str]]]:
    """Pictures that can be read, packed to the front of (n, size, size, 3), their numbers, and the others with the reason."""
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for i, file in enumerate(files if quiet else track(files, "reading pictures")):
        problem = _decode(file, size, pixels[len(kept)])
        if problem:
            skipped.append((str(names[i]), problem))
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


def _walk(root: Path) -> tuple[Sequence[Path], AnyArray, AnyArray]:
    files = sorted(p for p in root.glob("*/**/*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise BadInput(
            f"no pictures in {str(root)!r}: expected one folder per class, e.g. {root.name}/cat/1.jpg "
            f"({', '.join(sorted(SUFFIXES))})."
        )
    inside = [p.relative_to(root) for p in files]
    labels = np.array([p.parts[0] for p in inside], dtype=object)
    return files, labels, np.array([p.as_posix() for p in inside], dtype=object)


def _manifest(file: Path, label: str, image: str, id: str | None) -> tuple[Sequence[Path], AnyArray, AnyArray]:
    frame = read_frame(file, text_columns=[c for c in (label, image, id) if c is not None])
    labels = label_values(column(frame, label, file, "--label"))
    paths = column(frame, image, file, "--image").to_list()
    if None in paths:
        raise BadInput(f"--image {image!r} is empty in row {paths.index(None)} of {str(file)!r}. Fill in the path.")
    names = np.array(paths, dtype=object) if id is None else label_values(column(frame, id, file, "--id"))
    return [file.parent / p for p in paths], labels, names


def _vectors(embeddings: Any, n: int) -> FloatArray:
    loaded = load_array(embeddings, "embeddings") if isinstance(embeddings, str | os.PathLike) else embeddings
    vectors = check_features(loaded, name="embeddings")
    if len(vectors) != n:
        raise BadInput(
            f"embeddings has {len(vectors)} rows but there are {n} pictures. Give one row per picture, in order of their paths."
        )
    return vectors


def _decode(file: Path, size: int, into: Decoded) -> str:
    """Fill ``into`` (size, size, 3); return what is wrong with the file, or the empty string."""
    try:
        with Image.open(file) as picture:
            into[:] = np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BOX))
    except FileNotFoundError:
        return "file not found"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"cannot be decoded ({str(error).splitlines()[0][:120] if str(error) else type(error).__name__})"
    return ""


def thumbnail(file: Path, pixels: int = SHOWN_PIXELS) -> bytes:
    """A picture file at most so many pixels wide or high, as PNG or JPEG, whichever is the smaller."""
    with Image.open(file) as picture:
        small = picture.convert("RGB")
        small.thumbnail((pixels, pixels))
        return encode(small)


def encode(picture: Image.Image) -> bytes:
    """The smaller of PNG and JPEG."""
    written = []
    for options in ({"format": "PNG", "optimize": True}, {"format": "JPEG", "quality": 85}):
        buffer = io.BytesIO()
        picture.save(buffer, **options)  # type: ignore[arg-type]
        written.append(buffer.getvalue())
    return min(written, key=len)
