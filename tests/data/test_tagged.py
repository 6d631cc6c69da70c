"""Manifests of tagged pictures and videos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import labelproof as lp


def picture(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(path)


def test_pictures(tmp_path):
    picture(tmp_path / "a.png", "red")
    picture(tmp_path / "b.png", "blue")
    (tmp_path / "c.png").write_bytes(b"no picture")
    (tmp_path / "m.csv").write_text("path,tags\na.png,red; warm\nb.png,\nc.png,red\n")
    found = lp.read_tagged(tmp_path / "m.csv", size=16)
    assert found.x.shape == (2, 16, 16, 3)
    assert found.names == ("red", "warm")
    assert found.tags.tolist() == [[1, 1], [0, 0]]
    assert found.ids == ("a.png", "b.png")
    assert found.skipped[0][0] == "c.png"


@pytest.mark.needs("torch")
def test_videos(tmp_path):
    for i in range(40):
        picture(tmp_path / "v1" / f"{i:03}.png", (6 * i, 0, 0))
    for i in range(3):
        picture(tmp_path / "v2" / f"{i}.png", "green")
    (tmp_path / "v3").mkdir()
    (tmp_path / "m.csv").write_text("path,tags\nv1,red\nv2,green\nv3,red\n")
    found = lp.read_tagged(tmp_path / "m.csv", size=8, frames=10)
    assert found.x.sizes.tolist() == [10, 3]
    assert np.all(np.diff(found.x.instances[:10, 0, 0, 0].astype(int)) == 24)  # every fourth
    assert found.tags.tolist() == [[0, 1], [1, 0]]
    assert found.skipped == [("v3", "no frame that can be read")]
    model = lp.NoisyTagClassifier(noise=None, pooling="noisy-or", stages=(1, 0), accelerator="cpu").fit(found.x, found.tags)
    assert model.predict(found.x).shape == (2, 2)


def test_manifests_that_cannot_be(tmp_path):
    picture(tmp_path / "a.png", "red")
    (tmp_path / "v").mkdir()
    for text, message in (
        ("path,tags\na.png,x\nv,y\n", "'v' is a folder, but 'a.png' is not"),
        ("path,tags\nb.png,x\n", "None of the 1 items"),
        ("path,tags\na.png,\n", "has no tags"),
        ("path,tags\n,x\n", "is empty in row 0"),
        ("file,tags\na.png,x\n", "path"),
    ):
        (tmp_path / "m.csv").write_text(text)
        with pytest.raises(lp.BadInput, match=message):
            lp.read_tagged(tmp_path / "m.csv")
