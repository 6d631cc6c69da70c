"""The commands as a user types them: what they print, how they fail, and that nothing is left half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from commands import COMMAND, outside, run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    path = tmp_path_factory.mktemp("t") / "t.csv"
    pl.DataFrame(
        {"name": [f"r{i}" for i in range(300)], "a": rng.normal(4 * y, 1), "kind": np.array(["cat", "dog"])[y]}
    ).write_csv(path)
    return path


def test_audit_of_a_table(table, tmp_path):
    before = table.read_bytes()
    done = run("audit", table, "--label", "kind", "--id", "name", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert "labels look wrong" in done.stdout
    assert sorted(p.name for p in (tmp_path / "audit").iterdir()) == [
        ".labelproof",
        "issues.parquet",
        "report.html",
        "summary.json",
    ]
    found = lp.Audit.load(tmp_path / "audit")
    assert found.classes == ("cat", "dog")
    assert found.issues["id"].str.starts_with("r").all()
    assert "r" in (tmp_path / "audit" / "report.html").read_text()
    assert table.read_bytes() == before
    again = run("audit", table, "--label", "kind", "--out", tmp_path / "audit")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert run("audit", table, "--label", "kind", "--out", tmp_path / "audit", "--overwrite").returncode == 0


def test_audit_of_probabilities_with_columns_in_another_order(noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem()
    names = np.array(["b", "d", "a", "c"])
    np.save(tmp_path / "y.npy", names[labels])
    np.save(tmp_path / "p.npy", probs.astype(np.float32))
    done = run(
        "audit",
        "--labels",
        tmp_path / "y.npy",
        "--pred-probs",
        tmp_path / "p.npy",
        "--classes",
        "b,d,a,c",
        "--out",
        tmp_path / "o",
    )
    assert done.returncode == 0, done.stderr
    expected = lp.audit(labels, probs.astype(np.float32)).error_probability
    found = lp.Audit.load(tmp_path / "o")
    assert np.allclose(found.error_probability, expected, atol=1e-6)
    assert found.source["labels"] == str(tmp_path / "y.npy")  # so that the repaired labels can be written


def test_audit_of_features(digits, tmp_path):
    np.save(tmp_path / "x.npy", digits.data[:300])
    np.save(tmp_path / "y.npy", digits.target[:300])
    done = run("audit", "--features", tmp_path / "x.npy", "--labels", tmp_path / "y.npy", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr


def test_audit_of_tags(tmp_path):
    rng = np.random.default_rng(0)
    true = (rng.random((300, 3)) < 0.4).astype(int)
    np.save(tmp_path / "p.npy", np.where(true == 1, 0.9, 0.1))
    np.save(tmp_path / "t.npy", lp.simulate.missing_tags(true, 0.2, random_state=0).labels)
    files = ["--tags", tmp_path / "t.npy", "--pred-probs", tmp_path / "p.npy"]
    done = run("audit", *files, "--classes", "sky,sea,sun", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert "tags missing, 0 incorrect" in done.stdout
    assert "Tag audit of t.npy" in (tmp_path / "o" / "report.html").read_text()
    assert set(pl.read_parquet(tmp_path / "o" / "issues.parquet")["tag"]) <= {"sky", "sea", "sun"}
    alone = run("audit", *files[:2], "--out", tmp_path / "o2")
    assert alone.returncode == 2
    assert "--pred-probs" in alone.stderr
    np.save(tmp_path / "x.npy", rng.normal(size=(299, 2)))
    uneven = run("audit", *files, "--features", tmp_path / "x.npy", "--out", tmp_path / "o3")
    assert uneven.returncode == 2
    assert "different numbers of rows" in uneven.stderr


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--classes", "sky,,sun"], "name 2 is empty"),
        (
            ["--labels", "y.npy"],
            "--tags is a data set of its own, with --pred-probs, --classes and --features. Remove --labels.",
        ),
        (["--encoder", "minilm"], "Remove --encoder."),
        (["items.csv"], "Remove the file or folder."),
    ],
)
def test_tags_are_not_mixed_with_other_data(tmp_path, more, problem):
    np.save(tmp_path / "t.npy", np.eye(3, dtype=int))
    done = run("audit", *more, "--tags", tmp_path / "t.npy", "--pred-probs", tmp_path / "t.npy", "--out", tmp_path / "o")
    assert done.returncode == 2
    assert problem in " ".join(done.stderr.split())
    assert not (tmp_path / "o").exists()


def test_audit_of_a_folder_of_parquet(noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem()
    np.save(tmp_path / "y.npy", labels)
    (tmp_path / "probs").mkdir()
    for i in range(3):
        pl.DataFrame(probs[i * 200 : (i + 1) * 200], schema=list("abcd")).write_parquet(tmp_path / "probs" / f"{i}.parquet")
    done = run("audit", "--labels", tmp_path / "y.npy", "--pred-probs", tmp_path / "probs", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert np.allclose(lp.Audit.load(tmp_path / "o").error_probability, lp.audit(labels, probs).error_probability)


@pytest.mark.slow
def test_audit_on_a_local_cluster(digits, tmp_path):
    pytest.importorskip("ray")
    np.save(tmp_path / "x.npy", digits.data[:400])
    np.save(tmp_path / "y.npy", digits.target[:400])
    command = ["audit", "--features", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"]
    done = outside(*command, "--ray", "local", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert outside(*command, "--out", tmp_path / "here").returncode == 0
    there, here = lp.Audit.load(tmp_path / "o"), lp.Audit.load(tmp_path / "here")
    assert np.allclose(there.error_probability, here.error_probability, atol=1e-4)
    refused = outside(*command, "--ray", "127.0.0.1:1", "--out", tmp_path / "no")
    assert refused.returncode == 2
    assert "No Ray cluster answers" in refused.stderr


def bad_inputs() -> dict[str, tuple[dict[str, bytes], list[str], str]]:
    """Files to write, arguments, and what the message must say."""
    rows = b"".join(b"%d,%d,%s\n" % (i, i % 7, b"xy"[i % 2 : i % 2 + 1]) for i in range(40))
    good = b"id,a,y\n" + rows
    t = ["audit", "t.csv", "--label", "y"]
    arrays = ["audit", "--labels", "y.npy", "--pred-probs", "p.npy"]

    def npy(array: np.ndarray) -> bytes:
        import io

        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()

    half = np.full((4, 2), 0.5)
    labels = npy(np.array([0, 1, 0, 1]))
    nan, unsummed = half.copy(), half.copy()
    nan[2, 1], unsummed[3, 0] = np.nan, 0.7
    return {
        "missing file": ({"tt.csv": good}, t, "Did you mean 'tt.csv'"),
        "missing column": (
            {"t.csv": good.replace(b"y\n", b"kind\n", 1)},
            ["audit", "t.csv", "--label", "kid"],
            "Did you mean 'kind'",
        ),
        "empty file": ({"t.csv": b""}, t, "is empty"),
        "no utf-8": ({"t.csv": good + b"9,\xe9,x\n"}, t, "line 42 is not UTF-8"),
        "ragged": ({"t.csv": good + b"1,2\n"}, t, "line 42 has 2 fields"),
        "nan": ({"y.npy": labels, "p.npy": npy(nan)}, arrays, "row 2, column 1 is nan"),
        "row sum": ({"y.npy": labels, "p.npy": npy(unsummed)}, arrays, "row 3 sums to 1.2"),
        "rows": ({"y.npy": labels, "p.npy": npy(half[:3])}, arrays, "labels has 4 rows but pred_probs has 3"),
        "outside": ({"y.npy": npy(np.array([0, 1, 7, 1])), "p.npy": npy(half)}, arrays, "label 7, outside 0..1"),
        "outside classes": (
            {"y.npy": npy(np.array(["a", "b", "bb", "a"])), "p.npy": npy(half)},
            [*arrays, "--classes", "a,b"],
            "row 2 is 'bb'",
        ),
        "one class": ({"t.csv": good.replace(b",x\n", b",y\n")}, t, "nothing to compare"),
        "one example": ({"t.csv": good + b"41,1,z\n"}, t, "class 'z' has one example (row 40)"),
        "truncated": ({"y.npy": labels, "p.npy": npy(half)[:-8]}, arrays, "its header promises"),
        "no label option": ({"t.csv": good}, ["audit", "t.csv"], "--label is missing"),
        "nothing": ({}, ["audit"], "nothing to audit"),
        "labels alone": ({"y.npy": labels}, ["audit", "--labels", "y.npy"], "Add --pred-probs or --features"),
        "no pictures": ({"pics/readme.txt": b""}, ["audit", "pics"], "one folder per class"),
        "simulate noise": (
            {"t.csv": good},
            ["simulate", "t.csv", "--label", "y", "--noise", "symetric"],
            "Did you mean 'symmetric'",
        ),
        "simulate suffix": ({"t.csv": good}, ["simulate", "t.csv", "--label", "y", "--out", "a.xls"], "ends in '.xls'"),
        "simulate onto itself": (
            {"t.csv": good},
            ["simulate", "t.csv", "--label", "y", "--out", "t.csv", "--overwrite"],
            "never modified",
        ),
    }


@pytest.mark.parametrize("case", bad_inputs())
def test_bad_input_exits_two_with_one_message_and_writes_nothing(tmp_path, case):
    files, arguments, message = bad_inputs()[case]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert not (tmp_path / "audit").exists()


def test_an_unwritable_output_folder(table):
    done = run("audit", table, "--label", "kind", "--out", "/proc/audit")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


@pytest.mark.needs("torch")
def test_a_corrupt_picture_among_good_ones_is_counted(tmp_path):
    rng = np.random.default_rng(0)
    for kind, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "p" / kind).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(shade - 20, shade + 20, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "p" / kind / f"{i}.png")
    (tmp_path / "p" / "dark" / "3.png").write_bytes(b"no picture")
    done = run("audit", tmp_path / "p", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert "1 items could not be read" in done.stdout
    summary = json.loads((tmp_path / "audit" / "summary.json").read_text())
    assert summary["skipped"][0]["id"] == "dark/3.png"
    assert summary["n"] == 23


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 1.5, 2.5])
def test_a_killed_audit_leaves_nothing_half_written_and_can_be_run_again(table, tmp_path, delay):
    arguments = ["audit", str(table), "--label", "kind", "--out", str(tmp_path / "audit")]
    running = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    running.send_signal(signal.SIGKILL)
    running.wait()
    if (tmp_path / "audit").exists():
        lp.Audit.load(tmp_path / "audit")
    assert run(*arguments, "--overwrite").returncode == 0
    lp.Audit.load(tmp_path / "audit")
    assert [p.name for p in tmp_path.iterdir()] == ["audit"]


def test_simulate_then_audit(table, tmp_path):
    done = run(
        "simulate", table, "--label", "kind", "--noise", "pair", "--rate", 0.2, "--out", tmp_path / "dirty.parquet", "--seed", 1
    )
    assert done.returncode == 0, done.stderr
    dirty = pl.read_parquet(tmp_path / "dirty.parquet")
    assert dirty["kind_clean"].to_list() == pl.read_csv(table)["kind"].to_list()
    assert abs((dirty["kind"] != dirty["kind_clean"]).mean() - 0.2) < 0.1
    assert "labelproof audit" in done.stdout
    learned = lp.read_table(tmp_path / "dirty.parquet", "kind", id="name").x.columns
    assert "kind_clean" not in learned  # or the audit would know the truth
    assert run("simulate", table, "--label", "kind", "--out", tmp_path / "dirty.parquet").returncode == 2


@pytest.mark.slow
def test_the_demo_finds_flipped_digits_and_repairing_helps(tmp_path):
    done = outside("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    counts = {
        line.split("  ")[0]: int(line.split()[-1])
        for line in done.stdout.splitlines()
        if line.startswith(("flipped  ", "found", "missed", "false"))
    }
    assert counts["found"] > 0.85 * counts["flipped"]
    assert counts["false alarms"] < 0.2 * counts["flipped"]
    accuracy = [
        float(line.split()[-1].rstrip("%")) for line in done.stdout.splitlines() if " labels " in line and line.startswith("  ")
    ]
    dirty, repaired, clean = accuracy
    assert dirty + 2 < repaired <= clean + 1
    assert (tmp_path / "demo" / "report.html").stat().st_size > 20_000


def test_help_and_import_are_quick_and_load_nothing_heavy():
    code = "import sys, labelproof, labelproof.cli; print([m for m in ('torch', 'numba', 'ray', 'sklearn', 'polars', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert outside("--help").returncode == 0
    assert lp.__version__ in outside("version").stdout


def test_the_unexpected_exits_one_and_says_how_to_report(monkeypatch, capsys, table, tmp_path):
    from labelproof import cli

    monkeypatch.setattr(cli.audit, "_audit", lambda *a: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["labelproof", "audit", str(table), "--label", "kind", "--out", str(tmp_path / "o")])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert "Please report it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("torch")
def test_every_public_name_exists():
    for name in lp.__dir__():
        assert getattr(lp, name) is not None or name.startswith("__")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        lp.nonsense  # noqa: B018


def test_control_characters_of_ids_and_labels_never_reach_the_terminal(tmp_path):
    rows = [f"id{i}\x1b[31m\x07,{v + i / 100},{'no' if v else 'y' + chr(0x9B) + '2Jes'}" for i, v in enumerate([0, 1] * 30)]
    (tmp_path / "t.csv").write_text("\n".join(["id,a,label", *rows]) + "\n")
    done = run("audit", tmp_path / "t.csv", "--label", "label", "--id", "id", "--out", tmp_path / "audit\x1b]0;owned\x07")
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout + done.stderr) & set("\x1b\x07\x9b\u202e")
    assert "\\x1b[31m" in done.stdout
    wrong = run("audit", tmp_path / "t\x1b[2J.csv", "--label", "label")
    assert wrong.returncode == 2
    assert "\x1b" not in wrong.stderr


def test_what_was_inferred_of_a_file_is_said_in_one_line(tmp_path):
    rows = [f"{i},{v}5;{'NA' if i < 3 else 'ny'[v]}" for i, v in enumerate([0, 1] * 30)]
    (tmp_path / "t.csv").write_bytes("\n".join(["a;label", *rows]).encode("utf-16"))
    done = run("audit", tmp_path / "t.csv", "--label", "label", "--out", tmp_path / "audit")
    assert done.returncode == 0
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert "read as UTF-16, fields separated by ';' (semicolon)" in notes[0]
    assert "'NA' means no label here (3 items)" in notes[1]
    assert "decimal commas: 'a'" in notes[2]
    kept = run("audit", tmp_path / "t.csv", "--label", "label", "--missing", "", "--out", tmp_path / "kept")
    assert "means no label" not in kept.stderr
    assert json.loads((tmp_path / "kept" / "summary.json").read_text())["classes"] == ["NA", "n", "y"]


def test_copies_of_the_label_are_told_before_the_figures(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    pl.DataFrame({"a": y + rng.normal(0, 0.4, 120), "copy": y + 3, "label": np.array(["n", "y"])[y]}).write_csv(
        tmp_path / "t.csv"
    )
    done = run("audit", tmp_path / "t.csv", "--label", "label", "--out", tmp_path / "audit")
    assert done.stdout.index("'copy' equals the label") < done.stdout.index("labels look wrong")
    assert "so it was excluded" in done.stdout
    kept = run("audit", tmp_path / "t.csv", "--label", "label", "--keep", "copy", "--out", tmp_path / "kept")
    assert "Exclude it: --ignore 'copy'" in kept.stdout
    without = run("audit", tmp_path / "t.csv", "--label", "label", "--ignore", "copy", "--out", tmp_path / "without")
    assert "copy" not in without.stdout


def trained(option, value, message):
    """A training that cannot be, where there is torch."""
    return pytest.param(("train", "t.csv", "--label", "label", option, value), message, marks=pytest.mark.needs("torch"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "t.csv", "--label", "label", "--seed", "-5"), ""),  # typer's own words
        trained("--accelerator", "gpu", "torch finds none"),
        trained("--accelerator", "warp", "accelerator is 'warp'"),
        trained("--precision", "8", "precision is '8'"),
        (("audit", "--labels", "y.npy", "--pred-probs", "p.npy", "--classes", "²,1"), "not one of"),
        (("audit", "t.csv", "--label", "label", "--encoding", "klingon"), "'klingon' is unknown"),
        (("audit", "empty.csv", "--label", "label"), "is empty"),
        (("audit", "t.csv", "--label", "a"), "different values in"),
    ],
)
def test_options_that_cannot_be_used_end_in_one_message(tmp_path, arguments, message):
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{v + i / 97},{'ny'[v]}\n" for i, v in enumerate([0, 1] * 30)))
    (tmp_path / "empty.csv").write_bytes(b"")
    np.save(tmp_path / "y.npy", [0, 1] * 30)
    np.save(tmp_path / "p.npy", np.full((60, 2), 0.5))
    done = run(*arguments, "--out", "new.csv" if arguments[0] == "simulate" else "new", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stdout + done.stderr
    assert not (tmp_path / "new").exists()
