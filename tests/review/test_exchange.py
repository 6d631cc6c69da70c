"""Spreadsheets in and out, the repaired data set, and reviews as verified labels."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from commands import run
from labelproof.auditing.verdicts import verdicts
from labelproof.review.exchange.apply import repair
from labelproof.review.exchange.spreadsheet import read_csv, write_csv
from labelproof.review.exchange.verified import open_store, read_verified, with_verified
from test_every_kind import MADE


@pytest.fixture
def table_audit(tmp_path):
    """A table whose labels, ids and texts look like formulas to a spreadsheet; the folder and the true labels by id."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 240)
    names = np.array(["=yes", "no"])
    wrong = rng.random(240) < 0.12
    frame = pl.DataFrame(
        {
            "key": [f"-{i}" if i % 2 else f"r{i}" for i in range(240)],
            "note": [f"+note {i}" for i in range(240)],
            "a": y * 4 + rng.normal(0, 1, 240),
            "kind": names[np.where(wrong, 1 - y, y)].tolist(),
            "other": [None if rng.random() < 0.1 else "x" for _ in range(240)],
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    data = lp.read_table(tmp_path / "t.csv", "kind", id="key", features=["a", "note"])
    order = np.argsort(names)  # classes in sorted order
    logits = 8 * np.eye(2)[np.argsort(order)[y]] + rng.normal(0, 0.7, (240, 2))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = lp.audit(data, probs)
    sure = found.error_rate._replace(low=found.error_rate.estimate)  # so that some are obvious
    replace(found, error_rate=sure).save(tmp_path / "audit")
    return tmp_path / "audit", dict(zip(frame["key"], names[y], strict=True))


def test_a_spreadsheet_goes_out_and_comes_back(table_audit, session_of, tmp_path):
    folder, true = table_audit
    session = session_of(folder, 40)
    session.decide("Ann", int(session.queue.rows[0]), "none", None, "uid-1", 2.5)
    assert write_csv(session, tmp_path / "r.csv") == 40
    raw = (tmp_path / "r.csv").read_text()
    assert all(
        cell[0] not in "=+-@"
        for line in raw.splitlines()[1:]
        for cell in line.replace('"', "").split(",")
        if cell and not cell[1:].replace(".", "").isdigit()
    )
    sheet = pl.read_csv(tmp_path / "r.csv", infer_schema=False)
    assert sheet["id"].str.starts_with("'-").any()
    assert sheet["item"][0].startswith("a: ")
    assert sheet["decision"][0] == "none"
    filled = sheet.with_columns(
        label=pl.Series(["" if i < 1 or i > 20 else true[key.lstrip("'")] for i, key in enumerate(sheet["id"])]),
        decision=pl.Series(["none", *[""] * 20, "unsure", "skip", *[""] * 17]),
    )
    filled.write_csv(tmp_path / "filled.csv")
    done = read_csv(session, tmp_path / "filled.csv", reviewer="Bo")
    assert (done.recorded, done.known, done.empty) == (22, 1, 17)
    found = {d.item: d for d in session.decisions}
    for key in filled["id"][1:21]:
        bare = key.removeprefix("'")
        assert (found[bare].label, found[bare].reviewer, found[bare].source) == (true[bare], "Bo", "csv")
    assert found[filled["id"][0].removeprefix("'")].reviewer == "Ann"
    assert read_csv(session, tmp_path / "filled.csv", reviewer="Bo").recorded == 0
    assert session.left() == 40 - 22
    write_csv(session, tmp_path / "again.csv")
    assert read_csv(session, tmp_path / "again.csv").recorded == 0
    with pytest.raises(lp.BadInput, match="--overwrite"):
        write_csv(session, tmp_path / "again.csv")


def test_times_and_seconds_are_kept(table_audit, session_of, tmp_path):
    session = session_of(table_audit[0], 40)
    pl.DataFrame(
        {"id": ["r0"], "label": ["no"], "reviewer": ["Cy"], "decided_at": ["2026-03-01T10:00:00+02:00"], "seconds": [3.25]}
    ).write_csv(tmp_path / "r.csv")
    read_csv(session, tmp_path / "r.csv")
    (one,) = session.decisions
    assert (one.decided_at, one.seconds, one.reviewer) == ("2026-03-01T08:00:00.000000+00:00", 3.25, "Cy")


def test_the_column_of_decisions_takes_keep_and_the_name_of_a_class(table_audit, session_of, tmp_path):
    session = session_of(table_audit[0], 40)
    write_csv(session, tmp_path / "r.csv")
    sheet = pl.read_csv(tmp_path / "r.csv", infer_schema=False)
    assert {"'=yes", "no"} <= set(sheet["given_label"])
    said = ["keep"] * 20 + ["no", "=yes", "'=yes", "none", "Keep "] + [None] * 15
    sheet.with_columns(decision=pl.Series(said, dtype=pl.String)).write_csv(tmp_path / "filled.csv")
    done = read_csv(session, tmp_path / "filled.csv", reviewer="Bo")
    assert (done.recorded, done.empty) == (25, 15)
    found = {d.item: d for d in session.decisions}
    rows = [
        (found[key.removeprefix("'")], given.removeprefix("'"))
        for key, given in zip(sheet["id"][:25], sheet["given_label"][:25], strict=True)
    ]
    for decision, given in (*rows[:20], rows[24]):
        assert (decision.action, decision.label) == ("keep", given)
    assert [decision.label for decision, _ in rows[20:24]] == ["no", "=yes", "=yes", None]
    assert read_csv(session, tmp_path / "filled.csv", reviewer="Bo").recorded == 0


@pytest.mark.parametrize(
    ("given", "label", "decision", "problem"),
    [
        ("=yes", "", "keep", "'=yes' here and 'no' in the audit"),
        ("", "", "keep", "'' here and 'no' in the audit"),
        ("no", "=yes", "no", "The decision is 'no'"),
        ("no", "", "relabel", "the label is empty"),
        ("no", "", "nn", "Did you mean 'no'"),
    ],
)
def test_a_decision_that_is_not_clear_is_refused(table_audit, session_of, tmp_path, given, label, decision, problem):
    session = session_of(table_audit[0], 40)
    ids = session.candidates.table["id"]
    key = next(ids[rank] for rank in range(240) if session.candidates.part.given(rank) == "no" and ids[rank].startswith("r"))
    (tmp_path / "r.csv").write_text(f"id,given_label,label,decision\n{key},{given},{label},{decision}\n")
    with pytest.raises(lp.BadInput, match=problem):
        read_csv(session, tmp_path / "r.csv", reviewer="Bo")
    assert session.decisions == []


def test_tags_are_kept_as_they_were_given(session_of, tmp_path):
    made, probs, _, _ = MADE["tags"]
    lp.audit(made(), probs).save(tmp_path / "audit")
    session = session_of(tmp_path / "audit", 20)
    write_csv(session, tmp_path / "r.csv")
    sheet = pl.read_csv(tmp_path / "r.csv", infer_schema=False)
    sheet.with_columns(decision=pl.lit("keep")).write_csv(tmp_path / "filled.csv")
    assert read_csv(session, tmp_path / "filled.csv", reviewer="Bo").recorded == sheet.height
    assert {d.action for d in session.decisions} == {"keep"}
    sheet.drop("given_label").with_columns(decision=pl.lit("keep")).write_csv(tmp_path / "without.csv")
    with pytest.raises(lp.BadInput, match="no column given_label"):
        read_csv(session, tmp_path / "without.csv", reviewer="Cy")


def test_names_of_tags_that_look_like_several_are_read_back(session_of, tmp_path):
    made, probs, _, _ = MADE["tags"]
    k = made().matrix.shape[1]
    names = ["c; d", "c", "d", " a", 'q"uote', "[x", *map(str, range(k))][:k]
    lp.audit(lp.Tags(made().matrix, names=names), probs).save(tmp_path / "audit")
    session = session_of(tmp_path / "audit", 20)
    write_csv(session, tmp_path / "r.csv")
    sheet = pl.read_csv(tmp_path / "r.csv", infer_schema=False)
    sheet.with_columns(decision=pl.lit("keep")).write_csv(tmp_path / "kept.csv")
    assert read_csv(session, tmp_path / "kept.csv", reviewer="Bo").recorded == sheet.height
    assert {d.action for d in session.decisions} == {"keep"}
    answer = sheet.with_columns(label=pl.lit(json.dumps(["c; d", "d"])), decision=pl.lit("")).head(1)
    answer.write_csv(tmp_path / "told.csv")
    read_csv(session, tmp_path / "told.csv", reviewer="Cy")
    assert json.loads(session.decisions[-1].label) == ["c; d", "d"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nobody,no,,Ann,,", "line 3: The audit has no item 'nobody'"),
        ("r2,maybe,,Ann,,", "line 3: label 'maybe' is not one of the classes"),
        ("r2,nn,,Ann,,", "Did you mean 'no'"),
        ("r2,,keep,Ann,,", "the label is empty"),
        ("r2,no,maybe,Ann,,", "The decision is 'maybe'"),
        ("r2,no,,,,", "line 3 has no reviewer"),
        ("r2,no,,Ann,today,", "'today' is not a time"),
        ("r2,no,,Ann,,soon", "'soon' is not a number of seconds"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_recorded(table_audit, session_of, tmp_path, line, problem):
    session = session_of(table_audit[0], 40)
    (tmp_path / "r.csv").write_text(f"id,label,decision,reviewer,decided_at,seconds\nr0,no,,Ann,,\n{line}\n")
    with pytest.raises(lp.BadInput, match=problem):
        read_csv(session, tmp_path / "r.csv")
    assert session.decisions == []


def test_the_repaired_table(table_audit, session_of, tmp_path):
    folder, true = table_audit
    session = session_of(folder, 60)
    before = (tmp_path / "t.csv").read_bytes()
    ids = session.candidates.table["id"]
    queued = session.queue.rows.tolist()
    verdict = verdicts(session.candidates.error_probability, session.candidates.part.error_rate().low)
    certain = [rank for rank in queued if verdict[rank] == "obvious"]
    ranks = [certain[0], *[rank for rank in queued if rank not in certain][:7]]  # one obvious label is reviewed, others are not
    for rank in ranks[1:]:
        session.decide("Ann", rank, "relabel", str(true[ids[rank]]), f"uid-{rank}")
    session.decide("Ann", ranks[0], "none", None, "uid-none")
    done = repair(session.candidates, session.store, tmp_path / "clean.csv", obvious=True, explain=True)
    clean = pl.read_csv(tmp_path / "clean.csv")
    original = pl.read_csv(tmp_path / "t.csv")
    assert clean.columns == [*original.columns, "kind_given", "kind_change"]
    assert clean["kind_given"].to_list() == original["kind"].to_list()
    assert clean.drop("kind", "kind_given", "kind_change").equals(original.drop("kind"))
    rows = dict(zip(clean["key"], clean.iter_rows(named=True), strict=True))
    assert rows[ids[ranks[0]]]["kind"] is None
    assert rows[ids[ranks[0]]]["kind_change"].startswith("reviewed, none of the classes by Ann; was ")
    for rank in ranks[1:]:
        row = rows[ids[rank]]
        assert row["kind"] == true[ids[rank]]
        assert (row["kind_change"] or "") == (
            "" if row["kind"] == row["kind_given"] else f"reviewed by Ann; was {row['kind_given']}"
        )
    obvious = clean.filter(pl.col("kind_change").str.starts_with("obvious"))
    assert obvious.height == done.obvious > 0
    assert (obvious["kind"] != obvious["kind_given"]).all()
    assert (clean["kind_change"].fill_null("") != "").sum() == done.reviewed + done.obvious
    assert done.emptied == 1
    assert (tmp_path / "t.csv").read_bytes() == before
    with pytest.raises(lp.BadInput, match="never modified"):
        repair(session.candidates, session.store, tmp_path / "t.csv", overwrite=True)
    without = repair(session.candidates, session.store, tmp_path / "two.parquet")
    assert without.obvious == 0
    assert pl.read_parquet(tmp_path / "two.parquet")["kind"].null_count() == 1


def test_a_file_that_has_changed_is_not_repaired(table_audit, session_of, tmp_path):
    session = session_of(table_audit[0])
    session.decide("Ann", 0, "none", None, "uid-1")
    text = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join(text[:-1]) + "\n")
    with pytest.raises(lp.BadInput, match="now have 239 items but had 240"):
        repair(session.candidates, session.store, tmp_path / "clean.csv")
    (tmp_path / "t.csv").write_text("\n".join([text[0], *text[1:][::-1]]) + "\n")
    with pytest.raises(lp.BadInput, match="The file has changed"):
        repair(session.candidates, session.store, tmp_path / "clean.csv")
    assert not (tmp_path / "clean.csv").exists()


@pytest.mark.parametrize("values", [[3, 5], [True, False], ["007", "7x"]])
def test_labels_keep_their_type(tmp_path, session_of, values):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    pl.DataFrame({"a": y + rng.normal(0, 0.1, 60), "kind": [values[v] for v in y]}).write_parquet(tmp_path / "t.parquet")
    data = lp.read_table(tmp_path / "t.parquet", "kind")
    lp.audit(data, np.eye(2)[data.given] * 0.8 + 0.1).save(tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    other = next(name for name in session.candidates.classes if name != session.candidates.part.given(0))
    session.decide("Ann", 0, "relabel", other, "uid-1")
    repair(session.candidates, session.store, tmp_path / "clean.parquet")
    clean = pl.read_parquet(tmp_path / "clean.parquet")
    assert clean.schema["kind"] == pl.read_parquet(tmp_path / "t.parquet").schema["kind"]
    row = int(session.candidates.index[0])
    assert str(clean["kind"][row]) == other
    assert set(clean["kind"].drop_nulls()) <= set(values)


def test_pictures_with_a_broken_one_in_between(tmp_path, session_of):
    rng = np.random.default_rng(0)
    for kind in ("dark", "light"):
        (tmp_path / "p" / kind).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "p" / kind / f"{i:02d}.png")
    (tmp_path / "p" / "dark" / "03.png").write_bytes(b"broken")
    data = lp.read_images(tmp_path / "p")
    lp.audit(data, np.full((39, 2), 0.5)).save(tmp_path / "audit")
    session = session_of(tmp_path / "audit")
    rank = session.candidates.ranks_of(["dark/05.png"])["dark/05.png"]
    session.decide("Ann", rank, "relabel", "light", "uid-1")
    assert repair(session.candidates, session.store, tmp_path / "clean.csv").reviewed == 1
    clean = pl.read_csv(tmp_path / "clean.csv")
    assert clean.height == 40
    changed = clean.filter(pl.col("label") != pl.col("label_given"))
    assert [path.split("/p/")[1] for path in changed["path"]] == ["dark/05.png"]


def test_reviews_are_verified_labels(table_audit, session_of, tmp_path):
    folder, true = table_audit
    store = open_store(folder)
    session = session_of(folder, 40, database=str(store.where))
    ids = session.candidates.table["id"]
    for rank in range(5):
        session.decide("Ann", rank, "relabel", str(true[ids[rank]]), f"uid-{rank}")
    session.decide("Ann", 5, "none", None, "uid-5")
    session.decide("Ann", 6, "unsure", None, "uid-6")
    found = read_verified(folder)
    assert found == {**{ids[rank]: true[ids[rank]] for rank in range(5)}, ids[5]: None}
    data = lp.read_table(tmp_path / "t.csv", "kind", id="key", features=["a"])
    repaired, verified = with_verified(data, found)
    place = {key: row for row, key in enumerate(data.ids.tolist())}
    assert verified.sum() == 5
    assert repaired.given[place[ids[5]]] == -1
    assert [repaired.given_names[place[ids[rank]]] for rank in range(5)] == [true[ids[rank]] for rank in range(5)]
    store.close()


@pytest.mark.needs("torch")
def test_without_reviews_the_commands_say_so(table_audit, tmp_path):
    folder, _ = table_audit

    for arguments, message in (
        (["apply", folder, "--out", tmp_path / "c.csv"], "no reviews yet"),
        (["train", tmp_path / "t.csv", "--label", "kind", "--reviews", folder, "--out", tmp_path / "m"], "no reviews yet"),
        (["review", tmp_path / "nothing"], "does not exist"),
        (["review", folder, "--database", "mysql://x/y"], "kind 'mysql'"),
        (["export", folder, "--to", "excel"], "Choose csv or label-studio"),
        (["import", folder, tmp_path / "none.csv"], "does not exist"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
    assert run("export", folder, "--out", tmp_path / "r.csv", "--budget", 10).returncode == 0
    done = run("import", folder, tmp_path / "r.csv")
    assert "0 decisions recorded" in done.stdout
    assert run("apply", folder, "--obvious", "--out", tmp_path / "c.parquet").returncode == 0
