"""Spans made wrong on purpose."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.validation.span_schemes import to_spans

CLEAN = [["B-PER", "I-PER", "O", "B-LOC", "O", "O"], ["O", "O", "B-ORG"], [], ["O"]] * 500
SPANS = 1500


def test_each_kind_does_what_it_says():
    for kind in ("drop", "extra", "boundary", "type"):
        noisy = lp.simulate.spans(CLEAN, 0.3, kinds=[kind], random_state=0)
        assert {error.kind for error in noisy.errors} == {kind}
        assert len(noisy.errors) == pytest.approx(0.3 * SPANS, rel=0.15)
        for error in noisy.errors:
            before, after = (to_spans(tags[error.sentence], "IOB2")[0] for tags in (CLEAN, noisy.labels))
            assert (error.true is None) == (kind == "extra") and (error.given is None) == (kind == "drop")
            assert error.true is None or error.true in before
            assert error.given is None or error.given in after
            if kind == "type":
                assert error.given[:2] == error.true[:2] and error.given[2] != error.true[2]
            if kind == "boundary":
                assert error.given[2] == error.true[2]
                assert abs(error.given[0] - error.true[0]) + abs(error.given[1] - error.true[1]) == 1


def test_sentences_stay_valid_and_changes_are_told():
    noisy = lp.simulate.spans(CLEAN, 0.5, random_state=1)
    for tags, clean, changed in zip(noisy.labels, CLEAN, noisy.changed, strict=True):
        assert len(tags) == len(clean) and (tags != clean) == changed
        assert to_spans(tags, "IOB2")[1] == []
    assert {error.sentence for error in noisy.errors} == set(np.flatnonzero(noisy.changed).tolist())


def test_extra_spans_fall_on_capitals():
    tokens = [["a", "B", "c"]] * 400
    noisy = lp.simulate.spans([["O", "O", "B-X"]] * 400, 0.5, kinds=["extra"], tokens=tokens, random_state=0)
    assert {error.given[:2] for error in noisy.errors} == {(1, 2)}


def test_no_rate_no_error_and_what_is_refused():
    assert lp.simulate.spans(CLEAN, 0.0, random_state=0).labels == CLEAN
    assert lp.simulate.spans([["O"], []], 1.0, random_state=0).errors == []
    with pytest.raises(lp.BadInput, match="kinds"):
        lp.simulate.spans(CLEAN, 0.1, kinds=["shift"])
