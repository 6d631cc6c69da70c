"""What is called from Python, by the public names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse
from keep import Keep, page_text
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from cases import inputs
from cases.case import case


def keep_audit(keep: Keep, name: str, found: Any) -> None:
    """All that an audit of classes says."""
    about = {
        "repr": repr(found),
        "n": found.n,
        "classes": found.classes,
        "counts": found.counts,
        "error_rate": found.error_rate._asdict(),
        "transition": found.noise.matrix,
        "prior": found.noise.prior,
        "error_probability": found.error_probability,
        "suggested": found.suggested,
        "doubts": [(doubt.kind, doubt.text, doubt.evidence) for doubt in found.doubts],
        "skipped": found.skipped,
    }
    keep.value(name, about)
    keep.table(f"{name}.issues", found.issues)
    keep.text(f"{name}.short", page_text(found._repr_html_()))


def keep_tag_audit(keep: Keep, name: str, found: Any) -> None:
    """All that an audit of tags says."""
    told = ["names", "counts", "missing_rates", "incorrect_rates", "error_probability", "item_score"]
    about = {one: getattr(found, one, "absent") for one in told}  # so that one name that goes takes none of the others along
    about |= {"repr": repr(found), "error_rate": found.error_rate._asdict()}
    keep.value(name, about)
    keep.table(f"{name}.issues", found.issues)
    keep.table(f"{name}.items", found.items)
    keep.text(f"{name}.short", page_text(found._repr_html_()))


def attempt(keep: Keep, what: str, function: Callable[[], object]) -> None:
    """What is raised, kept in ``raised.txt``."""
    try:
        said = f"returned {type(function()).__name__}"
    except Exception as error:
        said = f"{type(error).__name__}({', '.join(kind.__name__ for kind in type(error).__mro__[1:-3])}): {error}"
    keep.text("raised", f"{what}\n    {said}", more=True)


@case()
def python_audit(keep: Keep) -> None:
    """Names as labels, some of them absent; reviews, a known noise, a model of one's own; saved and loaded."""
    inputs.digit_arrays(Path(), 300)
    y, probs = np.load("y.npy"), np.load("p.npy")
    names = np.array([f"digit {v}" for v in y], dtype=object)
    names[::40] = None
    found = lp.audit(names, probs, ids=[f"i{n}" for n in range(300)])
    keep_audit(keep, "names", found)
    keep.table("cleanlab", found.cleanlab_table())
    found.save("saved")
    found.to_html("page.html", title="Digits")
    lp.write_report(found, "other.html", title="Digits")
    keep.path("page.html")
    keep.path("other.html")
    keep_audit(keep, "loaded", lp.Audit.load("saved"))
    keep.text("short", page_text(lp.short_html(found)))
    keep_audit(keep, "transition", lp.audit(y, probs, transition=lp.TransitionMatrix.symmetric(10, 0.12)))
    keep_audit(keep, "strength", lp.audit(y, probs, strength=5.0, ambiguity=0.2))
    true = inputs.digit_labels(300)[1]
    keep_audit(keep, "reviews", lp.audit(y, probs, reviews={str(i): int(true[i]) for i in range(0, 300, 3)}))
    keep_audit(
        keep,
        "own-model",
        lp.audit(lp.read_arrays(inputs.load_digits().data[:300], "y.npy"), estimator=LogisticRegression(max_iter=200)),
    )
    frame = pl.DataFrame(probs, schema=[str(c) for c in range(10)]).select(reversed([str(c) for c in range(10)]))
    keep_audit(keep, "columns", lp.audit(y, frame))
    keep_audit(keep, "top", lp.audit(y, lp.TopK(scipy.sparse.csr_matrix(np.where(probs > 0.01, probs, 0)))))
    posterior = probs / probs.sum(axis=1, keepdims=True)
    keep_audit(keep, "posterior", lp.audit_posterior(y, posterior, lp.TransitionMatrix.symmetric(10, 0.1)))


