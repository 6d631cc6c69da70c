"""spaCy's DocBin (``.spacy``), if spaCy is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.span_files.base import Sentences, SpanForm
from labelproof.errors import BadInput
from labelproof.extras import needed_by
from labelproof.labels.spans import Spans
from labelproof.saving.files import atomic_write, damaged
from labelproof.validation.span_schemes import Span


class DocBin(SpanForm):
    """Each document is an item; ``doc.ents`` are its spans. A copy holds the same documents with other entities."""

    endings = (".spacy",)

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.suffix in cls.endings

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        return cls.holds(path)

    def read(self) -> Sentences:
        with needed_by("reading .spacy files"):
            import spacy
            from spacy.tokens import DocBin as Bin
        with damaged(self.path, "DocBin"):
            self._bin: Any = Bin(store_user_data=True).from_disk(self.path)
            self._docs: list[Any] = list(self._bin.get_docs(spacy.blank("xx").vocab))
        if not self._docs:
            raise BadInput(f"{str(self.path)!r} holds no document, so there is nothing to audit.")
        tokens = [[token.text for token in doc] for doc in self._docs]
        spans = [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in self._docs]
        offsets = [np.array([(t.idx, t.idx + len(t.text)) for t in doc], np.int64).reshape(-1, 2) for doc in self._docs]
        return Sentences(Spans.of_spans(tokens, spans, texts=[doc.text for doc in self._docs], offsets=offsets))

    def write(self, target: Path, changes: Mapping[int, Sequence[Span]]) -> None:
        from spacy.tokens import DocBin as Bin
        from spacy.tokens import Span as Entity

        attributes = [self._docs[0].vocab.strings[code] for code in self._bin.attrs]
        made: Any = Bin(attrs=attributes, store_user_data=True)
        for number, doc in enumerate(self._docs):
            if number in changes:
                doc.set_ents([Entity(doc, start, end, label=name) for start, end, name in changes[number]])
            made.add(doc)
        atomic_write(target, made.to_bytes())
