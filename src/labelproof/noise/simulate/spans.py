"""Spans of tokens made wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labelproof.errors import BadInput
from labelproof.validation import BoolArray, RandomState, accepts_seed, check_rate, rng_from
from labelproof.validation.span_schemes import Span, check_letters, scheme_of, to_spans, to_tags

KINDS = ("drop", "extra", "boundary", "type")


class SpanError(NamedTuple):
    """A span with an error: its true and its given value, either of which may be ``None``."""

    sentence: int
    kind: str
    true: Span | None
    given: Span | None


class NoisySpans(NamedTuple):
    """The result of `spans`."""

    labels: list[list[str]]  #: a tag for each token, in the scheme of the clean ones
    changed: BoolArray  #: (n,), whether the sentence differs from the clean one
    errors: list[SpanError]


@accepts_seed
def spans(
    tags: Sequence[Sequence[str]],
    rate: float,
    *,
    kinds: Sequence[str] = KINDS,
    tokens: Sequence[Sequence[str]] | None = None,
    random_state: RandomState = None,
) -> NoisySpans:
    """Make a share of the spans wrong: dropped, one token longer or shorter at an end, of another type; or add one.

    Parameters
    ----------
    tags : sequence of sequences of str
        Clean tags in any scheme (`labelproof.Spans`).
    rate : float in [0, 1]
        Errors for each clean span; the kinds are equally frequent. An error that would overlap another span is skipped.
    kinds : sequence of {"drop", "extra", "boundary", "type"}
    tokens : sequence of sequences of str, optional
        If given, added spans, of one token, are words with a capital if there are any. By default any word.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    NoisySpans

    Examples
    --------
    >>> spans([["B-PER", "I-PER", "O"], ["O", "B-LOC", "O"]], 1.0, kinds=["type"], random_state=0).labels
    [['B-LOC', 'I-LOC', 'O'], ['O', 'B-PER', 'O']]
    """
    check_rate(rate)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise BadInput(f"kinds is {list(kinds)}. Give some of {', '.join(KINDS)}.")
    if not hasattr(tags, "__iter__"):
        raise BadInput(f"tags is a {type(tags).__name__}. Give the tags of each sentence, as lists of str.")
    scheme = scheme_of(tags)
    check_letters(sorted({tag for one in tags for tag in one}), scheme)
    clean = [to_spans(one, scheme)[0] for one in tags]
    lengths = [len(one) for one in tags]
    noisy, errors = spoiled(clean, lengths, rate, kinds, _places(clean, lengths, tokens), rng_from(random_state))
    changed = np.array([before != after for before, after in zip(clean, noisy, strict=True)], bool)
    return NoisySpans([to_tags(n, some, scheme) for n, some in zip(lengths, noisy, strict=True)], changed, errors)


def spoiled(
    clean: Sequence[Sequence[Span]],
    lengths: Sequence[int],
    rate: float,
    kinds: Sequence[str],
    places: Sequence[Sequence[int]],
    rng: np.random.Generator,
) -> tuple[list[list[Span]], list[SpanError]]:
    """`spans` for spans; ``places`` are the tokens of each sentence where one may be added."""
    types = sorted({name for some in clean for *_, name in some})
    total, open_places = sum(map(len, clean)), sum(map(len, places))
    own = [kind for kind in kinds if kind != "extra" and not (kind == "type" and len(types) < 2)]
    share = rate * len(own) / len(kinds)
    extra = min(1.0, rate / len(kinds) * total / max(open_places, 1)) if "extra" in kinds and types else 0.0
    noisy, errors = [], []
    for number, (some, length, free) in enumerate(zip(clean, lengths, places, strict=True)):
        kept: list[Span] = []
        for i, span in enumerate(some):
            after = some[i + 1][0] if i + 1 < len(some) else length
            made: Span | None = span
            if own and rng.random() < share:
                kind = own[rng.integers(len(own))]
                made = _wrong(span, kind, kept[-1][1] if kept else 0, after, types, rng)
                if made != span:
                    errors.append(SpanError(number, kind, span, made))
            if made is not None:
                kept.append(made)
        taken = {i for start, end, _ in kept for i in range(start, end)}
        for place in free:
            if rng.random() < extra and place not in taken:
                added = (place, place + 1, types[rng.integers(len(types))])
                kept.append(added)
                errors.append(SpanError(number, "extra", None, added))
        noisy.append(sorted(kept))
    return noisy, errors


def _wrong(span: Span, kind: str, before: int, after: int, types: list[str], rng: np.random.Generator) -> Span | None:
    start, end, name = span
    if kind == "drop":
        return None
    if kind == "type":
        others = [other for other in types if other != name]
        return start, end, others[rng.integers(len(others))]
    moved = [(start - 1, end), (start, end + 1)] + ([(start + 1, end), (start, end - 1)] if end - start > 1 else [])
    allowed = [(a, b) for a, b in moved if a >= before and b <= after]
    return (*allowed[rng.integers(len(allowed))], name) if allowed else span


def _places(clean: Sequence[Sequence[Span]], lengths: Sequence[int], tokens: Sequence[Sequence[str]] | None) -> list[list[int]]:
    """Tokens outside all spans; those with a capital, if there are any."""
    inside = [{i for start, end, _ in some for i in range(start, end)} for some in clean]
    outside = [[i for i in range(n) if i not in own] for n, own in zip(lengths, inside, strict=True)]
    if tokens is None:
        return outside
    capital = [[i for i in own if words[i][:1].isupper()] for own, words in zip(outside, tokens, strict=True)]
    return capital if any(capital) else outside
