"""Pictures over HTTP: many large ones asked for at once do not take the server's memory."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import labelproof as lp

MOST_MB = 500


def peak_mb(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture
def nasty(tmp_path):
    """An audit of a manifest whose files are replaced by large ones afterwards, for an audit would skip some of them."""
    side = 9_900  # 98 megapixels
    made = {
        "grey.png": lambda path: Image.new("L", (side, side), 90).save(path),
        "palette.png": lambda path: Image.new("P", (side, side), 90).save(path),
        "line.png": lambda path: Image.new("RGB", (60_000, 1), "red").save(path),
        "half.png": lambda path: Image.new("RGBA", (7_000, 7_000), (255, 0, 0, 128)).save(path),
        "rgb.png": lambda path: Image.new("RGB", (side, side), "red").save(path),
        "photo.jpg": lambda path: Image.new("RGB", (side, side), "red").save(path),
        "scans.jpg": lambda path: Image.new("RGB", (side, side), "red").save(path, progressive=True),
        "wide.tif": lambda path: Image.new("F", (6_900, 6_900), 0.5).save(path, compression="tiff_adobe_deflate"),
        "canvas.webp": lambda path: Image.new("RGB", (3_500, 3_500), "red").save(path, method=0),
        "frame.gif": lambda path: Image.new("P", (side, side), 3).save(path, disposal=2),
    }
    for name in made:
        Image.new("RGB", (8, 8)).save(tmp_path / name, format="PNG")
    labels = ["a", "b"] * (len(made) // 2)
    lines = [f"{name},{label}" for name, label in zip(made, labels, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(["path,y", *lines]) + "\n")
    data = lp.read_images(tmp_path / "m.csv", label="y", image="path")
    lp.audit(data, np.full((len(made), 2), 0.5)).save(tmp_path / "audit")
    for name, make in made.items():
        make(tmp_path / name)
    assert (tmp_path / "grey.png").stat().st_size < 400_000
    return tmp_path / "audit", list(made)


@pytest.mark.slow
def test_six_large_pictures_at_once_leave_the_server_small(nasty, serve):
    folder, names = nasty
    served = serve(folder, "--port", 0, forked=False)
    client = httpx.Client(base_url=served.address, timeout=300)
    assert client.get("/", params={"token": served.token}).status_code == 200
    before = peak_mb(served.process)
    ranks = {client.get(f"/api/items/{rank}").json()["id"]: rank for rank in range(len(names))}

    client.get("/api/items/0/similar")  # brings scikit-learn

    def ask(name):
        answer = client.get(f"/api/items/{ranks[name]}/picture")
        return answer.status_code, Image.open(io.BytesIO(answer.content)).size if answer.status_code == 200 else None

    with ThreadPoolExecutor(6) as threads:
        answers = dict(zip(names, threads.map(ask, names), strict=True))
        again = list(threads.map(ask, ["grey.png"] * 6))
    peak = peak_mb(served.process)
    assert peak < MOST_MB, f"from {before:.0f} MB"
    refused = {"rgb.png", "scans.jpg", "frame.gif"}  # over the limit of bytes
    assert {name for name, (status, _) in answers.items() if status != 200} == refused, answers
    assert answers["line.png"] == (200, (1024, 1))
    assert {size for name, (_, size) in answers.items() if name not in {*refused, "line.png"}} == {(1024, 1024)}
    assert again == [(200, (1024, 1024))] * 6
