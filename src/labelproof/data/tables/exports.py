"""The common part of JSON exports of annotation tools: items, answers to questions, and the positions of answers."""

from __future__ import annotations

import re
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.json_lines import JsonForm
from labelproof.data.tables.json_spans import Way
from labelproof.data.tables.json_text import JsonRows, JsonText, flattened, typed
from labelproof.errors import BadInput, LabelproofWarning, did_you_mean
from labelproof.saving.files import damaged
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.readers.base import ReadOptions

PICTURE = re.compile(r"(?i)data:image/|.*\.(jpe?g|jfif|png|bmp|gif|tiff?|webp|p[pgb]m)(\?.*)?$", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """The answers about one item.

    Attributes
    ----------
    value : object
        ``None`` for no answer.
    way : tuple
        Path to the value, or to the list that holds only it, from the item's object.
    """

    value: Any
    way: Way


@dataclass(frozen=True)
class Export:
    """The contents of an export.

    Attributes
    ----------
    fields : sequence of n objects
        What each item is.
    answers : mapping of question to n answers
        ``None`` if there is no place for one.
    listed : bool
        Whether an answer is the only entry of a list.
    differ : int
        Items that have several answers, which differ.
    """

    fields: Sequence[Json]
    answers: Mapping[str, Sequence[Answer | None]]
    listed: bool = False
    differ: int = 0


class ExportForm(JsonForm):
    """An export of a tool; a copy differs only in the answers, byte for byte.

    Attributes
    ----------
    tool : str
    """

    tool: ClassVar[str]

    @abstractmethod
    def export(self, rows: Sequence[Json], path: Path) -> Export:
        """The contents of the objects of a file.

        Raises
        ------
        BadInput
            If it is for another task than one label per item.
        """

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        path = Path(place)
        source = JsonText.of(path, encoding)
        rows, spans = self.rows(source)
        with damaged(path, f"export of {self.tool}"):
            found = self.export(rows, path)
        if found.differ and not quiet:
            warnings.warn(
                f"{place!r}: {found.differ:,} items have several answers that differ, and the latest counts. Audit the answer of each annotator by lp.Votes.",
                LabelproofWarning,
                stacklevel=2,
            )
        frame, _ = flattened(found.fields, path)
        columns = {self.column(question, frame): own for question, own in found.answers.items()}
        ways = {name: [None if a is None else a.way for a in own] for name, own in columns.items()}
        series = [typed(name, [None if a is None else a.value for a in own]) for name, own in columns.items()]
        held = JsonRows(source, spans, ways, frozenset(columns if found.listed else ()))
        return RawTable(pl.DataFrame([*frame.get_columns(), *series]), None, path, form=self, held=held, beside=(".", "images"))

    @staticmethod
    def column(question: str, frame: pl.DataFrame) -> str:
        """The column of a question: its name, unless a field has it."""
        return f"{question} (label)" if question in frame.columns else question

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        """The one question; the one field of pictures or of text."""
        raw = self.read(place, encoding=options.encoding, quiet=True)
        questions = list(raw.held.ways)
        label = options.label
        if label is None and len(questions) > 1:
            raise BadInput(f"{place!r} has several questions: {', '.join(questions)}. Name one with --label.")
        if label is not None and label not in questions and self.column(label, raw.frame) in questions:
            label = self.column(label, raw.frame)
        if label is not None and label not in questions:
            raise BadInput(
                f"{place!r} has no question {label!r}. {did_you_mean(label, questions)}It has: {', '.join(questions)}."
            )
        options = replace(options, label=label or questions[0])
        return options if options.text or options.image else _what_is_shown(raw, questions, options, place)


def _what_is_shown(raw: RawTable, questions: Sequence[str], options: ReadOptions, place: str) -> ReadOptions:
    texts = [c for c in raw.frame.iter_columns() if c.dtype == pl.String and c.name not in (*questions, options.id, "id")]
    texts = [c for c in texts if c.null_count() < len(c)]
    pictures = [c.name for c in texts if all(PICTURE.match(value) for value in c.drop_nulls().head(100))]
    if len(pictures) == 1:
        return replace(options, image=pictures[0])
    names = [c.name for c in texts]
    if not names:
        return options
    if pictures or (len(names) > 1 and "text" not in names):
        raise BadInput(f"{place!r} has the fields {', '.join(names)}. Name the one to learn from with --text or --image.")
    return replace(options, text="text" if "text" in names else names[0])
