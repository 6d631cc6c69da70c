"""A kind of label and a reader that the package does not know, made here: they take files and registry lines, and edit no file."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import uvicorn

import labelproof as lp
from browsing import shown_item, until, wait_until_saved
from labelproof.auditing.findings import Findings
from labelproof.auditing.kinds import AUDITORS
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.readers import READERS, open_reader, reader_of
from labelproof.data.readers.base import Audited, Items, Reader, ReadOptions, check_same
from labelproof.labels import KINDS
from labelproof.labels.classes import Classes
from labelproof.noise.posterior import error_probability, posterior
from labelproof.noise.transition import TransitionMatrix
from labelproof.report.kinds import REPORTS
from labelproof.report.kinds.base import ReportPart
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.exchange.spreadsheet import read_csv, write_csv
from labelproof.review.kinds import REVIEWS
from labelproof.review.kinds.classes import ReviewOfClasses
from labelproof.review.log.session import ReviewSession
from labelproof.review.log.store import Store
from labelproof.review.page.desk import Desk
from labelproof.review.page.guard import Keys
from labelproof.review.page.server import create_app
from labelproof.review.page.serving import _config
from labelproof.validation import check_labels

TOKEN = "a-token-for-tests-only-0123456789"


class Stars(Classes):
    """One to five stars, which have an order."""

    kind = "stars"
    own_columns = ("off",)

    def __init__(self, stars):
        coded = check_labels(stars, classes=[1, 2, 3, 4, 5])
        self.__dict__.update(vars(Stars.of_codes(coded.codes, coded.classes)))

    def own_frame(self, sites):
        """How far from the middle."""
        return {"off": pl.Series(np.abs(self.values[sites] - 2))}


class AuditorOfStars(Auditor[Stars]):
    """A wrong rating is likelier a near one: ``p(z | y) ∝ exp(-2 |z - y|)``, known beforehand."""

    def judge(self, labels, pred_probs, ids=None, *, slope=2.0):
        place = np.arange(5)
        near = np.exp(-slope * np.abs(place[:, None] - place))
        noise = TransitionMatrix(near / near.sum(axis=1, keepdims=True), classes=labels.classes)
        true = posterior(np.asarray(pred_probs)[labels.owner], labels.values, noise)
        error = error_probability(true, labels.values)
        findings = Findings(error, true.argmax(axis=1), true.max(axis=1).astype(np.float32))
        return Judged(findings, noise, error_rate_of(error, np.array([error.sum()])))

    def noise_of(self, summary: Mapping[str, object]):
        return TransitionMatrix.from_json(summary)


class ReportOfStars(ReportPart):
    unit, units = "rating", "ratings"

    def why(self, audit, given, suggested, error, confidence):
        return f"{'★' * int(given)} should rather be {'★' * int(suggested)}."


class ReviewOfStars(ReviewOfClasses):
    kind = "stars"
    of_all = "of the ratings"
    similar = False

    def described(self, rank):
        return {"given": int(self.given(rank)), "suggested": int(self.suggested_cell(rank))}


SCRIPT = """
const kind = {
  begin() {},
  given: (item) => String(item.given),
  words: (item) => `${item.given} stars.`,
  number: (key) => (key >= "1" && key <= "5" ? decide("relabel", key) : undefined),
  ask(item) {
    $("verdict").textContent = "★".repeat(item.given);
    const keep = element("button", { type: "button", className: "choice given", id: "keep" }, "keep");
    keep.onclick = () => decide("keep");
    $("choices").replaceChildren(keep);
  },
};
"""


@pytest.fixture
def stars(tmp_path):
    """The kind, registered as long as a test needs it."""
    (tmp_path / "stars.js").write_text(SCRIPT)
    part = type("ReviewOfStars", (ReviewOfStars,), {"script": tmp_path / "stars.js"})
    registered = ((KINDS, Stars), (AUDITORS, AuditorOfStars()), (REPORTS, ReportOfStars()), (REVIEWS, part))
    for registry, thing in registered:
        registry.register("stars", thing)
    yield
    for registry, _ in registered:
        del registry._parts["stars"]


@pytest.fixture
def ratings(tmp_path):
    """True and given ratings, and what a model says."""
    rng = np.random.default_rng(0)
    true = rng.integers(1, 6, 300)
    given = np.where(rng.random(300) < 0.15, np.clip(true + rng.choice([-1, 1], 300), 1, 5), true)
    logits = 5 * np.eye(5)[true - 1] + rng.normal(0, 0.5, (300, 5))
    np.save(tmp_path / "stars.npy", given)
    np.save(tmp_path / "x.npy", rng.normal(size=(300, 3)))
    return true, given, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.fixture
def address():
    """Serves an application in a thread."""
    servers = []

    def serve(app):
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    for server, thread in servers:
        server.should_exit = True
        thread.join(timeout=30)


def test_a_kind_goes_all_the_way(stars, ratings, tmp_path, open_page, address):
    true, given, probs = ratings
    found = lp.audit(Stars(given), probs, slope=2.0)
    wrong = given != true
    assert (found.error_probability[wrong] > 0.5).mean() > 0.9
    assert (found.error_probability[~wrong] < 0.5).mean() > 0.95
    assert found.issues.columns[:3] == ["index", "id", "off"]
    assert found.items["error_probability"].to_list() == found.error_probability.tolist()

    source = {"kind": "arrays", "version": 1, "labels": str(tmp_path / "stars.npy"), "features": str(tmp_path / "x.npy")}
    replace(found, source=source).save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert type(again.labels) is Stars
    assert again.labels == found.labels
    assert again.issues.equals(found.issues)
    assert again.noise == found.noise

    again.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    worst = found.issues.row(0, named=True)
    assert f"{'★' * worst['given_label']} should rather be {'★' * worst['suggested_label']}." in page
    assert "ratings" in page
    assert "feature 0" in page  # the items are shown
    assert str(worst["id"]) in found._repr_html_()

    session = ReviewSession(open_candidates(tmp_path / "audit"), Store(tmp_path / "reviews.sqlite"), budget=20)
    link = address(create_app(Desk(session), Keys(TOKEN, "labelproof-x"), title="Stars", reviewer="Ann"))
    page = open_page(f"{link}/?token={TOKEN}")
    first = shown_item(page)
    assert page.locator("#verdict").inner_text() == "★" * given[int(first)]
    better = 1 + given[int(first)] % 5
    page.keyboard.press(str(better))
    second = shown_item(page, first)
    page.locator("#keep").click()
    shown_item(page, second)
    wait_until_saved(page)
    until(page, "document.getElementById('interval').textContent.startsWith('of the ratings')")
    decided = {d.item: (d.action, d.label) for d in session.store.current(session.data)}
    assert decided == {first: ("relabel", str(better)), second: ("keep", str(given[int(second)]))}
    assert page.problems == []

    repair(session.candidates, session.store, tmp_path / "clean.npy")
    clean = np.load(tmp_path / "clean.npy")
    assert clean.dtype == given.dtype
    assert np.flatnonzero(clean != given).tolist() == [int(first)]
    assert clean[int(first)] == better

    session.sync()
    write_csv(session, tmp_path / "reviews.csv")
    with closing(Store(tmp_path / "other.sqlite")) as other:
        copy = ReviewSession(open_candidates(tmp_path / "audit"), other, budget=20)
        assert read_csv(copy, tmp_path / "reviews.csv").recorded == 2
        assert {d.item: (d.action, d.label) for d in copy.decisions} == decided


@dataclass(frozen=True)
class TextFolderReader(Reader):
    """Texts as files, one folder a class."""

    kind = "text folder"

    path: str

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        return path.is_dir() and any(path.glob("*/*.txt"))

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> TextFolderReader:
        return cls(str(path))

    @property
    def files(self) -> list[Path]:
        return sorted(Path(self.path).glob("*/*.txt"))

    def read(self) -> Dataset:
        files = self.files
        texts = np.array([file.read_text() for file in files], dtype=object)
        ids = np.array([file.name for file in files], dtype=object)
        labels = Classes([file.parent.name for file in files])
        return Dataset(texts, labels, ids, lambda i: Shown(text=texts[i]), "text", reader=self)

    def reopen(self, skipped: Sequence[str] = ()) -> Items:
        files = self.files
        return Items("text", len(files), lambda i: Shown(text=files[i].read_text()), lambda rows: [files[i] for i in rows])

    def read_new(self, path, *, encoding=None, projection=None):
        files = sorted(path.rglob("*.txt"))
        return [file.read_text() for file in files], np.array([file.name for file in files], dtype=object)

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        coded = check_labels([file.parent.name for file in self.files])
        given = np.array([*map(str, coded.classes), None], dtype=object)[coded.codes]
        check_same(given, np.arange(len(given)), audited)
        for item, file in enumerate(self.files):
            folder = target / str(audited.changes[item].label if item in audited.changes else file.parent.name)
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, folder / file.name)


@pytest.fixture
def text_folder(tmp_path):
    """Eighty short texts of two classes, two of them in the wrong folder."""
    READERS.register("text folder", TextFolderReader)
    words = {"sea": "waves salt harbour tide", "wood": "oak moss fern bark"}
    for number in range(80):
        name = ["sea", "wood"][number % 2]
        folder = tmp_path / "texts" / (name if number not in (10, 31) else {"sea": "wood", "wood": "sea"}[name])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02d}.txt").write_text(f"{words[name]} {words[name].split()[number % 4]} number {number}")
    yield tmp_path / "texts"
    del READERS._parts["text folder"]


@pytest.mark.needs("torch")
def test_a_reader_goes_all_the_way(text_folder, tmp_path):
    reader = open_reader(text_folder, ReadOptions())
    assert isinstance(reader, TextFolderReader)
    found = lp.audit(reader.read())
    doubtful = found.issues.filter(pl.col("verdict") != "ok")
    assert sorted(doubtful["id"]) == ["10.txt", "31.txt"]
    found.save(tmp_path / "audit")
    again = reader_of(lp.Audit.load(tmp_path / "audit").source)
    assert again == reader
    assert "waves" in again.reopen().show(0).text
    candidates = open_candidates(tmp_path / "audit")
    assert candidates.table["id"].to_list()[:2] == doubtful["id"].to_list()
    with closing(Store(tmp_path / "reviews.sqlite")) as store:
        session = ReviewSession(candidates, store, budget=5)
        session.decide("Ann", candidates.ranks_of(["10.txt"])["10.txt"], "relabel", "sea", "uid-00000001")
        repair(candidates, store, tmp_path / "clean")
    assert (tmp_path / "clean" / "sea" / "10.txt").exists()
    assert len(list((tmp_path / "clean").rglob("*.txt"))) == 80
    texts, ids = again.read_new(tmp_path / "clean" / "wood")
    assert len(texts) == len(ids) == 39  # 31.txt still lies with the sea
