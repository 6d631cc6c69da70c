"""The features of a tagger: each token as a list of names of features."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

EDGE = "#"  # beyond the sentence
AFFIXES = (1, 2, 3, 4)
TITLE_SHARE = 0.8  # of capitals, from which on a sentence is a headline
_REPEATED = re.compile(r"(.)\1+")
_DIGIT = re.compile(r"\d")


class Word(NamedTuple):
    """Features that do not depend on the position of a token."""

    form: str  # lower case, digits as zeros
    shape: str  # such as Xx or d-x
    own: tuple[str, ...]


class Document(NamedTuple):
    """The spellings of the words of a document, and the neighbours of those with a capital."""

    inside: Counter[str]  # with a capital within a sentence
    lower: Counter[str]
    before: dict[str, Counter[str]]
    after: dict[str, Counter[str]]


@lru_cache(maxsize=200_000)
def word_of(token: str) -> Word:
    """The parts of a token."""
    lower = token.lower()
    form = _DIGIT.sub("0", lower)
    outline = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in token)
    shape = _REPEATED.sub(r"\1", outline)
    affixes = [f"{mark}{n}={part}" for n in AFFIXES if len(lower) > n for mark, part in (("p", lower[:n]), ("s", lower[-n:]))]
    return Word(form, shape, ("b", f"w={form}", f"W={token}", f"S={shape}", f"s={outline[:12]}", *affixes))


def style_of(tokens: Sequence[str]) -> str:
    """The style of a sentence: all in capitals, a headline, or text."""
    words = [token for token in tokens if any(c.isalpha() for c in token)]
    if words and all(word.isupper() for word in words):
        return "caps"
    capital = sum(word[0].isupper() for word in words)
    return "title" if len(words) > 1 and capital >= TITLE_SHARE * len(words) else "text"


def document_of(sentences: Sequence[Sequence[str]]) -> Document:
    """Features of a word from the other sentences of its document."""
    inside: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    before: dict[str, Counter[str]] = defaultdict(Counter)
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for tokens in sentences:
        text = style_of(tokens) == "text"
        low = [token.lower() for token in tokens]
        for i, token in enumerate(tokens):
            if token[:1].islower():
                lower[token] += 1
            elif token[:1].isupper():
                inside[low[i]] += i > 0 and text
                if i > 0:
                    before[low[i]][low[i - 1]] += 1
                if i + 1 < len(tokens):
                    after[low[i]][low[i + 1]] += 1
    return Document(inside, lower, before, after)


def features_of(tokens: Sequence[str], document: Document) -> list[list[str]]:
    """Names of the features of each token of a sentence."""
    words, style, n = [word_of(token) for token in tokens], style_of(tokens), len(tokens)
    edge = Word(EDGE, EDGE, ())

    def at(i: int) -> Word:
        return words[i] if 0 <= i < n else edge

    made = []
    for i, word in enumerate(words):
        place = "0" if i == 0 else "1" if i == 1 else "e" if i == n - 1 else "m"
        (a, shape_a, _), (b, shape_b, _) = at(i - 1), at(i + 1)
        form, shape, own = word
        found = [*own, f"k={style}", f"kS={style}{shape}", f"pos={place}", f"posS={place}{shape}"]
        for offset in (-2, -1, 1, 2):
            found += (f"w{offset}={at(i + offset).form}", f"S{offset}={at(i + offset).shape}")
        found += (
            f"aw={a}|{form}",
            f"wb={form}|{b}",
            f"SSS={shape_a}{shape}{shape_b}",
            f"a_b={a}|{b}",
            f"aS={a}{shape}",
            f"Sb={shape}{b}",
        )
        if tokens[i][:1].isupper():
            found += _elsewhere(tokens, i, style, document)
        made.append(found)
    return made


def _elsewhere(tokens: Sequence[str], i: int, style: str, document: Document) -> list[str]:
    """Features of a token with a capital from the same word elsewhere in the document."""
    low = tokens[i].lower()
    found = [
        "mid" if document.inside[low] > (i > 0 and style == "text") else "nomid",
        "low" if document.lower[low] else "nolow",
    ]
    for mark, counts, j in (("db", document.before, i - 1), ("da", document.after, i + 1)):
        here = tokens[j].lower() if 0 <= j < len(tokens) else None
        found += [f"{mark}={other}" for other, count in counts.get(low, {}).items() if count > (other == here)]
    return found


def features_of_all(sentences: Sequence[Sequence[str]], documents: Sequence[object]) -> list[list[list[str]]]:
    """Of each sentence, with the document that it is in."""
    of: dict[object, list[Sequence[str]]] = defaultdict(list)
    for tokens, name in zip(sentences, documents, strict=True):
        of[name].append(tokens)
    known = {name: document_of(some) for name, some in of.items()}
    return [features_of(tokens, known[name]) for tokens, name in zip(sentences, documents, strict=True)]
