"""The data with repaired labels: a copy in which nothing differs but what was decided."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from labelproof.review.exchange.apply import repair

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 60)


def audited(data, folder):
    lp.audit(data, np.eye(2)[data.given] * 0.8 + 0.1).save(folder)


def relabel(session, row, uid="uid-1"):
    """Decide for the other class of two for the item in a row of the data."""
    rank = int(np.flatnonzero(session.candidates.index == row)[0])
    other = next(name for name in session.candidates.classes if name != session.candidates.part.given(rank))
    session.decide("Ann", rank, "relabel", other, uid)
    return other


@pytest.mark.parametrize(
    "names",
    [
        ("no", "yes"),
        ("0.0", "1.0"),
        ("True", "False"),
        ("2020-01-01", "2021-01-01"),
        ("007", "7"),
        ("-1", "1"),
        ("α, β", 'say "x"'),
    ],
)
def test_a_csv_is_the_same_bytes_but_for_one_cell(tmp_path, session_of, names):
    rows = [f'{i:05d},"{10**19 + i}",{v:.3f},{i % 3 == 0},{{}}' for i, v in enumerate(Y + RNG.normal(0, 0.1, 60))]
    cells = ['"' + names[v].replace('"', '""') + '"' if "," in names[v] or '"' in names[v] else names[v] for v in Y]
    lines = ["zip,order,a,flag,label", *(row.format(cell) for row, cell in zip(rows, cells, strict=True))]
    path = tmp_path / "t.csv"
    path.write_bytes("\r\n".join(lines).encode())
    audited(lp.read_table(path, "label"), tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    repair(session.candidates, session.store, tmp_path / "same.csv")
    assert (tmp_path / "same.csv").read_bytes() == path.read_bytes()
    relabel(session, 7)
    repair(session.candidates, session.store, tmp_path / "clean.csv")
    lines[8] = rows[7].format(cells[int(np.argmax(Y[7] != Y))])
    assert (tmp_path / "clean.csv").read_bytes() == "\r\n".join(lines).encode()


def test_arrays_go_back_into_an_array_of_their_type(tmp_path, session_of):
    np.save(tmp_path / "y.npy", Y.astype(np.float32))
    np.save(tmp_path / "x.npy", np.c_[Y, Y] + 0.0)
    audited(lp.read_arrays(tmp_path / "x.npy", tmp_path / "y.npy"), tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    relabel(session, 3)
    repair(session.candidates, session.store, tmp_path / "clean.npy")
    clean = np.load(tmp_path / "clean.npy")
    assert clean.dtype == np.float32
    assert np.flatnonzero(clean != Y).tolist() == [3]


def test_a_folder_of_pictures_is_copied_with_the_picture_moved(tmp_path, session_of):
    for i, v in enumerate(Y[:20]):
        path = tmp_path / "p" / ("dark", "light")[v] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), int(200 * v + i)).save(path)
    data = lp.read_images(tmp_path / "p")
    audited(data, tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    other = relabel(session, 0)
    repair(session.candidates, session.store, tmp_path / "clean")
    was = str(data.ids[0])
    moved = f"{other}/{was.split('/')[1]}"
    assert (tmp_path / "clean" / moved).read_bytes() == (tmp_path / "p" / was).read_bytes()
    assert not (tmp_path / "clean" / was).exists()
    assert len(list((tmp_path / "clean").rglob("*.png"))) == 20
    repair(session.candidates, session.store, tmp_path / "clean.csv")
    assert pl.read_csv(tmp_path / "clean.csv").columns == ["path", "label", "label_given", "label_change"]


def test_labels_that_mean_missing_are_handed_on_as_they_stand(tmp_path, session_of):
    cells = [("NA", "none", "?")[i % 3] if i < 6 else ("no", "yes")[v] for i, v in enumerate(Y)]
    path = tmp_path / "t.csv"
    path.write_text("a,label\n" + "".join(f"{v + i / 100},{c}\n" for i, (v, c) in enumerate(zip(Y, cells, strict=True))))
    data = lp.read_table(path, "label", missing=["NA", "none", "?"])
    assert data.classes == ("no", "yes")
    audited(data, tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    repair(session.candidates, session.store, tmp_path / "same.csv")
    assert (tmp_path / "same.csv").read_bytes() == path.read_bytes()


def test_why_a_label_changed_stands_in_columns_at_the_end_where_asked_for(tmp_path, session_of):
    path = tmp_path / "t.csv"
    path.write_text("a,label\n" + "".join(f"{v + i / 100},{['no', 'yes'][v]}\n" for i, v in enumerate(Y)))
    audited(lp.read_table(path, "label"), tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    relabel(session, 5)
    repair(session.candidates, session.store, tmp_path / "clean.csv", explain=True)
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert clean.columns == ["a", "label", "label_given", "label_change"]
    assert clean["label_given"].to_list() == pl.read_csv(path)["label"].to_list()
    assert [i for i, why in enumerate(clean["label_change"]) if why] == [5]
