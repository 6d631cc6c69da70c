"""Tables 1 to 3 of the NMN paper, by its protocol on Corel5k, scene, composed and moving scenes; and on COCO and MSR-VTT.

Table 1: missing tags alone. Table 2: captions replaced by those of other items, 20 to 80 %. Table 3: videos, frames with their
video's tags, or the video as a bag. The rows are the paper's: the classifier, the classifier with the epochs of the second
stage (marked *), the noise network without and with features; without and with multiple instance learning (MIL). Also the
noise network initialised at the true rates, which shows the cost of estimating them.

For sets without captions, each item's tags are assigned at random to five captions. Tags of test items are those that are
true, or that their own captions name.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score

from labelproof.data.bags import Bags
from labelproof.data.frames import read_frame
from labelproof.data.picture_rows import PictureRows
from labelproof.data.readers.captions import Captions, read_captions
from labelproof.data.readers.tagged import frames_of
from labelproof.errors import BadInput
from labelproof.estimators.captioner.concepts import Concepts, words_of
from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier
from labelproof.estimators.tagger.precision import tag_precision
from labelproof.experiments.record import Record, Row, averaged, gained
from labelproof.experiments.scenes import PICTURED, SIDE, Scenes, compose, scene_network
from labelproof.networks.fcn_vgg16 import FCNVGG16
from labelproof.networks.mlp import MLP
from labelproof.noise.simulate import caption_replacement
from labelproof.noise.tag_rates import TagRates
from labelproof.report.plots import dots
from labelproof.saving.files import existing
from labelproof.validation import Json

CAPTIONS, FRAMES = 5, 26
REPLACED = {"nmn-table-1": (0,), "nmn-table-2": (1, 2, 3, 4), "nmn-table-3": (0,)}
SECOND = {"*": None, "NMN-FI": "feature-independent", "NMN-FD": "feature-dependent"}
ORACLE = "NMN-FI, true rates"
RATES = ("missing", "true_missing", "incorrect", "true_incorrect")
PICTURE = 224
VGG_OPTIONS = {"learning_rate": 1.5e-4}
WHERE = {
    "coco": "images train2014 and val2014 and captions_{train,val}2014.json of cocodataset.org, in annotations/, as coco/.",
    "msr-vtt": "train_val_videodatainfo.json of MSR-VTT 2016, and each clip's frames as frames/videoN/*.jpg, as msr-vtt/.",
}
Tags = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Tagging:
    """Items with captions, test items with true tags, and how to train on them.

    Attributes
    ----------
    noisy : callable
        Number of replaced captions of five, and seed, to given tags (n, k).
    poolings : dict of str to str
        Name in the table, and `NoisyTagClassifier.pooling`.
    options : dict
        Options of `NoisyTagClassifier`, including ``stages``.
    groups : tuple of length k
        Parts of speech.
    truth : ndarray of 0/1, shape (n, k), optional
        True tags of the training items, if they are known.
    """

    name: str
    x: Any
    noisy: Callable[[int, int], Tags]
    test: Any
    true: Tags
    network: Callable[[], torch.nn.Module]
    poolings: dict[str, str]
    options: Json
    groups: tuple[str, ...] = ()
    truth: Tags | None = None


class TableRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with the half-width of their 95 % intervals, in points, and what each gains on its row marked *."""
        columns = "data", "replaced", "pooling", "method"
        others = [*RATES, "human_ap", *(f"ap_{group}" for group in dict.fromkeys(PICTURED.values()))]
        found, rows = self.groups(*columns), []
        for key, seeds in found.items():
            base = {row["seed"]: row for row in found.get((*key[:-1], "*"), [])}
            means = averaged(seeds, "mean_ap") | gained(seeds, "mean_ap", base)
            for name in ("auroc_missing", "auroc_incorrect", *others):
                means[name] = averaged(seeds, name)[name]
            for name in others[len(RATES) + 1 :]:
                means |= {f"{name}_gain{end}": value for end, value in _ends(seeds, name, base).items()}
            rows.append({**dict(zip(columns, key, strict=True)), "seeds": len(seeds), **means})
        return rows


