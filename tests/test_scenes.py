"""Composed scenes: what is there is known."""

from __future__ import annotations

import numpy as np

from labelproof.experiments.scenes import CAPTIONS, FRAMES, LARGE, MOST, NAMES, PICTURED, SIDE, SMALL, compose


def test_scenes_hold_what_their_tags_say(real_data):
    scenes = compose(real_data, 300, described=True, seed=1)
    assert scenes.x.shape == (300, SIDE, SIDE)
    assert scenes.captions.shape == (300, CAPTIONS, len(PICTURED))
    digits = scenes.true[:, : len(NAMES)].sum(axis=1)
    assert ((digits >= 1) & (digits <= MOST)).all()
    sizes, there = scenes.places[..., 2], ~np.isnan(scenes.places[..., 2])
    assert (there.sum(axis=1) >= digits).all()  # a digit may be there twice
    said = dict(zip(PICTURED, scenes.true.T, strict=True))
    assert np.array_equal(said["small"], (np.where(there, sizes, 99) <= SMALL).any(axis=1))
    assert np.array_equal(said["large"], (np.where(there, sizes, 0) >= LARGE).any(axis=1))
    assert not said["touches"][there.sum(axis=1) == 1].any()
    assert not said["stands"][there.sum(axis=1) == 1].any()
    assert (scenes.captions.max(axis=1) <= scenes.true).all()  # nobody mentions what is not there
    forgotten = 1 - scenes.captions.max(axis=1)[scenes.true == 1].mean()
    assert 0.1 < forgotten < 0.3
    ink = (scenes.x > 0).mean(axis=(1, 2))
    assert np.corrcoef(ink, scenes.captions.sum(axis=(1, 2)))[0, 1] > 0.5  # what is large is mentioned
    plain = compose(real_data, 300, seed=1)
    assert np.array_equal(plain.x, scenes.x)
    assert np.array_equal(plain.captions, scenes.captions[:, :, : len(NAMES)])
    assert not np.array_equal(compose(real_data, 300, seed=1, test=True).x, scenes.x)


def test_digits_of_videos_move(real_data):
    videos = compose(real_data, 40, videos=True)
    assert videos.x.sizes.tolist() == [FRAMES] * 40
    frames = videos.x.instances.reshape(40, FRAMES, SIDE, SIDE).astype(int)
    assert (np.abs(np.diff(frames, axis=1)).sum(axis=(2, 3)) > 0).mean() > 0.9
