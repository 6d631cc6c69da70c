"""An audit of spans: one finding an error, valid suggestions, and what is learned from planted errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing.spans.evidence import Evidence
from labelproof.auditing.spans.planted import Learned, can_learn
from labelproof.auditing.spans.rate import from_planted
from labelproof.auditing.spans.readings import allowed, best_reading, changes
from labelproof.auditing.spans.tokens import Tokens, tokens_of
from labelproof.validation.span_schemes import to_spans, to_tags

NAMES = ["Ada", "Bo", "Cem", "Dora", "Eva", "Finn", "Gus", "Hal"]
PLACES = ["Bonn", "Oslo", "Rome", "Lima", "Kyiv"]


def sentences(n, seed=0):
    """Sentences with people and places, and their true spans."""
    rng = np.random.default_rng(seed)
    tokens, spans = [], []
    for _ in range(n):
        one, two, place = rng.choice(NAMES), rng.choice(NAMES), rng.choice(PLACES)
        words, own = [(["Today", one, two, "left", place, "."], [(1, 3, "PER"), (4, 5, "LOC")]), (["It", "rained", "."], [])][
            int(rng.random() < 0.2)
        ]
        tokens.append(words)
        spans.append(own)
    return tokens, spans


def probs_of(tags, columns, sure=0.96):
    """A tagger that knows the truth, as sure of everything."""
    rest = (1 - sure) / (len(columns) - 1)
    return [np.where(np.array(one, dtype=object)[:, None] == np.array(columns, dtype=object), sure, rest) for one in tags]


def problem(n, seed=0, scheme="IOB2"):
    tokens, spans = sentences(n, seed)
    true = [to_tags(len(words), own, scheme) for words, own in zip(tokens, spans, strict=True)]
    return tokens, spans, true, sorted({tag for one in true for tag in one})


@pytest.mark.parametrize("n", [60, 600])
@pytest.mark.parametrize(
    ("given", "kind", "suggested"),
    [
        ([(1, 2, "PER"), (4, 5, "LOC")], "boundary", (1, 3)),
        ([(1, 4, "PER"), (4, 5, "LOC")], "boundary", (1, 3)),
        ([(1, 3, "LOC"), (4, 5, "LOC")], "type", (1, 3)),
        ([(1, 3, "PER")], "missing", (4, 5)),
        ([(0, 1, "LOC"), (1, 3, "PER"), (4, 5, "LOC")], "extra", (None, None)),
    ],
)
def test_one_error_is_one_finding(n, given, kind, suggested):
    tokens, spans, true, columns = problem(n)
    row = next(i for i, own in enumerate(spans) if own)
    wrong = [to_tags(len(tokens[i]), given if i == row else own) for i, own in enumerate(spans)]
    audit = lp.audit(lp.Spans(tokens, wrong), probs_of(true, columns), classes=columns)
    found = audit.issues.filter(audit.issues["kind"].is_not_null())
    assert found["index"].to_list() == [row] and found["kind"].to_list() == [kind]
    assert found.select("suggested_start", "suggested_end").row(0) == suggested
    if kind != "extra":
        assert found["suggested_label"][0] == next(name for a, b, name in spans[row] if (a, b) == suggested)
    assert (found["given_label"][0] is None) == (kind == "missing")
    item = audit.items.row(row, named=True)
    assert item["error_probability"] == audit.items["error_probability"].max()
    assert lp.Spans.from_text(item["suggested_spans"]) == [list(span) for span in spans[row]]
    assert lp.Spans.from_text(item["given_spans"]) == [list(span) for span in sorted(given)]
    assert item["tokens"] == tokens[row]


@pytest.mark.parametrize("sure", [0.96, 0.99999])
@pytest.mark.parametrize("n", [60, 800])
def test_without_noise_next_to_nothing_is_found(n, sure):
    tokens, _, true, columns = problem(n)
    audit = lp.audit(lp.Spans(tokens, true), probs_of(true, columns, sure))
    assert audit.counts["obvious"] == audit.counts["possible"] == 0
    assert audit.error_rate.estimate < 0.01 and audit.noise.wrong_sentences[0] < 0.01
    assert (audit.issues["given_label"] == audit.issues["suggested_label"]).all()


def test_planted_errors_are_found_from_what_a_tagger_says():
    tokens, _, true, columns = problem(1500)
    noisy = lp.simulate.spans(true, 0.1, tokens=tokens, random_state=0)
    rng = np.random.default_rng(0)
    probs = [0.7 * one + 0.3 * rng.dirichlet(np.ones(len(columns)), len(one)) for one in probs_of(true, columns)]
    audit = lp.audit(lp.Spans(tokens, noisy.labels), probs, classes=columns)
    error = audit.items["error_probability"].to_numpy()
    assert error[noisy.changed].min() > error[~noisy.changed].max()
    estimate, low, high = audit.noise.wrong_sentences
    assert low <= noisy.changed.mean() <= high
    assert estimate == pytest.approx(error.mean(), abs=0.01)
    found = audit.issues.filter(audit.issues["verdict"] != "ok")
    assert len(found) == pytest.approx(len(noisy.errors), rel=0.1)
    assert audit.noise.missing_rates.max() < 0.1 and np.allclose(audit.noise.confusion.sum(axis=1), 1)


def test_suggestions_are_always_valid():
    tokens, _, true, columns = problem(300)
    rng = np.random.default_rng(0)
    probs = [rng.dirichlet(np.full(len(columns), 0.3), len(one)) for one in tokens]
    noisy = lp.simulate.spans(true, 0.3, random_state=0).labels
    audit = lp.audit(lp.Spans(tokens, noisy), probs, classes=columns)
    for text, words in zip(audit.items["suggested_spans"], tokens, strict=True):
        spans = lp.Spans.from_text(text)
        assert lp.Spans.to_text(spans, ["LOC", "PER"]) == text
        assert all(end <= len(words) for _, end, _ in spans)


@pytest.mark.parametrize("c", [1, 2])
def test_the_best_reading_is_that_of_all_sequences(c):
    rng, may = np.random.default_rng(0), allowed(c)
    for length in (1, 2, 3, 4):
        scores = np.log(rng.dirichlet(np.ones(2 * c + 1), length))
        valid = [
            path
            for path in itertools.product(range(2 * c + 1), repeat=length)
            if not c <= path[0] < 2 * c and all(may[a, b] for a, b in itertools.pairwise(path))
        ]
        best = max(valid, key=lambda path: sum(scores[i, state] for i, state in enumerate(path)))
        assert best_reading(scores, may).tolist() == list(best)


def test_each_span_is_in_one_change():
    assert [change.kind for change in changes([(0, 4, 0)], [(0, 1, 1), (1, 4, 0)])] == ["boundary", "missing"]
    assert [change.kind for change in changes([(0, 2, 0), (2, 4, 0)], [(0, 4, 0)])] == ["boundary", "extra"]
    assert changes([(0, 2, 0)], [(0, 2, 0)]) == []


@pytest.mark.parametrize("scheme", ["IOB1", "BIOES", "IO"])
def test_probabilities_of_every_scheme_are_read(scheme):
    tokens, spans, true, columns = problem(60, scheme=scheme)
    row = next(i for i, own in enumerate(spans) if own)
    wrong = [to_tags(len(tokens[i]), [(1, 3, "PER")] if i == row else own, scheme) for i, own in enumerate(spans)]
    audit = lp.audit(lp.Spans(tokens, wrong, scheme=scheme), probs_of(true, columns), classes=columns)
    assert audit.issues.filter(audit.issues["verdict"] != "ok").select("index", "kind", "start", "end").rows() == [
        (row, "missing", 4, 5)
    ]


def test_one_array_and_a_list_are_the_same():
    tokens, _, true, columns = problem(50)
    tokens.insert(3, [])
    true.insert(3, [])
    probs = [one.reshape(-1, len(columns)) for one in probs_of(true, columns)]
    labels = lp.Spans(tokens, true)
    one, other = lp.audit(labels, probs), lp.audit(labels, np.concatenate(probs))
    assert one.issues.equals(other.issues)
    assert one.items.row(3, named=True)["error_probability"] == 0 and one.n == 51 and one.labelled == 51


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p[:-1], "Give one array per sentence"),
        (lambda p: [p[0][:-1], *p[1:]], "pred_probs of sentence 0"),
        (lambda p: [one[:, :-1] for one in p], "the given tags are"),
        (lambda p: np.concatenate(p)[:-1], "but there are"),
        (lambda p: [one / 2 for one in p], "sum"),
        (lambda p: [p[0][:, :-1], *p[1:]], "columns"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(spoil, told):
    tokens, _, true, columns = problem(40)
    with pytest.raises(lp.BadInput, match=told):
        lp.audit(lp.Spans(tokens, true), spoil(probs_of(true, columns)))


def test_small_and_odd_inputs():
    labels = lp.Spans([["Zoë"], [], ["x"]], [["B-PER"], [], ["O"]])
    audit = lp.audit(labels, [np.array([[0.9, 0.1]]), np.zeros((0, 2)), np.array([[0.1, 0.9]])])
    assert audit.items.height == 3 and audit.issues.height == 1
    for tokens, tags in (([["a"]], [["O"]]), ([[], []], [[], []])):
        with pytest.raises(lp.BadInput, match="no spans"):
            lp.audit(lp.Spans(tokens, tags), [np.ones((len(one), 1)) for one in tokens])


def test_the_same_words_elsewhere_explain():
    tokens, tags = [["Peoria", "won"]] * 41, [["B-LOC", "O"]] * 40 + [["B-ORG", "O"]]
    probs = probs_of([["B-LOC", "O"]] * 41, ["B-LOC", "B-ORG", "O"])
    audit = lp.audit(lp.Spans(tokens, tags), probs)
    assert audit.items["elsewhere"].to_list() == [None] * 40 + ["Peoria: LOC 40 times elsewhere, here ORG"]


@pytest.mark.needs("pycrfsuite")
def test_the_default_tagger_finds_errors_and_keeps_documents_together():
    tokens, _, true, _ = problem(400)
    noisy = lp.simulate.spans(true, 0.08, kinds=["drop", "type"], random_state=0)
    audit = lp.audit(lp.Spans(tokens, noisy.labels), n_jobs=1)
    error = audit.items["error_probability"].to_numpy()
    assert error[noisy.changed].mean() > 0.5 > 10 * error[~noisy.changed].mean()
    assert audit.model is not None and audit.model.accuracy > 0.9
    again = lp.audit(lp.Spans(tokens, noisy.labels), n_jobs=1)
    assert audit.issues.equals(again.issues)


def test_without_a_field_the_linear_model_serves(monkeypatch):
    from labelproof.auditing.tagging import tagger

    monkeypatch.setattr(tagger, "is_installed", lambda package: False)
    tokens, _, true, _ = problem(80)
    with pytest.warns(lp.labels.spans.LabelproofWarning, match="labelproof\\[spans\\]"):
        audit = lp.audit(lp.Spans(tokens, true))
    assert "field" not in audit.model.name


def test_an_estimator_is_refused():
    tokens, _, true, _ = problem(40)
    with pytest.raises(lp.BadInput, match="estimator and encoder are no options"):
        lp.audit(lp.Spans(tokens, true), estimator=object())


def test_learning_needs_enough_spans():
    tokens, _, true, columns = problem(40)
    labels = lp.Spans(tokens, true)
    assert not can_learn(labels, tokens_of(labels, probs_of(true, columns), None, None))
    tokens, _, true, columns = problem(400)
    labels = lp.Spans(tokens, true)
    assert can_learn(labels, tokens_of(labels, probs_of(true, columns), None, None))
    one = np.zeros(labels.n)
    assert not can_learn(labels, tokens_of(labels, probs_of(true, columns), None, one))


def test_tags_of_the_suggestion_are_iob2():
    tokens, _, true, columns = problem(60)
    audit = lp.audit(lp.Spans(tokens, true), probs_of(true, columns))
    for text, words in zip(audit.items["suggested_spans"], tokens, strict=True):
        tags = to_tags(len(words), [tuple(span) for span in lp.Spans.from_text(text)])
        assert to_spans(tags, "IOB2")[1] == []


def test_the_rate_is_that_of_errors_that_look_like_planted_ones():
    rng = np.random.default_rng(0)
    n, wrong = 20_000, 0.08
    is_wrong = rng.random(n) < wrong
    odds = np.where(is_wrong, rng.normal(2, 1, n), rng.normal(-6, 1, n))
    one = np.arange(n)
    tokens = Tokens(one, np.arange(n + 1), one * 0, np.full((1, n, 3), 1 / 3), one, one > 0, one)
    found = from_planted(Learned(odds, np.sort(rng.normal(2, 1, 5_000))), tokens)
    assert found.sentences.estimate == pytest.approx(wrong, abs=0.005)
    assert found.sentences.low <= is_wrong.mean() <= found.sentences.high
    assert found.sentences.high - found.sentences.low < 0.03
    assert found.probability.mean() == pytest.approx(found.sentences.estimate, abs=1e-6)
    assert found.probability[is_wrong].mean() > 0.85


def test_evidence_does_not_count_given_tags():
    tokens, _, true, columns = problem(100)
    labels = lp.Spans(tokens, true)
    noisy = lp.Spans(tokens, lp.simulate.spans(true, 0.5, random_state=0).labels, classes=["LOC", "PER"])
    probs = probs_of(true, columns)
    of_true, of_noisy = (tokens_of(one, probs, columns, None) for one in (labels, noisy))
    assert np.array_equal(Evidence(of_true).of(of_true.given), Evidence(of_noisy).of(of_true.given))
