"""The study of NL-GAN beside rank pruning."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from commands import run
from labelproof.experiments import run_experiment
from labelproof.experiments.cifar10 import Archive
from labelproof.experiments.cifar10n import in_original_order
from labelproof.experiments.nl_gan import Pictures


def test_the_first_pictures_are_as_many_of_each_part():
    part = np.array([5, 5, 5, 7, 2, 7, 4, 4, 2, 2])
    pictures = Pictures(np.zeros((10, 2, 2), np.uint8), np.isin(part, [5, 7]).astype(int), part, *[np.zeros(0)] * 2)
    assert pictures.first(4).tolist() == [0, 3, 4, 6]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")  # an epoch is too short for a variety of pictures
def test_the_table_is_measured_once(real_data, tmp_path):
    how = {"data": real_data, "seeds": 1, "quick": True, "rows": ["mnist-100"], "filters": (8, 16)}
    first = run_experiment("nl-gan-table-1", tmp_path, **how, epochs=1)
    found = {(row["method"], row["augmented"]): row for row in first.summary()}
    published = {("PN", "no"): 0.9, ("PN", "yes"): 0.9, ("RP", "no"): 0.892, ("RP", "yes"): 0.892}
    published |= {("NL-GAN", "yes"): 0.909, ("NL-GAN plain", "yes"): 0.909}
    assert {key: row["published"] for key, row in found.items()} == published
    assert {row["filters"] for row in first.summary()} == {None, "8, 16"}
    assert all(0.4 < row["accuracy"] <= 1 for row in found.values())
    before = (tmp_path / "nl-gan-table-1.json").read_text()
    run_experiment("nl-gan-table-1", tmp_path, **how)
    assert (tmp_path / "nl-gan-table-1.json").read_text() == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")
@pytest.mark.parametrize("name", ["nl-gan-figure-1", "nl-gan-figure-3"])
def test_figures_are_drawn(real_data, tmp_path, name):
    record = run_experiment(name, tmp_path, data=real_data, seeds=1, quick=True, filters=(8, 16))
    assert len(record.rows) == 1
    assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_unknown_rows_and_parts_are_refused(tmp_path):
    with pytest.raises(lp.BadInput, match="Did you mean 'mnist-1000'"):
        run_experiment("nl-gan-table-1", tmp_path, data=tmp_path, rows=["mnist-1000s"])
    with pytest.raises(lp.BadInput, match="is not a row of the figure"):
        run_experiment("nl-gan-figure-3", tmp_path, data=tmp_path, rows=["5 against 9"])
    with pytest.raises(lp.BadInput, match="has no choice of epochs"):
        run_experiment("memorization", tmp_path, epochs=3)
    with pytest.raises(lp.BadInput, match="needs --data"):
        run_experiment("nl-gan-table-1", tmp_path)


def test_pictures_of_cifar_come_class_after_class_or_in_the_order_of_their_labels(real_data):
    archive = Archive(real_data)
    assert len(archive.names) == 10
    x, place = archive.classes("test", ["truck", "airplane"], 3)
    assert (x.shape, x.dtype, place.tolist()) == ((6, 32, 32, 3), np.uint8, [0, 0, 0, 1, 1, 1])
    assert (x[4] == archive.picture("test", "airplane", 1)).all()
    ordered = in_original_order(archive, np.array([9, 0, 9]))  # truck, airplane, truck
    assert (ordered == [archive.picture("train", name, n) for name, n in (("truck", 0), ("airplane", 0), ("truck", 1))]).all()
    with pytest.raises(lp.BadInput, match="archive of CIFAR-10"):
        Archive(real_data / "nowhere")


def test_filters_are_numbers(tmp_path):
    refused = run("reproduce", "nl-gan-table-1", "--filters", "8,x", "--data", tmp_path, "--out", tmp_path)
    assert refused.returncode == 2
    assert "Give whole numbers from 1" in " ".join(refused.stderr.split())
    with pytest.raises(lp.BadInput, match="has no choice of filters"):
        run_experiment("memorization", tmp_path, filters=(8, 16))