def _ends(rows: list[Row], name: str, base: dict[object, Row]) -> dict[str, float | None]:
    """Gain of a column that not all rows have, and half of its interval."""
    known = [row for row in rows if row.get(name) is not None and base.get(row["seed"], {}).get(name) is not None]
    found = gained(known, name, base)
    return {"": found["gain"], "_±": found["gain_±"]}


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """One of the three tables, by the record's name."""
    table = record.path.stem
    record = TableRecord(record.path, record.rows, record.skipped)
    if data is None:
        raise BadInput(f"{table} needs --data: the folder of real data.")
    others = [] if quick else _published(record, table, data)
    for seed in range(seeds):
        for problem in [*problems(table, data, seed, quick=quick), *others]:
            for replaced in REPLACED[table][:1] if quick else REPLACED[table]:
                given = problem.noisy(replaced, seed)
                for name, pooling in problem.poolings.items():
                    measure(record, problem, given, replaced, (name, pooling), seed)
    _drawn(record)
    return record


def problems(table: str, data: Path, seed: int, *, quick: bool = False) -> list[Tagging]:
    """The parts of a table."""
    if table == "nmn-table-3":
        return [_moving(data, seed, 40 if quick else 1500)]
    n = 100 if quick else 5000
    made = [composed_scenes(data, seed, n), *([] if quick else [composed_scenes(data, seed, n, described=True)])]
    return made if quick else [tagged_set(data, "corel5k", seed), tagged_set(data, "scene", seed), *made]


def tagged_set(data: Path, name: str, seed: int) -> Tagging:
    """Corel5k or scene, their tags dealt out to five captions."""
    with np.load(existing(data / f"{name}.npz", "file")) as file:
        x, y, test, true = (file[part] for part in ("x_train", "y_train", "x_test", "y_test"))
    rng = np.random.default_rng(seed)
    dealt = rng.integers(0, CAPTIONS, y.shape)
    captions = np.stack([(y == 1) & (dealt == caption) for caption in range(CAPTIONS)], axis=1).astype(np.int8)
    width, dropout = (512, 0.8) if name == "corel5k" else (256, 0.5)
    return Tagging(
        name, x.astype(np.float32), partial(_replaced, captions), test.astype(np.float32), true.astype(np.int8),
        lambda: MLP(y.shape[1], x.shape[1], hidden=(width,), dropout=dropout), {"no MIL": "none"},
        {"stages": (10, 5), "learning_rate": 1e-3}, truth=y.astype(np.int8),
    )  # fmt: skip


