"""Checks by limits, in Python and as a command with its exit status and files."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from commands import run


@pytest.fixture(scope="module")
def dirty():
    """An audit of which a tenth of the labels is wrong, and surely so."""
    true = np.arange(900) % 3
    noisy = lp.simulate.symmetric(true, 0.1, random_state=0)
    posterior = np.where(np.eye(3, dtype=bool)[true], 0.98, 0.01)
    return lp.audit_posterior(
        noisy.labels, posterior, lp.TransitionMatrix(np.eye(3) * 0.9 + 0.1 / 3), ids=[f"i{n}" for n in range(900)]
    )


@pytest.fixture(scope="module")
def folder(dirty, tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "audit"
    dirty.save(path)
    return path


def test_the_low_end_of_the_interval_decides(dirty):
    low, high = dirty.error_rate.low, dirty.error_rate.high
    assert not lp.check(dirty, max_error_rate=low - 1e-6).passed
    assert lp.check(dirty, max_error_rate=low).passed
    assert "above" in lp.check(dirty, max_error_rate=low - 1e-6).reasons[0]
    (between,) = lp.check(dirty, max_error_rate=(low + high) / 2).rules
    assert between.passed and not between.decided
    assert "too wide to decide" in between.text
    assert "at most" in lp.check(dirty, max_error_rate=high).rules[0].text


def test_obvious_errors_are_counted(dirty):
    obvious = dirty.counts["obvious"]
    assert obvious > 10
    assert lp.check(dirty, max_obvious=obvious).passed
    failed = lp.check(dirty, max_obvious=obvious - 1)
    assert failed.reasons == [f"Obvious errors: {obvious}; at most {obvious - 1} pass."]
    assert failed.audit is dirty


def test_doubts_fail_only_where_asked(dirty):
    doubtful = lp.audit(lp.Classes(["a", "b"] * 50), [[0.9, 0.1], [0.1, 0.9]] * 50)
    assert lp.check(doubtful, no_doubts=True).passed == (not doubtful.doubts)
    with pytest.warns(lp.DoubtWarning):
        turned = lp.audit(lp.Classes(["a", "b", "c"] * 50), [[0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.9, 0.05, 0.05]] * 50)
    assert lp.check(turned, max_error_rate=1).passed
    assert turned.doubts[0].text in lp.check(turned, no_doubts=True).reasons[0]


def test_a_folder_or_arrays_give_the_same(dirty, folder):
    assert lp.check(folder, max_error_rate=0.01).reasons == lp.check(dirty, max_error_rate=0.01).reasons
    true = np.arange(300) % 3
    made = lp.check(true, np.where(np.eye(3, dtype=bool)[true], 0.9, 0.05), max_obvious=0, ids=np.arange(300))
    assert made.passed and made.reasons == []
    assert made.audit.n == 300


def test_what_means_nothing_is_refused(dirty, tmp_path):
    with pytest.raises(lp.BadInput, match="No limit is set"):
        lp.check(dirty)
    with pytest.raises(lp.BadInput, match="share from 0 to 1"):
        lp.check(dirty, max_error_rate=5)
    with pytest.raises(lp.BadInput, match="0 or more"):
        lp.check(dirty, max_obvious=-1)
    with pytest.raises(lp.BadInput, match="exists already"):
        lp.check(dirty, max_obvious=1, ids=[1])
    with pytest.raises(lp.BadInput, match="not an audit folder"):
        lp.check(tmp_path, max_obvious=1)


def test_the_command_passes_fails_and_refuses(folder, tmp_path):
    assert run("check", folder, "--max-error-rate", 0.5).returncode == 0
    failed = run("check", folder, "--max-error-rate", 0.01, "--max-obvious", 0, "--no-doubts",
                 "--json", tmp_path / "c.json", "--junit", tmp_path / "c.xml")  # fmt: skip
    assert failed.returncode == 1
    assert failed.stdout.count("failed") == 2 and failed.stdout.count("passed") == 1
    told = json.loads((tmp_path / "c.json").read_text())
    assert (told["passed"], len(told["reasons"]), told["audit"]["n"]) == (False, 2, 900)
    suites = ElementTree.parse(tmp_path / "c.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("3", "2")
    cases = suites.findall("testsuite/testcase")
    assert [case.find("failure") is not None for case in cases] == [True, True, False]
    assert cases[0].find("failure").get("message") == told["reasons"][0]
    assert run("check", folder).returncode == 2
    assert run("check", tmp_path / "absent.csv", "--label", "y", "--max-obvious", 0).returncode == 2
    told = run("check", folder, "--label", "y", "--max-obvious", 0)
    assert told.returncode == 2 and "--label is for one that is made" in told.stderr


def test_the_command_audits_a_file_and_never_writes_over_it(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    data = tmp_path / "t.csv"
    pl.DataFrame({"a": rng.normal(6 * y, 1), "kind": np.array(["cat", "dog"])[y]}).write_csv(data)
    done = run("check", data, "--label", "kind", "--max-error-rate", 0.05)
    assert done.returncode == 0, done.stderr
    before = data.read_bytes()
    refused = run("check", data, "--label", "kind", "--max-error-rate", 0.05, "--json", data)
    assert refused.returncode == 2 and data.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv"]


def test_names_with_control_characters_make_whole_xml(dirty):
    from labelproof.report.junit import junit_xml

    text = junit_xml(lp.check(dirty, max_obvious=0), name="a\x00\x1b<b>")
    assert ElementTree.fromstring(text).find("testsuite/testcase").get("classname") == "a  <b>"
