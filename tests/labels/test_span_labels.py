"""Spans: schemes of tags, what is refused, and text with characters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelproof as lp
from labelproof.validation.span_schemes import SCHEMES, scheme_of, to_spans, to_tags


@st.composite
def sentences(draw):
    """A length, and spans of it in order."""
    length = draw(st.integers(0, 12))
    spans, at = [], 0
    while at < length:
        start = at + draw(st.integers(0, 2))
        end = start + draw(st.integers(1, 3))
        if end > length:
            break
        spans.append((start, end, draw(st.sampled_from(["PER", "geo-loc", "Ä"]))))
        at = end
    return length, spans


@given(sentences(), st.sampled_from([scheme for scheme in SCHEMES if scheme != "IO"]))
def test_spans_to_tags_and_back(sentence, scheme):
    length, spans = sentence
    tags = to_tags(length, spans, scheme)
    assert to_spans(tags, scheme) == (spans, [])


@given(sentences())
def test_inside_alone_joins_neighbours_of_one_type(sentence):
    length, spans = sentence
    joined: list[tuple[int, int, str]] = []
    for start, end, name in spans:
        if joined and joined[-1][1:] == (start, name):
            joined[-1] = (joined[-1][0], end, name)
        else:
            joined.append((start, end, name))
    assert to_spans(to_tags(length, spans, "IO"), "IO") == (joined, [])


@given(sentences(), st.sampled_from(["IOB2", "BIOES", "BILOU"]))
def test_the_scheme_is_detected_where_tags_tell(sentence, scheme):
    length, spans = sentence
    tags = [to_tags(length, spans, scheme), to_tags(3, [(0, 1, "PER"), (1, 3, "PER")], scheme)]
    assert scheme_of(tags) == scheme


def test_iob1_is_told_from_iob2():
    assert scheme_of([["I-PER", "B-PER", "O"], ["I-LOC"]]) == "IOB1"
    assert scheme_of([["I-PER", "I-PER", "O"]]) == "IOB1"
    assert scheme_of([["B-PER", "O", "I-PER"], ["B-LOC", "O"]]) == "IOB2"
    assert scheme_of([["O"], []]) == "IOB2"


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "place"),
    [
        ("IOB2", ["O", "I-PER", "I-PER"], [(1, 3)], "sentence 1 at token 1: I-PER begins a span"),
        ("IOB2", ["B-PER", "I-LOC", "O"], [(0, 1), (1, 2)], "token 1: I-LOC begins a span"),
        ("IOB1", ["B-PER", "I-PER", "O"], [(0, 2)], "token 0: B-PER follows no span of its type"),
        ("BIOES", ["B-PER", "I-PER", "O"], [(0, 2)], "token 1: I-PER does not end its span"),
        ("BIOES", ["E-PER", "E-PER", "O"], [(0, 1), (1, 2)], "token 0: E-PER begins a span"),
    ],
)
def test_invalid_tags_are_told_with_their_place_and_repaired(scheme, tags, spans, place):
    with pytest.warns(lp.LabelproofWarning, match=place):
        labels = lp.Spans([["a"], ["b", "c", "d"]], [["O"], tags], scheme=scheme)
    assert list(zip(labels.start.tolist(), labels.end.tolist(), strict=True)) == spans
    assert all(to_spans(one, "IOB2")[1] == [] for one in labels.tags())


@pytest.mark.parametrize(
    ("tokens", "tags", "told"),
    [
        ([["a"]], [["O", "O"]], "sentence 0 has 1 tokens but 2 tags"),
        ([["a"]], [], "tokens has 1 sentences but tags has 0"),
        ("text", [["O"]], "Give a list of sentences"),
        ([["a"]], [[None]], "None at token 0"),
        ([["a"]], [["B-PER|B-LOC"]], None),
        ([["a", "b"]], [["B-PER", "X-LOC"]], "'X-LOC' is not written in IOB2"),
        ([["a", "b"]], [["B-PER", "LOC"]], "cannot be nested or overlap"),
        ([["a"]], [[["B-PER", "B-LOC"]]], "Spans.of_spans"),
    ],
)
def test_what_is_no_sentence_is_refused(tokens, tags, told):
    if told is None:
        assert lp.Spans(tokens, tags).classes == ("PER|B-LOC",)
        return
    with pytest.raises(lp.BadInput, match=told):
        lp.Spans(tokens, tags)


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([(0, 2, "A"), (1, 3, "B")], "overlapping spans"),
        ([(0, 3, "A"), (1, 2, "B")], "Nested and overlapping"),
        ([(0, 9, "A")], "outside 0 to 3"),
        ([(2, 2, "A")], "the end is exclusive"),
        ([(0, 1, "A", "head")], "relations cannot be audited"),
        ([(0.5, 1, "A")], "whole numbers"),
    ],
)
def test_spans_that_cannot_be_audited_are_refused(spans, told):
    with pytest.raises(lp.BadInput, match=told):
        lp.Spans.of_spans([["a", "b", "c"]], [spans])


def test_characters_become_tokens_and_stay_known():
    texts = ["Zoë Müller lives in New York-based 東京都.", ""]
    spans = [[(20, 28, "LOC"), (0, 11, "PER"), (35, 37, "LOC")], []]
    labels = lp.Spans.of_texts(texts, spans)
    assert labels.tokens[0] == ["Zoë", "Müller", "lives", "in", "New", "York", "-", "based", "東", "京", "都", "."]
    assert [labels.tokens[0][a:b] for a, b in zip(labels.start, labels.end, strict=True)] == [
        ["Zoë", "Müller"],
        ["New", "York"],
        ["東", "京"],
    ]
    frame = labels.own_frame(np.arange(3))
    assert frame["char_start"].to_list() == [0, 20, 35] and frame["char_end"].to_list() == [10, 28, 37]
    assert labels.tokens[1] == [] and labels.n == 2 and labels.labelled == 2


def test_a_span_inside_a_word_cuts_it():
    labels = lp.Spans.of_texts(["the Berliners left"], [[(4, 10, "LOC")]])
    assert labels.tokens == [["the", "Berlin", "ers", "left"]]
    with pytest.raises(lp.BadInput, match="without a word"):
        lp.Spans.of_texts(["a  b"], [[(1, 3, "LOC")]])


def test_text_of_a_decision_is_canonical_and_checked():
    text = lp.Spans.to_text([[3, 4, "B"], [0, 2, "A"]], ["A", "B"])
    assert text == '[[0, 2, "A"], [3, 4, "B"]]'
    assert lp.Spans.to_text(lp.Spans.from_text(text), ["A", "B"]) == text
    assert lp.Spans.to_text([], ["A"]) == "[]"
    for bad in ([[0, 2, "C"]], [[0, 2, "A"], [1, 3, "A"]], [[2, 1, "A"]], [[0, 1]], [3], "A", [[True, 2, "A"]]):
        with pytest.raises(lp.BadInput):
            lp.Spans.to_text(bad, ["A", "B"])


def test_further_sites_stay_in_order():
    labels = lp.Spans([["a", "b", "c"], ["d"]], [["O", "B-A", "O"], ["B-B"]])
    more, order = labels.with_missing(np.array([0, 1]), np.array([2, 0]), np.array([3, 1]))
    assert more.values.tolist() == [0, -1, 1, -1]
    assert order.tolist() == [0, 2, 1, 3]
    assert more != labels and labels.given_spans() == more.given_spans()
    assert more.named(more.values).to_list() == ["A", None, "B", None]
