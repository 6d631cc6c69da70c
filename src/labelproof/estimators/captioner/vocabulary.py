"""Words as numbers, for models that write captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.estimators.captioner.concepts import words_of

PAD, BEGIN, END, UNKNOWN = range(4)
MARKS = 4  # numbers before the first word's


@dataclass(frozen=True)
class Vocabulary:
    """The words that captions may use.

    Attributes
    ----------
    words : tuple of str
        Word i has the number ``i + 4``; 0 to 3 are padding, begin, end, and any other word.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, captions: Iterable[str], *, min_count: int = 1) -> Vocabulary:
        """The words that at least ``min_count`` captions use, the commonest first.

        Raises
        ------
        BadInput
            If no word is left.

        Examples
        --------
        >>> Vocabulary.of(["a dog runs", "a dog", "the cat"], min_count=2).words
        ('a', 'dog')
        """
        counts = Counter(word for text in captions for word in set(words_of(text)))
        words = sorted((word for word, count in counts.items() if count >= min_count), key=lambda word: (-counts[word], word))
        if not words:
            raise BadInput(f"No word is in {min_count} captions or more. Lower min_count, or give more captions.")
        return cls(tuple(words))

    def __len__(self) -> int:
        return len(self.words) + MARKS

    def encoded(self, captions: Sequence[str], most: int) -> npt.NDArray[np.int64]:
        """Numbers of the words between begin and end, padded; shape (n, ``most`` + 2), longer captions cut.

        A caption without any known word is padding alone.
        """
        place = {word: number for number, word in enumerate(self.words, MARKS)}
        found = np.full((len(captions), most + 2), PAD)
        for row, text in zip(found, captions, strict=True):
            numbers = [place.get(word, UNKNOWN) for word in words_of(text)][:most]
            if any(number != UNKNOWN for number in numbers):
                row[: len(numbers) + 2] = [BEGIN, *numbers, END]
        return found

    def text(self, numbers: Iterable[int]) -> str:
        """Words up to the first end, with spaces between."""
        words = []
        for number in numbers:
            if number == END:
                break
            if number >= MARKS:
                words.append(self.words[number - MARKS])
        return " ".join(words)
