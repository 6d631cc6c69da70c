"""The page over HTTP: who comes in, what is refused, and what the log of refusals holds."""

from __future__ import annotations

import io
import json

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
from labelproof.review.page.guard import MOST_BYTES, Keys, reviewer_name

TOKEN = "a-token-for-tests-only-0123456789"
SQL = "x'; DROP TABLE labelproof_events; --"
SCRIPT = "<script>alert(1)</script>"


class Client:
    """A reviewer without a browser."""

    def __init__(self, served, name=None):
        self.http = httpx.Client(base_url=served.address, headers={"origin": served.address}, timeout=30)
        assert self.http.get("/", params={"token": served.token}).status_code == 200
        if name is not None:
            assert self.post("reviewer", name=name).status_code == 200

    def post(self, path, **body):
        return self.http.post(f"/api/{path}", json=body)

    def get(self, path):
        return self.http.get(path)

    def body(self, rank=0, action="keep", label=None, uid="uid-000001", **more):
        """A decision about the item of a rank, as the page makes it."""
        shown = self.get(f"/api/items/{rank}").json()
        audit = self.get("/api/start").json()["fingerprint"]
        return {"uid": uid, "audit": audit, "item": shown["id"], "action": action, "label": label, **more}

    def decide(self, *what, **more):
        return self.http.post("/api/decide", json=self.body(*what, **more))


@pytest.fixture(scope="module")
def module_tmp(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture
def served(audit_of, serve):
    return serve(audit_of()[0], "--port", 0)


def test_the_token_opens_the_door_and_a_strict_cookie_keeps_it_open(served):
    bare = httpx.Client(base_url=served.address)
    for path in (
        "/",
        "/?token=",
        "/?token=wrong",
        f"/?token={TOKEN[:-1]}",
        f"/?token={TOKEN}&token={TOKEN}",
        "/api/start",
        "/api/items/0/picture",
        f"/api/start?token={TOKEN}",
    ):
        refused = bare.get(path)
        assert refused.status_code == 403, path
        assert TOKEN not in refused.text
    opened = bare.get("/", params={"token": TOKEN})
    assert opened.status_code == 200
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert bare.get("/api/start").status_code == 200
    policy = opened.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert opened.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in opened.text
    forged = httpx.Client(
        base_url=served.address, cookies={f"labelproof-{served.port}": Keys("another-token-entirely", "c").sign("Eve")}
    )
    assert forged.get("/api/start").status_code == 403
    for broken in ("", ".", "a.b", "\xe9", "x" * 4000):
        assert (
            httpx.get(
                f"{served.address}/api/start", headers={"cookie": f"labelproof-{served.port}={broken}".encode("latin-1")}
            ).status_code
            == 403
        )
    said = served.stop()
    assert "refused 403 GET /api/start" in said
    assert TOKEN not in said
    assert "token=" not in said


def test_writes_from_other_pages_are_refused(served):
    client = Client(served, "Ann")
    body = client.body()
    for origin in (
        "http://evil.example",
        "null",
        "",
        f"{served.address}.evil.example",
        served.address.replace("127.0.0.1", "localhost"),
    ):
        assert client.http.post("/api/decide", json=body, headers={"origin": origin}).status_code == 403, origin
    without = httpx.Client(base_url=served.address, cookies=client.http.cookies)
    assert without.post("/api/decide", json=body).status_code == 403
    assert client.http.post("/api/decide", content=json.dumps(body), headers={"content-type": "text/plain"}).status_code == 415
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1:1"):
        assert client.http.get("/api/start", headers={"host": host}).status_code == 421
    assert client.get("/api/figures").json()["figures"]["reviewed"] == 0
    assert client.decide().status_code == 200
    assert "the request comes from another page" in served.stop()


@pytest.mark.parametrize(
    "body",
    [
        {"uid": None},
        {"uid": "short"},
        {"uid": SQL},
        {"uid": "../../etc/passwd"},
        {"audit": None},
        {"item": None},
        {"item": "-1"},
        {"item": str(10**9)},
        {"item": 0},
        {"item": True},
        {"item": SQL},
        {"rank": 0},
        {"action": "undo"},
        {"action": SCRIPT},
        {"action": "relabel", "label": SCRIPT},
        {"action": "relabel", "label": SQL},
        {"action": "relabel", "label": "x" * 20_000},
        {"action": "keep", "label": SCRIPT},
        {"seconds": -1},
        {"reviewer": "somebody else"},
        [1, 2],
        "text",
    ],
    ids=range(22),
)
def test_malformed_decisions_are_refused_and_leave_nothing(shared_client, body):
    if isinstance(body, dict):
        body = {name: value for name, value in (shared_client.body() | body).items() if value is not None or name == "label"}
    answer = shared_client.http.post("/api/decide", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/json"
    assert shared_client.get("/api/figures").json()["left"] == 200


@pytest.fixture(scope="module")
def shared_client(module_tmp, digits):
    from conftest import Served  # the fixtures of this folder

    rng = np.random.default_rng(0)
    np.save(module_tmp / "x.npy", digits.images[:300])
    np.save(module_tmp / "y.npy", digits.target[:300])
    data = lp.read_arrays(module_tmp / "x.npy", module_tmp / "y.npy")
    lp.audit(data, rng.dirichlet(np.ones(10), 300)).save(module_tmp / "audit")
    served = Served(module_tmp / "audit", "--port", 0)
    yield Client(served, "Ann")
    served.kill()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static/....//server.py",
        "/static//etc/passwd",
        "/static/..%5cserver.py",
        "/static/%00",
        "/api/items/..%2f..%2fetc%2fpasswd/picture",
        "/api/items/0%2f..%2f..%2fx/picture",
        "/api/items/-1/picture",
        "/api/items/999999/picture",
        "/api/items/99999999999999999999999/picture",
        "/api/items/1e3/similar",
        "/api/items/0;id/similar",
        "/x.npy",
        "/openapi.json",
        "/docs",
    ],
)
def test_no_path_leads_to_a_file(shared_client, path):
    connection = shared_client.http
    request = connection.build_request("GET", connection.base_url)
    request.url = httpx.URL(scheme="http", host=request.url.host, port=request.url.port, raw_path=path.encode())
    answer = connection.send(request)
    assert answer.status_code in (400, 404, 422), (path, answer.status_code)
    assert "import" not in answer.text
    assert "root:" not in answer.text


