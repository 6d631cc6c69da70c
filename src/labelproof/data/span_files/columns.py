"""Tables with a list of tokens and a list of tags in each row: Parquet files, and frames and data sets in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from labelproof.data.span_files.base import DOCUMENT, Sentences, SpanColumns, SpanForm
from labelproof.data.span_files.json_rows import TAGS, TOKENS
from labelproof.data.targets import PARQUET_SUFFIXES
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.spans import Spans
from labelproof.saving.files import atomic_stream, damaged
from labelproof.validation.span_schemes import Span, to_tags


class SpanTable(SpanForm):
    """A Parquet file; tag numbers get their names from the metadata of ``datasets``. A copy keeps schema and row groups."""

    endings = tuple(PARQUET_SUFFIXES)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix in cls.endings

    def read(self) -> Sentences:
        with damaged(self.path):
            file = pq.ParquetFile(self.path)
            frame = pl.from_arrow(file.read())
        assert isinstance(frame, pl.DataFrame)
        names = _class_names(file.schema_arrow)
        self._read = sentences_of(frame, self.asked, repr(str(self.path)), names)
        self._label = label_column(frame, self.asked, repr(str(self.path)))
        self._codes = {tag: code for code, tag in enumerate(names.get(self._label, ()))}
        return self._read

    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        file = pq.ParquetFile(self.path)
        place = file.schema_arrow.names.index(self._label)
        field = file.schema_arrow.field(place)
        done = 0
        codec = file.metadata.row_group(0).column(0).compression if file.metadata.num_row_groups else "SNAPPY"
        with (
            atomic_stream(target) as out,
            pq.ParquetWriter(out, file.schema_arrow, compression=None if codec == "UNCOMPRESSED" else codec) as writer,
        ):
            for group in range(file.metadata.num_row_groups):
                table = file.read_row_group(group)
                own = table.column(place).to_pylist()
                for row, spans in changes.items():
                    if done <= row < done + len(own):
                        own[row - done] = self._written(spans, len(own[row - done]))
                writer.write_table(table.set_column(place, field, pa.array(own, type=field.type)))
                done += len(own)

    def _written(self, spans: Sequence[Span], size: int) -> list[Any]:
        tags = to_tags(size, spans, self._read.labels.scheme)
        if not self._codes:
            return list(tags)
        unknown = next((tag for tag in tags if tag not in self._codes), None)
        if unknown is not None:
            raise BadInput(f"{unknown!r} is not one of the tags of {str(self.path)!r}: {', '.join(self._codes)}.")
        return [self._codes[tag] for tag in tags]


def sentences_of(
    frame: pl.DataFrame, asked: SpanColumns, where: str, names: Mapping[str, Sequence[str]] | None = None
) -> Sentences:
    """The sentences of a frame.

    Parameters
    ----------
    frame : polars.DataFrame
        With a column of lists of tokens and one of lists of tags.
    asked : SpanColumns
    where : str
        For messages.
    names : mapping of column to sequence of str, optional
        Names of the numbers in a column of tags.

    Raises
    ------
    BadInput
    """
    text = _column(frame, asked.text, TOKENS, "--text", where)
    label = label_column(frame, asked, where)
    tokens, tags = (frame[name].to_list() for name in (text, label))
    known = (names or {}).get(label)
    if frame[label].dtype.inner.is_integer():  # type: ignore[attr-defined]
        if known is None:
            raise BadInput(f"{label!r} of {where} holds numbers without names. Write tags such as B-PER.")
        tags = [[known[code] for code in own or ()] for own in tags]
    group = asked.group or next((name for name in DOCUMENT if name in frame.columns), None)
    for name, option in ((group, "--group"), (asked.id, "--id")):
        if name is not None and name not in frame.columns:
            raise BadInput(f"{option} {name!r} is not a column of {where}. {did_you_mean(name, frame.columns)}")
    labels = Spans([own or [] for own in tokens], [own or [] for own in tags])
    ids = None if asked.id is None else frame[asked.id].to_list()
    return Sentences(labels, ids, None if group is None else frame[group].to_list())


def label_column(frame: pl.DataFrame, asked: SpanColumns, where: str) -> str:
    """The column of tags."""
    return _column(frame, asked.label, TAGS, "--label", where)


def _column(frame: pl.DataFrame, asked: str | None, usual: Sequence[str], option: str, where: str) -> str:
    if asked is not None and asked not in frame.columns:
        raise BadInput(f"{option} {asked!r} is not a column of {where}. {did_you_mean(asked, frame.columns)}")
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    found = asked if asked is not None else next((name for name in usual if name in lists), None)
    if found not in lists:
        raise BadInput(
            f"{where} has no column with lists of {'tokens' if option == '--text' else 'tags'}: name it with {option}."
        )
    return str(found)


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the tags by column, as ``datasets`` writes them into the file."""
    told = (schema.metadata or {}).get(b"huggingface")
    features = json.loads(told).get("info", {}).get("features", {}) if told else {}
    return {name: found for name, feature in features.items() if (found := next(_names_in(feature), None))}


def _names_in(feature: Any) -> Iterator[list[str]]:
    if isinstance(feature, dict):
        if feature.get("_type") == "ClassLabel" and "names" in feature:
            yield list(feature["names"])
        for inner in feature.values():
            yield from _names_in(inner)
