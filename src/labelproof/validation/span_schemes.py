"""Schemes that write spans as a tag for each token (IOB2, IOB1, BIOES, BILOU, IO), and read them back.

A *span* is ``(start, end, type)``: tokens ``start`` up to, and without, ``end``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labelproof.errors import BadInput

OUTSIDE = "O"
SCHEMES = ("IOB2", "IOB1", "BIOES", "BILOU", "IO")
_AS_BIOES = {"L": "E", "U": "S"}
_LETTERS = {"IOB2": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU", "IO": "I"}

Span = tuple[int, int, str]


class Place(NamedTuple):
    """The position and the reason of an invalid tag."""

    sentence: int
    token: int
    what: str


def split_tag(tag: str) -> tuple[str, str]:
    """The letter and the type of a tag, in BIOES; a bare type counts as inside.

    >>> split_tag("B-PER"), split_tag("U-PER"), split_tag("O"), split_tag("PER")
    (('B', 'PER'), ('S', 'PER'), ('O', ''), ('I', 'PER'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, dash, name = tag.partition("-")
    if dash and name and letter in "BIESLU" and len(letter) == 1:
        return _AS_BIOES.get(letter, letter), name
    return "I", tag


def scheme_of(sentences: Sequence[Sequence[str]]) -> str:
    """The scheme of the tags: the one with the fewest violations.

    >>> scheme_of([["B-PER", "I-PER", "O"]]), scheme_of([["I-PER", "B-PER", "O"]]), scheme_of([["PER", "O"]])
    ('IOB2', 'IOB1', 'IO')
    """
    letters = {tag.partition("-")[0] for tag in {tag for tags in sentences for tag in tags} if "-" in tag and tag[1] == "-"}
    if letters & {"E", "S"}:
        return "BIOES"
    if letters & {"L", "U"}:
        return "BILOU"
    if "B" not in letters:  # without neighbours of one type the tags are IOB1 as well, which would distinguish them
        bare = any(tag != OUTSIDE for tags in sentences for tag in tags)
        return "IOB1" if letters else "IO" if bare else "IOB2"
    begun_by_i = begun_by_b = 0
    for tags in sentences:
        before = ""
        for tag in tags:
            letter, name = split_tag(tag)
            begun_by_i += letter == "I" and name != before
            begun_by_b += letter == "B" and name != before
            before = name
    return "IOB1" if begun_by_i > begun_by_b else "IOB2"


def check_letters(tags: Iterable[str], scheme: str) -> None:
    """Whether each of the different tags can be read in a scheme.

    Raises
    ------
    BadInput
    """
    if scheme not in SCHEMES:
        raise BadInput(f"scheme is {scheme!r}. Give one of {', '.join(SCHEMES)}, or omit it to have it detected.")
    for tag in tags:
        letter, dash, name = tag.partition("-")
        written = tag == OUTSIDE or (dash and name and letter in set(_LETTERS[scheme])) or (scheme == "IO" and "-" not in tag)
        if not written:
            raise BadInput(
                f"tag {tag!r} is not written in {scheme}. Give O or one of {', '.join(f'{a}-TYPE' for a in _LETTERS[scheme])}. Each token has one tag, so spans cannot be nested or overlap."
            )


def to_spans(tags: Sequence[str], scheme: str, sentence: int = 0) -> tuple[list[Span], list[Place]]:
    """The spans of a sentence, and the positions of its invalid tags.

    Invalid sequences are read by one rule: a tag that continues nothing starts a span, and a span ends before the first tag
    that does not continue it.

    >>> to_spans(["I-PER", "I-PER", "O", "B-LOC"], "IOB2")
    ([(0, 2, 'PER'), (3, 4, 'LOC')], [Place(sentence=0, token=0, what='I-PER begins a span')])
    """
    spans: list[Span] = []
    bad: list[Place] = []
    ends = scheme in ("BIOES", "BILOU")
    begin, open_name, closed = 0, "", True  # of the span that is being read
    for i, tag in enumerate(tags):
        letter, name = split_tag(tag)
        continues = letter in "IE" and name == open_name and not (ends and closed)
        if continues:
            closed = letter == "E"
            continue
        if open_name:
            spans.append((begin, i, open_name))
            if ends and not closed:
                bad.append(Place(sentence, i - 1, f"{tags[i - 1]} does not end its span"))
        if letter in "IE" and scheme not in ("IO", "IOB1"):
            bad.append(Place(sentence, i, f"{tag} begins a span"))
        elif letter == "B" and scheme == "IOB1" and open_name != name:
            bad.append(Place(sentence, i, f"{tag} follows no span of its type"))
        begin, open_name, closed = i, name, letter in "ES"
    if open_name:
        spans.append((begin, len(tags), open_name))
        if ends and not closed:
            bad.append(Place(sentence, len(tags) - 1, f"{tags[-1]} does not end its span"))
    return spans, bad


def to_tags(length: int, spans: Iterable[Span], scheme: str = "IOB2") -> list[str]:
    """The tags of a sentence of that length; IO cannot distinguish neighbours of one type.

    >>> to_tags(4, [(0, 1, "PER"), (1, 3, "PER")], "IOB1")
    ['I-PER', 'B-PER', 'I-PER', 'O']
    """
    tags = [OUTSIDE] * length
    before, name_before = -1, ""  # end and type of the last span
    for start, end, name in sorted(spans):
        letters = ["I"] * (end - start)
        if scheme in ("IOB2", "BIOES", "BILOU") or (scheme == "IOB1" and (before, name_before) == (start, name)):
            letters[0] = "B"
        if scheme in ("BIOES", "BILOU"):
            letters[-1] = ("E" if scheme == "BIOES" else "L") if end - start > 1 else ("S" if scheme == "BIOES" else "U")
        tags[start:end] = [f"{letter}-{name}" for letter in letters]
        before, name_before = end, name
    return tags
