"""Table 4 of the NMN paper: captions from the concepts of three taggers, on moving scenes; and on MSR-VTT.

The taggers (the baseline with the epochs of the second stage, NMN-FI, NMN-FD; all with multiple instance learning) are trained on the
words of noisy captions, on scenes with one of five replaced by another video's. Their concept probabilities of each frame feed
the same captioner, trained on the same noisy captions. For comparison: the commonest caption, a captioner that sees no video,
and one that is shown the words of the clean captions.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 3.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelproof.data.readers.captions import Captions
from labelproof.errors import BadInput
from labelproof.estimators.captioner.concept_captioner import ConceptCaptioner
from labelproof.estimators.captioner.concepts import Concepts
from labelproof.estimators.captioner.scores import caption_scores
from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier
from labelproof.experiments.nmn import SECOND, filmed_scenes, msr_vtt_films, published
from labelproof.experiments.record import Record, Row, averaged, gained
from labelproof.experiments.scenes import CONTENT, SPEECH, Scenes, compose, scene_network
from labelproof.report.plots import dots
from labelproof.validation import Json

REPLACED = 1
VIDEOS = 750  # half as many as in table 3: ten seeds tell more than three with all
TAGGERS = {"baseline*-MIL": "*", "NMN-FI-MIL": "NMN-FI", "NMN-FD-MIL": "NMN-FD"}
COMMONEST, BLIND, CLEAN = "the commonest caption", "no video", "words of the clean captions"
SCORES = ("CIDEr", "BLEU-4", "ROUGE-L", "METEOR")


@dataclass(frozen=True)
class Films:
    """Videos with captions, test videos with clean ones, and how to train on them.

    Attributes
    ----------
    x, test : Bags of pictures, or PictureRows of videos
    captions : Captions
        Noisy.
    clean : Captions
        Captions of the training videos, without replaced ones.
    references : Captions
        Captions of the test videos.
    concepts : Concepts
    tagger, captioner : dict
        Options of `NoisyTagClassifier` (``stages`` too) and of `ConceptCaptioner`.
    meteor : bool
        Whether it is wanted: its program takes seconds to start.
    """

    name: str
    x: Any
    captions: Captions
    clean: Captions
    test: Any
    references: Captions
    concepts: Concepts
    network: Callable[[], torch.nn.Module]
    tagger: Json
    captioner: Json
    meteor: bool = True


class CaptionRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with the half-width of their 95 % intervals, and what each gains in CIDEr on the baseline of the same seeds."""
        found, rows = self.groups("data", "concepts"), []
        for (data, concepts), seeds in found.items():
            base = {row["seed"]: row for row in found.get((data, next(iter(TAGGERS))), [])}
            shown: Row = {"data": data, "concepts": concepts, "seeds": len(seeds)}
            for name in SCORES:
                shown |= averaged(seeds, name)
            rows.append(shown | gained(seeds, "CIDEr", base))
        return rows


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Captions of three taggers' concepts, and their baselines."""
    record = CaptionRecord(record.path, record.rows, record.skipped)
    if data is None:
        raise BadInput("nmn-table-4 needs --data: the folder of real data.")
    weights = None if quick else published(record, "msr-vtt", data)
    for seed in range(seeds):
        _measure(record, moving(data, seed, 60 if quick else VIDEOS, quick=quick), seed)
        if weights is not None:
            _measure(record, _msr_vtt(data / "msr-vtt", weights), seed)
    _drawn(record)
    return record


