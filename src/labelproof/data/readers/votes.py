"""Votes in a long table: each row is one annotator's label of one item; further columns describe the item."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.data.frames import located, write_frame
from labelproof.data.label_columns.classes import ClassColumn
from labelproof.data.libraries import held, library_of
from labelproof.data.libraries.asked import NAME
from labelproof.data.libraries.base import Table
from labelproof.data.picture_files import PictureFiles, named_pictures
from labelproof.data.raw_table import RawTable, label_values
from labelproof.data.readers.base import Audited, Items, Reader, ReadOptions, words
from labelproof.data.readers.pictures import PictureReader
from labelproof.data.readers.table import CLEAN_SUFFIX, ColumnReader, TableReader, show_row
from labelproof.data.readers.text import TextReader
from labelproof.data.targets import check_table_target
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.votes import Votes
from labelproof.validation import UNLABELLED, AnyArray, check_ids
from labelproof.validation.labels import CodedLabels


@dataclass(frozen=True)
class ItemReader(ColumnReader):
    """The items of votes are read like a table with a row for each."""

    items: RawTable | None = field(default=None, compare=False)
    given: ClassColumn | None = field(default=None, compare=False)
    names: AnyArray = field(default_factory=lambda: np.arange(0), compare=False)

    def raw(self, *, quiet: bool) -> RawTable:
        assert self.items is not None
        return self.items

    def labels(self, raw: RawTable) -> ClassColumn:
        assert self.given is not None
        return self.given

    def ids(self, raw: RawTable) -> AnyArray:
        return self.names


@dataclass(frozen=True)
class ItemTableReader(ItemReader, TableReader):
    """The further columns are the features."""


@dataclass(frozen=True)
class ItemTextReader(ItemReader, TextReader):
    """One of them is the text."""


@dataclass(frozen=True)
class ItemPictureReader(PictureReader):
    """One of them names pictures."""

    found: PictureFiles = field(default_factory=lambda: PictureFiles([], np.arange(0), np.arange(0)), compare=False)

    def files(self, *, quiet: bool) -> PictureFiles:
        return self.found

    def write_back(self, *_: object, **__: object) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class VotesReader(ColumnReader):
    """A long table of votes; see `read_votes` for its fields. ``id`` is the column of items."""

    kind = "votes"
    label_kinds = ("votes",)

    annotator: str = "annotator"
    text: str | None = None
    image: str | None = None
    folder: str | None = None  # the base of the paths of pictures, if not the folder of the table
    ignore: Sequence[str] | None = None
    keep: Sequence[str] | None = None
    checksum: str | None = None  # of all votes

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """A column of annotators is named."""
        return options.annotator is not None or options.item is not None

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        item = options.item or options.id
        if item is None or options.annotator is None:
            raise BadInput("--item, --annotator or --label is missing. Name the columns of items, of annotators and of votes.")
        if options.item is not None and options.id not in (None, options.item):
            raise BadInput("--item names the items of votes. Omit --id.")
        return cls(
            str(path), options.label_of(path), item, options.missing, options.encoding, options.group, options.part,
            annotator=options.annotator, text=options.text, image=options.image, ignore=options.ignore, keep=options.keep,
            folder=None if options.images is None else located(options.images),
        )  # fmt: skip

    def read(self) -> Dataset:
        return self.read_from(self.raw(quiet=False), quiet=False)

    def reopen(self, skipped: Sequence[str] = ()) -> Items:
        """The items again, with the default format of the file."""
        dataset = self.read_from(self.raw(quiet=True), quiet=True)
        return Items(dataset.kind, len(dataset), dataset.show, lambda rows: dataset.x[rows])

    def votes(self, raw: RawTable) -> Votes:
        """The votes, checked."""
        columns = ((str(self.id), "--item"), (self.annotator, "--annotator"), (self.label, "--label"))
        if len({name for name, _ in columns}) < len(columns):
            raise BadInput("--item, --annotator and --label must name three different columns.")
        item, who, label = (label_values(raw.column(*column), column[1]) for column in columns)
        return Votes.from_long(item, who, label, missing=self.missing)

    def read_from(self, raw: RawTable, *, quiet: bool) -> Dataset:
        """The data set of a table that was read."""
        votes = self.votes(raw)
        assert votes.item_names is not None
        items = self._items(raw, quiet)
        names = check_ids(votes.item_names, votes.n)
        with warnings.catch_warnings():
            if quiet:
                warnings.simplefilter("ignore", LabelproofWarning)
            inner = self._described(items, votes, names)
        kept = votes if not inner.skipped else taken(votes, inner.ids)
        reader = replace(self, path=located(self.path), missing=words(self.missing), checksum=checksum_of(votes))
        return replace(inner, labels=kept, reader=reader)

    def _items(self, raw: RawTable, quiet: bool) -> RawTable:
        """A row for each item: the columns that are constant within each item, and the named ones."""
        apart = [str(self.id), self.annotator, self.label]
        others = [name for name in raw.frame.columns if name not in apart]
        groups = raw.frame.group_by(str(self.id), maintain_order=True)
        frame = groups.agg(pl.col(others).drop_nulls().first()) if others else groups.agg()
        if not others:
            return replace(raw, frame=frame, starts=None)
        differ = groups.agg(pl.col(others).drop_nulls().n_unique()).select(pl.col(others).max()).row(0, named=True)
        named = [name for name in (self.text, self.image, self.group) if name is not None]
        varying = [name for name in others if differ[name] > 1]
        if varying and not quiet:
            warnings.warn(
                f"{str(raw.path)!r}: {', '.join(varying)[:200]} differ between the votes on one item. They do not describe it and are "
                "not learned from" + (", except for the first value of the named ones." if set(varying) & set(named) else "."),
                LabelproofWarning,
                stacklevel=4,
            )
        return replace(raw, frame=frame.drop([name for name in varying if name not in named]), starts=None)

    def _described(self, items: RawTable, votes: Votes, names: AnyArray) -> Dataset:
        """The items with their description; the most frequent vote serves as the label."""
        most = np.where(votes.counts.sum(axis=1) > 0, votes.counts.argmax(axis=1), UNLABELLED)
        given = ClassColumn(CodedLabels(most, votes.classes))
        what = (self.path, self.label, self.id, self.missing, self.encoding, self.group, self.part)
        if self.image is not None:
            files, _ = named_pictures(items, self.image, self.folder)
            groups = self.groups(items)
            found = PictureFiles(files, np.array([*votes.classes, None], dtype=object)[most], names, groups=groups)
            return ItemPictureReader(self.path, missing=(), found=found).read()
        if self.text is not None:
            return ItemTextReader(*what, text=self.text, items=items, given=given, names=names).read()
        features = [
            name
            for name in items.frame.columns
            if name not in (self.id, self.group, self.label + CLEAN_SUFFIX, *(self.ignore or ()))
        ]
        if features:
            return ItemTableReader(*what, ignore=self.ignore, keep=self.keep, items=items, given=given, names=names).read()
        shown = items.frame
        return Dataset(np.empty((votes.n, 0)), votes, names, lambda i: show_row(shown, i), "arrays", groups=self.groups(items))

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """The consensus: a row for each item, with the columns that describe it and the label; the votes stay in their file."""
        check_table_target(target, overwrite=overwrite, source=self.path)
        raw = self.raw(quiet=True)
        votes = self.votes(raw)
        if checksum_of(votes) != self.checksum:
            raise BadInput("The votes are not those that were audited. The file has changed; audit it again.")
        frame = self._items(raw, quiet=True).frame
        assert votes.item_names is not None
        rows = [i for i, name in enumerate(votes.item_names.tolist()) if str(name) not in audited.skipped]
        consensus: list[str | None] = [None] * votes.n
        for row, label in zip(rows, audited.given.tolist(), strict=True):
            consensus[row] = label
        now, why = list(consensus), [""] * votes.n
        for item, change in audited.changes.items():
            now[rows[item]], why[rows[item]] = change
        typed: dict[str | None, object] = {None: None, **{str(name): name for name in votes.classes}}
        columns = {self.label: pl.Series([typed[label] for label in now], strict=False)}
        if audited.explain:
            columns[f"{self.label}_given"] = pl.Series([typed[label] for label in consensus], strict=False)
            columns[f"{self.label}_change"] = pl.Series(why)
        write_frame(frame.with_columns(**columns), target)


def read_votes(
    source: object,
    *,
    item: str,
    annotator: str,
    label: str,
    text: str | None = None,
    image: str | None = None,
    group: str | None = None,
    images: str | None = None,
    sheet: str | None = None,
    query: str | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing: Sequence[object] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read a long table of votes, a row for each.

    Parameters
    ----------
    source : path, URL of a database, or frame of another library
    item, annotator, label : str
        Columns of items, of annotators, and of votes; a missing vote is skipped.
    text, image : str, optional
        A column of text, or of pictures, that describes the item and is learned from. By default all columns that are constant
        within each item; if there are none, the audit uses only the votes.
    group : str, optional
        A column, such as a document, whose items stay in one fold.
    images : str, optional
        The folder of the pictures, if not next to the table.
    sheet, query : str, optional
        Sheet of a workbook, query of a database.
    ignore, keep : sequence of str
        As in `read_table`.
    missing : sequence, optional
        Labels that mean missing; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8.

    Returns
    -------
    Dataset
        A row for each item, in the order in which they first appear; ``labels`` are `labelproof.Votes`.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import polars as pl
    >>> columns = {"id": ["x", "x", "y"], "worker": ["Ann", "Bo", "Bo"], "y": ["a", "b", "b"], "body": ["ant", "ant", "bee"]}
    >>> votes = pl.DataFrame(columns)
    >>> data = read_votes(votes, item="id", annotator="worker", label="y", text="body")
    >>> data.ids.tolist(), list(data.x), data.labels
    (['x', 'y'], ['ant', 'bee'], Votes: 3 votes of 2 annotators on 2 items)
    """
    if library_of(source) is not None:
        table = held(source)
        if not isinstance(table, Table):
            raise BadInput(f"{NAME} has no columns to name. Give a frame with a row for each vote.")
        raw = RawTable(table.frame(table.columns), None, Path(NAME))
        asked = VotesReader(
            NAME, label, item, missing, group=group, annotator=annotator, text=text, image=image, ignore=ignore, keep=keep
        )
        return replace(asked.read_from(raw, quiet=False), reader=None)
    from labelproof.data.readers import open_reader

    options = ReadOptions(
        label=label, text=text, image=image, images=images, item=item, annotator=annotator, group=group, sheet=sheet, query=query,
        ignore=ignore, keep=keep, missing=missing, encoding=encoding,
    )  # fmt: skip
    reader: Reader = open_reader(source, options)  # type: ignore[arg-type]
    return reader.read()


def taken(votes: Votes, ids: AnyArray) -> Votes:
    """The votes on some of the items, in their order."""
    left = {str(name) for name in ids.tolist()}
    assert votes.item_names is not None
    stays = np.array([str(name) in left for name in votes.item_names.tolist()])
    of_kept = stays[votes.owner]
    place = np.cumsum(stays) - 1
    made = Votes.of_sites(votes.values[of_kept], place[votes.owner[of_kept]], int(stays.sum()), votes.classes)
    made.annotator, made.annotators, made.item_names = votes.annotator[of_kept], votes.annotators, votes.item_names[stays]
    return made


def checksum_of(votes: Votes) -> str:
    """Identifies these votes, whatever their order in the file."""
    digest = hashlib.sha256(repr((votes.annotators, [str(name) for name in votes.classes], votes.n)).encode())
    assert votes.item_names is not None
    digest.update("\x1e".join(map(str, votes.item_names.tolist())).encode())
    for part in (votes.owner, votes.annotator, votes.values):
        digest.update(part.astype(np.int64).tobytes())
    return digest.hexdigest()[:32]