def test_large_bodies_are_refused_before_they_are_read(shared_client):
    headers = {"content-type": "application/json"}
    assert shared_client.http.post("/api/decide", content=b"x" * (MOST_BYTES + 1), headers=headers).status_code == 413

    def forever():
        for _ in range(10_000):
            yield b" " * 65_536

    try:
        status = shared_client.http.post("/api/decide", content=forever(), headers=headers).status_code
    except (httpx.WriteError, httpx.ReadError):
        status = 413  # the connection was closed in the middle
    assert status == 413
    assert shared_client.get("/api/start").status_code == 200


def test_names_are_plain_text(shared_client):
    other = httpx.Client(
        base_url=shared_client.http.base_url, headers=shared_client.http.headers, cookies=shared_client.http.cookies
    )
    for name in ("", "   ", "x" * 81, "a\x00b", "a\u202eb", "a\x1b[31m"):
        answer = other.post("/api/reviewer", json={"name": name})
        assert answer.status_code == 422, repr(name)
    for name in (SCRIPT, SQL, "Zoë 陈 🙂", "=HYPERLINK(1)"):
        assert other.post("/api/reviewer", json={"name": name}).json() == {"reviewer": name}
        assert other.get("/api/start").json()["reviewer"] == name
    assert reviewer_name("  a \n b ") == "a b"
    with pytest.raises(lp.BadInput, match="printable"):
        reviewer_name("\x7f")


def test_hostile_labels_and_names_go_through_the_store_as_text(tmp_path, serve):
    rng = np.random.default_rng(0)
    classes = np.array([SCRIPT, SQL, "plain"])
    y = rng.integers(0, 3, 200)
    frame = pl.DataFrame({"id": [f"../{SQL}{i}" for i in range(200)], "a": y + rng.normal(0, 0.5, 200), "kind": classes[y]})
    frame.write_csv(tmp_path / "t.csv")
    data = lp.read_table(tmp_path / "t.csv", "kind", id="id")
    lp.audit(data, lp.out_of_sample_probs(data)).save(tmp_path / "audit")
    served = serve(tmp_path / "audit", "--port", 0)
    client = Client(served, SQL)
    for i, label in enumerate(classes.tolist()):
        answer = client.decide(i, "relabel", label, f"uid-00000{i}")
        assert answer.status_code == 200, answer.text
    item = client.get("/api/items/0").json()
    assert item["id"].startswith("../x'; DROP")
    assert client.get("/api/figures").json()["reviewers"][0]["name"] == SQL
    assert len(client.get("/api/items/0/similar").json()["trusted"][0]["items"]) > 0


