"""Models that generate: cells, pictures, captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from keep import Keep
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from cases import inputs
from cases.case import case
from cases.python import keep_audit

SHORT: dict[str, Any] = {"epochs": (2, 2, 2), "n_hidden": 16, "seed": 1, "accelerator": "cpu"}


@case(data=True, trained=True, module="anndata")
def mislabeled_vae(keep: Keep) -> None:
    """M-VAE and M1+M2 on cells, saved and loaded, and the audit of what they find."""
    import anndata

    inputs.cells(Path("cells.h5ad"), 300)
    adata = anndata.read_h5ad("cells.h5ad")
    model = lp.MislabeledVAE(**SHORT).fit(adata, labels_key="cell_type", unlabeled_category="unknown")
    about = {
        "posterior": model.posterior_,
        "transition": model.transition_.matrix,
        "classes": model.classes_,
        "probs": model.predict_proba(adata),
    }
    keep.value(
        "model",
        about
        | {"latent": model.get_latent_representation(adata), "expression": np.asarray(model.get_normalized_expression(adata))},
    )
    keep.value(
        "adata",
        {"obs": sorted(map(str, adata.obs.columns)), "obsm": sorted(adata.obsm), "uns": sorted(adata.uns["labelproof"])},
    )
    model.save("model")
    keep.value("loaded", {"probs": lp.MislabeledVAE.load("model").predict_proba(adata)})
    data = lp.read_cells("cells.h5ad", "cell_type", unlabeled_category="unknown")
    keep.value("dataset", {"n": len(data), "classes": data.classes, "labels": data.labels, "ids": data.ids})
    found = lp.audit_posterior(data, model.posterior_, model.transition_, latent=adata.obsm["X_labelproof"])
    keep_audit(keep, "audit", found)
    found.to_html("page.html")
    keep.path("page.html")
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    y = np.array([None if v == "unknown" else v for v in adata.obs["cell_type"]], dtype=object)
    other = lp.M1M2(**SHORT).fit(x, y)
    other.save("other")
    keep.value(
        "m1m2", {"probs": other.predict_proba(x), "latent": other.transform(x), "loaded": lp.M1M2.load("other").predict(x)}
    )


@case(trained=True)
def nl_gan(keep: Keep) -> None:
    """Generated pictures and the classifier that learns from them."""
    digits = inputs.load_digits()
    rows = np.isin(digits.target, (5, 7))
    x, y = (digits.images[rows] * 15.9).astype(np.uint8), inputs.flipped(digits.target[rows] == 7, 0.2).astype(int)
    how: dict[str, Any] = {
        "epochs": 2,
        "pretraining_epochs": 1,
        "upsample": 200,
        "filters": (8, 16),
        "batch_size": 32,
        "accelerator": "cpu",
        "seed": 1,
    }
    model = lp.NLGAN(0.8, 0.8, **how).fit(x, y)
    images, labels = model.generate(40)
    model.save("model")
    again, _ = lp.NLGAN.load("model").generate(40)
    keep.value("generated", {"images": images, "labels": labels, "loaded": again})

    class Flat(LogisticRegression):
        """Of pictures."""

        def fit(self, X: Any, y: Any) -> Flat:
            return super().fit(np.asarray(X).reshape(len(X), -1), y)

        def predict_proba(self, X: Any) -> Any:
            return super().predict_proba(np.asarray(X).reshape(len(X), -1))

    cleaner = lp.GenerativeCleaner(lp.NLGAN(0.8, 0.8, **how), Flat(), n_generated=60, seed=1).fit(x, y)
    keep.value("cleaner", {"probs": cleaner.predict_proba(x)})


@case(trained=True)
def captions(keep: Keep) -> None:
    """From frames to concepts to sentences, and their scores, from the command line and from Python."""
    inputs.films(Path())
    learn = ("--k", 6, "--size", 16, "--epochs", 3, "--noise-epochs", 1, "--batch-size", 8)
    keep.command(
        "concepts",
        "frames",
        "--captions",
        "videos.json",
        "--split",
        "train",
        *learn,
        "--model",
        "tagger",
        "--out",
        "concepts.parquet",
    )
    keep.path("concepts.parquet")
    keep.command("concepts", "frames", "--model", "tagger", "--frames", 2, "--out", "again.csv")
    keep.path("again.csv")
    write = ("--hidden", 16, "--epochs", 3, "--batch-size", 8)
    keep.command(
        "caption",
        "concepts.parquet",
        "--captions",
        "videos.json",
        "--split",
        "train",
        *write,
        "--model",
        "captioner",
        "--out",
        "said.csv",
    )
    keep.path("said.csv")
    keep.command("caption", "concepts.parquet", "--model", "captioner", "--out", "again.parquet")
    keep.path("again.parquet")
    for folder in ("tagger", "captioner"):
        keep.model(folder)
    frames = [np.eye(3)[[i % 3, (i + 1) % 3]] for i in range(12)]
    said = [[f"a {'abc'[i % 3]} then a {'abc'[(i + 1) % 3]}"] for i in range(12)]
    how: dict[str, Any] = {
        "hidden": 24,
        "concept_size": 12,
        "word_size": 8,
        "min_count": 1,
        "epochs": 60,
        "learning_rate": 0.01,
        "dropout": 0,
    }
    written = lp.ConceptCaptioner(**how, accelerator="cpu").fit(frames, said).caption(frames, beam=2)
    keep.value("written", written)


@case(module="pycocoevalcap")
def caption_scores(keep: Keep) -> None:
    """Captions beside what people wrote."""
    said = ["a dog on a wall", "a red cat", "two birds", "a fish that swims"]
    wrote = [["a dog sits on a wall", "dog on wall"], ["a red cat sleeps"], ["two small birds", "birds"], ["a swimming fish"]]
    scores = lp.caption_scores(said, wrote, meteor=False)
    keep.value("scores", {"values": scores.values, "missing": scores.missing})
