"""A class for each pixel: the labels of semantic segmentation."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.labels.classes import class_codes
from labelproof.labels.run_length import Runs
from labelproof.saving.files import damaged, existing
from labelproof.validation import AnyArray, IntArray, Json, to_numpy

VOID = -1  # the code of a pixel without a label
KINDS_OF_ERROR = ("missing", "extra", "class", "border")
INDEXED = ("P", "L", "1", "I", "I;16")  # modes of pictures whose pixels are whole numbers
BOUNDS = ("x1", "y1", "x2", "y2")


class Masks(Labels):
    """A class for each pixel of pictures. A site is a *region*: connected pixels of one class.

    An audit finds the regions; before it there is no site. Pictures are read one at a time, as they are needed.

    Parameters
    ----------
    masks : array-like of int, shape (n, h, w), or sequence of array-like, each of shape (h, w), or sequence of paths
        The class of each pixel, in 0..k-1. In files (PNG with a palette or in grey) the stored number of a pixel, not its
        colour. A sequence of another type is read item by item, by number.
    classes : sequence of length k, optional
        Names of the classes. By default the numbers.
    void : int or sequence of int, optional
        Values that mean "not labelled". By default none.

    Attributes
    ----------
    sizes : ndarray of int64, shape (n, 2)
        Width and height of each picture.
    region : ndarray of int64, shape (s,)
        Number of each region within its picture: given ones in the order of their first pixel, row by row, then those found
        inside given ones.
    area : ndarray of int64, shape (s,)
        Number of its pixels.
    bounds : ndarray of int64, shape (s, 4)
        ``x1 y1 x2 y2``, the last ones excluded.
    rle : list of str of length s
        For a doubtful region, the pixels of the picture to change, as run lengths (`labelproof.labels.run_length`); for others
        "".

    Raises
    ------
    BadInput
        For a value that is neither a class nor void; the message names the picture and the pixel.

    Examples
    --------
    >>> labels = Masks([[[0, 0], [1, 255]], [[1, 1], [0, 0]]], classes=["road", "car"], void=255)
    >>> labels, labels.mask(0).tolist(), labels.sizes.tolist()
    (Masks: 2 pictures in 2 classes, [[0, 0], [1, -1]], [[2, 2], [2, 2]])
    """

    kind = "masks"
    own_columns = ("region", *BOUNDS, "area", "rle", "kind")
    found_site_columns = ("kind",)
    found_columns = ("error_probability", "width", "height", "regions", "digest")
    key_columns = ("region",)
    sizes: IntArray
    region: IntArray
    area: IntArray
    bounds: IntArray
    rle: list[str]
    void: tuple[int, ...] = ()
    named_classes: bool = True  # otherwise there may be more of them than are given
    _pictures: Sequence[Any] | None = None

    def __init__(
        self, masks: object, *, classes: Sequence[object] | None = None, void: int | Iterable[int] | None = None
    ) -> None:
        self._pictures, self.void = _sequence(masks), _void(void)
        self.n, self.named_classes = len(self._pictures), classes is not None
        names = None if classes is None else tuple(classes)
        if names is not None and len({str(name) for name in names}) != len(names):
            raise BadInput(f"classes has a name twice: {', '.join(map(str, names))[:200]}. Give one name per channel.")
        sizes, most = [], 0
        for i in range(self.n):
            picture = self._picture(i)
            most = max(most, _highest(picture, i, self.void, None if names is None else len(names)) + 1)
            sizes.append(picture.shape[::-1])
        self.sizes = np.array(sizes, np.int64)
        self.classes = tuple(range(most)) if names is None else names
        listed = self._pictures if isinstance(self._pictures, list | tuple) else ()  # others would be opened once more
        paths = [Path(path).name for path in listed if isinstance(path, str | os.PathLike)]
        self.item_names = np.array(paths, dtype=object) if len(set(paths)) == self.n else None
        self._without_regions()

    def _without_regions(self) -> None:
        self.values = self.owner = self.region = self.area = np.zeros(0, np.int64)
        self.bounds, self.rle = np.zeros((0, 4), np.int64), []

    @classmethod
    def of_sites(cls, values: AnyArray, owner: IntArray, n: int, classes: Sequence[object]) -> Self:
        """From regions whose positions the caller fills in."""
        made = super().of_sites(values, owner, n, classes)
        made.sizes = np.zeros((n, 2), np.int64)
        made.region, made.area = np.zeros((2, len(values)), np.int64)
        made.bounds, made.rle = np.zeros((len(values), 4), np.int64), [""] * len(values)
        return made

    def with_regions(
        self, values: IntArray, owner: IntArray, region: IntArray, area: IntArray, bounds: IntArray, rle: Sequence[str]
    ) -> Self:
        """The same pictures with regions as sites, each argument of length s, in the order of pictures and of ``region``."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.values, made.owner, made.region, made.area, made.bounds = values, owner, region, area, bounds
        made.rle = list(rle)
        return made

    def with_classes(self, k: int) -> Self:
        """The same with k classes, if these are only numbers: a model may know classes that were never given."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.classes = tuple(range(k))
        return made

    def mask(self, i: int) -> npt.NDArray[np.int64]:
        """Codes of the pixels of picture ``i``, -1 where void, shape (h, w).

        Raises
        ------
        BadInput
            For a loaded audit: it does not hold the pictures.
        """
        if self._pictures is None:
            raise BadInput("A loaded audit does not hold the pixels. Make lp.Masks of the pictures that were audited.")
        picture = self._picture(i)
        if picture.shape[::-1] != tuple(self.sizes[i]):
            raise BadInput(f"picture {i} changed its size. Do not change the pictures during an audit.")
        codes = picture.astype(np.int64)
        for value in self.void:
            codes[picture == value] = VOID
        if codes.max(initial=VOID) >= len(self.classes) or codes.min(initial=VOID) < VOID:
            raise BadInput(f"picture {i} changed its values. Do not change the pictures during an audit.")
        return codes

    def digest(self, i: int) -> str:
        """A digest that identifies the mask of picture ``i``."""
        return digest_of(self.mask(i))

    def _picture(self, i: int) -> AnyArray:
        """The given values of a picture, shape (h, w)."""
        assert self._pictures is not None
        one = self._pictures[i]
        picture = _from_file(one) if isinstance(one, str | os.PathLike) else to_numpy(one, f"mask {i}")
        if picture.ndim != 2 or not picture.size:
            raise BadInput(f"mask {i} has shape {picture.shape}. Give one class per pixel, shape (h, w).")
        if picture.dtype.kind not in "iub":
            raise BadInput(f"mask {i} is {picture.dtype}. Give whole numbers: the channel of each pixel's class.")
        return picture

    def __eq__(self, other: object) -> bool:
        """Whether the same regions were given; without regions, if both know their pixels, whether the pixels are the same."""
        if not isinstance(other, Masks) or not super().__eq__(other) or self.rle != other.rle:
            return False
        pairs = [(getattr(self, name), getattr(other, name)) for name in ("sizes", "region", "area", "bounds")]
        if not all(np.array_equal(one, another) for one, another in pairs):
            return False
        if len(self.values) or self._pictures is None or other._pictures is None:
            return True
        return all(np.array_equal(self.mask(i), other.mask(i)) for i in range(self.n))

    __hash__ = None

    @property
    def labelled(self) -> int:
        """All pictures."""
        return self.n

    @property
    def described(self) -> str:
        """The numbers of masks, classes and pictures, in words."""
        regions = f"{len(self.values):,} regions of " if len(self.values) else ""
        return f"{regions}{self.n:,} pictures in {len(self.classes)} classes"

    def named(self, values: IntArray) -> pl.Series:
        """The class names."""
        return pl.Series(list(self.classes)).gather(values)

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The number of the region in the picture, its position, and the pixels to change."""
        return {
            "region": pl.Series(self.region[sites]),
            **{name: pl.Series(self.bounds[sites, column]) for column, name in enumerate(BOUNDS)},
            "area": pl.Series(self.area[sites]),
            "rle": pl.Series([self.rle[site] for site in np.asarray(sites).tolist()], dtype=pl.String),
        }

    def to_json(self) -> Json:
        """The sizes of the pictures; one if all are equal."""
        alike = bool((self.sizes == self.sizes[:1]).all())
        return {"sizes": (self.sizes[:1] if alike else self.sizes).tolist()}

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By picture, then by region."""
        return issues.sort("index", "region")

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """Codes of a column of class names."""
        return class_codes(names, classes).to_numpy().astype(np.int64)

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one region; the pixels are not known."""
        given = cls.codes_of(issues["given_label"], summary["classes"])
        made = cls.of_sites(given, issues["index"].to_numpy(), summary["n"], summary["classes"])
        made.sizes = np.broadcast_to(np.array(summary["sizes"], np.int64).reshape(-1, 2), (made.n, 2)).copy()
        made.region, made.area = issues["region"].to_numpy(), issues["area"].to_numpy()
        made.bounds = issues.select(BOUNDS).to_numpy().astype(np.int64).reshape(-1, 4)
        made.rle = issues["rle"].to_list()
        return made

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The changes to the given mask, as a JSON list of ``[class, run lengths]``, by class; ``[]`` for none."""
        if not isinstance(label, list):
            raise BadInput(
                "The label of a picture must be a list of patches, each [class, run lengths], or [] if the mask is right."
            )
        patches = sorted((_patch(one, classes) for one in label), key=lambda patch: patch[0])
        patches = [(code, runs) for code, runs in patches if len(runs.starts)]
        if len({code for code, _ in patches}) < len(patches):
            raise BadInput("Two patches have the same class. Give one patch per class.")
        if len({runs.total for _, runs in patches}) > 1:
            raise BadInput("The patches belong to pictures of different sizes. Give run lengths of the whole picture.")
        _check_apart([runs for _, runs in patches])
        return json.dumps([[classes[code], runs.text] for code, runs in patches], ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> object:
        """The list of patches."""
        return json.loads(text)


def digest_of(codes: IntArray) -> str:
    """A digest that identifies a mask, shape (h, w)."""
    return hashlib.sha256(f"{codes.shape} ".encode() + codes.astype(np.int32).tobytes()).hexdigest()[:24]


def _patch(patch: object, classes: Sequence[str]) -> tuple[int, Runs]:
    if not isinstance(patch, list | tuple) or len(patch) != 2 or not isinstance(patch[0], str):
        raise BadInput(f"{str(patch)[:80]!r} is not a patch. Give [class, run lengths].")
    if patch[0] not in classes:
        raise BadInput(f"class {patch[0][:80]!r} is not one of the classes.")
    return list(classes).index(patch[0]), Runs.of_text(patch[1])


def _check_apart(patches: Sequence[Runs]) -> None:
    """BadInput if a pixel is in two patches."""
    if len(patches) < 2:
        return
    starts, ends = (np.concatenate([getattr(runs, name) for runs in patches]) for name in ("starts", "ends"))
    order = np.argsort(starts)
    if (starts[order][1:] < ends[order][:-1]).any():
        raise BadInput("Two patches overlap. Give each pixel one class.")


def _sequence(masks: object) -> Sequence[Any]:
    if isinstance(masks, str | os.PathLike):
        raise BadInput(f"masks is the path {os.fspath(masks)!r}. Give a list of paths, one per picture.")
    if not hasattr(masks, "__len__") or not hasattr(masks, "__getitem__"):
        raise BadInput(f"masks is a {type(masks).__name__}. Give an array (n, h, w), or a list with one mask per picture.")
    if isinstance(masks, np.ndarray) and masks.dtype.kind != "O" and masks.ndim != 3:
        raise BadInput(f"masks has shape {masks.shape}. Give one class per pixel, shape (n, h, w).")
    if not len(masks):
        raise BadInput("masks has no picture. Give at least one.")
    return masks  # type: ignore[return-value]


def _void(void: Any) -> tuple[int, ...]:
    values = () if void is None else (void,) if np.ndim(void) == 0 else tuple(void)
    wrong = next((value for value in values if isinstance(value, bool) or not isinstance(value, int | np.integer)), None)
    if wrong is not None:
        raise BadInput(f"void names {wrong!r}. Name the values of pixels without a label, e.g. 255.")
    return tuple(int(value) for value in values)


def _from_file(path: str | os.PathLike[str]) -> AnyArray:
    """The stored number of each pixel, not its colour."""
    from PIL import Image

    file = existing(path, "mask")
    with damaged(file, "picture"), Image.open(file) as picture:
        if picture.mode not in INDEXED:
            raise BadInput(
                f"mask {str(file)!r} holds colours ({picture.mode}), not classes. Give pictures with a palette or in grey, one class per value."
            )
        return np.asarray(picture)


def _highest(picture: AnyArray, i: int, void: tuple[int, ...], k: int | None) -> int:
    """The highest class in a picture, -1 if all of it is void.

    Raises
    ------
    BadInput
        At the first value that is no class.
    """
    values = np.array([value for value in _values(picture) if value not in void], np.int64)
    wrong = values[(values < 0) | (values >= (np.iinfo(np.int64).max if k is None else k))]
    if len(wrong):
        y, x = np.argwhere(np.isin(picture, wrong))[0].tolist()
        allowed = "0 or more" if k is None else f"0 to {k - 1}"
        raise BadInput(
            f"picture {i} has the value {int(picture[y, x])} at row {y}, column {x}. Classes are {allowed}. If it means that the pixel has no label, give void={int(picture[y, x])}."
        )
    return int(values.max(initial=VOID))


def _values(picture: AnyArray) -> list[int]:
    """The different values of a picture."""
    low, high = int(picture.min()), int(picture.max())
    if high - low < 2**16:
        return [low + int(value) for value in np.flatnonzero(np.bincount((picture.astype(np.int64) - low).ravel()))]
    return [int(value) for value in np.unique(picture)]