def moving(data: Path, seed: int, n: int, *, quick: bool = False) -> Films:
    """Scenes of moving digits; one of five training captions is another video's."""
    train, test = (compose(data, m, videos=True, seed=seed, test=t) for m, t in ((n, False), (max(20, n // 3), True)))
    clean = _captions(train)
    problem = filmed_scenes(train, test, quick=quick)
    captioner = {"hidden": 128, "concept_size": 128, "word_size": 64, "epochs": 8, "dropout": 0.3}
    return Films(
        problem.name, problem.x, clean.with_replaced(REPLACED / 5, random_state=seed), clean, problem.test, _captions(test),
        Concepts.of(clean, words=CONTENT, groups=SPEECH), scene_network,
        {**problem.options, "pooling": "noisy-or"},
        {**captioner, "hidden": 16, "epochs": 2} if quick else captioner, meteor=not quick,
    )  # fmt: skip


def _captions(scenes: Scenes) -> Captions:
    n = len(scenes.sentences)
    return Captions(tuple(range(n)), scenes.sentences, ("",) * n, ("",) * n)


def _msr_vtt(folder: Path, weights: Path) -> Films:
    """The paper's own setting: unchanged captions."""
    problem, train, test, concepts = msr_vtt_films(folder, weights)
    tagger = {**problem.options, "pooling": "noisy-or"}
    return Films("msr-vtt", problem.x, train, train, problem.test, test, concepts, problem.network, tagger, {"epochs": 20})


def _measure(record: Record, films: Films, seed: int) -> None:
    """All rows of one set: the first stage of the taggers is trained once."""
    base = {"data": films.name, "seed": seed}
    _compared(record, films, base)
    todo = {shown: name for shown, name in TAGGERS.items() if not record.has(**base, concepts=shown)}
    if not todo:
        return
    torch.manual_seed(seed)
    options = {**films.tagger, "backbone": films.network(), "random_state": seed}
    first, second = options.pop("stages")
    tags = films.concepts.tags(films.captions)
    # its noise network is estimated here, once for all rows, and not trained
    begun = NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(films.x, tags)
    for shown, name in todo.items():
        with record.measuring(**base, concepts=shown) as row:
            tagger = NoisyTagClassifier(noise=SECOND[name], stages=(0, second), **options).fit(films.x, tags, pretrained=begun)
            row |= _scores(films, tagger.predict_instance_proba(films.x), tagger.predict_instance_proba(films.test), seed)


def _compared(record: Record, films: Films, base: Row) -> None:
    """The baselines of captions from concepts."""
    n, seed = len(films.references), base["seed"]
    if not record.has(**base, concepts=COMMONEST):
        with record.measuring(**base, concepts=COMMONEST) as row:
            counts = Counter(text for own in films.captions.captions for text in own)
            row |= _values([counts.most_common(1)[0][0]] * n, films)
    if not record.has(**base, concepts=BLIND):
        with record.measuring(**base, concepts=BLIND) as row:
            row |= _scores(films, np.ones((len(films.captions), 1, 1)), np.ones((n, 1, 1)), seed)
    if not record.has(**base, concepts=CLEAN):
        with record.measuring(**base, concepts=CLEAN) as row:
            told, asked = (films.concepts.tags(of)[:, None].astype(np.float32) for of in (films.clean, films.references))
            row |= _scores(replace(films, captions=films.clean), told, asked, seed)


def _scores(films: Films, x: Any, test: Any, seed: int) -> Row:
    """Scores of a captioner trained on concepts of frames, on test videos."""
    captioner = ConceptCaptioner(random_state=seed, **films.captioner).fit(x, films.captions)
    return _values(captioner.caption(test), films)


def _values(written: list[str], films: Films) -> Row:
    scores = caption_scores(written, films.references, meteor=films.meteor)
    values: dict[str, float | None] = {name: scores.values.get(name) for name in SCORES}
    return {**values, "different": len(set(written))}


def _drawn(record: CaptionRecord) -> None:
    rows = record.summary()
    dots(
        {
            data: [(row["concepts"], row["CIDEr"], row["CIDEr_±"]) for row in rows if row["data"] == data]
            for data in dict.fromkeys(row["data"] for row in rows)
        },
        record.path.with_suffix(".png"),
        title="CIDEr of captions of test videos",
        columns=1,
        marked=next(iter(TAGGERS)),
        percent=False,
    )  # fmt: skip
