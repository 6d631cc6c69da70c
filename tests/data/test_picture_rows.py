"""Files that stand for tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import labelproof as lp
from labelproof.data.picture_rows import MEAN, SPREAD, PictureRows


@pytest.fixture
def files(tmp_path):
    made = []
    for i in range(6):
        made.append(tmp_path / f"{i}.png")
        Image.new("RGB", (20, 10), (40 * i, 0, 255)).save(made[-1])
    return made


def test_pictures_are_decoded_when_asked_for(files):
    rows = PictureRows(files, 8)
    assert (len(rows), rows.shape, rows.ndim) == (6, (6, 3, 8, 8), 4)
    found = rows[torch.tensor([5, 0])]
    assert found.shape == (2, 3, 8, 8)
    expected = (np.array([200 / 255, 0, 1]) - MEAN) / np.array(SPREAD)
    assert np.allclose(found[0, :, 3, 3], expected, atol=1e-5)
    assert torch.equal(rows[4:][1], found[0])
    files[2].write_bytes(b"no picture")
    assert len(rows[:2]) == 2
    with pytest.raises(lp.BadInput, match=r"2\.png' cannot be decoded"):
        rows[1:4]


def test_videos_are_padded(files):
    rows = PictureRows([files[:3], files[3:4]], 8)
    assert rows.shape == (2, 3, 3, 8, 8)
    assert torch.isnan(rows[:][1, 1:]).all()
    assert torch.equal(rows[:][1, 0], PictureRows(files, 8)[3:4][0])


def test_a_tagger_learns_from_files(files):
    tags = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [0, 0]])
    for x in (PictureRows(files, 8), PictureRows([[file, file] for file in files], 8)):
        model = lp.NoisyTagClassifier(stages=(1, 1), pooling="noisy-or", accelerator="cpu").fit(x, tags)
        assert model.predict_proba(x).shape == (6, 2)
        assert model.error_probability_.shape == (6, 2)
    with pytest.raises(lp.BadInput, match="no files"):
        PictureRows([], 8)
