"""Auditing spans: which are missing, extra, of the wrong extent or of the wrong type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing import fold
from labelproof.auditing.doubts.of_probabilities import of_probabilities
from labelproof.auditing.encoded import AUTO, NONE
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.kinds.base import Auditor, Judged
from labelproof.auditing.out_of_sample import OutOfSample
from labelproof.auditing.sharpness import read_sharpness
from labelproof.auditing.spans.evidence import Evidence
from labelproof.auditing.spans.planted import can_learn, learn
from labelproof.auditing.spans.rate import TokenErrors, from_planted
from labelproof.auditing.spans.readings import Change, Coded, allowed, best_reading, changes
from labelproof.auditing.spans.tokens import Tokens, spans_of, tokens_of
from labelproof.auditing.tagging.tagger import cross_validated_tags
from labelproof.data.dataset import Dataset, Shown
from labelproof.errors import BadInput
from labelproof.labels.spans import ABSENT, KINDS_OF_ERROR, Spans, as_json
from labelproof.noise.spans import SpanNoise
from labelproof.threads import one_thread
from labelproof.validation import AnyArray, IntArray, Json

LEAST_SHOWN = 0.1  # error probability, from which on another reading is suggested

Matrix = npt.NDArray[np.float64]


class Sites(NamedTuple):
    """The results of each site, in the order of the labels with the missing ones."""

    labels: Spans
    error: Matrix
    suggested: IntArray
    start: list[int | None]
    end: list[int | None]
    kind: list[str | None]


class AuditorOfSpans(Auditor[Spans]):
    """The error probability of each token's tag, and the most probable valid reading of each sentence.

    - If there are enough spans, the audit learns from planted errors (`labelproof.auditing.spans.planted`). Otherwise
      the error probability of a token is one minus the posterior of its tag, as for classes.
    - Where the probability is 0.1 or more, the tag may be another: the most probable valid sequence of tags is the suggestion, and each
      span in which it differs from the given ones is one finding: ``missing``, ``extra``, ``boundary`` or ``type``.
    - The error probability of a span is that of the worst token of the given and the suggested span; that of a sentence is the
    one of its worst token.

    ``audit.items`` has for each sentence ``error_probability``, ``tokens``, ``given_spans`` and ``suggested_spans`` (JSON
    lists of ``[start, end, type]``) and ``elsewhere`` (labels of the same words elsewhere, if they suggest an error).

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> tokens = [["Ann", "met", "Bo", "Li"], ["Bo", "left"]] * 20
    >>> tags = [["B-PER", "O", "B-PER", "I-PER"], ["B-PER", "O"]] * 19 + [["B-PER", "O", "B-PER", "O"], ["O", "O"]]
    >>> true = [["B-PER", "O", "B-PER", "I-PER"], ["B-PER", "O"]] * 20
    >>> probs = [np.array([[0.96 if tag == name else 0.02 for name in ("B-PER", "I-PER", "O")] for tag in one]) for one in true]
    >>> found = lp.audit(lp.Spans(tokens, tags), probs)
    >>> found.issues.select("index", "kind", "start", "end", "suggested_start", "suggested_end").head(2).sort("index").rows()
    [(38, 'boundary', 2, 3, 2, 4), (39, 'missing', 0, 1, 0, 1)]
    """

    def judge(
        self,
        labels: Spans,
        pred_probs: object,
        ids: AnyArray | None = None,
        *,
        classes: Sequence[str] | None = None,
        groups: AnyArray | None = None,
    ) -> Judged:
        """Find the spans that are wrong.

        Parameters
        ----------
        labels : Spans
        pred_probs : list of array-like, each of shape (tokens, k), or array-like of shape (all tokens, k)
            Out-of-sample probability of each tag, of each sentence or of all one after the other. Columns are the given tags in sorted
            order.
        ids : ndarray, shape (n,), optional
        classes : sequence of length k, optional
            The tags in the order of the columns, in the scheme of the labels.
        groups : ndarray, shape (n,), optional
            The document of each sentence.
        """
        if not len(labels.classes):
            raise BadInput(
                "There are no spans, so no type is known. Check which column or field holds the tags, or name the types: lp.Spans(…, classes=[…])."
            )
        tokens = tokens_of(labels, pred_probs, classes, groups)
        if not len(tokens.given):
            raise BadInput("No sentence has a token, so there is nothing to audit.")
        evidence = Evidence(tokens)
        with one_thread():
            rows = fold.sample(evidence.mean, tokens.given, 0, len(tokens.given))
            names = [f"{letter}-{name}" for letter in "BI" for name in labels.classes] + ["O"]
            if can_learn(labels, tokens):
                errors = from_planted(learn(labels, tokens, evidence), tokens)
            else:
                errors = from_posterior(rows, tokens, names)
        found = sites_of(labels, tokens, evidence.mean, errors.probability)
        order = {"suggested_start": found.start, "suggested_end": found.end}
        sites = {name: pl.Series(values, dtype=pl.Int64) for name, values in order.items()}
        sites["kind"] = pl.Series(found.kind, dtype=pl.Enum(KINDS_OF_ERROR))
        confidence = np.maximum(found.error, 1 - found.error).astype(np.float32)
        return Judged(
            Findings(found.error, found.suggested, confidence),
            noise_from(found, errors.sentences),
            rate_of_sites(found.error, errors.sentences),
            of_probabilities(rows, names),
            items_of(found, tokens, errors.probability),
            sites,
            found.labels,
        )

    def dataset_of(self, labels: Spans) -> Dataset | None:
        """The sentences."""
        return Dataset(
            x=labels.tokens,
            labels=labels,
            ids=np.arange(labels.n),
            show_item=lambda i: Shown(text=" ".join(labels.tokens[i]) if labels.texts is None else labels.texts[i]),
            kind="sentences",
        )

    def predict(self, dataset: Dataset, how: CrossValidation, *, estimator: object, encoder: object) -> OutOfSample:
        """Predictions by the default tagger (`labelproof.auditing.tagging.tagger`)."""
        if estimator is not None or encoder not in (AUTO, NONE, None):
            raise BadInput(
                "estimator and encoder are no options of an audit of spans, which has its own tagger. Omit them, or give pred_probs of another tagger."
            )
        return cross_validated_tags(dataset, how)

    def noise_of(self, summary: Json) -> SpanNoise:
        """Rates of each kind of error by type."""
        return SpanNoise.from_json(summary)


AUDITOR = AuditorOfSpans()


def from_posterior(rows: fold.Sample, tokens: Tokens, names: Sequence[str]) -> TokenErrors:
    """The method for classes, for too few spans to plant errors in."""
    fitted = read_sharpness(rows, names)
    error = fold.score(tokens.mean, tokens.given, fitted.noise).error_probability
    estimate = float(tokens.worst(error).mean())
    ratio = fitted.error_rate
    assert ratio is not None
    low, high = (edge / max(ratio.estimate, 1e-9) for edge in (ratio.low, ratio.high))
    return TokenErrors(error, ErrorRate(estimate, min(1.0, low) * estimate, min(1.0, max(1.0, high) * estimate)))


def sites_of(labels: Spans, tokens: Tokens, mean: Matrix, error: Matrix) -> Sites:
    """Given and missing spans, with the suggestion for each."""
    c, may = len(labels.classes), allowed(len(labels.classes))
    doubtful = np.flatnonzero(tokens.worst(error) >= LEAST_SHOWN)
    given_at = {
        (i, a, b): row
        for row, (i, a, b) in enumerate(zip(*(x.tolist() for x in (labels.owner, labels.start, labels.end)), strict=True))
    }
    own = np.array([error[tokens.offsets[i] + a : tokens.offsets[i] + b].max() for i, a, b in given_at], float)
    changed: dict[int, tuple[Change, float]] = {}
    missing: list[tuple[int, Change, float]] = []
    for i in doubtful.tolist():
        part = slice(tokens.offsets[i], tokens.offsets[i + 1])
        for change in changes(spans_of(tokens.given[part], c), reading(tokens.given[part], mean[part], error[part], may)):
            worst = _worst(error[part], change)
            if change.given is None:
                missing.append((i, change, worst))
            else:
                changed[given_at[i, change.given[0], change.given[1]]] = (change, worst)
    places = [(i, change.suggested) for i, change, _ in missing if change.suggested is not None]
    more, order = labels.with_missing(
        *(
            np.array(column, np.int64)
            for column in ([i for i, _ in places], [s[0] for _, s in places], [s[1] for _, s in places])
        )
    )
    rows: list[tuple[Change | None, float]] = [changed.get(row, (None, float(value))) for row, value in enumerate(own.tolist())]
    rows += [(change, worst) for _, change, worst in missing]
    found = [rows[place] for place in order.tolist()]
    suggested = [code if change is None else change.code for code, (change, _) in zip(more.values.tolist(), found, strict=True)]
    spans = [None if change is None else change.suggested for change, _ in found]
    return Sites(
        more,
        np.array([value for _, value in found], float),
        np.array(suggested, np.int64),
        [None if span is None else span[0] for span in spans],
        [None if span is None else span[1] for span in spans],
        [None if change is None else change.kind for change, _ in found],
    )


def reading(given: IntArray, mean: Matrix, error: Matrix, may: npt.NDArray[np.bool_]) -> list[Coded]:
    """The most probable valid spans of a sentence: as given, except where the models suggest that a tag is wrong."""
    row, open_ = np.arange(len(given)), error >= LEAST_SHOWN
    scores = np.log(mean)
    kept = np.log(np.maximum(error, 1e-12))[:, None] + scores
    kept[row, given] = np.log1p(-np.minimum(error, 1 - 1e-12))
    return spans_of(best_reading(np.where(open_[:, None], scores, kept), may), (mean.shape[1] - 1) // 2)


def _worst(error: Matrix, change: Change) -> float:
    """The highest error probability of the tokens of both spans."""
    return max(float(error[span[0] : span[1]].max()) for span in (change.given, change.suggested) if span is not None)


def rate_of_sites(error: Matrix, sentences: ErrorRate) -> ErrorRate:
    """The mean error probability, with an interval as wide, relatively, as that of the sentences."""
    mean = float(error.mean()) if len(error) else 0.0
    scale = mean / sentences.estimate if sentences.estimate > 0 else 0.0
    return ErrorRate(mean, min(mean, sentences.low * scale), min(1.0, max(mean, sentences.high * scale)))


def noise_from(found: Sites, sentences: ErrorRate) -> SpanNoise:
    """Expected numbers of each kind of error."""
    c = len(found.labels.classes)
    counts = np.zeros((c + 1, c + 1))
    given = np.where(found.labels.values == ABSENT, c, found.labels.values)
    true = np.where(found.suggested == ABSENT, c, found.suggested)
    np.add.at(counts, (true, given), found.error)
    np.add.at(counts, (given, given), 1 - found.error)
    counts[c, c] = 0.0
    moved = np.array([kind == "boundary" for kind in found.kind], bool)
    boundary = float(found.error[moved].sum()) / max(int((given < c).sum()), 1)
    return SpanNoise(counts, boundary, (sentences.estimate, sentences.low, sentences.high), found.labels.classes)


def items_of(found: Sites, tokens: Tokens, error: Matrix) -> dict[str, pl.Series]:
    """The results of each sentence."""
    labels = found.labels
    given = labels.given_spans()
    suggested: list[list[tuple[int, int, str]]] = [[] for _ in range(labels.n)]
    told: list[list[str]] = [[] for _ in range(labels.n)]
    seen = Counter((_text(labels, i, a, b), name) for i, some in enumerate(given) for a, b, name in some)
    names = [*labels.classes]
    columns = (labels.owner, labels.start, labels.end, labels.values, found.suggested)
    for row, (i, a, b, old, new) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        start, end = found.start[row], found.end[row]
        if found.kind[row] is None:
            suggested[i].append((a, b, str(names[old])))
        elif start is not None and end is not None:
            suggested[i].append((start, end, str(names[new])))
        if found.kind[row] is not None:
            told[i] += _elsewhere(labels, seen, i, (a, b, None if old == ABSENT else str(names[old])))
    return {
        "error_probability": pl.Series(tokens.worst(error)),
        "tokens": pl.Series(labels.tokens, dtype=pl.List(pl.String)),
        "given_spans": pl.Series([as_json(some) for some in given], dtype=pl.String),
        "suggested_spans": pl.Series([as_json(sorted(some)) for some in suggested], dtype=pl.String),
        "elsewhere": pl.Series(["; ".join(some) or None for some in told], dtype=pl.String),
    }


def _text(labels: Spans, i: int, start: int, end: int) -> str:
    return " ".join(labels.tokens[i][start:end]).lower()


def _elsewhere(labels: Spans, seen: Counter[tuple[str, str]], i: int, span: tuple[int, int, str | None]) -> list[str]:
    """Labels of the words of a span elsewhere, if they differ."""
    start, end, here = span
    key = _text(labels, i, start, end)
    others = {str(name): seen[key, str(name)] for name in labels.classes if str(name) != here and seen[key, str(name)]}
    if not others:
        return []
    best = max(others, key=lambda name: others[name])
    own = " ".join(labels.tokens[i][start:end])
    times = "once" if others[best] == 1 else f"{others[best]} times"
    return [f"{own}: {best} {times} elsewhere, here {here or 'not given'}"]
