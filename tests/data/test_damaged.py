"""Damaged, half-written and altered files: every reader reads them or says so; none ends in another error or ends the process."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.data.array_files import rows_of_file
from labelproof.data.frames import read_raw
from labelproof.data.readers import reader_of
from labelproof.review.candidates import open_candidates
from labelproof.review.log.store import Store
from labelproof.saving.files import load_array
from labelproof.saving.folders import foreign_file
from labelproof.saving.state import read_tensors, write_tensors

pytestmark = pytest.mark.filterwarnings("ignore")
Y = np.array([0, 1] * 15)
P = np.where(np.eye(2, dtype=bool)[Y], 0.9, 0.1)


def mutations(data: bytes, count: int) -> list[bytes]:
    """Truncated, with bits flipped, with a piece overwritten, doubled or taken out."""
    rng = np.random.default_rng(0)
    made = [b"", data[:1], data[: len(data) // 2], data[:-1], data * 2, bytes(len(data))]
    while len(made) < count:
        bytes_ = bytearray(data)
        where = int(rng.integers(0, len(data)))
        if rng.random() < 0.3:  # beginnings and ends say what a file is
            where = int(rng.choice([rng.integers(0, min(64, len(data))), len(data) - 1 - rng.integers(0, min(64, len(data)))]))
        match int(rng.integers(0, 4)):
            case 0:
                bytes_[where] ^= 1 << int(rng.integers(0, 8))
            case 1:
                piece = rng.integers(0, 256, int(rng.integers(1, 9))).astype(np.uint8).tobytes()
                bytes_[where : where + len(piece)] = piece
            case 2:
                del bytes_[where : where + int(rng.integers(1, 20))]
            case _:
                bytes_ = bytes_[:where]
        made.append(bytes(bytes_))
    return made


def csv(path):
    pl.DataFrame({"a": ["x, y", 'q "r"', "z\n1"] * 10, "b": np.arange(30), "y": Y}).write_csv(path)
    return lambda: lp.read_table(path, "y")


def utf16(path):
    path.write_bytes("a;y\n1,5;0\n2;1\n".encode("utf-16") * 1)
    return lambda: lp.read_table(path, "y")


def zipped(path):
    path.write_bytes(gzip.compress(b"a,y\n1,0\n2,1\n3,0\n"))
    return lambda: lp.read_table(path, "y")


def npy(path):
    np.save(path, P)
    return lambda: (lp.audit(Y, path), load_array(path, "x"))


def rows(path):
    np.save(path, P)
    return lambda: rows_of_file(str(path), "features")[np.array([0, 29])]


def npz(path):
    np.savez_compressed(path, p=P, y=Y)
    return lambda: load_array(path, "x", key="p")


def weights(path):
    write_tensors(path, {"a": np.arange(10.0)}, {"k": [1, 2]})
    return lambda: read_tensors(path)


def sqlite(path):
    Store(path).close()

    def look():
        store = Store(path)
        store.current("x")
        store.close()

    return look


def summary(path):
    lp.audit(Y, P).save(path.parent / "audit")
    shutil.move(path.parent / "audit" / "summary.json", path)
    inside = path.parent / "audit" / "summary.json"

    def look():
        shutil.copy(path, inside)
        lp.Audit.load(path.parent / "audit").to_html(path.parent / "r.html")
        open_candidates(path.parent / "audit")

    return look


def mark(path):
    path.write_text('{"labelproof": 1, "files": ["a"]}')
    (path.parent / "out").mkdir()

    def look():
        shutil.copy(path, path.parent / "out" / ".labelproof")
        foreign_file(path.parent / "out")

    return look


FILES = {
    "t.csv": csv, "w.csv": utf16, "t.csv.gz": zipped, "p.npy": npy, "r.npy": rows, "p.npz": npz, "w.safetensors": weights,
    "s.sqlite": sqlite, "summary.json": summary, "mark.json": mark,
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    path = tmp_path / name
    look = FILES[name](path)
    whole = path.read_bytes()
    look()
    refused = 0
    for number, data in enumerate(mutations(whole, 150)):
        path.write_bytes(data)
        try:
            look()
        except lp.LabelproofError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"mutation {number} of {name}: {type(error).__name__}: {error}") from error
    assert refused > 0 or name == "mark.json"


APART = """
import sys, warnings
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
warnings.simplefilter("ignore")
import labelproof as lp
from labelproof.auditing.sources import open_source
from labelproof.review.candidates import open_candidates
from data.test_damaged import mutations
kind, folder = sys.argv[1], Path(sys.argv[2])
path = folder / ("audit/issues.parquet" if kind == "issues" else "cells.h5ad" if kind == "cells" else "t.parquet")
def look():
    if kind == "issues":
        lp.Audit.load(folder / "audit")
        open_candidates(folder / "audit")
    elif kind == "cells":
        lp.read_cells(path, "ct")
    elif kind == "probs":
        for block in open_source(path).blocks():
            pass
    else:
        lp.read_table(path, "y")
