"""The interface of a format of sentences with spans."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from labelproof.labels.spans import Spans
from labelproof.validation.span_schemes import Span

DOCUMENT = ("document", "doc_id", "doc")  # fields that may name the document of a sentence


@dataclass(frozen=True)
class SpanColumns:
    """The fields or columns of a file; those not given are guessed by their usual names.

    Attributes
    ----------
    label : str, optional
        The tags, or the spans.
    text : str, optional
        The tokens, or the text.
    id : str, optional
    group : str, optional
        What sentences belong to, such as a document.
    encoding : str, optional
    """

    label: str | None = None
    text: str | None = None
    id: str | None = None
    group: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Sentences:
    """The contents of a file.

    Attributes
    ----------
    labels : Spans
    ids : sequence of n, optional
    groups : sequence of n, optional
        The document of each sentence; ``None`` for a document of its own.
    skipped : list of (id, reason)
        Sentences that have no answer.
    """

    labels: Spans
    ids: Sequence[object] | None = None
    groups: Sequence[object] | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)


class SpanForm(ABC):
    """A file of sentences.

    Parameters
    ----------
    path : Path
    asked : SpanColumns

    Attributes
    ----------
    endings : tuple of str
        Endings of the files that are written.
    """

    endings: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, asked: SpanColumns) -> None:
        self.path, self.asked = path, asked

    @classmethod
    @abstractmethod
    def holds(cls, path: Path) -> bool:
        """Whether a file is in this form."""

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        """Whether the source can only mean spans, so that the kind of label need not be named."""
        return False

    @abstractmethod
    def read(self) -> Sentences:
        """The sentences.

        Raises
        ------
        BadInput
        """

    @abstractmethod
    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        """Write a copy in which some sentences have other spans, in tokens; requires that the file was just read.

        Parameters
        ----------
        target : Path
        changes : mapping of sentence to spans
        """
