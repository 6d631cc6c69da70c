"""Labels coded block by block are those of `check_labels_for_columns`, errors included."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing import label_codes
from labelproof.auditing.label_codes import Codes, LabelBlocks, write_codes
from labelproof.validation import check_labels_for_columns

N = 2503
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 4, N)
NAMES = np.array(["d", "b", "a", "c"])
SOME = RNG.random(N) < 0.1


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(label_codes, "ROWS", 100)


def coded(labels, path, k=4, columns=None, **options):
    source = SimpleNamespace(n=N, k=k, columns=columns)
    classes, ordered = write_codes(LabelBlocks(labels), source, path, **{"classes": None, "missing": None, **options})
    order = None if ordered is source else ordered.order.tolist()
    return classes, Codes(str(path))[:].tolist(), order


@pytest.mark.parametrize("stored", ["array", "file"])
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (Y, {}),
        (Y.astype(np.uint8), {}),
        (Y.astype(">i4"), {}),
        (Y * 100_000 - 7, {}),
        (Y[:, None], {}),
        (Y > 1, {"k": 2}),
        (np.where(SOME, -1, Y), {}),
        (np.where(SOME, np.nan, Y), {}),
        (np.where(SOME, "", NAMES[Y]), {}),
        (NAMES[Y], {"classes": list("dbca")}),
        (NAMES[Y], {"columns": list("cbad")}),
        (Y, {"missing": [2], "classes": [3, 1, 0, 2]}),
        (np.minimum(Y, 2), {}),
    ],
)
def test_the_codes_are_those_of_labels_in_memory(labels, options, stored, tmp_path):
    if stored == "file":
        np.save(tmp_path / "y.npy", labels)
    found = coded(labels if stored == "array" else tmp_path / "y.npy", tmp_path / "codes.npy", **options)
    names = {"classes": options.get("classes"), "missing": options.get("missing"), "names": options.get("columns")}
    known, order = check_labels_for_columns(labels, N, options.get("k", 4), **names)
    assert found == (known.classes, known.codes.tolist(), order)
    assert np.load(tmp_path / "codes.npy").itemsize == 1


def test_words_that_mean_no_label_are_counted(tmp_path):
    labels = np.where(SOME, "n/a", NAMES[Y])
    with pytest.warns(lp.errors.LabelproofWarning, match=rf"'n/a' means no label here \({SOME.sum()} items\)"):
        _, codes, _ = coded(labels, tmp_path / "codes.npy")
    assert codes.count(-1) == SOME.sum()


@pytest.mark.parametrize(("value", "options"), [("x", {"classes": list("abcd")}), (9, {}), (0.5, {})])
def test_a_label_that_cannot_be_is_named_by_its_row(value, options, tmp_path):
    labels = NAMES[Y] if isinstance(value, str) else Y.astype(type(value))
    labels[1777] = value
    with pytest.raises(lp.BadInput) as ours:
        coded(labels, tmp_path / "codes.npy", **options)
    with pytest.raises(lp.BadInput) as theirs:
        check_labels_for_columns(labels, N, 4, classes=options.get("classes"))
    assert str(ours.value) == str(theirs.value)


def test_a_file_that_is_cut_short_or_of_other_length(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    blocks = LabelBlocks(tmp_path / "y.npy")
    (tmp_path / "y.npy").write_bytes((tmp_path / "y.npy").read_bytes()[:-80])
    with pytest.raises(lp.BadInput, match="changed while it was read"):
        list(blocks)
    with pytest.raises(lp.BadInput, match="truncated or still being written"):
        LabelBlocks(tmp_path / "y.npy")
    with pytest.raises(lp.BadInput, match=f"labels has {N - 1} rows but pred_probs has {N}"):
        coded(Y[1:], tmp_path / "codes.npy")


def test_many_classes_take_two_bytes(tmp_path):
    labels = np.resize(np.arange(300), N)
    coded(labels, tmp_path / "codes.npy", k=300)
    assert np.load(tmp_path / "codes.npy").dtype == np.int16