whole = path.read_bytes()
look()
refused = 0
for number, data in enumerate(mutations(whole, {count})):
    path.write_bytes(data)
    try:
        look()
    except lp.LabelproofError:
        refused += 1
    except BaseException as error:
        print("mutation", number, type(error).__name__, error)
        sys.exit(3)
print("refused", refused)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("table", 250), ("probs", 250), ("issues", 150), ("cells", 60)])
def test_damaged_binary_files_do_not_end_the_process(tmp_path, kind, count):
    if kind == "issues":
        lp.audit(Y, P).save(tmp_path / "audit")
    elif kind == "cells":
        anndata = pytest.importorskip("anndata")
        pandas = pytest.importorskip("pandas")
        counts = np.random.default_rng(0).poisson(2, (30, 5)).astype(np.float32)
        obs = pandas.DataFrame({"ct": pandas.Categorical(np.array(["T", "B"])[Y])}, index=[f"c{i}" for i in range(30)])
        anndata.AnnData(counts, obs=obs).write_h5ad(tmp_path / "cells.h5ad")
    else:
        columns = {"a": P[:, 0], "b": P[:, 1]} if kind == "probs" else {"a": ["x", "yy", None] * 10, "b": P[:, 0], "y": Y}
        pl.DataFrame(columns).write_parquet(tmp_path / "t.parquet")
    script = APART.format(tests=str(Path(__file__).parents[1]), count=count)
    done = subprocess.run([sys.executable, "-c", script, kind, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    assert int(done.stdout.split()[-1]) > 0


def test_a_parquet_file_with_a_flipped_bit_in_its_pages_is_refused_or_read(tmp_path):
    pl.DataFrame({"a": np.arange(2000.0), "y": np.arange(2000) % 2}).write_parquet(tmp_path / "t.parquet")
    whole = bytearray((tmp_path / "t.parquet").read_bytes())
    whole[100] ^= 255
    (tmp_path / "t.parquet").write_bytes(bytes(whole))
    with pytest.raises(lp.BadInput, match="not a readable Parquet"):
        read_raw(tmp_path / "t.parquet")


def test_an_array_that_shrinks_under_a_reader_is_an_error_and_not_the_end(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1000, 8)))
    held = rows_of_file(str(tmp_path / "x.npy"), "features")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:500])
    with pytest.raises(lp.BadInput, match="fewer rows than it had"):
        held[np.array([900])]


@pytest.mark.needs("torch")
def test_a_damaged_model_or_caption_file_is_refused(tmp_path):
    pl.DataFrame({"a": Y + np.arange(30) / 50, "y": Y}).write_csv(tmp_path / "t.csv")
    data = lp.read_table(tmp_path / "t.csv", "y")
    lp.NoisyLabelClassifier("cross-entropy", epochs=1).fit(data).save(tmp_path / "model")
    captions = tmp_path / "c.json"
    captions.write_text(
        '{"images": [{"id": 1}, {"id": 2}], "annotations": [{"image_id": 1, "caption": "a"}, {"image_id": 2, "caption": "b"}]}'
    )

    def predicted() -> None:
        model = lp.NoisyLabelClassifier.load(tmp_path / "model")
        model.predict_proba(reader_of(model.source_).read_new(tmp_path / "t.csv")[0])

    for path, look in ((tmp_path / "model" / "summary.json", predicted), (captions, lambda: lp.read_captions(captions))):
        whole = path.read_bytes()
        look()
        refused = 0
        for number, changed in enumerate(mutations(whole, 100)):
            path.write_bytes(changed)
            try:
                look()
            except lp.LabelproofError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"mutation {number} of {path.name}: {type(error).__name__}: {error}") from error
        path.write_bytes(whole)
        assert refused > 0