def test_pictures_are_served_wherever_the_manifest_names_them_written_anew_and_no_other_file_is(tmp_path, serve):
    rng = np.random.default_rng(0)
    for place in ("data/pics", "secret"):
        (tmp_path / place).mkdir(parents=True)
    for i in range(40):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "data" / "pics" / f"{i}.png")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "secret" / "0.png")
    hidden = b"the end of a file that is no picture"
    (tmp_path / "secret" / "0.png").write_bytes((tmp_path / "secret" / "0.png").read_bytes() + hidden)
    (tmp_path / "secret" / "key.pem").write_bytes(hidden)
    (tmp_path / "data" / "pics" / "1.png").unlink()
    (tmp_path / "data" / "pics" / "1.png").symlink_to(tmp_path / "secret" / "0.png")
    paths = [f"pics/{i}.png" for i in range(40)]
    paths[0] = "../secret/0.png"
    paths[2] = str(tmp_path / "secret" / "0.png")
    paths[3] = "../secret/key.pem"
    pl.DataFrame({"name": [f"n{i}" for i in range(40)], "path": paths, "kind": ["x", "y"] * 20}).write_csv(
        tmp_path / "data" / "m.csv"
    )
    data = lp.read_images(tmp_path / "data" / "m.csv", label="kind", image="path", id="name")
    assert [name for name, _ in data.skipped] == ["n3"]
    lp.audit(data, np.full((39, 2), 0.5)).save(tmp_path / "audit")
    client = Client(serve(tmp_path / "audit", "--port", 0), "Ann")
    for rank in range(39):
        shown = client.get(f"/api/items/{rank}/picture")
        assert shown.status_code == 200
        assert hidden not in shown.content
        if client.get(f"/api/items/{rank}").json()["id"] in ("n0", "n1", "n2"):
            assert Image.open(io.BytesIO(shown.content)).convert("RGB").getpixel((4, 4))[1:] < (40, 40)
    for path in ("../secret/key.pem", "..%2fsecret%2fkey.pem", "-1", "40"):
        assert client.get(f"/api/items/{path}/picture").status_code in (400, 404, 422)


def test_the_log_of_refusals_cannot_be_written_into(served):
    httpx.get(f"{served.address}/a%0d%0aforged%1b[31m")
    said = served.stop()
    assert "\\r\\nforged\\x1b" in said
    assert "\x1b[31m" not in said


def test_reviewing_needs_a_name(served):
    client = Client(served)
    assert client.decide().status_code == 409
    assert client.post("next", count=1).status_code == 409


def test_the_same_decision_sent_twice_is_one(served):
    client = Client(served, "Ann")
    for _ in range(3):
        assert client.decide().json()["left"] == 199
    assert client.decide(rank=1).status_code == 422  # the uid of another decision
    assert client.post("undo", uid="undo-00001").json()["item"]["rank"] == 0
    assert client.post("undo", uid="undo-00001").json()["left"] == 200


def test_a_token_that_is_too_short_and_a_taken_port(audit_of, serve):
    folder = audit_of()[0]
    with pytest.raises(AssertionError, match="at least 16"):
        serve(folder, token="short")
    first = serve(folder, "--port", 0)
    with pytest.raises(AssertionError, match="Cannot listen"):
        serve(folder, "--port", first.port)
    assert len(serve(folder, token=None).token) >= 40
    assert "labels reviewed" in first.stop()


def test_a_broken_store_is_told_and_nothing_is_acknowledged(audit_of, serve):
    folder = audit_of()[0]
    served = serve(folder, "--port", 0)
    client = Client(served, "Ann")
    database = folder.with_name("audit.reviews.sqlite")
    for file in (database, database.with_name(database.name + "-wal"), database.with_name(database.name + "-shm")):
        file.unlink(missing_ok=True)
    database.write_bytes(b"broken" * 1000)
    answers = {client.decide(rank, uid=f"uid-{rank:06d}").status_code for rank in range(5)}
    assert 500 not in answers
    assert 503 in answers or answers == {200}


def test_the_nearest_items_are_shown_with_their_labels_and_copies_first(tmp_path, serve):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    x = rng.normal(4 * y[:, None], 1, (100, 3))
    x, y = np.concatenate([x, x[[5]]]), np.concatenate([y, [1 - y[5]]])
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    data = lp.read_arrays(tmp_path / "x.npy", tmp_path / "y.npy")
    lp.audit(data, np.where(np.eye(2, dtype=bool)[np.append(y[:100], y[5])], 0.9, 0.1)).save(tmp_path / "audit")
    client = Client(serve(tmp_path / "audit", "--port", 0), "Ann")
    rank = next(r for r in range(5) if client.get(f"/api/items/{r}").json()["id"] == "100")
    near = client.get(f"/api/items/{rank}/similar").json()["nearest"]
    assert [one["duplicate"] for one in near] == [True, False, False, False]
    assert near[0]["label"] == str(y[5])
    assert client.get(f"/api/items/{near[0]['rank']}").json()["id"] == "5"
    assert all(one["fields"] for one in near)
