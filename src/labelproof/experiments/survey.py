"""Small questions that the survey of learning with noisy labels leaves open, each answered by a minute or two of training.

- *forms*: does the second form of the corrected loss, ``-sum of T_zj log p_j``, work too? With the true transition.
- *terms*: what do the prior and the entropy term of joint optimisation do, and its learning rate?
- *oversampling*: does it help joint optimisation with unbalanced classes?
- *items*: does a noise layer that sees the item help if the noise depends on the item?
- *losses*: can a network memorise random labels with losses that tolerate noise?
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.experiments.problems import Problem, adult, digits, noises
from labelproof.experiments.record import Record, Row, averaged, gained
from labelproof.losses import cross_entropy, forward_correction, transition_outside_log
from labelproof.networks.backbones import InputShape
from labelproof.networks.mlp import MLP
from labelproof.noise import simulate
from labelproof.noise.simulate import Noisy
from labelproof.noise.transition import TransitionMatrix
from labelproof.report.plots import dots
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import PlainClassifier, TrainingData, predict_logits
from labelproof.validation import Json

EPOCHS, RANDOM_EPOCHS = 30, 100
KNOWN = {"symmetric 50 %": TransitionMatrix.symmetric(10, 0.5), "pair 40 %": TransitionMatrix.pair(10, 0.4)}
FORMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "no transition": lambda logits, given, _: cross_entropy(logits, given),
    "inside the logarithm": forward_correction,
    "outside the logarithm": transition_outside_log,
    "outside, transposed": lambda logits, given, t: transition_outside_log(logits, given, (t / t.sum(dim=0)).T),
}
TERMS: dict[str, Json] = {
    "L_c, L_p and L_e": {},
    "without L_e": {"method_options": {"beta": 0.0}},
    "without L_p": {"method_options": {"alpha": 0.0}},
    "L_c alone": {"method_options": {"alpha": 0.0, "beta": 0.0}},
    "a tenth of the rate": {"learning_rate": 3e-4},
    "three times the rate": {"learning_rate": 1e-2},
}
ITEMS: dict[str, Json] = {
    "by class alone": {"method_options": {"features": False}},
    "by class and item": {"method_options": {"features": True}},
}
LOSSES = ("cross-entropy", "mse", "mae", "ramp", "unhinged", "gce")


class SurveyRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with half of their 95 % intervals, and the gain over the first variant of a question, paired by seed.

        The score is the accuracy on clean test items, of *oversampling* the mean of both classes' accuracies, and of *losses* the share of
        random labels that is memorised.
        """
        shown: list[Row] = []
        found, first = self.groups("question", "data", "noise", "variant"), dict[tuple[object, ...], dict[object, Row]]()
        for (*at, variant), rows in found.items():
            base = first.setdefault(tuple(at), {row["seed"]: row for row in rows})
            scores = averaged(rows, "score") | gained(rows, "score", base)
            scores |= averaged(rows, "labels_right") | averaged(rows, "largest_class")
            names = dict(zip(("question", "data", "noise"), at, strict=True))
            shown.append({**names, "variant": variant, "seeds": len(rows), **scores})
        return shown


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Five questions."""
    record = SurveyRecord(record.path, record.rows, record.skipped)
    problem, epochs = digits(), 3 if quick else EPOCHS
    for seed in range(seeds):
        for noise, transition in KNOWN.items():
            noisy = noises(problem)[noise](problem, seed)
            ask = partial(_ask, record, problem, noise, seed)
            for variant, form in FORMS.items():
                ask("forms", variant, partial(_form, problem, noisy, form, transition, epochs, seed))
            for variant, options in TERMS.items():
                ask("terms", variant, partial(_joint, problem, noisy, epochs, seed, options))
        noisy = noises(problem)["instance 40 %"](problem, seed)
        for variant, options in ITEMS.items():
            ask = partial(_ask, record, problem, "instance 40 %", seed)
            ask("items", variant, partial(_trained, "noise-adaptation", problem, noisy, epochs, seed, options))
        for loss in LOSSES:
            by_heart = partial(_by_heart, problem, loss, 3 if quick else RANDOM_EPOCHS, seed)
            _ask(record, problem, "random labels", seed, "losses", loss, by_heart)
    if data is None:
        record.skipped.append("oversampling needs --data, the folder of real data.")
    else:
        _oversampling(record, data, epochs, seeds)
    _drawn(record)
    return record


def _ask(
    record: Record, problem: Problem, noise: str, seed: int, question: str, variant: str, answer: Callable[[], Json]
) -> None:
    key = {"question": question, "data": problem.name, "noise": noise, "variant": variant, "seed": seed}
    if not record.has(**key):
        with record.measuring(**key) as row:
            row.update(answer())


def _oversampling(record: Record, data: Path, epochs: int, seeds: int) -> None:
    problem = adult(data, 4000)
    for seed in range(seeds):
        for noise in ("symmetric 20 %", "of the rare class 40 %"):
            noisy = noises(problem)[noise](problem, seed)
            for variant, oversample in (("as they come", False), ("oversampled", True)):
                answer = partial(_balanced, problem, noisy, epochs, seed, {"method_options": {"oversample": oversample}})
                _ask(record, problem, noise, seed, "oversampling", variant, answer)


def _balanced(problem: Problem, noisy: Noisy, epochs: int, seed: int, options: Json) -> Json:
    found = _joint(problem, noisy, epochs, seed, options)
    return {**found, "accuracy": found["score"], "score": float(np.mean(found["recall"]))}


def _form(
    problem: Problem,
    noisy: Noisy,
    form: Callable[[Tensor, Tensor, Tensor], Tensor],
    transition: TransitionMatrix,
    epochs: int,
    seed: int,
) -> Json:
    x, test = (torch.from_numpy(part.reshape(len(part), -1)).float() for part in (problem.train, problem.test))
    matrix = torch.from_numpy(np.asarray(transition.matrix)).float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MLP(problem.k, x.shape[1])
    model = PlainClassifier(network, lambda logits, given: form(logits, given, matrix))
    fit(model, TrainingData(x, torch.from_numpy(noisy.labels)), Options(epochs=epochs, seed=seed))
    return {"score": float((predict_logits(model, test).argmax(dim=1).numpy() == problem.test_labels).mean())}


def _trained(method: str, problem: Problem, noisy: Noisy, epochs: int, seed: int, options: Json) -> Json:
    return _scores(problem, _fitted(method, problem, noisy, epochs, seed, options))


def _joint(problem: Problem, noisy: Noisy, epochs: int, seed: int, options: Json) -> Json:
    model = _fitted("joint-optimization", problem, noisy, epochs, seed, options)
    labels = model.module_.get_buffer("labels").argmax(dim=1).numpy()
    return {
        **_scores(problem, model),
        "labels_right": float((labels == problem.train_labels).mean()),
        "largest_class": float(np.bincount(labels, minlength=problem.k).max() / len(labels)),
    }


def _fitted(method: str, problem: Problem, noisy: Noisy, epochs: int, seed: int, options: Json) -> NoisyLabelClassifier:
    model = NoisyLabelClassifier(method, backbone="mlp", epochs=epochs, random_state=seed, augment=None, **options)
    return model.fit(problem.train, noisy.labels)


def _scores(problem: Problem, model: NoisyLabelClassifier) -> Json:
    said = model.predict(problem.test)
    recall = [float((said[problem.test_labels == c] == c).mean()) for c in range(problem.k)]
    return {"score": float((said == problem.test_labels).mean()), "recall": recall}


def _by_heart(problem: Problem, loss: str, epochs: int, seed: int) -> Json:
    """The share of random labels that a network without dropout repeats in the end."""
    given = simulate.symmetric(problem.train_labels, 1 - 1 / problem.k, n_classes=problem.k, random_state=seed).labels
    model = NoisyLabelClassifier(
        loss, backbone=_without_dropout, epochs=epochs, random_state=seed, augment=None, weight_decay=0.0, schedule="constant",
        learning_rate=1e-3,
    ).fit(problem.train, given)  # fmt: skip
    return {"score": float((model.predict(problem.train) == given).mean())}


def _without_dropout(spec: InputShape, k: int) -> MLP:
    return MLP(k, int(np.prod(spec.shape)), hidden=(512, 512), dropout=0.0)


def _drawn(record: Record) -> None:
    panels: dict[str, list[tuple[str, float, float]]] = {}
    for row in record.summary():
        panels.setdefault(f"{row['question']}\n{row['data']}, {row['noise']}", []).append(
            (row["variant"], row["score"], row["score_±"])
        )
    title = "Questions of the survey: test accuracy; of losses, the share of memorised random labels"
    dots(panels, record.path.with_suffix(".png"), title=title, columns=3, marked="no transition")
