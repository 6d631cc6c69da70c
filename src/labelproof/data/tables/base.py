"""The interface of formats of tables: read a frame, and write it back in the same format with other labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from labelproof.data.compressed import plain_name
from labelproof.data.raw_table import RawTable
from labelproof.data.tables import TABLES
from labelproof.data.targets import check_target, table_suffix
from labelproof.errors import BadInput
from labelproof.saving.folders import check_replaceable

if TYPE_CHECKING:
    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions


class TableForm(ABC):
    """One way in which a table is kept.

    Attributes
    ----------
    suffixes : tuple of str
        Endings of the files, without that of a compression.
    part : str
        The option that names a part of the source, if there is one.
    also : str
        Further formats for a copy, besides .csv and the like, for messages.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    part: ClassVar[str] = ""
    also: ClassVar[str] = ", or to a file like the input"

    @classmethod
    def fits(cls, place: str) -> bool:
        """Whether a path, or a URL, is such a table, by its ending and content; it may not exist."""
        return ends_in(Path(place), cls.suffixes)

    def known_as(self, place: str) -> str:
        """The saved and displayed form of a path or URL."""
        return place

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """The user's options for a source and the facts of its format: the columns of labels, text and pictures.

        Raises
        ------
        BadInput
            If the source has this format, but is for another task than one label per item.
        """
        return options

    @abstractmethod
    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        """The table, with columns typed as the source types them.

        Parameters
        ----------
        place : str
            A path or a URL.
        encoding : str, optional
            Encoding of text.
        part : str, optional
            A sheet of a workbook, or the query of a database.
        quiet : bool
            Do not report inferred properties.

        Raises
        ------
        BadInput
        """

    def takes(self, target: Path) -> bool:
        """Whether a copy in the same form may have that name."""
        return ends_in(target, self.suffixes)

    def check(self, target: Path, *, overwrite: bool, source: str) -> None:
        """Check, before any work is done, that a copy can be written to a path."""
        check_target(target, overwrite=overwrite, source=source)

    @abstractmethod
    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        """Write a copy in the same format that differs only in these values.

        Raises
        ------
        BadInput
        """


def names_folder(target: Path) -> bool:
    """Whether a path is a folder, or a new name without the ending of a table."""
    table = table_suffix(target) is not None or any(ends_in(target, form.suffixes) for form in TABLES.values())
    return target.is_dir() or not table


def check_folder(target: Path, *, overwrite: bool, source: str) -> None:
    """Check that a copy of a folder can be written to a path: a free one, or a folder of ours, and not inside of the input.

    Raises
    ------
    BadInput
    """
    if target.resolve().is_relative_to(Path(source).resolve()):
        raise BadInput(f"--out {str(target)!r} is inside the input {source!r}, which is never modified. Choose another folder.")
    check_replaceable(target, overwrite=overwrite)


def ends_in(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a file's name has one of these endings, that of a compression aside."""
    return plain_name(path).endswith(suffixes) if suffixes else False
