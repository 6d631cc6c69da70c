"""The NMN paper's tables, in small."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from commands import run
from labelproof.experiments import Record, nmn, nmn_captions, nmn_words
from labelproof.experiments.nmn import ORACLE, SECOND, TableRecord, problems
from labelproof.experiments.nmn_captions import BLIND, CLEAN, COMMONEST, TAGGERS, CaptionRecord
from labelproof.experiments.nmn_evidence import METHODS, OMITTED, REPLACED, sizes_at
from labelproof.networks import SmallConvNet


@pytest.mark.slow
@pytest.mark.parametrize(("table", "pooling"), [("nmn-table-2", "MIL"), ("nmn-table-3", "video, MIL")])
def test_a_table_is_made_and_goes_on(real_data, tmp_path, table, pooling):
    command = ["reproduce", table, "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / f"{table}.json").read_text())["rows"]
    assert {row["method"] for row in rows if row["pooling"] == pooling} == {"baseline", *SECOND, ORACLE}
    for row in rows:
        assert ("true_missing" in row) == (row["method"] not in ("baseline", "*"))  # estimated beside true
    assert all(0 < row["mean_ap"] < 100 for row in rows)
    assert Image.open(tmp_path / f"{table}.png").width > 400
    if table == "nmn-table-3":
        return
    kept = [row for row in rows if row["method"] != "NMN-FI"]
    (tmp_path / f"{table}.json").write_text(json.dumps({"rows": kept}))
    assert run(*command).returncode == 0  # only what is missing is measured
    again = json.loads((tmp_path / f"{table}.json").read_text())["rows"]
    assert again[: len(kept)] == kept
    assert len(again) == len(rows)
    missing = run("reproduce", table, "--data", tmp_path / "none", "--out", tmp_path / "b")
    assert missing.returncode == 2


@pytest.mark.slow
def test_captions_of_three_taggers_are_compared(real_data, tmp_path):
    command = ["reproduce", "nmn-table-4", "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "nmn-table-4.json").read_text())
    assert {row["concepts"] for row in content["rows"]} == {*TAGGERS, BLIND, CLEAN, COMMONEST}
    blind = next(row for row in content["rows"] if row["concepts"] == BLIND)
    assert blind["different"] == 1  # who sees no video says one thing of all
    assert Image.open(tmp_path / "nmn-table-4.png").width > 300
    (tmp_path / "nmn-table-4.json").write_text(json.dumps({"rows": content["rows"][:-1]}))
    assert run(*command).returncode == 0
    again = json.loads((tmp_path / "nmn-table-4.json").read_text())["rows"]
    assert again[:-1] == content["rows"][:-1]
    assert len(again) == len(content["rows"])


def test_scores_of_captions_gain_on_the_baseline_of_the_same_seed(tmp_path):
    point = {"data": "a", "BLEU-4": 0.1, "ROUGE-L": 0.2, "METEOR": None}
    made = [("baseline*-MIL", 0, 0.5), ("baseline*-MIL", 1, 0.7), ("NMN-FI-MIL", 0, 0.6), ("NMN-FI-MIL", 1, 0.9)]
    rows = [{**point, "concepts": name, "seed": seed, "CIDEr": value} for name, seed, value in made]
    found = {row["concepts"]: row for row in CaptionRecord(tmp_path / "x.json", rows).summary()}
    assert found["NMN-FI-MIL"]["gain"] == pytest.approx(0.15)
    assert found["NMN-FI-MIL"]["METEOR"] is None
    assert found["baseline*-MIL"]["gain"] == 0


def test_gains_are_paired_by_seed(tmp_path):
    point = {"data": "a", "replaced": 2, "pooling": "MIL", "auroc_missing": 0.5, "auroc_incorrect": None}
    made = [("*", 0, 10.0), ("*", 1, 20.0), ("NMN-FD", 0, 11.0), ("NMN-FD", 1, 21.2), ("NMN-FD", 2, 99.0)]
    rows = [{**point, "method": name, "seed": seed, "mean_ap": value} for name, seed, value in made]
    found = {row["method"]: row for row in TableRecord(tmp_path / "x.json", rows).summary()}
    assert found["NMN-FD"]["gain"] == pytest.approx(1.1)
    assert found["NMN-FD"]["gain_±"] == pytest.approx(12.7062 * 0.1, rel=1e-3)  # of Student with one degree of freedom
    assert found["NMN-FD"]["seeds"] == 3
    assert found["*"]["gain"] == 0
    assert found["*"]["auroc_incorrect"] is None


def test_tags_are_dealt_to_five_captions(real_data):
    corel, scene, composed, described = problems("nmn-table-1", real_data, 0)
    with np.load(real_data / "corel5k.npz") as file:
        assert np.array_equal(corel.noisy(0, 0), file["y_train"])
    assert 0.15 < (corel.noisy(1, 0) != corel.noisy(0, 0)).sum() / corel.noisy(0, 0).sum() / 2 < 0.25
    assert scene.noisy(4, 0).shape == (1211, 6)
    assert composed.true.shape[1] == 10
    assert [described.groups.count(group) for group in ("NN", "JJ", "VB")] == [10, 2, 2]


def test_published_sets_are_read_from_their_folders(real_data, tmp_path, monkeypatch):
    """COCO's and MSR-VTT's form, in small; without them the note says where they come from."""
    rng = np.random.default_rng(0)
    words, number = ["dog", "cat", "car", "tree"], iter(range(1000))
    coco, video = tmp_path / "coco", tmp_path / "msr-vtt"
    for part in ("train2014", "val2014"):
        (coco / part).mkdir(parents=True)
        images = [{"id": next(number)} for _ in range(8)]
        for image in images:
            image["file_name"] = f"{image['id']}.jpg"
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(coco / part / image["file_name"])
        said = [{"image_id": i["id"], "caption": f"a {words[(i['id'] + j) % 4]}"} for i in images for j in (0, 0, 1, 1, 1)]
        (coco / "annotations").mkdir(exist_ok=True)
        (coco / "annotations" / f"captions_{part}.json").write_text(json.dumps({"images": images, "annotations": said}))
    (coco / "words.csv").write_text("word,group\ndog,NN\ncat,NN\na,DT\n")
    videos = [{"video_id": f"video{i}", "split": "train" if i < 4 else "validate"} for i in range(7)]
    for clip in videos:
        (video / "frames" / clip["video_id"]).mkdir(parents=True)
        for frame in range(3):
            Image.new("RGB", (20, 20), (60 * frame, 0, 0)).save(video / "frames" / clip["video_id"] / f"{frame}.jpg")
    said = [
        {"video_id": clip["video_id"], "caption": f"the {words[(i + j) % 4]}"} for i, clip in enumerate(videos) for j in (0, 1)
    ]
    (video / "train_val_videodatainfo.json").write_text(json.dumps({"videos": videos, "sentences": said}))
    monkeypatch.setattr("labelproof.experiments.nmn.PICTURE", 32)
    monkeypatch.setattr("labelproof.experiments.nmn.problems", lambda *_, **__: [])
    monkeypatch.setattr("labelproof.experiments.nmn._vgg16", lambda tags, _: SmallConvNet(tags, 3, 4))
    without = Record.open(tmp_path, "nmn-table-1")
    nmn.run(without, data=real_data, seeds=1, quick=False)
    assert "cocodataset.org" in without.skipped[0]
    bare = Record.open(tmp_path, "nmn-table-1")
    nmn.run(bare, data=tmp_path, seeds=1, quick=False)
    assert "pytorch.org" in bare.skipped[0]
    (tmp_path / "vgg16.pth").write_bytes(b"")
    for table in ("nmn-table-1", "nmn-table-3"):
        found = nmn.run(Record.open(tmp_path, table), data=tmp_path, seeds=1, quick=False)
        assert len(found.rows) == 8
        assert found.skipped == []
    first = json.loads((tmp_path / "nmn-table-1.json").read_text())["rows"][0]
    assert first["data"] == "coco"
    assert 0 < first["ap_NN"] <= 100
    monkeypatch.setattr("labelproof.experiments.nmn_captions.moving", lambda *_, **__: None)
    monkeypatch.setattr("labelproof.experiments.nmn_captions._measure", partial(_only_published, nmn_captions._measure))
    found = nmn_captions.run(Record.open(tmp_path, "nmn-table-4"), data=tmp_path, seeds=1, quick=False)
    assert {row["concepts"] for row in found.rows} >= set(TAGGERS)
    assert all(0 <= row["CIDEr"] <= 10 for row in found.rows)


def _only_published(measure, record, films, seed):
    """Small ones, as these have seven videos."""
    if films is not None:
        small = {"epochs": 2, "hidden": 8, "concept_size": 8, "word_size": 8, "min_count": 1}
        measure(record, replace(films, captioner=small, meteor=False), seed)


@pytest.mark.slow
def test_words_of_the_first_scenes_that_differ_are_shown(real_data, tmp_path):
    done = run("reproduce", "nmn-figure-4", "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "nmn-figure-4.json").read_text())["rows"]
    assert [row["tagger"] for row in rows] == ["baseline*", "NMN-FD"]
    assert all(row["scenes"] == 100 and row["missing"] >= 0 for row in rows)
    assert nmn_words._marked(np.array([1, 1, 0] + [0] * 11), np.array([1, 0, 1] + [0] * 11)) == [
        ("", "zero"), ("✗", "one"), ("+", "two"),
    ]  # fmt: skip


def test_sizes_are_of_the_digit_where_the_tag_scores_highest():
    maps = np.zeros((1, 2, 6, 6), np.float32)
    maps[0, 0, 0, 0], maps[0, 1, 5, 5] = 1, 1
    places = np.array([[[6.0, 6.0, 11.0], [40.0, 44.0, 19.0], [np.nan] * 3, [np.nan] * 3]])
    assert sizes_at(maps, places).tolist() == [[11.0, 19.0]]


@pytest.mark.slow
def test_noise_that_depends_on_size_is_compared(real_data, tmp_path):
    done = run("reproduce", "nmn-evidence", "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "nmn-evidence.json").read_text())["rows"]
    assert {(row["case"], row["method"]) for row in rows} == {
        (case, method) for case in (OMITTED, REPLACED) for method in METHODS
    }
    told = next(row for row in rows if row["case"] == OMITTED and "true" in row)
    assert len(told["learned"]) == len(told["true"]) == 11
    assert told["true_missing"] > 0.25
    assert Image.open(tmp_path / "nmn-evidence.png").width > 300
