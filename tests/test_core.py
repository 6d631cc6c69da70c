"""The core alone: what needs no optional package imports none, and what needs one names the command that installs it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from labelproof.extras import INSTALLED_BY, missing, needed_by

HEAVY = ("torch", "lightning_fabric", "numba")  # which no path of the core imports
BLOCKED = tuple(INSTALLED_BY)
HEAD = f"""
import sys
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in {BLOCKED} else found(name, *rest)

import labelproof as lp
import numpy as np
import polars as pl

def command(*arguments):
    from labelproof.cli import main
    sys.argv = ["labelproof", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0

def told(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except lp.MissingDependency as error:
        return str(error)
    raise AssertionError("it needs nothing")
"""


@pytest.fixture
def folder(tmp_path):
    """Labels and probabilities, a table, texts, tags and votes, and two pictures."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    noisy = np.where(np.arange(60) < 4, 1 - y, y)
    names = np.array(["cat", "dog"])
    np.save(tmp_path / "y.npy", noisy)
    np.save(tmp_path / "p.npy", np.eye(2)[y] * 0.8 + 0.1)
    words = [f"{'purr meow' if v == 0 else 'bark woof'} number {i}" for i, v in enumerate(y)]
    table = pl.DataFrame({"kind": names[noisy], "size": rng.normal(4 * y), "body": words})
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    votes = pl.DataFrame({"item": np.repeat(np.arange(60), 2), "who": ["a", "b"] * 60, "vote": names[np.repeat(noisy, 2)]})
    votes.write_csv(tmp_path / "v.csv")
    return tmp_path


def core(script: str, folder) -> subprocess.CompletedProcess[str]:
    """A script in a process that finds none of the optional packages."""
    code = HEAD + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_python_needs_no_optional_package(folder):
    done = core(
        f"""
        y, p = np.load("y.npy"), np.load("p.npy")
        audits = [
            lp.audit(y, p),
            lp.audit(y, "p.npy"),
            lp.audit(pl.read_csv("t.csv"), label="kind"),
            lp.audit(pl.read_csv("t.csv"), label="kind", text=["body"]),
            lp.audit(lp.Tags(np.stack([y, 1 - y], axis=1)), p),
            lp.audit(lp.read_votes("v.csv", item="item", annotator="who", label="vote").labels, p),
        ]
        for number, audit in enumerate(audits):
            audit.save(f"audit{{number}}")
            assert lp.Audit.load(f"audit{{number}}").issues.equals(audit.issues)
            audit.to_html(f"{{number}}.html")
        noisy = lp.simulate.pair(y, 0.2, n_classes=2)
        lp.noise.confident_joint(noisy.labels, p)
        from sklearn.linear_model import LogisticRegression
        for model in (lp.RankPruning(LogisticRegression()), lp.BootstrapEnsemble(LogisticRegression(), n=2)):
            model.fit(p, noisy.labels).predict_proba(p)
        assert lp.check(audits[0], max_error_rate=0.9).passed
        lp.compare(audits[0], audits[1])
        history = lp.History(len(y), 1)
        history.own_probability[0], history.loss[0], history.margin[0], history.predicted[0] = 0.9, 0.1, 1.0, y
        lp.audit_dynamics(history, y)
        print(sorted(set({HEAVY}) & set(sys.modules)))
        """,
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_commands_need_no_optional_package(folder):
    done = core(
        f"""
        for line in (
            "audit --labels y.npy --pred-probs p.npy --out arrays",
            "audit t.parquet --label kind --pred-probs p.npy --out parquet",
            "audit t.csv --label kind --out table",
            "audit t.csv --label kind --text body --out texts",
            "audit v.csv --item item --annotator who --label vote --pred-probs p.npy --out votes",
            "compare table texts",
            "check t.csv --label kind --pred-probs p.npy --max-error-rate 0.9",
            "export table --to csv --out reviews.csv",
            "apply table --obvious --out clean.csv",
            "simulate t.csv --label kind --out dirty.csv",
        ):
            assert command(*line.split()) == 0, line
        print(sorted(set({HEAVY}) & set(sys.modules)))
        """,
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_that_need_torch_say_how_to_install_it(folder):
    done = core(
        """
        for name in ("NoisyLabelClassifier", "NoisyTagClassifier", "MislabeledVAE", "M1M2", "NLGAN", "GenerativeCleaner",
                     "ConceptCaptioner", "losses", "methods"):
            said = told(getattr, lp, name)
            assert said == f"labelproof.{name} needs torch, which is not installed. Run: pip install 'labelproof[torch]'", said
        assert "labelproof.networks.MLP needs torch" in told(getattr, lp.networks, "MLP")
        import labelproof.training
        assert "labelproof.training.fit needs torch" in told(getattr, labelproof.training, "fit")
        try:
            from labelproof.losses import ramp
        except lp.MissingDependency as error:
            assert "labelproof[torch]" in str(error)
        pictures = lp.read_arrays(np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2)
        said = told(lp.audit, pictures, encoder=None)
        assert "pip install 'labelproof[torch]'" in said and "--encoder onnx:FOLDER (pip install 'labelproof[onnx]')" in said, said
        for encoder, extra in (("st:x", "vision"), ("hf:x", "vision"), ("onnx:x", "onnx"), ("efficientnet-lite2", "offline")):
            said = told(lp.audit, pictures, encoder=encoder)
            assert said.startswith(f"encoder {encoder} needs") and f"pip install 'labelproof[{extra}]'" in said, said
        """,
        folder,
    )
    assert done.returncode == 0, done.stderr


def test_commands_that_need_torch_end_in_one_message(folder):
    done = core(
        """
        for line in ("train t.csv --label kind --out m", "predict m t.csv", "methods", "reproduce memorization", "caption c.csv"):
            assert command(*line.split()) == 2, line
        """,
        folder,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 5, done.stderr
    assert lines[0] == "error: labelproof train needs torch, which is not installed. Run: pip install 'labelproof[torch]'"
    assert all("needs torch, which is not installed. Run: pip install 'labelproof[torch]'" in line for line in lines)


@pytest.mark.parametrize(("package", "by"), INSTALLED_BY.items())
def test_every_optional_package_has_its_command(package, by):
    with pytest.raises(ImportError, match="cannot do without") as told, needed_by("what cannot do without"):
        raise ModuleNotFoundError("no", name=f"{package}.part")
    assert str(told.value).endswith(f"Run: pip install '{by}'" if "[" in by else f"Run: pip install {by}")


def test_other_failed_imports_pass_and_an_extra_may_be_named():
    with pytest.raises(ModuleNotFoundError), needed_by("anything"):
        raise ModuleNotFoundError("no", name="labelproof.nonsense")
    with pytest.raises(ImportError, match="it is broken"), needed_by("anything"):
        raise ImportError("it is broken", name="torch")
    said = str(missing("torch", "an encoder", extra="text", otherwise="Or take another."))
    assert said == "an encoder needs torch, which is not installed. Run: pip install 'labelproof[text]'\nOr take another."


def test_extras_that_are_named_exist():
    with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    named = {by.partition("[")[2].rstrip("]") for by in INSTALLED_BY.values() if "[" in by}
    assert named | {"all"} <= set(extras)
    assert named <= {*re.findall(r"[a-z]+", extras["all"][0])}
