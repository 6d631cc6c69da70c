"""Concepts: the words of captions, as tags of the items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.data.readers.captions import Captions
from labelproof.errors import BadInput

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
OTHERS = "Others"


@dataclass(frozen=True)
class Concepts:
    """A vocabulary of words, each with its part of speech.

    Attributes
    ----------
    words : tuple of length k
    groups : tuple of length k
        Part of speech, e.g. NN, VB, JJ; ``"Others"`` if it is not known.
    """

    words: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(
        cls,
        captions: Captions,
        k: int = 1000,
        *,
        words: Sequence[str] | None = None,
        groups: Mapping[str, str] | Callable[[Sequence[str]], Iterable[str]] | None = None,
    ) -> Concepts:
        """Take the most common words of captions, or a given list.

        Parameters
        ----------
        captions : Captions
            Captions of the training items.
        k : int
            Number of words, chosen by the number of captions that use them; ties are broken alphabetically.
        words : sequence of str, optional
            The vocabulary. By default the most common words.
        groups : mapping or callable, optional
            Part of speech of a word, or a tagger: from the words to their parts of speech.

        Raises
        ------
        BadInput
            For fewer words than k, or a word twice.

        Examples
        --------
        >>> from labelproof.data.readers.captions import Captions
        >>> captions = Captions((1, 2), (("A dog runs", "a dog"), ("A cat",)), ("", ""), ("", ""))
        >>> concepts = Concepts.of(captions, 3, groups={"dog": "NN", "cat": "NN"})
        >>> concepts.words, concepts.groups
        (('a', 'dog', 'cat'), ('Others', 'NN', 'NN'))
        >>> concepts.tags(captions).tolist()
        [[1, 1, 0], [1, 0, 1]]
        """
        if words is None:
            counts = Counter(word for own in captions.captions for text in own for word in set(words_of(text)))
            chosen = sorted(counts, key=lambda word: (-counts[word], word))[:k]
            if len(chosen) < k:
                raise BadInput(f"k is {k} but the captions have {len(chosen)} different words. Give a smaller k.")
        else:
            chosen = [word.lower() for word in words]
            twice = next((word for word, count in Counter(chosen).items() if count > 1), None)
            if twice is not None or not chosen:
                raise BadInput(
                    f"words has {twice!r} twice. Give each word once." if chosen else "words is empty. Give one or more."
                )
        return cls(tuple(chosen), _grouped(chosen, groups))

    def tags(self, captions: Captions) -> npt.NDArray[np.int8]:
        """The tags of items, 0/1 of shape (n, k): a concept is a tag if any caption of the item has its word."""
        place = {word: i for i, word in enumerate(self.words)}
        found = np.zeros((len(captions), len(self.words)), np.int8)
        for row, own in zip(found, captions.captions, strict=True):
            for text in own:
                row[[place[word] for word in words_of(text) if word in place]] = 1
        return found


def words_of(text: str) -> list[str]:
    """Words in lower case, without punctuation."""
    return WORD.findall(text.lower())


def _grouped(words: list[str], groups: Any) -> tuple[str, ...]:
    if groups is None:
        return (OTHERS,) * len(words)
    if callable(groups):
        found = tuple(str(group) for group in groups(words))
        if len(found) != len(words):
            raise BadInput(f"The tagger gave {len(found)} parts of speech for {len(words)} words. Give one for each.")
        return found
    return tuple(groups.get(word, OTHERS) for word in words)
