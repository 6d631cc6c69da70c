"""Queries of databases: nothing is written, and passwords are neither kept nor shown."""

from __future__ import annotations

import json
import os
import sqlite3

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

import labelproof as lp
from commands import run
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.data.tables import sql
from sources import frame

QUERY = "select key, size, kind, body from r where body like '%w%' order by key"


@pytest.fixture
def url(tmp_path):
    with sqlite3.connect(tmp_path / "d.sqlite") as base:
        base.execute("create table r (key text primary key, size real, kind text, body text)")
        base.executemany("insert into r values (?, ?, ?, ?)", frame().rows())
    base.close()
    return f"sqlite:///{tmp_path}/d.sqlite"


def read(url, **options):
    return open_reader(url, ReadOptions(**{"label": "kind", "text": "body", "id": "key", "query": QUERY, **options})).read()


def test_rows_of_a_query_are_items_and_labels_go_into_a_table(url, tmp_path):
    before = (tmp_path / "d.sqlite").read_bytes()
    data = read(url)
    assert data.ids.tolist() == frame()["key"].to_list()
    reader = reader_of(json.loads(json.dumps(data.source)))
    assert reader.reopen().n == 24
    for name in ("o.csv", "o.parquet"):
        reader.write_back(
            tmp_path / name, Audited(data.given_names, data.classes, {1: Change("cat", "Ann")}, explain=True), overwrite=False
        )
    for out in (pl.read_csv(tmp_path / "o.csv"), pl.read_parquet(tmp_path / "o.parquet")):
        assert out.columns == ["key", "size", "kind", "body", "kind_given", "kind_change"]
        assert out["kind"].to_list() == ["cat", "cat", *frame()["kind"].to_list()[2:]]
    assert (tmp_path / "d.sqlite").read_bytes() == before
    with sqlite3.connect(tmp_path / "d.sqlite") as base:
        base.execute("update r set kind = 'cow' where key = 'k03'")
    with pytest.raises(lp.BadInput, match="The file has changed"):
        reader.write_back(tmp_path / "no.csv", Audited(data.given_names, data.classes, {}), overwrite=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": None}, "--query is missing"),
        ({"query": "select * from r"}, "has no ORDER BY"),
        ({"query": "select key, key from r order by 1"}, "two columns named 'key'. Name one with AS"),
        ({"query": QUERY + " limit 0"}, "finds no rows"),
        ({"query": "selec 1 order by 1"}, "syntax error"),
        ({"query": "delete from r where key in (select key from r order by key)"}, "readonly database"),
        ({"query": "select 1 order by 1; delete from r"}, "one statement at a time"),
        ({"label": "knd"}, "Did you mean 'kind'"),
        ({"sheet": "a"}, "--sheet applies only to workbooks"),
    ],
)
def test_bad_queries_are_told_and_change_nothing(url, tmp_path, options, message):
    before = (tmp_path / "d.sqlite").read_bytes()
    with pytest.raises(lp.BadInput, match=message):
        read(url, **options)
    assert (tmp_path / "d.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("sqlite:///nowhere.sqlite", lp.BadInput, "does not exist"),
        ("sqlite://", lp.BadInput, "names no file"),
        ("foo://x/y", lp.BadInput, "is of kind 'foo'"),
        ("a b://", lp.BadInput, "not a database URL"),
        ("mysql://ann:geheim@127.0.0.1:1/x", lp.MissingDependency, "needs a driver"),
        pytest.param(
            "postgresql://ann:geheim@127.0.0.1:1/x?password=zwei&sslmode=disable",
            lp.LabelproofError,
            "does not answer the query",
            marks=pytest.mark.needs("psycopg"),
        ),
    ],
)
def test_bad_urls_are_told_without_their_passwords(tmp_path, monkeypatch, url, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as told:
        read(url)
    assert "geheim" not in str(told.value)
    assert "zwei" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_passwords_are_remembered_by_this_process_alone(monkeypatch):
    form = sql.SqlQuery()
    whole = "postgresql+psycopg://ann:ge%40heim@db/x?sslmode=require&sslpassword=zwei"
    known = form.known_as(whole)
    assert known == "postgresql+psycopg://ann@db/x?sslmode=require"
    assert form.known_as(known) == known
    asked = []
    monkeypatch.setattr(sql, "_engine", lambda url: asked.append(url.password) or (_ for _ in ()).throw(lp.BadInput("stop")))
    for remembered, variable, expected in (
        ({known: whole}, None, "ge@heim"),
        ({}, None, None),
        ({}, whole, "ge@heim"),
        ({}, "postgresql://eve:other@db/x", None),
    ):
        monkeypatch.setattr(sql, "_whole", dict(remembered))
        monkeypatch.setenv(sql.WHOLE_URL, variable) if variable else monkeypatch.delenv(sql.WHOLE_URL, raising=False)
        with pytest.raises(lp.BadInput, match="stop"):
            form.read(known, part="select 1")
        assert asked.pop() == expected


@pytest.mark.needs("torch")
def test_the_commands_take_a_query(url, tmp_path):
    np.save(tmp_path / "p.npy", np.eye(2)[(frame()["kind"] == "dog").cast(int).to_numpy()] * 0.8 + 0.1)
    named = ["--label", "kind", "--text", "body", "--id", "key", "--pred-probs", tmp_path / "p.npy"]
    done = run("audit", "--sql", url, "--query", QUERY, *named, "--out", tmp_path / "a")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("apply", tmp_path / "a", "--obvious", "--out", tmp_path / "o.csv").returncode == 0
    assert pl.read_csv(tmp_path / "o.csv").select("key", "kind").equals(frame().select("key", "kind"))
    out = tmp_path / "m"
    trained = run("train", "--sql", url, "--query", QUERY, "--label", "kind", "--text", "body", "--epochs", "1", "--out", out)
    assert trained.returncode == 0, trained.stderr
    done = run(
        "predict",
        out,
        "--sql",
        url,
        "--query",
        "select body from r where key < 'k05' order by key",
        "--out",
        tmp_path / "p.csv",
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(tmp_path / "p.csv").height == 5
    for arguments, message in (
        (["predict", out, "--sql", url], "--query is missing"),
        (["predict", out], "nothing to predict"),
        (["audit", "x.csv", "--sql", url, "--label", "y"], "--sql takes the place of a file"),
        (["audit", "--sql", url, "--label", "kind"], "--query is missing"),
    ):
        done = run(*arguments, *(["--out", tmp_path / "n"] if arguments[0] == "audit" else []))
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.filterwarnings("ignore::labelproof.LabelproofWarning")
def test_postgresql_reads_only_and_keeps_its_types(tmp_path):
    whole = os.environ.get("LABELPROOF_POSTGRES")
    if not whole:
        pytest.skip("LABELPROOF_POSTGRES names no server")
    engine = sa.create_engine(sa.make_url(whole).set(drivername="postgresql+psycopg"))
    rows = "select i as id, 'w' || i % 3 as body, case when i % 2 = 0 then 'cat' else 'dog' end as kind, i % 3 = 0 as sure, "
    rows += "i / 4.0 as price, now() as at, array[1, i] as pair from generate_series(1, 24) i"
    name = "labelproof_test_forms"
    try:
        with engine.begin() as base:
            base.exec_driver_sql(f"drop table if exists {name}")
            base.exec_driver_sql(f"create table {name} as {rows.replace('%', '%%')}")
        data = open_reader(
            whole, ReadOptions(label="kind", id="id", query=f"select * from {name} where id % 2 < 2 order by id")
        ).read()
        assert data.x.schema["price"] == pl.Float64
        assert {"sure", "pair[1]"} <= set(data.x.columns)
        assert np.array_equal(data.ids, np.arange(1, 25))
        password = sa.make_url(whole).password
        assert password is None or password not in json.dumps(data.source)
        for query in (f"delete from {name} returning id -- order by", f"select 1 order by 1; commit; delete from {name}"):
            with pytest.raises(lp.LabelproofError, match="does not answer the query"):
                open_reader(whole, ReadOptions(label="kind", query=query)).read()
        with engine.begin() as base:
            assert base.exec_driver_sql(f"select count(*) from {name}").scalar() == 24
    finally:
        with engine.begin() as base:
            base.exec_driver_sql(f"drop table if exists {name}")
        engine.dispose()
