"""Spans of tokens: named entities and the like."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl

from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.base import Labels
from labelproof.labels.classes import class_codes
from labelproof.validation import IntArray, Json
from labelproof.validation.span_schemes import Place, Span, check_letters, scheme_of, to_spans, to_tags

ABSENT = -1  # the code of a span that was not given, or should not be
KINDS_OF_ERROR = ("missing", "extra", "boundary", "type")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\w\s]"
)


class Spans(Labels):
    """Spans of the tokens of sentences, each with one type: every given span is a site.

    A sentence is an item, even without a span or a token. An audit adds a site, with the code -1, for each span that it finds
    to be missing.

    Parameters
    ----------
    tokens : sequence of sequences of str
        The tokens of each sentence.
    tags : sequence of sequences of str
        A tag for each token, in IOB2, IOB1, BIOES, BILOU or IO.
    scheme : str, optional
        The scheme of the tags. By default detected.
    classes : sequence, optional
        The types of spans. By default the given ones, sorted.

    Attributes
    ----------
    start, end : ndarray of int64, shape (s,)
        The first token of each span, and the one after its last.
    tokens : list of list of str
        Empty for a loaded audit.
    offsets : list of ndarray of int64, shape (tokens, 2), or None
        First character of each token, and the one after its last, if the text is known.
    texts : list of str or None
    scheme : str
    tag_names : tuple of str
        The different tags in sorted order: the columns of probabilities.

    Raises
    ------
    BadInput

    Warns
    -----
    LabelproofWarning
        If a sequence of tags is invalid. A tag that continues nothing then starts a span, and a span ends before the first tag
        that does not continue it.

    Examples
    --------
    >>> labels = Spans([["Ann", "Lee", "left"], ["Hello"]], [["B-PER", "I-PER", "O"], ["O"]])
    >>> labels.start.tolist(), labels.end.tolist(), labels.owner.tolist(), labels.classes
    ([0], [2], [0], ('PER',))
    """

    kind = "spans"
    own_columns = ("start", "end", "char_start", "char_end", "suggested_start", "suggested_end", "kind")
    found_site_columns = ("suggested_start", "suggested_end", "kind")
    found_columns = ("error_probability", "tokens", "given_spans", "suggested_spans", "elsewhere")
    key_columns = ("start", "end")
    start: IntArray
    end: IntArray
    tokens: list[list[str]]
    offsets: list[IntArray] | None = None
    texts: list[str] | None = None
    scheme: str = "IOB2"
    tag_names: tuple[str, ...] = ()

    def __init__(
        self,
        tokens: Sequence[Sequence[str]],
        tags: Sequence[Sequence[str]],
        *,
        scheme: str | None = None,
        classes: Sequence[object] | None = None,
    ) -> None:
        sentences, written = _lists(tokens, "tokens"), _lists(tags, "tags")
        _check_sizes(sentences, written)
        self.scheme = scheme_of(written) if scheme is None else scheme
        different = {tag for one in written for tag in one}
        try:
            check_letters(sorted(different), self.scheme)
        except BadInput as error:
            raise BadInput(f"{error}{_place_of(written, self.scheme)}") from error
        read = [to_spans(one, self.scheme, number) for number, one in enumerate(written)]
        _tell([place for _, places in read for place in places], self.scheme)
        self._fill(sentences, [spans for spans, _ in read], classes)
        self.tag_names = tuple(sorted(different))

    @classmethod
    def of_spans(
        cls,
        tokens: Sequence[Sequence[str]],
        spans: Sequence[Iterable[Sequence[Any]]],
        *,
        classes: Sequence[object] | None = None,
        texts: Sequence[str] | None = None,
        offsets: Sequence[IntArray] | None = None,
    ) -> Self:
        """From ``(start, end, type)`` in tokens.

        Parameters
        ----------
        tokens : sequence of sequences of str
        spans : sequence of iterables of (int, int, str)
            Spans of each sentence, in any order.
        classes : sequence, optional
        texts : sequence of str, optional
            The original sentences.
        offsets : sequence of array, each of shape (tokens, 2), optional
            Start and end of each token in its text.

        Raises
        ------
        BadInput
            If spans overlap, or reach outside their sentence.
        """
        made = cls.__new__(cls)
        sentences = _lists(tokens, "tokens")
        if len(spans) != len(sentences):
            raise BadInput(
                f"spans has {len(spans)} entries but there are {len(sentences)} sentences. Give one list per sentence."
            )
        sorted_spans = [
            _checked(some, len(one), f"sentence {i}") for i, (some, one) in enumerate(zip(spans, sentences, strict=True))
        ]
        made._fill(sentences, sorted_spans, classes)
        made.texts = None if texts is None else list(texts)
        made.offsets = None if offsets is None else [np.asarray(one, np.int64).reshape(-1, 2) for one in offsets]
        made.tag_names = tuple(sorted({tag for one in made.tags() for tag in one}))
        return made

    @classmethod
    def of_texts(
        cls, texts: Sequence[str], spans: Sequence[Iterable[Sequence[Any]]], *, classes: Sequence[object] | None = None
    ) -> Self:
        """From ``(start, end, type)`` in characters, ``end`` excluded; texts are cut into words, numbers and signs.

        A word is cut further if a span begins or ends inside it. Spaces at the ends of a span do not count.

        Examples
        --------
        >>> labels = Spans.of_texts(["Ann Lee left."], [[(0, 7, "PER")]])
        >>> labels.tokens, labels.start.tolist(), labels.end.tolist(), labels.offsets[0].tolist()
        ([['Ann', 'Lee', 'left', '.']], [0], [2], [[0, 3], [4, 7], [8, 12], [12, 13]])
        """
        if len(spans) != len(texts):
            raise BadInput(f"spans has {len(spans)} entries but there are {len(texts)} texts. Give one list per text.")
        tokens, offsets, found = [], [], []
        for number, (text, some) in enumerate(zip(texts, spans, strict=True)):
            if not isinstance(text, str):
                raise BadInput(f"Text {number} is {text!r:.60}. Give text.")
            in_characters = _checked(some, len(text), f"Text {number}")
            own = words_of(text, {edge for start, end, _ in in_characters for edge in (start, end)})
            tokens.append([text[a:b] for a, b in own.tolist()])
            offsets.append(own)
            found.append([_in_tokens(own, one, number) for one in in_characters])
        return cls.of_spans(tokens, found, classes=classes, texts=texts, offsets=offsets)

    def _fill(self, tokens: list[list[str]], spans: Sequence[Sequence[Span]], classes: Sequence[object] | None) -> None:
        self.tokens, self.n = tokens, len(tokens)
        flat = [(i, *span) for i, some in enumerate(spans) for span in some]
        names = sorted({name for *_, name in flat}) if classes is None else [str(name) for name in classes]
        place = {name: code for code, name in enumerate(names)}
        unknown = next(((i, name) for i, *_, name in flat if name not in place), None)
        if unknown is not None:
            raise BadInput(f"sentence {unknown[0]} has a span of type {unknown[1]!r}, which is not one of the classes.")
        if len(place) != len(names):
            raise BadInput(f"classes has a name twice: {', '.join(names)[:200]}. Give each type once.")
        self.classes = tuple(names)
        table = np.array([(i, start, end, place[name]) for i, start, end, name in flat], np.int64).reshape(-1, 4)
        self.owner, self.start, self.end, self.values = (np.ascontiguousarray(column) for column in table.T)

    def with_missing(self, owner: IntArray, start: IntArray, end: IntArray) -> tuple[Spans, IntArray]:
        """Add sites where nothing was given; also returns the position of each site, given ones first, among them all."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        owners, starts, ends = np.r_[self.owner, owner], np.r_[self.start, start], np.r_[self.end, end]
        order = np.lexsort((ends, starts, owners))
        made.values = np.r_[self.values, np.full(len(owner), ABSENT)][order]
        made.owner, made.start, made.end = owners[order], starts[order], ends[order]
        return made, order

    def __eq__(self, other: object) -> bool:
        """Whether the same spans were given."""
        if not isinstance(other, Spans) or not super().__eq__(other):
            return False
        return np.array_equal(self.start, other.start) and np.array_equal(self.end, other.end)

    __hash__ = None

    @property
    def labelled(self) -> int:
        """All sentences: one without a span is labelled as well."""
        return self.n

    @property
    def described(self) -> str:
        """The numbers of spans, types and sentences, in words."""
        return f"{int((self.values >= 0).sum()):,} spans of {len(self.classes)} types in {self.n:,} sentences"

    def given_spans(self) -> list[list[Span]]:
        """Spans of each sentence, in order."""
        found: list[list[Span]] = [[] for _ in range(self.n)]
        for i, start, end, code in zip(*(a.tolist() for a in (self.owner, self.start, self.end, self.values)), strict=True):
            if code != ABSENT:
                found[i].append((start, end, str(self.classes[code])))
        return found

    def tags(self, scheme: str = "IOB2") -> list[list[str]]:
        """A tag for each token of each sentence."""
        return [to_tags(len(tokens), spans, scheme) for tokens, spans in zip(self.tokens, self.given_spans(), strict=True)]

    def characters(self, item: int, start: int, end: int) -> tuple[int, int] | None:
        """Start and end, in the text, of tokens ``start`` up to ``end`` of a sentence; None if unknown."""
        if self.offsets is None:
            return None
        return int(self.offsets[item][start, 0]), int(self.offsets[item][end - 1, 1])

    def named(self, values: IntArray) -> pl.Series:
        """The types; null without a span."""
        names = pl.Series(list(self.classes), dtype=pl.String)
        return names.gather(pl.Series(values, dtype=pl.Int64).replace({ABSENT: None}))

    def own_frame(self, sites: IntArray) -> dict[str, pl.Series]:
        """The position of the span in tokens and, if the text is known, in characters."""
        places = list(zip(self.owner[sites].tolist(), self.start[sites].tolist(), self.end[sites].tolist(), strict=True))
        found = [self.characters(*place) for place in places] if self.offsets is not None else [None] * len(places)
        return {
            "start": pl.Series(self.start[sites]),
            "end": pl.Series(self.end[sites]),
            "char_start": pl.Series([None if one is None else one[0] for one in found], dtype=pl.Int64),
            "char_end": pl.Series([None if one is None else one[1] for one in found], dtype=pl.Int64),
        }

    @classmethod
    def sites_of(cls, issues: pl.DataFrame, summary: Json) -> pl.DataFrame:
        """By sentence, then by place."""
        return issues.sort("index", "start", "end")

    @classmethod
    def codes_of(cls, names: pl.Series, classes: Sequence[object]) -> IntArray:
        """Codes of a column of types, -1 where null."""
        return class_codes(names, classes).fill_null(ABSENT).to_numpy().astype(np.int64)

    @classmethod
    def from_issues(cls, issues: pl.DataFrame, summary: Json) -> Self:
        """One issue is one span; the tokens are not known."""
        given = cls.codes_of(issues["given_label"], summary["classes"])
        made = cls.of_sites(given, issues["index"].to_numpy(), summary["n"], summary["classes"])
        made.start, made.end = issues["start"].to_numpy(), issues["end"].to_numpy()
        made.tokens = []
        return made

    @classmethod
    def to_text(cls, label: object, classes: Sequence[str]) -> str:
        """The spans of a sentence as a JSON list of ``[start, end, type]`` in tokens, in order."""
        if not isinstance(label, list):
            raise BadInput("The label of a sentence must be a list of spans, each [start, end, type].")
        spans = _checked(label, None, "the sentence")
        unknown = next((name for *_, name in spans if name not in classes), None)
        if unknown is not None:
            raise BadInput(f"type {unknown[:80]!r} is not one of the classes.")
        return json.dumps(spans, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> object:
        """The list of spans."""
        return json.loads(text)


def words_of(text: str, edges: Iterable[int] = ()) -> IntArray:
    """Start and end of the tokens of a text, shape (tokens, 2): words and numbers, single signs, and single characters of
    scripts without spaces.

    Tokens are cut at ``edges`` as well.
    """
    inner, found = sorted(edges), []
    for match in _WORD.finditer(text):
        a, b = match.span()
        cuts = [a, *(edge for edge in inner if a < edge < b), b]
        found += list(pairwise(cuts))
    return np.array(found, np.int64).reshape(-1, 2)


def _in_tokens(offsets: IntArray, span: Span, number: int) -> Span:
    """A span in characters as one in tokens."""
    start, end, name = span
    inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    if not len(inside):
        raise BadInput(f"Text {number} has a span from {start} to {end} without a word in it. Remove it.")
    return int(inside[0]), int(inside[-1]) + 1, name


def _lists(values: Sequence[Sequence[str]], name: str) -> list[list[str]]:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise BadInput(f"{name} is a {type(values).__name__}. Give a list of sentences, each a list of {name}.")
    found = []
    for number, one in enumerate(values):
        if isinstance(one, str) or not hasattr(one, "__iter__"):
            raise BadInput(f"{name} of sentence {number} are {one!r:.60}. Give a list of {name} for each sentence.")
        own = [str(part) if isinstance(part, np.str_) else part for part in one]
        wrong = next((i for i, part in enumerate(own) if not isinstance(part, str)), None)
        if wrong is not None:
            hint = " For spans of several tokens use Spans.of_spans." if name == "tags" else ""
            raise BadInput(f"{name} of sentence {number} have {own[wrong]!r:.60} at token {wrong}. Give text.{hint}")
        found.append(own)
    return found


def _check_sizes(tokens: list[list[str]], tags: list[list[str]]) -> None:
    if len(tokens) != len(tags):
        raise BadInput(f"tokens has {len(tokens)} sentences but tags has {len(tags)}. Give one list of each per sentence.")
    for number, (words, own) in enumerate(zip(tokens, tags, strict=True)):
        if len(words) != len(own):
            raise BadInput(f"sentence {number} has {len(words)} tokens but {len(own)} tags. Give one tag per token.")


def _tell(bad: list[Place], scheme: str) -> None:
    if bad:
        first = bad[0]
        warnings.warn(
            f"{len(bad):,} tags break the rules of {scheme}, first in sentence {first.sentence} at token {first.token}: {first.what}. A tag that continues nothing is read as the start of a span, and a span ends before the first tag that does not continue it.",
            LabelproofWarning,
            stacklevel=3,
        )


def _place_of(sentences: list[list[str]], scheme: str) -> str:
    """The position of the first tag that a scheme does not have."""
    for number, tags in enumerate(sentences):
        for place, tag in enumerate(tags):
            try:
                check_letters([tag], scheme)
            except BadInput:
                return f" It is in sentence {number} at token {place}."
    return ""


def _checked(spans: Iterable[Sequence[Any]], length: int | None, where: str) -> list[Span]:
    """Spans in order.

    Raises
    ------
    BadInput
        If one is not a span, reaches outside, or two overlap.
    """
    found: list[Span] = []
    if not hasattr(spans, "__iter__") or isinstance(spans, str):
        raise BadInput(f"{where} has {spans!r:.80} for spans. Give a list of (start, end, type), which may be empty.")
    for span in spans:
        if isinstance(span, str) or not hasattr(span, "__len__") or len(span) != 3:
            raise BadInput(
                f"{where} has {span!r:.80}, which is not a span. Give (start, end, type); relations cannot be audited."
            )
        start, end, name = span
        whole = all(isinstance(edge, int | np.integer) and not isinstance(edge, bool) for edge in (start, end))
        if not whole or not isinstance(name, str) or not name:
            raise BadInput(
                f"{where} has {span!r:.80}, which is not a span. Give whole numbers start and end, and a type as text."
            )
        if start >= end:
            raise BadInput(f"{where} has a span from {start} to {end}. Give an end above the start: the end is exclusive.")
        if start < 0 or (length is not None and end > length):
            raise BadInput(
                f"{where} has a span from {start} to {end}, outside 0 to {length if length is not None else 'the end'}. Correct it."
            )
        found.append((int(start), int(end), name))
    found.sort()
    for one, after in pairwise(found):
        if after[0] < one[1]:
            raise BadInput(
                f"{where} has overlapping spans, {one} and {after}. Nested and overlapping spans cannot be audited: keep the outer or "
                "the inner ones."
            )
    return found


def as_json(spans: Iterable[Span]) -> str:
    """The spans in the form of `Spans.to_text`."""
    return json.dumps([list(span) for span in spans], ensure_ascii=False)
