"""Scores of captions: BLEU, METEOR, ROUGE-L and CIDEr, as pycocoevalcap computes them."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelproof.data.readers.captions import Captions
from labelproof.errors import BadInput, MissingDependency
from labelproof.estimators.captioner.concepts import words_of
from labelproof.extras import needed_by

TOKENIZERS = ("words", "ptb")
Said = dict[int, list[str]]


@dataclass(frozen=True)
class CaptionScores:
    """Scores of a set of captions.

    Attributes
    ----------
    values : dict of str to float
        ``BLEU-1`` to ``BLEU-4``, ``ROUGE-L`` and ``METEOR`` in [0, 1], ``CIDEr`` from 0 to 10.
    missing : dict of str to str
        Scores that could not be computed, and why; they are not in ``values``.
    """

    values: dict[str, float]
    missing: dict[str, str]


def caption_scores(
    captions: Sequence[str], references: Captions | Sequence[Sequence[str]], *, tokenizer: str = "words", meteor: bool = True
) -> CaptionScores:
    """Score captions against reference captions by people.

    Parameters
    ----------
    captions : sequence of n str
    references : Captions, or sequence of length n of sequences of str
        One or more for each item.
    tokenizer : {"words", "ptb"}
        Words in lower case without punctuation, or the tokens of the Penn Treebank, which published figures use and which need
        Java.
    meteor : bool
        Whether to compute METEOR, which needs Java.

    Raises
    ------
    MissingDependency
        Without pycocoevalcap, or without Java for ``tokenizer="ptb"`` or METEOR.
    BadInput
        If the numbers of captions and of references differ, or an item has no reference.

    References
    ----------
    Papineni et al. (2002), BLEU; Denkowski and Lavie (2014), Meteor universal; Lin (2004), ROUGE; Vedantam et al. (2015), CIDEr.

    Examples
    --------
    >>> import labelproof as lp
    >>> captions = ["a dog runs on grass", "a red car"]
    >>> found = lp.caption_scores(captions, [["a dog is running on grass"], ["a red car", "the car is red"]], meteor=False)
    >>> sorted(found.values)
    ['BLEU-1', 'BLEU-2', 'BLEU-3', 'BLEU-4', 'CIDEr', 'ROUGE-L']
    """
    others = list(references.captions if isinstance(references, Captions) else references)
    if len(captions) != len(others) or not others:
        raise BadInput(f"There are {len(captions)} captions but references of {len(others)} items. Give one caption per item.")
    for row, own in enumerate(others):
        if isinstance(own, str) or not len(own):
            raise BadInput(f"item {row} has the references {own!r}. Give a list of one or more.")
    if tokenizer not in TOKENIZERS:
        raise BadInput(f"tokenizer is {tokenizer!r}. Give one of {', '.join(TOKENIZERS)}.")
    written = _tokenized({row: [text] for row, text in enumerate(captions)}, tokenizer)
    wanted = _tokenized({row: list(own) for row, own in enumerate(others)}, tokenizer)
    values: dict[str, float] = {}
    for names, scorer in _scorers():
        with contextlib.redirect_stdout(io.StringIO()):  # it prints lengths
            found, _ = scorer.compute_score(wanted, written)
        values |= dict(zip(names, map(float, found if isinstance(found, list) else [found]), strict=True))
    missing = {}
    if meteor:
        try:
            values["METEOR"] = _meteor(wanted, written)
        except (MissingDependency, OSError, ValueError) as error:
            missing["METEOR"] = str(error)
    return CaptionScores(values, missing)


def _scorers() -> list[tuple[list[str], Any]]:
    with needed_by("caption_scores"):
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    return [([f"BLEU-{n}" for n in range(1, 5)], Bleu(4)), (["ROUGE-L"], Rouge()), (["CIDEr"], Cider())]


def _tokenized(said: Said, tokenizer: str) -> Said:
    if tokenizer == "words":
        return {row: [" ".join(words_of(text)) for text in own] for row, own in said.items()}
    _scorers()
    _need_java("the Penn Treebank's tokenizer")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    found: Said = PTBTokenizer().tokenize({row: [{"caption": text} for text in own] for row, own in said.items()})
    return found


def _meteor(wanted: Said, written: Said) -> float:
    _need_java("METEOR")
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        return float(scorer.compute_score(wanted, written)[0])
    except ValueError as error:
        said = scorer.meteor_p.stderr.read1().decode(errors="replace").strip().splitlines()
        raise ValueError(f"METEOR's program failed: {said[0] if said else error}") from error
    finally:
        for pipe in (scorer.meteor_p.stdout, scorer.meteor_p.stderr):
            pipe.close()


def _need_java(what: str) -> None:
    if shutil.which("java") is None:
        raise MissingDependency(
            f"{what} needs Java, which is not on the path. Install a Java runtime, e.g. default-jre-headless."
        )