@case()
def python_doubts(keep: Keep) -> None:
    """Data that look wrong in themselves."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 400)
    probs = 0.1 + 0.7 * np.eye(3)[true]
    keep_audit(keep, "chance", lp.audit(true, rng.dirichlet(np.ones(3), 400)))
    keep_audit(keep, "other-order", lp.audit(true, probs[:, [1, 2, 0]]))
    keep_audit(
        keep,
        "nan",
        lp.audit(np.array(["a", "NaN", "b"], dtype=object)[true], probs[:, :2] / probs[:, :2].sum(axis=1, keepdims=True)),
    )
    keep_audit(keep, "minus-one", lp.audit(true - 1, probs))


@case(data=True)
def python_tags(keep: Keep) -> None:
    """Tags with names and ids; each alone; saved, shown."""
    names, _ = inputs.tag_arrays(Path(), 250)
    tags, probs = np.load("t.npy"), np.load("p.npy")
    found = lp.audit_tags(tags, probs, names=names, ids=[f"s{i}" for i in range(250)])
    keep_tag_audit(keep, "named", found)
    keep_tag_audit(keep, "alone", lp.audit_tags(tags, probs, dependence=False))
    found.save("saved")
    keep.path("saved")
    found.to_html("page.html")
    found.to_html("other.html", title="Scenes")
    keep.path("page.html")
    keep.path("other.html")
    keep.text("short", page_text(found._repr_html_()))
    precision = lp.tag_precision(tags, probs, groups=["a", "a", "b", "b", "b", "b"])
    keep.value("precision", {"mean": precision.mean, "groups": precision.groups})


@case(data=True)
def python_votes(keep: Keep) -> None:
    """Three annotators of real pictures, some votes absent: Dawid and Skene."""
    from labelproof.review import dawid_skene

    with np.load(inputs.real("cifar10n.npz"), allow_pickle=False) as votes:
        table = np.stack([votes[f"random_label{i}"][:2000] for i in (1, 2, 3)], axis=1).astype(int)
    table[::7, 1] = -1
    for name, given in (("numbers", table), ("names", np.array([*"abcdefghij", None], dtype=object)[table])):
        found = dawid_skene(given)
        about = {
            "classes": found.classes,
            "prior": found.prior,
            "posterior": found.posterior,
            "labels": found.labels,
            "accuracies": found.accuracies,
        }
        keep.value(name, about | {"reviewers": [noise.matrix for noise in found.reviewers]})


@case(data=True)
def python_readers(keep: Keep) -> None:
    """What every reader makes of its source."""
    inputs.adult(60).drop("true").write_csv("adult.csv")
    inputs.movies(60).write_csv("movies.csv")
    inputs.shop(Path("shop.csv"), 60)
    inputs.picture_folder(Path("digits"), 60)
    inputs.digit_arrays(Path(), 60)
    inputs.tagged_pictures(Path(), 12)
    inputs.films(Path(), 6)
    for name, data in (
        ("table", lp.read_table("adult.csv", "income", id="id")),
        ("shop", lp.read_table("shop.csv", "Gruppe", ignore=["Text"])),
        ("text", lp.read_text("movies.csv", "sentiment", "text", id="id")),
        ("pictures", lp.read_images("digits")),
        ("arrays", lp.read_arrays("x.npy", "y.npy")),
        ("unlabelled", lp.read_arrays(np.zeros((5, 2)), np.array(["a", None, "b", "a", "b"], dtype=object), ids=list("vwxyz"))),
    ):
        about = {
            "n": len(data),
            "classes": data.classes,
            "ids": data.ids,
            "labels": data.labels,
            "skipped": data.skipped,
            "split": data.split,
        }
        shown = [data.show(i) for i in (0, 4)]
        looks = [{"text": own.text, "fields": own.fields, "image": len(own.image)} for own in shown]
        keep.value(name, about | {"leaks": [leak.text for leak in data.leaks], "shown": looks})
    tagged = lp.read_tagged("tags.csv", size=16)
    keep.value(
        "tagged", {"x": tagged.x, "tags": tagged.tags, "names": tagged.names, "ids": tagged.ids, "skipped": tagged.skipped}
    )
    said = lp.read_captions("videos.json", folder="frames")
    concepts = lp.Concepts.of(said, 5)
    noisy = said.with_replaced(0.5, seed=0)
    about = {"ids": said.ids, "captions": said.captions, "files": said.files, "splits": said.splits, "skipped": said.skipped}
    keep.value(
        "captions",
        about
        | {"words": concepts.words, "tags": concepts.tags(said), "replaced": noisy.captions, "test": said.split("test").ids},
    )


@case()
def python_noise(keep: Keep) -> None:
    """Noise matrices and simulated noise, by seed."""
    y = np.arange(300) % 4
    matrices = {
        "symmetric": lp.TransitionMatrix.symmetric(4, 0.2),
        "pair": lp.TransitionMatrix.pair(4, 0.3, {0: 2, 1: 3}),
        "rates": lp.TransitionMatrix.from_rates([0.1, 0.2, 0.3, 0.0]),
        "counts": lp.TransitionMatrix.from_counts(np.arange(16).reshape(4, 4) + 1, classes=list("abcd")),
        "pooled": lp.TransitionMatrix.pooled([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]),
    }
    keep.value(
        "matrices",
        {
            k: {
                "matrix": m.matrix,
                "prior": m.prior,
                "joint": m.joint,
                "inverse": m.inverse,
                "rate": m.error_rate,
                "repr": repr(m),
            }
            for k, m in matrices.items()
        },
    )
    x, tags = np.random.default_rng(0).normal(size=(300, 5)), (np.arange(900).reshape(300, 3) % 5 == 0).astype(int)
    made = {
        "by_transition": lp.simulate.by_transition(y, matrices["counts"], seed=1),
        "symmetric": lp.simulate.symmetric(y, 0.3, seed=1),
        "pair": lp.simulate.pair(y, 0.3, seed=1),
        "class_conditional": lp.simulate.class_conditional(y, [0.1, 0.5, 0.2, 0.0], seed=1),
        "binary_purity": lp.simulate.binary_purity(y % 2, 0.8, 0.7, seed=1),
        "instance_dependent": lp.simulate.instance_dependent(y, x, 0.3, seed=1),
        "open_set": lp.simulate.open_set(y, [0, 1], rate=0.5, seed=1),
        "missing_tags": lp.simulate.missing_tags(tags, 0.3, seed=1),
        "incorrect_tags": lp.simulate.incorrect_tags(tags, 0.1, seed=1),
    }
    keep.value(
        "noisy",
        {name: {"labels": own.labels, "changed": own.changed, "sum": int(np.sum(own.changed))} for name, own in made.items()},
    )


@case()
def python_errors(keep: Keep) -> None:
    """What is raised, of what kind, and what it says."""
    probs, y = np.full((40, 2), 0.5), np.arange(40) % 2
    attempt(keep, "other lengths", lambda: lp.audit(y[:-1], probs))
    attempt(keep, "logits", lambda: lp.audit(y, probs * 4))
    attempt(keep, "NaN", lambda: lp.audit(y, np.where(np.arange(80).reshape(40, 2) == 7, np.nan, probs)))
    attempt(keep, "one class", lambda: lp.audit(y * 0, probs[:, :1]))
    attempt(keep, "a class too many", lambda: lp.audit(np.arange(40) % 3, probs))
    attempt(keep, "twice the same id", lambda: lp.audit(y, probs, ids=["a"] * 40))
    attempt(keep, "a matrix of other size", lambda: lp.audit(y, probs, transition=np.eye(3)))
    attempt(keep, "rows that do not sum to one", lambda: lp.TransitionMatrix([[0.5, 0.4], [0.1, 0.9]]))
    attempt(keep, "no probabilities", lambda: lp.audit(y))
    attempt(keep, "tags of 2", lambda: lp.audit_tags(np.full((40, 2), 2), probs))
    attempt(keep, "constant tags", lambda: lp.audit_tags(np.ones((40, 2), int), probs))
    attempt(keep, "names of tags", lambda: lp.audit_tags(np.eye(2, dtype=int)[y], probs, names=["a"]))
    attempt(keep, "no file", lambda: lp.read_table("no.csv", "y"))
    attempt(keep, "no audit", lambda: lp.Audit.load("nowhere"))
    attempt(keep, "no model", lambda: lp.NoisyLabelClassifier.load("nowhere"))
    attempt(keep, "not fitted", lambda: lp.NoisyLabelClassifier().predict(probs))
    attempt(keep, "tagger not fitted", lambda: lp.NoisyTagClassifier().predict(probs))
    attempt(keep, "unknown method", lambda: lp.NoisyLabelClassifier("forwards").fit(probs, y))
    attempt(keep, "unknown backbone", lambda: lp.NoisyLabelClassifier(backbone="vgg").fit(probs, y))
    attempt(keep, "unknown option", lambda: lp.NoisyLabelClassifier("gce", method_options={"r": 1}).fit(probs, y))
    attempt(keep, "a rate of two", lambda: lp.simulate.symmetric(y, 2.0))
    attempt(keep, "no such name", lambda: lp.audits)


@case()
def python_estimators(keep: Keep) -> None:
    """Rank pruning, bootstrap, out-of-sample probabilities, the model that is chosen."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400)
    x = rng.normal(size=(400, 3)) + 1.5 * true[:, None]
    y = inputs.flipped(true, 0.2)
    pruned = lp.RankPruning(LogisticRegression(), seed=1).fit(x, y)
    keep.value("rank-pruning", {"probs": pruned.predict_proba(x), "fitted": _fitted(pruned)})
    members = lp.BootstrapEnsemble(LogisticRegression(), 5, seed=1).fit(x, y)
    parts = {"probs": members.predict_proba(x), "entropy": members.entropy(x), "epistemic": members.epistemic(x)}
    keep.value("bootstrap", parts | {"members": members.members_proba(x), "predicted": members.predict(x)})
    keep.value(
        "out-of-sample",
        {
            "chosen": lp.out_of_sample_probs(lp.read_arrays(x, y), seed=2),
            "own": lp.out_of_sample_probs(x, y, estimator=LogisticRegression(), n_folds=3),
        },
    )
    inputs.shop(Path("shop.csv"), 80)
    for name, data in (
        ("arrays", lp.read_arrays(x, y)),
        ("table", lp.read_table("shop.csv", "Gruppe")),
        ("text", lp.read_text("shop.csv", "Gruppe", "Text")),
    ):
        keep.text(f"default-model.{name}", type(lp.default_model(data)).__name__)


def _fitted(model: Any) -> dict[str, Any]:
    """The fitted attributes that are numbers."""
    return {
        k: v
        for k, v in sorted(vars(model).items())
        if k.endswith("_") and isinstance(v, int | float | tuple | np.ndarray | np.generic)
    }
