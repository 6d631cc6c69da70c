"""Coming in: the secret in nobody's sight, cookies of others on the same host, and requests that never end."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from test_server import TOKEN, Client

from browsing import shown_item
from labelproof.review.page import guard, serving
from labelproof.review.page.desk import Desk
from labelproof.review.page.guard import Keys
from labelproof.review.page.opening import write_door
from labelproof.review.page.server import create_app

HALF_SENT = 200


@pytest.fixture
def served(audit_of, serve):
    return serve(audit_of()[0], "--reviewer", "Ann", "--port", 0)


def test_the_secret_is_never_in_the_arguments_of_the_browser(audit_of, tmp_path):
    """A browser that tells what it was given, and what of it others could read."""
    folder, seen = audit_of()[0], tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!{sys.executable}\nimport os, sys, pathlib\nplace = pathlib.Path(sys.argv[1].removeprefix("file://"))\n'
        f"modes = [oct(os.stat(p).st_mode & 0o777) for p in (place, place.parent)]\n"
        f'pathlib.Path("{seen}.part").write_text(repr((sys.argv, modes, place.read_text())))\nos.rename("{seen}.part", "{seen}")\n'
    )
    browser.chmod(0o755)
    ours, theirs = pty.openpty()  # a browser is only opened from a terminal
    environment = {**os.environ, "BROWSER": f"{browser} %s", "COLUMNS": "200", "LABELPROOF_TOKEN": TOKEN, "DISPLAY": ":0"}
    command = [sys.executable, "-m", "labelproof.cli", "review", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment)
    os.close(theirs)
    printed, ends = b"", time.monotonic() + 60
    while not (seen.exists() and TOKEN.encode() in printed):
        assert time.monotonic() < ends, printed
        if select.select([ours], [], [], 0.05)[0]:
            printed += os.read(ours, 4096)
    arguments, modes, content = eval(seen.read_text())  # our own repr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    os.close(ours)
    assert len(arguments) == 2
    assert arguments[1].startswith("file://")
    assert TOKEN not in " ".join(arguments)
    assert modes == ["0o600", "0o700"]
    assert TOKEN in content
    assert not Path(arguments[1].removeprefix("file://")).parent.exists()  # gone with the server


def test_the_private_file_opens_the_page(served, open_page, tmp_path):
    page = open_page(write_door(tmp_path, served.address, served.token).as_uri())
    page.wait_for_url(f"{served.address}/")
    shown_item(page)
    page.reload()  # by the cookie, without asking to post the form again
    shown_item(page)
    assert page.url == f"{served.address}/"
    assert TOKEN not in page.content()
    assert page.problems == []


def test_quotes_in_a_secret_stay_in_the_file(tmp_path):
    content = write_door(tmp_path, "http://x", '"><script>alert(1)</script>').read_text()
    assert "<script>alert" not in content
    assert stat.S_IMODE((tmp_path / "open.html").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):  # nothing that somebody else put there is written to
        write_door(tmp_path, "http://x", "y")


def test_only_the_token_lets_a_form_in(served):
    bare = httpx.Client(base_url=served.address)
    many = "&".join(f"x{i}=1" for i in range(100))
    for form in (
        "",
        "token=",
        "token=wrong",
        f"token={TOKEN[:-1]}",
        f"token={TOKEN}&token={TOKEN}",
        f"{many}&token={TOKEN}",
        "\xe9",
    ):
        answer = bare.post("/", content=form.encode(), headers={"content-type": guard.FORM})
        assert answer.status_code == 403, form
        assert TOKEN not in answer.text
        assert "set-cookie" not in answer.headers
    json = bare.post("/", json={"token": TOKEN})
    assert (json.status_code, bare.get("/api/start").status_code) == (415, 403)
    assert bare.post("/api/next", data={"token": TOKEN}).status_code == 403
    entered = bare.post("/", data={"token": TOKEN}, headers={"origin": "null"})
    assert entered.status_code == 200
    assert 'rel="icon"' in entered.text  # or browsers ask for one at an address that has none
    assert "samesite=strict" in entered.headers["set-cookie"].lower()
    assert TOKEN not in entered.text + entered.headers["set-cookie"]
    assert bare.get("/api/start").status_code == 200
    assert TOKEN not in served.stop()


@pytest.mark.parametrize(
    "other",
    [
        'a={"b": "c", [1]}',
        "=;;= ;",
        "na me=x",
        "bad\x01=x",
        '"',
        "x=\xe9\xff",
        "a=b=c==",
        "theme",
        "big=" + "x" * 100_000,
        "labelproof-1=y",
    ],
    ids=range(10),
)
def test_cookies_of_other_applications_lock_nobody_out(served, other):
    client = Client(served)
    own = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
    stale = f"labelproof-{served.port}=left.over"
    for header in (f"{other}; {own}", f"{own}; {other}", f"{stale}; {other}; {own}", f"{own}; {stale}"):
        answer = raw(served.port, "GET /api/start HTTP/1.1", f"Cookie: {header}")
        assert answer.startswith(b"HTTP/1.1 200 "), (header[:60], answer[:200])
    assert raw(served.port, "GET /api/start HTTP/1.1", f"Cookie: {other}").startswith(b"HTTP/1.1 40")
    link = raw(served.port, f"GET /?token={TOKEN} HTTP/1.1", f"Cookie: {other}; {stale}")
    assert link.startswith(b"HTTP/1.1 200 ")


def raw(port, first, *headers):
    """What comes back for a request that no client would make."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = [first, f"Host: 127.0.0.1:{port}", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def half_sent(client, port, count):
    """Connections, half of which never end the head of their request, half the body."""
    cookie = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
    head = f"GET /?token=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Slow: "
    body = (
        f"POST /api/decide HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    made = []
    for number in range(count):
        made.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        made[-1].sendall((body if number % 2 else head).encode())
    return made


def test_requests_that_never_end_keep_nobody_from_the_page(served, open_page):
    client = Client(served, "Ann")
    others = half_sent(client, served.port, HALF_SENT)
    page = open_page(served.link)
    first = shown_item(page)
    page.keyboard.press("k")
    shown_item(page, first)
    with httpx.Client(base_url=served.address, timeout=1.0) as fresh:
        assert fresh.get("/", params={"token": TOKEN}).status_code == 200
        assert fresh.get("/api/start").status_code == 200
    for other in others:
        other.close()
    assert client.decide(5).status_code == 200


def test_requests_that_never_end_are_ended(audit_of, session_of, monkeypatch):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    app = create_app(Desk(session_of(audit_of()[0])), Keys(TOKEN, "labelproof-x"), title="t")
    server = uvicorn.Server(serving._config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{port}"
    client = Client(type("Served", (), {"address": address, "token": TOKEN}), "Ann")
    others = half_sent(client, port, 20)
    ended = [other.recv(65_536) for other in others]  # returns when the server has closed it or has answered
    assert all(answer == b"" for answer in ended[::2])
    assert all(re.match(rb"HTTP/1.1 408 ", answer) for answer in ended[1::2])
    client.http.close()
    again = Client(type("Served", (), {"address": address, "token": TOKEN}), "Ann")
    for rank in range(3):  # one connection, kept, with pauses as long as those
        assert again.decide(rank, uid=f"uid-{rank:06d}").status_code == 200
        time.sleep(0.4)
    kept = socket.create_connection(("127.0.0.1", port), timeout=30)
    kept.sendall(f"GET /static/review.js HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert kept.recv(12) == b"HTTP/1.1 200"
    kept.sendall(b"GET /sta")  # a second request on it that never ends
    while kept.recv(65_536):
        pass
    for other in (*others, kept):
        other.close()
    server.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()
