"""Memory, files, Parquet, sparse rows and several models: the same findings, and a clear message where one is broken."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

import labelproof as lp
from labelproof.auditing.sources import NpyFile, Ordered, ParquetFiles, TopK, base, open_source
from labelproof.threads import in_threads


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(base, "BLOCK_BYTES", 4_000)  # many blocks


@pytest.fixture
def stored(noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem(n=900)
    np.save(tmp_path / "p.npy", probs)
    frame = pl.DataFrame(probs, schema=["c0", "c1", "c2", "c3"])
    frame.write_parquet(tmp_path / "p.parquet")
    (tmp_path / "parts").mkdir()
    for i, (a, b) in enumerate(((0, 10), (10, 500), (500, 900))):
        frame[a:b].write_parquet(tmp_path / "parts" / f"part{i}.parquet")
    pl.DataFrame({"id": np.arange(900), "probs": probs.tolist()}).write_parquet(tmp_path / "lists.parquet")
    return labels, probs, tmp_path


def test_every_store_gives_the_same_findings(stored):
    labels, probs, folder = stored
    memory = lp.audit(labels, probs)
    for kind in (
        folder / "p.npy",
        str(folder / "p.npy"),
        np.load(folder / "p.npy", mmap_mode="r"),
        folder / "p.parquet",
        folder / "parts",
        folder / "lists.parquet",
        csr_matrix(probs),
        [probs],
        [probs, folder / "p.npy", folder / "parts"],
    ):
        found = lp.audit(labels, kind)
        assert np.allclose(found.error_probability, memory.error_probability, atol=1e-9), kind
        assert np.array_equal(found.suggested, memory.suggested)
        assert found.error_rate == pytest.approx(memory.error_rate)
    single = lp.audit(labels, probs.astype(np.float32))
    assert np.allclose(single.error_probability, memory.error_probability, atol=1e-5)


def test_blocks_have_the_asked_size_whatever_the_parts(stored):
    _, probs, folder = stored
    for kind in (folder / "p.npy", folder / "parts", folder / "lists.parquet", probs):
        blocks = [block.copy() for block in open_source(kind).blocks(128)]
        assert [len(b) for b in blocks] == [128] * 7 + [4]
        assert np.allclose(np.vstack(blocks), probs)


def test_columns_of_a_parquet_file_follow_their_names(stored):
    labels, probs, folder = stored
    names = np.array(["d", "b", "a", "c"])
    pl.DataFrame(probs, schema=names.tolist()).write_parquet(folder / "named.parquet")
    found = lp.audit(names[labels], folder / "named.parquet")
    assert found.classes == ("a", "b", "c", "d")
    assert np.allclose(found.error_probability, lp.audit(labels, probs).error_probability)


def test_several_models_are_averaged(noisy_problem):
    labels, probs, _ = noisy_problem()
    other = 0.5 * probs + 0.125
    assert np.allclose(
        lp.audit(labels, [probs, other]).error_probability, lp.audit(labels, (probs + other) / 2).error_probability
    )
    with pytest.raises(lp.BadInput, match=r"pred_probs\[1\] has shape"):
        lp.audit(labels, [probs, other[:-1]])


def test_sources_of_every_kind_can_be_averaged(noisy_problem):
    labels, probs, _ = noisy_problem()
    turned = Ordered(open_source(probs[:, ::-1]), [3, 2, 1, 0])
    assert np.allclose(
        lp.audit(labels, [turned, open_source([probs])]).error_probability, lp.audit(labels, probs).error_probability
    )


def test_the_most_probable_classes_with_the_rest_spread(noisy_problem):
    labels, probs, _ = noisy_problem(k=6)
    top = np.argsort(-probs, axis=1)[:, :3]
    values = np.take_along_axis(probs, top, axis=1)
    full = np.repeat((1 - values.sum(axis=1, keepdims=True)) / 3, 6, axis=1)
    np.put_along_axis(full, top, values, axis=1)
    expected = lp.audit(labels, full).error_probability
    sparse = csr_matrix((values.ravel(), top.ravel(), np.arange(0, 3 * 600 + 1, 3)), shape=(600, 6))
    assert np.allclose(lp.audit(labels, sparse).error_probability, expected)
    assert np.allclose(lp.audit(labels, TopK.from_columns(top, values, 6)).error_probability, expected)
    with pytest.raises(lp.BadInput, match=r"indices row 0 .*outside 0\.\.1"):
        TopK.from_columns(top, values, 2)
    with pytest.raises(lp.BadInput, match=r"row 7 sums to 1\.5"):
        values[7] = 0.5
        lp.audit(labels, TopK.from_columns(top, values, 6))


def test_a_truncated_file(stored):
    labels, _, folder = stored
    whole = (folder / "p.npy").read_bytes()
    (folder / "p.npy").write_bytes(whole[:-100])
    with pytest.raises(lp.BadInput, match="its header promises"):
        lp.audit(labels, folder / "p.npy")


def test_a_file_that_changes_while_it_is_read(stored):
    _, _, folder = stored
    blocks = NpyFile(folder / "p.npy").blocks()
    next(blocks)
    with (folder / "p.npy").open("ab") as file:
        file.write(b"more")
    with pytest.raises(lp.BadInput, match="changed while it was read"):
        list(blocks)


def test_broken_parts(stored):
    labels, _, folder = stored
    good = (folder / "parts" / "part1.parquet").read_bytes()
    (folder / "parts" / "part1.parquet").write_bytes(good[: len(good) // 2])
    with pytest.raises(lp.BadInput, match=r"part1\.parquet.*not a readable Parquet"):
        lp.audit(labels, folder / "parts")
    pl.DataFrame({"c0": [1.0], "c1": [0.0], "c2": [0.0]}).write_parquet(folder / "parts" / "part1.parquet")
    with pytest.raises(lp.BadInput, match="has no column 'c3'"):
        lp.audit(labels, folder / "parts")
    pl.DataFrame({"c0": [1.0], "c1": [None], "c2": [0.0], "c3": [0.0]}, schema_overrides={"c1": pl.Float64}).write_parquet(
        folder / "parts" / "part1.parquet"
    )
    with pytest.raises(lp.BadInput, match="empty value in column 'c1'"):
        list(ParquetFiles(folder / "parts").blocks())


def test_other_things_that_hold_no_probabilities(stored, tmp_path):
    labels, probs, folder = stored
    (folder / "p.txt").write_text("x")
    with pytest.raises(lp.BadInput, match=r"ends in '\.txt'"):
        lp.audit(labels, folder / "p.txt")
    (folder / "empty").mkdir()
    with pytest.raises(lp.BadInput, match=r"holds no \.parquet"):
        lp.audit(labels, folder / "empty")
    pl.DataFrame({"name": ["a"]}).write_parquet(folder / "text.parquet")
    with pytest.raises(lp.BadInput, match="no column of lists"):
        lp.audit(labels, folder / "text.parquet")
    pl.DataFrame({"probs": [[0.5, 0.5], [1.0]]}).write_parquet(folder / "ragged.parquet")
    with pytest.raises(lp.BadInput, match="different lengths"):
        lp.audit([0, 1], folder / "ragged.parquet")
    np.save(folder / "f.npy", np.asfortranarray(probs))
    with pytest.raises(lp.BadInput, match="column order"):
        lp.audit(labels, folder / "f.npy")
    with pytest.raises(lp.BadInput, match="labels has 900 rows but pred_probs has 899"):
        lp.audit(labels, probs[:-1])


def test_pieces_are_the_rows_in_order_whichever_thread_loads_them(monkeypatch, tmp_path):
    monkeypatch.setattr(base, "PIECE_BYTES", 2_000)
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(4), 1000).astype(np.float32)
    np.save(tmp_path / "p.npy", probs)
    pl.DataFrame(probs, schema=list("abcd")).write_parquet(tmp_path / "p.parquet")
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    for given in (probs, mapped, tmp_path / "p.npy", tmp_path / "p.parquet", csr_matrix(probs), [probs, probs]):
        for source, wanted in (
            (open_source(given), probs),
            (Ordered(open_source(given), [3, 1, 0, 2]), probs[:, [3, 1, 0, 2]]),
        ):
            parts = list(in_threads(lambda piece: (piece[0], np.array(piece[1]())), source.pieces(), 3))
            assert len(parts) > 1
            assert [start for start, _ in parts] == np.cumsum([0, *(len(part) for _, part in parts)])[:-1].tolist()
            assert np.allclose(np.concatenate([part for _, part in parts]), wanted, atol=1e-6)


def test_the_pieces_of_a_file_outlast_the_list_of_them(tmp_path):
    np.save(tmp_path / "p.npy", np.full((5000, 4), 0.25))
    pieces = list(NpyFile(tmp_path / "p.npy").pieces())
    assert sum(len(load()) for _, load in pieces) == 5000
