"""The units of texts for models that count: words, or characters if the words do not recur."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labelproof.errors import LabelproofWarning

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer  # a second to load, which audits of probabilities are spared

WORD = r"(?u)\b\w+\b|\?"
SAMPLE = 2000  # texts looked at
RECUR = 0.5  # share of the words that should occur in another text too
LONG = 6.0  # characters of a mean word, from which on it may be a sentence without spaces
WORDLESS = 0.2  # share of the texts without a word
MOST_CHARACTERS = 50_000  # groups of characters kept


def unit_of(texts: Sequence[str]) -> str:
    """``word``, or ``char`` if texts have no spaces between words, or only signs.

    Up to 2,000 texts are looked at. They are read by characters if a fifth of those that are not empty have no word, or if
    words are long (6 characters or more in the mean) and most occur in one text only.
    """
    some = [text for text in texts[:: max(1, len(texts) // SAMPLE)] if text.strip()]
    found = [re.findall(WORD, text) for text in some]
    if not some or sum(not words for words in found) > WORDLESS * len(some):
        return "char"
    every = [word.lower() for words in found for word in words]
    held = Counter(word for words in found for word in {w.lower() for w in words})
    recurring = sum(held[word] > 1 for word in every) / len(every)
    return "char" if recurring < RECUR and sum(map(len, every)) / len(every) >= LONG else "word"


def vectorizer_for(texts: Sequence[str], **options: object) -> TfidfVectorizer:
    """TF-IDF of words and pairs of words, or of groups of one to three characters, as the texts need.

    Warns
    -----
    LabelproofWarning
        If it uses characters.
    """
    unit = unit_of(texts)
    if unit == "char":
        warnings.warn(
            "The texts have no recurring words (no spaces between words, or only signs), so the features are groups of one to three characters.",
            LabelproofWarning,
            stacklevel=3,
        )
    return vectorizer(unit, **options)


def vectorizer(unit: str, **options: object) -> TfidfVectorizer:
    """TF-IDF of ``word``, of ``char``, or of the ``letters`` within words, one to five at a time."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if unit == "letters":
        return TfidfVectorizer(
            sublinear_tf=True, analyzer="char_wb", ngram_range=(1, 5), min_df=2, max_features=MOST_CHARACTERS, **options
        )
    if unit == "char":
        options.setdefault("max_features", MOST_CHARACTERS)
        return TfidfVectorizer(sublinear_tf=True, analyzer="char", ngram_range=(1, 3), **options)
    return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=WORD, **options)


def in_english_letters(texts: Sequence[str]) -> bool:
    """Whether texts have words that recur, nine tenths of whose letters are from a to z."""
    some = "".join(map(str, texts[:: max(1, len(texts) // SAMPLE)]))
    letters = sum(c.isalpha() for c in some)
    return unit_of(texts) == "word" and letters > 0 and sum(c.isalpha() and c.isascii() for c in some) >= 0.9 * letters
