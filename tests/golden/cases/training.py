"""Short trainings, and predictions of what was trained, from the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from keep import Keep

import labelproof as lp
from cases import inputs
from cases.case import case
from cases.python import keep_audit

QUICK = ("--epochs", 2, "--batch-size", 64, "--accelerator", "cpu")
METHODS = [
    "cross-entropy",
    "mae",
    "mse",
    "ramp",
    "unhinged",
    "gce",
    "sce",
    "bootstrap",
    "forward",
    "backward",
    "noise-layer",
    "dropout-noise-layer",
    "noise-adaptation",
    "nnaqc",
    "joint-optimization",
    "em",
    "confident-learning",
    "rank-pruning",
    "co-teaching",
    "elr",
    "sop",
    "dividemix",
]


@case(data=True, trained=True)
def train_table(keep: Keep) -> None:
    """A table, with reviews of its audit; predicting what has no label, another order of columns, a value never seen."""
    people = inputs.adult(400)
    people.drop("true").write_csv("adult.csv")
    people.select("id", label="true").head(50).write_csv("verified.csv")
    command = ("train", "adult.csv", "--label", "income", "--id", "id", *QUICK)
    keep.command(*command, "--method", "forward", "--reviews", "verified.csv", "--out", "model")
    keep.model("model")
    new = people.drop("true", "income").head(40).with_columns(workclass=pl.lit("Circus"))
    new.select(reversed(new.columns)).write_csv("new.csv")
    keep.command("predict", "model", "new.csv", "--out", "predictions.csv", "--sure", 0.8)
    keep.path("predictions.csv")
    new.drop("age").write_csv("less.csv")
    keep.command("predict", "model", "less.csv", "--out", "less.parquet")
    keep.command(*command, "--out", "model")
    keep.command(*command, "--option", "strength=2", "--patience", 1, "--logger", "csv", "--out", "logged")
    keep.model("logged")


@case(data=True, trained=True)
def train_text(keep: Keep) -> None:
    """Sentences."""
    texts = inputs.movies(400)
    texts.drop("true").write_csv("movies.csv")
    keep.command("train", "movies.csv", "--label", "sentiment", "--text", "text", "--id", "id", *QUICK, "--out", "model")
    keep.model("model")
    texts.select("id", "text").tail(30).write_parquet("new.parquet")
    keep.command("predict", "model", "new.parquet", "--out", "predictions.parquet")
    keep.path("predictions.parquet")


@case(trained=True)
def train_pictures(keep: Keep) -> None:
    """A folder of pictures, a folder without classes to predict, a manifest."""
    inputs.picture_folder(Path("digits"), 160)
    command = ("--backbone", "convnet", *QUICK, "--seed", 4)
    keep.command("train", "digits", *command, "--method", "joint-optimization", "--out", "model")
    keep.model("model")
    for i in range(8):
        inputs.save_picture(Path("new") / f"{i}.png", inputs.load_digits().images[i] * 15)
    keep.command("predict", "model", "new", "--out", "predictions.csv")
    keep.path("predictions.csv")
    keep.command("predict", "model", "digits", "--out", "own.csv")
    keep.path("own.csv")
    files = sorted(str(p) for p in Path("digits").rglob("0*.png"))
    pl.DataFrame({"file": files, "what": [Path(f).parent.name for f in files]}).write_csv("m.csv")
    keep.command("train", "m.csv", "--label", "what", "--image", "file", *command, "--out", "manifest")
    pl.DataFrame({"file": files[:6]}).write_csv("few.csv")
    keep.command("predict", "manifest", "few.csv", "--out", "few.parquet")
    keep.path("few.parquet")


@case(trained=True)
def train_arrays(keep: Keep) -> None:
    """Arrays, and the reviewed audit of them."""
    true = inputs.digit_arrays(Path(), 300)
    keep.command("audit", "--labels", "y.npy", "--features", "x.npy", "--pred-probs", "p.npy", "--out", "audit")
    pl.DataFrame({"id": [str(i) for i in range(40)], "label": [str(v) for v in true[:40]]}).write_csv("filled.csv")
    keep.command("import", "audit", "filled.csv", "--reviewer", "Ann")
    keep.command(
        "train", "--labels", "y.npy", "--features", "x.npy", "--reviews", "audit", *QUICK, "--augment", "none", "--out", "model"
    )
    keep.model("model")
    np.save("new.npy", inputs.load_digits().images[300:340])
    keep.command("predict", "model", "new.npy", "--out", "predictions.parquet")
    keep.path("predictions.parquet")


@case(data=True, trained=True, module="anndata")
def train_cells(keep: Keep) -> None:
    """Cells, and other cells with fewer genes."""
    import anndata

    inputs.cells(Path("cells.h5ad"), 300)
    keep.command("train", "cells.h5ad", "--label", "cell_type", "--missing", "unknown", *QUICK, "--out", "model")
    keep.model("model")
    anndata.read_h5ad("cells.h5ad")[:30, 3:].write_h5ad("new.h5ad")
    keep.command("predict", "model", "new.h5ad", "--out", "predictions.csv")
    keep.path("predictions.csv")


@case(trained=True)
def train_every_method(keep: Keep) -> None:
    """Each method for two epochs."""
    inputs.digit_arrays(Path(), 200, pictures=False)
    x, y = np.load("x.npy") / 16, np.load("y.npy")
    for name in METHODS:
        try:
            model = lp.NoisyLabelClassifier(name, backbone="mlp", epochs=2, batch_size=64, seed=3, accelerator="cpu").fit(x, y)
        except lp.LabelproofError as error:
            keep.text(name, f"{type(error).__name__}: {error}")
            continue
        keep.value(name, {"probs": model.predict_proba(x), "predicted": model.predict(x), "entropy": model.entropy(x[:20])})


@case(trained=True)
def train_python(keep: Keep) -> None:
    """A classifier: fitted, saved, loaded; the audit of its course of training."""
    inputs.digit_arrays(Path(), 300)
    x, y = np.load("x.npy"), np.load("y.npy")
    names = np.array([f"digit {v}" for v in y])
    how = {"backbone": "convnet", "epochs": 3, "batch_size": 64, "accelerator": "cpu", "validation_fraction": 0.1}
    model = lp.NoisyLabelClassifier("elr", seed=2, **how).fit(x, names)
    model.save("model")
    again = lp.NoisyLabelClassifier.load("model")
    keep.value(
        "model",
        {
            "classes": model.classes_,
            "probs": model.predict_proba(x),
            "loaded": again.predict_proba(x),
            "score": model.score(x, names),
        },
    )
    history = model.history_
    keep.value("history", {k: np.asarray(getattr(history, k)) for k in ("own_probability", "margin", "loss", "predicted")})
    seen = model.history_index_
    keep_audit(keep, "dynamics", lp.audit_dynamics(history, names[seen], ids=[f"i{i}" for i in seen]))
    true = np.array([f"digit {v}" for v in inputs.digit_labels(300)[1]], dtype=object)[seen]
    true[80:] = None
    keep_audit(keep, "reviewed", lp.audit_dynamics(history, names[seen], reviews=true, pred_probs=model.predict_proba(x)[seen]))
    history.save("history")
    loaded = lp.History.load("history")
    keep.value("loaded", {"n": loaded.n, "loss": np.asarray(loaded.loss)})


@case(data=True, trained=True)
def train_tags(keep: Keep) -> None:
    """Tags of scenes with every kind of noise, of tagged pictures, of bags; saved and loaded."""
    names, _ = inputs.tag_arrays(Path(), 250)
    x, tags = np.load("x.npy"), np.load("t.npy")
    for noise in ("feature-dependent", "feature-independent", "em", None):
        model = lp.NoisyTagClassifier(noise=noise, stages=(2, 2), batch_size=64, seed=1, accelerator="cpu").fit(
            x, tags, names=names
        )
        about = {"probs": model.predict_proba(x), "predicted": model.predict(x), "classes": model.classes_}
        if noise is not None:
            about |= {
                "missing": model.missing_,
                "incorrect": model.incorrect_,
                "error": model.error_probability_,
                "given": model.predict_given_proba(x),
            }
        keep.value(str(noise), about)
    model.save("model")
    keep.model("model")
    keep.value("loaded", {"probs": lp.NoisyTagClassifier.load("model").predict_proba(x)})
    inputs.tagged_pictures(Path(), 40)
    tagged = lp.read_tagged("tags.csv", size=16)
    pooled = lp.NoisyTagClassifier("convnet", pooling="noisy-or", stages=(2, 1), batch_size=16, seed=1, accelerator="cpu")
    pooled.fit(tagged.x, tagged.tags, names=tagged.names)
    keep.value("pictures", {"probs": pooled.predict_proba(tagged.x), "missing": pooled.missing_})
    bags = lp.Bags.of([x[i : i + 1 + i % 3] for i in range(0, 240, 3)])
    mean = lp.NoisyTagClassifier(pooling="mean", stages=(2, 0), seed=1, accelerator="cpu").fit(bags, tags[:240:3])
    keep.value("bags", {"probs": mean.predict_proba(bags), "instances": mean.predict_instance_proba(bags).instances})
