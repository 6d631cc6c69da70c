"""Tokens of all sentences in one sequence, with the given tag and the predictions of models.

A tag is a *state*: of c types ``0 … c - 1`` begin a span, ``c … 2c - 1`` continue one, and ``2c`` is outside (IOB2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.data.prediction_files import predictions_from
from labelproof.errors import BadInput
from labelproof.labels.spans import ABSENT, Spans
from labelproof.validation import AnyArray, BoolArray, IntArray, check_prob_rows, to_numpy
from labelproof.validation.span_schemes import OUTSIDE, Span, split_tag

Matrix = npt.NDArray[np.float64]
LEAST = 1e-12


@dataclass(frozen=True)
class Tokens:
    """All tokens, one after the other.

    Attributes
    ----------
    owner : ndarray of int64, shape (t,)
        The sentence of each token.
    offsets : ndarray of int64, shape (n + 1,)
        Where each sentence begins, and the last ends.
    given : ndarray of int64, shape (t,)
        States.
    probs : ndarray, shape (models, t, 2 c + 1)
        Probability of each state, out-of-sample.
    form : ndarray of int64, shape (t,)
        Number of the token in lower case, among all.
    capital : ndarray of bool, shape (t,)
    document : ndarray of int64, shape (n,)
    """

    owner: IntArray
    offsets: IntArray
    given: IntArray
    probs: Matrix
    form: IntArray
    capital: BoolArray
    document: IntArray

    @property
    def n(self) -> int:
        """Number of sentences."""
        return len(self.offsets) - 1

    @property
    def mean(self) -> Matrix:
        """Mean of the models, shape (t, 2 c + 1)."""
        return np.asarray(self.probs.mean(axis=0))

    def worst(self, of_tokens: Matrix, empty: float = 0.0) -> Matrix:
        """The highest of each sentence, shape (n,); ``empty`` for one without a token."""
        found = np.full(self.n, -np.inf)
        np.maximum.at(found, self.owner, of_tokens)
        return np.where(np.diff(self.offsets) > 0, found, empty)


def tokens_of(labels: Spans, probs: object, classes: Sequence[str] | None, groups: AnyArray | None) -> Tokens:
    """The tokens of labels, with their ``probs``.

    Raises
    ------
    BadInput
        If these do not fit.
    """
    probs = predictions_from(probs, "pred_probs")
    sizes = np.array([len(one) for one in labels.tokens], np.int64)
    offsets = np.r_[0, np.cumsum(sizes)].astype(np.int64)
    c = len(labels.classes)
    columns = list(labels.tag_names) if classes is None else [str(name) for name in classes]
    owner = np.repeat(np.arange(labels.n), sizes)
    first = np.zeros(len(owner), bool)
    first[offsets[:-1][sizes > 0]] = True
    if isinstance(probs, np.ndarray) and probs.ndim == 3:  # of the default tagger
        states = _floored(probs)
    else:
        states = _states(_joined(probs, sizes, len(columns), named=classes is not None), columns, labels, first)[None]
    words = [token for one in labels.tokens for token in one]
    form = np.unique(np.array([word.lower() for word in words] or [""], dtype=str), return_inverse=True)[1][: len(words)]
    names = np.arange(labels.n) if groups is None else np.array([str(group) for group in groups])
    return Tokens(
        owner,
        offsets,
        states_of(labels.owner, labels.start, labels.end, labels.values, offsets, c),
        states,
        form,
        np.array([word[:1].isupper() for word in words], bool),
        np.unique(names, return_inverse=True)[1],
    )


def states_of(owner: IntArray, start: IntArray, end: IntArray, values: IntArray, offsets: IntArray, c: int) -> IntArray:
    """The states of all tokens, from spans in sentences; shape (t,)."""
    states = np.full(int(offsets[-1]), 2 * c)
    for i, a, b, code in zip(owner.tolist(), start.tolist(), end.tolist(), values.tolist(), strict=True):
        if code != ABSENT:
            states[offsets[i] + a : offsets[i] + b] = c + code
            states[offsets[i] + a] = code
    return states


def states_of_spans(spans: Sequence[Sequence[Span]], offsets: IntArray, classes: Sequence[object]) -> IntArray:
    """The same from lists of spans with the names of their types."""
    code = {str(name): number for number, name in enumerate(classes)}
    flat = [(i, start, end, code[name]) for i, some in enumerate(spans) for start, end, name in some]
    owner, start, end, values = np.array(flat, np.int64).reshape(-1, 4).T
    return states_of(owner, start, end, values, offsets, len(code))


def spans_of(states: IntArray, c: int) -> list[tuple[int, int, int]]:
    """``(start, end, code)`` of a valid sequence of states."""
    found: list[tuple[int, int, int]] = []
    for i, state in enumerate(states.tolist()):
        if state < c:
            found.append((i, i + 1, state))
        elif state < 2 * c:
            found[-1] = (found[-1][0], i + 1, found[-1][2])
    return found


def _joined(probs: object, sizes: IntArray, k: int, *, named: bool) -> Matrix:
    """Probabilities of all tokens, one after the other."""
    total = int(sizes.sum())
    several = isinstance(probs, list | tuple) or (isinstance(probs, np.ndarray) and probs.dtype == object)
    array = _concatenated(probs, sizes, k) if several else to_numpy(probs, "pred_probs")  # type: ignore[arg-type]
    if array.ndim != 2 or len(array) != total:
        raise BadInput(
            f"pred_probs has shape {array.shape} but there are {total:,} tokens in {len(sizes):,} sentences. Give one (tokens, tags) array per sentence, or their concatenation."
        )
    if array.shape[1] != k:
        told = "classes names" if named else "the given tags are"
        hint = "" if named else " Name the columns with classes=, e.g. if a tag is never given."
        raise BadInput(f"pred_probs has {array.shape[1]} columns but {told} {k}. Give one column per tag, sorted.{hint}")
    if total:
        check_prob_rows(array)
    return np.asarray(array, np.float64)


def _concatenated(probs: Sequence[object] | AnyArray, sizes: IntArray, k: int) -> AnyArray:
    if len(probs) != len(sizes):
        raise BadInput(
            f"pred_probs has {len(probs)} entries but there are {len(sizes)} sentences. Give one array per sentence."
        )
    parts = [to_numpy(one, "pred_probs") for one in probs]
    for number, (part, size) in enumerate(zip(parts, sizes.tolist(), strict=True)):
        if len(part) != size or (size and part.ndim != 2):
            raise BadInput(
                f"pred_probs of sentence {number} has shape {part.shape} but the sentence has {size} tokens. Give one row per token."
            )
    filled = [part for part in parts if part.ndim == 2 and len(part)]
    widths = {part.shape[1] for part in filled}
    if len(widths) > 1:
        raise BadInput(f"pred_probs has {' and '.join(map(str, sorted(widths)))} columns. Give one column per tag everywhere.")
    return np.concatenate(filled) if filled else np.zeros((0, k))


def _states(probs: Matrix, columns: list[str], labels: Spans, first: BoolArray) -> Matrix:
    """Probabilities of tags in any scheme as those of states, shape (t, 2 c + 1).

    A tag that says "inside" without marking the start of a span (IOB1, IO) begins one if the token before is in none.
    """
    place = {str(name): code for code, name in enumerate(labels.classes)}
    c = len(place)
    found = np.zeros((len(probs), 2 * c + 1))
    unclear = np.zeros((len(probs), c))
    for column, tag in enumerate(columns):
        letter, name = split_tag(tag)
        if tag != OUTSIDE and name not in place:
            raise BadInput(f"classes has the tag {tag!r}, whose type is none of {', '.join(place)}.")
        if letter == OUTSIDE:
            found[:, 2 * c] += probs[:, column]
        elif letter in "BS":
            found[:, place[name]] += probs[:, column]
        elif labels.scheme in ("IOB1", "IO"):
            unclear[:, place[name]] += probs[:, column]
        else:
            found[:, c + place[name]] += probs[:, column]
    if unclear.any():
        inside = np.vstack([np.zeros((1, c)), (unclear + found[:, :c])[:-1]])
        inside[first] = 0.0
        found[:, :c] += unclear * (1 - inside)
        found[:, c : 2 * c] += unclear * inside
    return _floored(found)


def _floored(probs: Matrix) -> Matrix:
    floored = np.maximum(probs, LEAST)
    return np.asarray(floored / floored.sum(axis=-1, keepdims=True))
