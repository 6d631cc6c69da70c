"""The NMN paper's tables, in small."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from commands import run
from labelproof.experiments.nmn import TableRecord, problems


@pytest.mark.slow
@pytest.mark.parametrize(("table", "pooling"), [("nmn-table-2", "MIL"), ("nmn-table-3", "video, MIL")])
def test_a_table_is_made_and_goes_on(real_data, tmp_path, table, pooling):
    command = ["reproduce", table, "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / f"{table}.json").read_text())["rows"]
    assert {row["method"] for row in rows if row["pooling"] == pooling} == {"baseline", "*", "NMN-FI", "NMN-FD"}
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


def test_gains_are_paired_by_seed(tmp_path):
    point = {"data": "a", "replaced": 2, "pooling": "MIL", "auroc_missing": 0.5, "auroc_incorrect": None}
    made = [("*", 0, 10.0), ("*", 1, 20.0), ("NMN-FD", 0, 11.0), ("NMN-FD", 1, 21.2), ("NMN-FD", 2, 99.0)]
    rows = [{**point, "method": name, "seed": seed, "mean_ap": value} for name, seed, value in made]
    found = {row["method"]: row for row in TableRecord(tmp_path / "x.json", rows).summary()}
    assert found["NMN-FD"]["gain"] == pytest.approx(1.1)
    assert found["NMN-FD"]["gain_±"] == pytest.approx(1.96 * 0.1, rel=1e-3)
    assert found["NMN-FD"]["seeds"] == 3
    assert found["*"]["gain"] == 0
    assert found["*"]["auroc_incorrect"] is None


def test_tags_are_dealt_to_five_captions(real_data):
    corel, scene, _ = problems("nmn-table-1", real_data, 0)
    assert corel.captions.shape == (4500, 5, 374)
    assert (corel.captions.sum(axis=1) <= 1).all()
    assert scene.captions.max(axis=1).sum() == scene.captions.sum()