def composed_scenes(data: Path, seed: int, n: int, *, described: bool = False) -> Tagging:
    """Digits on a canvas; described ones have sizes and relations too, and parts of speech."""
    train = compose(data, n, described=described, seed=seed)
    test = compose(data, max(100, n // 4), described=described, seed=seed, test=True)
    stages, groups = ((12, 6), tuple(PICTURED.values())) if described else ((8, 4), ())
    return Tagging(
        "described scenes" if described else "composed scenes", pixels_of(train.x), partial(_replaced, train.captions),
        pixels_of(test.x), test.true, scene_network,
        {"MIL": "noisy-or"} if described else {"no MIL": "none", "MIL": "noisy-or"},
        {"stages": stages if n > 1000 else (1, 1), "batch_size": 32}, groups, train.true,
    )  # fmt: skip


def _moving(data: Path, seed: int, n: int) -> Tagging:
    train, test = (compose(data, m, videos=True, seed=seed, test=t) for m, t in ((n, False), (max(40, n // 3), True)))
    return filmed_scenes(train, test, quick=n < 1000)


def filmed_scenes(train: Scenes, test: Scenes, *, quick: bool = False) -> Tagging:
    """Videos of moving digits."""
    return Tagging(
        "moving scenes", _frames(train.x), partial(_replaced, train.captions), _frames(test.x), test.true,
        scene_network, {"frame": "none", "video, MIL": "noisy-or"},
        {"stages": (1, 1) if quick else (12, 6), "batch_size": 8, "learning_rate": 1e-3},
        truth=train.true,
    )  # fmt: skip


def _replaced(captions: Tags, replaced: int, seed: int) -> Tags:
    return np.asarray(caption_replacement(captions, replaced, random_state=seed).labels, np.int8)


def _published(record: Record, table: str, data: Path) -> list[Tagging]:
    """COCO or MSR-VTT, if the folder of data has them."""
    name = "msr-vtt" if table == "nmn-table-3" else "coco"
    weights = published(record, name, data)
    if weights is None:
        return []
    return [msr_vtt_films(data / name, weights)[0] if name == "msr-vtt" else _coco(data / name, weights)]


def published(record: Record, name: str, data: Path) -> Path | None:
    """VGG16's weights, if the folder of data has them and the set; otherwise the record notes what is missing."""
    weights = next((file for ending in ("safetensors", "pth") for file in data.glob(f"vgg16*.{ending}")), None)
    if not (data / name).is_dir():
        record.skipped.append(f"{name} is not in {str(data)!r}: {WHERE[name]}")
        return None
    if weights is None:
        record.skipped.append(
            f"{name} needs VGG16: put torchvision's vgg16-397923af.pth, from pytorch.org, into {str(data)!r}."
        )
    return weights


def _coco(folder: Path, weights: Path) -> Tagging:
    """Half of the validation images are for tests, every second one."""
    train = read_captions(folder / "annotations" / "captions_train2014.json", folder=folder / "train2014")
    other = read_captions(folder / "annotations" / "captions_val2014.json", folder=folder / "val2014")
    concepts = Concepts.of(train, min(1000, _different_words(train)), groups=_parts_of_speech(folder))
    test = PictureRows([folder / "val2014" / name for name in other.files[1::2]], PICTURE)
    return Tagging(
        "coco", PictureRows([folder / "train2014" / name for name in train.files], PICTURE),
        lambda replaced, seed: concepts.tags(train.with_replaced(replaced / CAPTIONS, random_state=seed)),
        test, concepts.tags(other)[1::2], lambda: _vgg16(len(concepts.words), weights),
        {"no MIL": "none", "MIL": "noisy-or"}, {**VGG_OPTIONS, "stages": (3, 2), "batch_size": 16}, concepts.groups,
    )  # fmt: skip


def msr_vtt_films(folder: Path, weights: Path) -> tuple[Tagging, Captions, Captions, Concepts]:
    """Videos as folders of frames, ``frames/video0/…``, 26 of each; captions for training and for tests, and their concepts."""
    captions = read_captions(folder / "train_val_videodatainfo.json", folder=folder / "frames")
    train, test = captions.split("train"), captions.split("validate")
    concepts = Concepts.of(train, min(1087, _different_words(train)), groups=_parts_of_speech(folder))
    videos = ([frames_of(folder / "frames" / name, FRAMES) for name in part.files] for part in (train, test))
    x, other = (PictureRows(own, PICTURE) for own in videos)
    tagging = Tagging(
        "msr-vtt", x, lambda replaced, seed: concepts.tags(train.with_replaced(replaced / CAPTIONS, random_state=seed)),
        other, concepts.tags(test), lambda: _vgg16(len(concepts.words), weights),
        {"frame": "none", "video, MIL": "noisy-or"}, {**VGG_OPTIONS, "stages": (3, 2), "batch_size": 2}, concepts.groups,
    )  # fmt: skip
    return tagging, train, test, concepts


def _different_words(captions: Captions) -> int:
    return len({word for own in captions.captions for text in own for word in words_of(text)})


def _parts_of_speech(folder: Path) -> dict[str, str] | None:
    """A table of words and their parts of speech, ``words.csv`` with the columns word and group, if there is one."""
    file = folder / "words.csv"
    if not file.exists():
        return None
    frame = read_frame(file, text_columns=["word", "group"])
    return dict(zip(frame["word"].to_list(), frame["group"].to_list(), strict=True))


def _vgg16(tags: int, weights: Path) -> torch.nn.Module:
    network = FCNVGG16(tags)
    network.load_vgg16(weights)
    return network


def pixels_of(x: Any) -> npt.NDArray[np.float32]:
    return np.asarray(x.reshape(len(x), 1, SIDE, SIDE) / 255 - 0.5, np.float32)


def _frames(bags: Any) -> Bags:
    return Bags(pixels_of(bags.instances), bags.sizes)


def measure(record: Record, problem: Tagging, given: Tags, replaced: int, pooling: tuple[str, str], seed: int) -> None:
    """All rows of one part of a table: the first stage is trained once."""
    base = {"data": problem.name, "replaced": replaced, "pooling": pooling[0], "seed": seed}
    asked = ("baseline", *SECOND, *([ORACLE] if problem.truth is not None and pooling[0] != "frame" else []))
    todo = [name for name in asked if not record.has(**base, method=name)]
    if not todo:
        return
    torch.manual_seed(seed)
    options = {**problem.options, "backbone": problem.network(), "pooling": pooling[1], "random_state": seed}
    first, second = options.pop("stages")
    keep: Any = record.measuring(**base, method="baseline") if "baseline" in todo else nullcontext({})
    with keep as row:
        # its noise network is estimated here, once for all rows, and not trained
        model = NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(problem.x, given)
        row.update(_scores(model, problem, given, noise=False))
    for name in todo:
        if name != "baseline":
            with record.measuring(**base, method=name) as row:
                noise, rates = SECOND.get(name, "feature-independent"), true_rates(problem, given) if name == ORACLE else None
                last = NoisyTagClassifier(noise=noise, stages=(0, second), **options)
                last.fit(problem.x, given, pretrained=model, rates=rates)
                row.update(_scores(last, problem, given, noise=noise is not None))


def true_rates(problem: Tagging, given: Tags) -> TagRates:
    """The counted rates of missing and incorrect tags."""
    assert problem.truth is not None
    rates = []
    for true in (1, 0):
        own = problem.truth == true
        rates.append(
            np.array([(given[own[:, j], j] != true).mean() if own[:, j].any() else np.nan for j in range(own.shape[1])])
        )
    return TagRates(rates[0], rates[1], tuple(range(given.shape[1])))


def _scores(model: NoisyTagClassifier, problem: Tagging, given: Tags, *, noise: bool) -> Row:
    """Average precision on test items; for a noise network its estimates, and how well wrong tags are detected."""
    wrong, error = given != problem.noisy(0, 0), model.error_probability_
    found_at = tag_precision(problem.true, model.decision_function(problem.test), groups=problem.groups or None)
    found: Row = {"mean_ap": 100 * found_at.mean}
    if problem.groups:
        found |= {f"ap_{group}": 100 * value for group, value in found_at.groups.items()}
    if not noise:
        return found
    said = tag_precision(problem.true, model.predict_given_proba(problem.test)).mean
    found |= {"human_ap": 100 * said, "missing": _mean(model.missing_), "incorrect": _mean(model.incorrect_)}
    if problem.truth is not None:
        true = true_rates(problem, given)
        found |= {"true_missing": _mean(true.missing_rates), "true_incorrect": _mean(true.incorrect_rates)}
    for name, value in (("auroc_missing", 0), ("auroc_incorrect", 1)):
        own = given == value
        found[name] = float(roc_auc_score(wrong[own], error[own])) if len(np.unique(wrong[own])) == 2 else None
    return found


def _mean(rates: npt.NDArray[np.float64]) -> float:
    return float(np.nanmean(rates))


def _drawn(record: TableRecord) -> None:
    rows = record.summary()
    if not rows:
        return
    panels = sorted({(row["data"], row["replaced"]) for row in rows})
    dots(
        {
            f"{data}, {20 * replaced} %": [
                (f"{r['method'].replace('*', 'baseline*')}, {r['pooling']}", r["mean_ap"] / 100, r["mean_ap_±"] / 100)
                for r in rows if (r["data"], r["replaced"]) == (data, replaced)
            ]
            for data, replaced in panels
        },
        record.path.with_suffix(".png"),
        title="Mean average precision of true tags, by share of captions replaced",
        columns=min(2, len(panels)),
        marked="baseline*",
    )  # fmt: skip
