"""Sentences with spans: named entities and the like, from the formats of `labelproof.data.span_files`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from labelproof.data.compressed import plain_name
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import located
from labelproof.data.libraries.asked import NAME, Asked
from labelproof.data.libraries.base import Table
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Audited, Items, Reader, ReadOptions, check_same
from labelproof.data.span_files import SPAN_FILES, span_form
from labelproof.data.span_files.base import Sentences, SpanColumns, SpanForm
from labelproof.data.span_files.columns import sentences_of
from labelproof.data.targets import check_target
from labelproof.errors import BadInput
from labelproof.labels.spans import Spans
from labelproof.saving.files import existing
from labelproof.validation import AnyArray, check_ids


@dataclass(frozen=True)
class SpansReader(Reader):
    """A file of sentences with spans; see `read_spans` for its fields."""

    kind = "spans"
    label_kinds = ("spans",)
    reads_itself = True

    path: str
    label: str | None = None
    text: str | None = None
    id: str | None = None
    group: str | None = None
    encoding: str | None = None
    checksum: str | None = None  # of all tokens

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Spans are requested, or the file can hold nothing else."""
        if options.label_kind is not None or options.annotator is not None:
            return options.label_kind == "spans"
        return path.is_file() and any(form.is_surely(path) for form in SPAN_FILES.values())

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        if options.missing is not None:
            raise BadInput("--missing does not apply to spans. Omit it.")
        return cls(str(existing(path, "file")), options.label, options.text, options.id, options.group, options.encoding)

    @classmethod
    def of_frame(cls, table: Table, asked: Asked) -> Dataset:
        """Columns with lists of tokens and lists of tags."""
        if (
            asked.image is not None
            or asked.features is not None
            or asked.ignore
            or asked.keep
            or not isinstance(asked.text, str | None)
        ):
            raise BadInput("For spans, text names the column of tokens and label that of tags. Omit the other column options.")
        columns = SpanColumns(asked.label, asked.text, asked.ids if isinstance(asked.ids, str) else None, asked.group)
        found = sentences_of(table.frame(table.columns), columns, NAME)
        return dataset_of(replace(found, ids=table.ids(asked.ids).tolist()), None)

    def form(self) -> SpanForm:
        """The file, in its form."""
        return span_form(Path(self.path), SpanColumns(self.label, self.text, self.id, self.group, self.encoding))

    def read(self) -> Dataset:
        found = self.form().read()
        return dataset_of(found, replace(self, path=located(self.path), checksum=checksum_of(found.labels)))

    def reopen(self, skipped: object = ()) -> Items:
        """The sentences again."""
        dataset = self.read()
        return Items(dataset.kind, len(dataset), dataset.show, lambda rows: [dataset.x[row] for row in rows])

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A copy in the same format that differs only in the spans that change."""
        check_target(target, overwrite=overwrite, source=self.path)
        form = self.form()
        if not plain_name(target).endswith((*form.endings, Path(plain_name(Path(self.path))).suffix)):
            raise BadInput(f"--out {str(target)!r}: sentences are written in the format of the input. Name a file that ends in "
                           f"{' or '.join(form.endings[:4])}.")  # fmt: skip
        labels = form.read().labels
        if self.checksum is not None and checksum_of(labels) != self.checksum:
            raise BadInput("The sentences are not those that were audited. The file has changed; audit it again.")
        classes = [str(name) for name in labels.classes]
        now = np.full(labels.n, None, dtype=object)
        now[:] = [Spans.to_text(list(own), classes) for own in labels.given_spans()]
        check_same(now, np.arange(len(now)), audited)
        changes = {item: list(map(tuple, Spans.from_text(str(change.label)))) for item, change in audited.changes.items()}  # type: ignore[call-overload]
        form.write(target, changes)


def checksum_of(labels: Spans) -> str:
    """Identifies these sentences."""
    digest = hashlib.sha256()
    for tokens in labels.tokens:
        digest.update(("\x1f".join(tokens) + "\x1e").encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def dataset_of(found: Sentences, reader: SpansReader | None) -> Dataset:
    """The sentences as a data set, whose items are lists of tokens."""
    labels = found.labels
    names = check_ids(found.ids, labels.n)
    groups: AnyArray | None = None if found.groups is None else np.array([*found.groups, None], dtype=object)[:-1]

    def show(i: int) -> Shown:
        return Shown(text=" ".join(labels.tokens[i]) if labels.texts is None else labels.texts[i])

    return Dataset(labels.tokens, labels, names, show, "sentences", skipped=found.skipped, reader=reader, groups=groups)


def read_spans(
    path: Path_,
    *,
    label: str | None = None,
    text: str | None = None,
    id: str | None = None,
    group: str | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read sentences with named entities or other spans.

    Parameters
    ----------
    path : path
        CoNLL columns (``.conll``, ``.iob``, ``.bio`` …, ``.txt``), JSON lines or a list (tokens with tags; text with spans in characters, as
        Prodigy and doccano write them), an export of Label Studio, a spaCy DocBin (``.spacy``), or Parquet with lists of tokens and tags.
    label, text : str, optional
        The field or column of tags or spans, and that of tokens or text; for CoNLL columns their numbers, from 1. By default
        the usual ones: the first and the last column; ``tokens``, ``text``, ``ner_tags``, ``tags``, ``entities``, ``spans`` ….
    id : str, optional
        The field of unique names. By default row numbers.
    group : str, optional
        The field of documents or other groups of sentences, which stay in one fold. By default ``document``, or the parts
        between ``-DOCSTART-``.
    encoding : str, optional
        Of a text file that is not UTF-8.

    Returns
    -------
    Dataset
        ``x`` holds the tokens of each sentence, ``labels`` are `labelproof.Spans`.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "some.conll"
    >>> _ = path.write_text("Ann B-PER\\nsmiled O\\n\\nParis B-LOC\\n")
    >>> data = read_spans(path)
    >>> list(data.x), data.labels
    ([['Ann', 'smiled'], ['Paris']], Spans: 2 spans of 2 types in 2 sentences)
    """
    return SpansReader(str(existing(path, "file")), label, text, id, group, encoding).read()
