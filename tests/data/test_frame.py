"""Frames in memory, of polars and pandas, read as files are."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import labelproof as lp


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    kind = np.array(["cat", "dog"])[np.arange(120) % 2]
    made = {"key": [f"k{i}" for i in range(120)], "size": (np.arange(120) % 2) + rng.normal(0, 0.1, 120), "kind": kind}
    made["kind"][7] = "cat"
    words = np.array(["purr whisker meow", "bark fetch woof"])[np.arange(120) % 2]
    return pl.DataFrame({**made, "title": words, "body": [f"number {i}" if i % 3 else None for i in range(120)]})


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_frame_in_findings_out(frame, library, tmp_path):
    own = frame if library == "polars" else frame.to_pandas()
    found = lp.audit(
        own.drop(columns=["title", "body"]) if library == "pandas" else own.drop("title", "body"), label="kind", ids="key"
    )
    assert found.issues["id"][0] == "k7"
    assert found.source == {}
    assert ("size", f"{frame['size'][7]}") in found.dataset.show(7).fields
    found.save(tmp_path / "audit")
    assert lp.Audit.load(tmp_path / "audit").issues.equals(found.issues)


def test_it_is_what_the_file_is(frame, tmp_path):
    frame.write_parquet(tmp_path / "t.parquet")
    of_file, of_frame = lp.read_table(tmp_path / "t.parquet", "kind", id="key"), lp.read_frame(frame, "kind", id="key")
    assert of_frame.x.equals(of_file.x)
    assert of_frame.labels == of_file.labels
    assert of_frame.ids.tolist() == of_file.ids.tolist()


def test_several_columns_are_one_text(frame):
    data = lp.read_frame(frame, "kind", text=["title", "body"])
    assert data.kind == "text"
    assert data.x[1] == "bark fetch woof\n\nnumber 1"
    assert data.x[0] == "purr whisker meow"  # an empty one is left out
    found = lp.audit(frame, label="kind", text=["title", "body"])
    assert found.issues["index"][0] == 7


def test_bad_input(frame):
    with pytest.raises(lp.BadInput, match="Give a polars or pandas DataFrame"):
        lp.audit([1, 2], label="kind")
    with pytest.raises(lp.BadInput, match="'sort'"):
        lp.audit(frame, label="sort")
    with pytest.raises(lp.BadInput, match="Leave them out beside text"):
        lp.read_frame(frame, "kind", text="title", ignore=["size"])
