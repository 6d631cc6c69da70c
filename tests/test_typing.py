"""Types as another project's mypy sees them: `py.typed` is there, and public names have types."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROJECT = """
import numpy as np
import labelproof as lp

audit = lp.audit(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
reveal_type(audit)
reveal_type(audit.error_rate)
reveal_type(audit.doubts)
reveal_type(lp.Tags([[0, 1]], names=["a", "b"]))
reveal_type(lp.check(audit, max_error_rate=0.1).passed)
reveal_type(lp.simulate.symmetric([0, 1], 0.1).changed)
reveal_type(lp.NoisyLabelClassifier("elr").fit([[0.0]], [0]))
audit.no_such_thing
lp.check(audit, max_error_rate="much")
"""
SEEN = (
    "labelproof.auditing.findings.Audit", "labelproof.auditing", "labelproof.labels.tags.Tags", '"bool"', "numpy", "NoisyLabelClassifier",
    '"Audit" has no attribute "no_such_thing"', 'Argument "max_error_rate" to "check" has incompatible type "str"',
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_a_project_that_uses_labelproof_is_checked(tmp_path):
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-torch.*]\nfollow_imports = skip\n"
    )  # half a minute of stubs that no line is about
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports",
        "silent",
        "--cache-dir",
        str(tmp_path / "cache"),
        "project.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    for words in SEEN:
        assert words in done.stdout, done.stdout
    assert 'is "Any"' not in done.stdout  # every name that was asked about has a type
    assert done.stdout.count("error:") == 2, done.stdout
