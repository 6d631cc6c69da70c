"""The interface of a format of pictures with boxes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from labelproof.data.picture_files import SUFFIXES
from labelproof.data.pictures import FORMATS, ORIENTATION
from labelproof.errors import BadInput
from labelproof.labels.boxes import Box, Boxes
from labelproof.validation import FloatArray, Json

SAME_OBJECT = 0.1  # least overlap of a box with its changed version
TURNED = range(5, 9)  # EXIF orientations of a picture that is rotated by 90 degrees


class BoxedPictures(NamedTuple):
    """The contents of a file.

    Attributes
    ----------
    labels : Boxes
    names : list of n str
        Unique names of the pictures.
    files : list of n paths
        Expected path of each picture.
    keys : dict of str to int
        Names of a picture in a file of predictions, and its row.
    categories : dict of str to str
        Names of a class in a file of predictions, and its name.
    ignored : dict of int to list of boxes
        Regions of a picture, by its row, without single labels, such as crowds: predictions there are no evidence.
    """

    labels: Boxes
    names: list[str]
    files: list[Path]
    keys: dict[str, int]
    categories: dict[str, str]
    ignored: dict[int, list[tuple[float, float, float, float]]]


class BoxForm(ABC):
    """A file, or a folder, of pictures with boxes.

    Parameters
    ----------
    path : Path
    images : str, optional
        Folder of the pictures.
    encoding : str, optional

    Attributes
    ----------
    endings : tuple of str
        Endings of the files that are written; empty for a folder.
    """

    endings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path, images: str | None = None, encoding: str | None = None) -> None:
        self.path, self.images, self.encoding = path, images, encoding

    @classmethod
    @abstractmethod
    def holds(cls, path: Path) -> bool:
        """Whether a path is in this form."""

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        """Whether the source can only mean boxes, so that the kind of label need not be named."""
        return cls.holds(path)

    @abstractmethod
    def read(self) -> BoxedPictures:
        """The pictures and their boxes.

        Raises
        ------
        BadInput
        """

    @abstractmethod
    def write(self, target: Path, changes: Mapping[int, Sequence[Box]], *, overwrite: bool) -> None:
        """Write a copy in which some pictures have other boxes; requires that the file was just read.

        Parameters
        ----------
        target : Path
        changes : mapping of picture to boxes
        overwrite : bool
            Whether a folder that is there may be replaced.
        """

    def picture_of(self, name: str, *folders: str) -> Path:
        """Where a picture is: in the named folder, otherwise next to the file or in one of some folders next to it."""
        return self._found_in.find(self.path if self.path.is_dir() else self.path.parent, name, folders)

    @cached_property
    def _found_in(self) -> PicturePlaces:
        return PicturePlaces(self.images)


class PicturePlaces:
    """Finds pictures by name; each folder is listed once.

    Parameters
    ----------
    images : str, optional
        The folder of all pictures.
    """

    def __init__(self, images: str | None) -> None:
        self.images = images
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, root: Path, name: str, folders: Sequence[str]) -> Path:
        """The picture of that name, with its own ending or, if it has none, any; the first candidate if none exists.

        Parameters
        ----------
        root : Path
            The parent of ``folders``, if no folder of pictures was named.
        name : str
        folders : sequence of str
        """
        roots = [Path(self.images)] if self.images is not None else [root / folder for folder in folders]
        inside, _, own = name.replace("\\", "/").rpartition("/")
        for folder in roots:
            for place in (folder / inside, folder) if inside else (folder,):
                found = self._in(place).get(own)
                if found is not None:
                    return place / found
        return roots[0] / name

    def _in(self, folder: Path) -> dict[str, str]:
        """Names of the pictures of a folder, by name and by name without ending."""
        if folder not in self._listed:
            try:
                names = sorted(entry.name for entry in os.scandir(folder) if _ending(entry.name) in SUFFIXES)
            except OSError:
                names = []
            by_stem = {name[: -len(_ending(name))]: name for name in reversed(names)}
            self._listed[folder] = by_stem | {name: name for name in names}
        return self._listed[folder]


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def size_of(file: Path) -> tuple[float, float]:
    """Width and height of a picture after rotation by EXIF; NaN if it cannot be read."""
    try:
        with Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
            lying = picture.getexif().get(ORIENTATION) in TURNED
    except Exception:  # decoders raise anything; the error is shown in place of the picture
        return float("nan"), float("nan")
    return (height, width) if lying else (width, height)


def boxed(
    names: Sequence[str],
    files: Sequence[Path],
    boxes: Sequence[Sequence[Box]],
    sizes: Sequence[tuple[float, float]],
    classes: Sequence[str],
    *,
    keys: Mapping[str, int] | None = None,
    categories: Mapping[str, str] | None = None,
    ignored: Mapping[int, list[tuple[float, float, float, float]]] | None = None,
) -> BoxedPictures:
    """The result of a format; pictures are named by name, by file name with or without ending, or by number."""
    given = [
        {"boxes": np.array([box[:4] for box in own], float).reshape(-1, 4), "labels": [box[4] for box in own]} for own in boxes
    ]
    stems = [Path(name).stem for name in names]
    found: dict[str, int] = {}
    for own in (stems, [file.stem for file in files], [file.name for file in files], names):  # the surest last
        found |= {name: row for row, name in enumerate(own)}
    labels = Boxes(given, classes=sorted(set(classes)), sizes=np.array(sizes, float).reshape(-1, 2))
    named = {name: name for name in classes}
    return BoxedPictures(
        labels, list(names), list(files), found | dict(keys or {}), named | dict(categories or {}), dict(ignored or {})
    )


@dataclass(frozen=True)
class Difference:
    """The changes to the boxes of a picture.

    Attributes
    ----------
    changed : dict of int to Box
        New boxes of given ones, by their number.
    gone : set of int
    added : list of Box
    """

    changed: dict[int, Box] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    added: list[Box] = field(default_factory=list)


def difference(given: Sequence[Box], new: Sequence[Box]) -> Difference:
    """The given box of each new one, so that it keeps the other fields.

    Equal boxes are the same; of the others those that overlap most, best of one class.

    >>> difference([(0, 0, 10, 10, "a"), (5, 5, 9, 9, "b")], [(0, 0, 11, 10, "a"), (50, 50, 60, 60, "b")])
    Difference(changed={0: (0, 0, 11, 10, 'a')}, gone={1}, added=[(50, 50, 60, 60, 'b')])
    """
    left = dict(enumerate(given))
    rest: list[Box] = []
    for box in new:
        same = next((number for number, own in left.items() if rounded(own) == rounded(box)), None)
        if same is None:
            rest.append(box)
        else:
            del left[same]
    made, taken = Difference(gone=set(left)), set[int]()
    if left and rest:
        numbers = list(left)
        overlap = overlaps(np.array([left[i][:4] for i in numbers], float), np.array([box[:4] for box in rest], float))
        alike = np.array([[left[i][4] == box[4] for box in rest] for i in numbers])
        rows, columns = linear_sum_assignment(overlap + 0.1 * alike * (overlap > 0), maximize=True)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if overlap[row, column] >= SAME_OBJECT:
                own, box = left[numbers[row]], rest[column]
                same = rounded(own)[:4] == rounded(box)[:4]
                made.changed[numbers[row]] = (
                    (*own[:4], box[4]) if same else box
                )  # with all its digits, if only the class changes
                made.gone.discard(numbers[row])
                taken.add(column)
    made.added.extend(box for column, box in enumerate(rest) if column not in taken)
    return made


def overlaps(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union of boxes with boxes, shape (len(a), len(b))."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(c[:, 2:] - c[:, :2], 0), axis=1) for c in (a, b)]
    found: FloatArray = inside / np.maximum(areas[0][:, None] + areas[1][None] - inside, 1e-12)
    return found


def rounded(box: Box) -> Box:
    """A box in the form of a decision."""
    return (*(round(float(value), 3) for value in box[:4]), box[4])  # type: ignore[return-value]


def number_text(value: float) -> str:
    """A coordinate as text: at most three decimals, none for a whole number.

    >>> number_text(12.0), number_text(0.12345)
    ('12', '0.123')
    """
    found = round(float(value), 3)
    return str(int(found)) if found == int(found) else repr(found)


def numbers_in(values: Sequence[object], where: str) -> list[float]:
    """Values that must be numbers.

    Raises
    ------
    BadInput
    """
    try:
        return [float(value) for value in values]  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} has {values!r:.80} where numbers should be. Correct it.") from error


def result_of(boxes: Sequence[Box], scores: Sequence[float]) -> Json:
    """The predictions of a picture, in the form for `labelproof.audit`."""
    return {
        "boxes": np.array([box[:4] for box in boxes], float).reshape(-1, 4),
        "labels": [box[4] for box in boxes],
        "scores": np.array(scores, float),
    }
