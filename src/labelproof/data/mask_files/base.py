"""The interface of a format of pictures whose pixels have classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from labelproof.labels.masks import Masks
from labelproof.validation import AnyArray, BoolArray

Patches = Sequence[tuple[int, BoolArray]]  # the code of a class, and the pixels that get it, shape (h, w)


@dataclass(frozen=True)
class MasksAsked:
    """The user's options for masks.

    Attributes
    ----------
    images : str, optional
        Folder of the pictures.
    classes : sequence of str, optional
        Names of the classes by their number.
    void : sequence of int
        Values of pixels without a label.
    encoding : str, optional
    """

    images: str | None = None
    classes: Sequence[str] | None = None
    void: Sequence[int] = ()
    encoding: str | None = None


class MaskedPictures(NamedTuple):
    """The contents of a file.

    Attributes
    ----------
    labels : Masks
    names : list of n str
        Unique names of the pictures.
    files : list of n paths, or None
        Where each picture should be; ``None`` without pictures.
    """

    labels: Masks
    names: list[str]
    files: list[Path | None]


class MaskForm(ABC):
    """A file, or a folder, of masks.

    Parameters
    ----------
    path : Path
    asked : MasksAsked

    Attributes
    ----------
    endings : tuple of str
        Endings of the files that are written; empty for a folder.
    """

    endings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path, asked: MasksAsked) -> None:
        self.path, self.asked = path, asked

    @classmethod
    @abstractmethod
    def holds(cls, path: Path) -> bool:
        """Whether a path has this format, if masks are requested."""

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        """Whether the source can only mean masks, so that the kind of label need not be named."""
        return False

    @abstractmethod
    def read(self) -> MaskedPictures:
        """The masks, opened one by one on demand.

        Raises
        ------
        BadInput
        """

    @abstractmethod
    def write(self, target: Path, changes: Mapping[int, Patches], *, overwrite: bool) -> None:
        """Write a copy in which some pixels have other classes; requires that the file was just read.

        Parameters
        ----------
        target : Path
        changes : mapping of picture to patches
        overwrite : bool
            Whether a folder that is there may be replaced.
        """


def patched(values: AnyArray, patches: Patches) -> AnyArray:
    """A mask, shape (h, w), with other classes in some pixels."""
    changed = values.copy()
    for code, pixels in patches:
        changed[pixels] = code
    return changed
