"""Files of sentences with spans: one format per file, one line here. The last ones are tried first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.errors import BadInput
from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.span_files.base import SpanColumns, SpanForm

SPAN_FILES: Registry[type[SpanForm]] = Registry(
    "form of file with spans",
    {
        "columns": "labelproof.data.span_files.columns:SpanTable",
        "conll": "labelproof.data.span_files.conll:Conll",
        "json": "labelproof.data.span_files.json_rows:JsonSpans",
        "label studio": "labelproof.data.span_files.label_studio:LabelStudioSpans",
        "docbin": "labelproof.data.span_files.docbin:DocBin",
    },
)


def span_form(path: Path, asked: SpanColumns) -> SpanForm:
    """The form in which a file holds spans.

    Raises
    ------
    BadInput
        If it has no known format.
    """
    for name in reversed(list(SPAN_FILES)):
        if SPAN_FILES[name].holds(path):
            return SPAN_FILES[name](path, asked)
    raise BadInput(
        f"{str(path)!r} is in no known format of spans. Give CoNLL columns (.conll, .iob, .bio …), JSON lines, an export of Label Studio or "
        "Prodigy, a spaCy DocBin (.spacy), or Parquet with lists of tokens and tags."
    )
