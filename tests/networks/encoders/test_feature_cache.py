"""The cache of features: nothing is encoded twice, nothing wrong is ever handed out, and nothing of others is touched."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import labelproof as lp
from commands import run
from forked import start
from labelproof.data.picture_source import ArraySource
from labelproof.networks.encoders import Encoder, cache, features
from labelproof.networks.encoders.features import encode_pictures, encode_texts

TEXTS = [f"{'long ' * (i % 5)}text {i}" for i in range(50)]


class Counting(Encoder):
    """Length, a checksum and 30 numbers of a text; counts what it is asked for."""

    named, takes, name, batch_size = False, "text", "counting", 4

    def __init__(self, revision: str = "1", stop_after: int = 10**9, factor: float = 1.0) -> None:
        self.revision, self.stop_after, self.factor = revision, stop_after, factor
        self.seen: list[str] = []

    @classmethod
    def opened(cls, place, takes):
        return cls()

    def prepare(self, raw):
        return list(raw)

    def encode(self, batch):
        if len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += batch
        numbers = [[len(text), sum(map(ord, text)), *range(30)] for text in batch]
        return (self.factor * np.array(numbers)).astype(np.float32)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LABELPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


EXPECTED = Counting().encode(TEXTS)


def blocks(place: Path) -> list[Path]:
    return sorted(place.glob("*/*.safetensors"))


def test_what_is_known_is_not_encoded_again(place):
    first, again = Counting(), Counting()
    assert np.array_equal(encode_texts(first, TEXTS), EXPECTED)
    assert sorted(first.seen) == sorted(TEXTS)
    assert np.array_equal(encode_texts(again, TEXTS[::-1]), EXPECTED[::-1])
    assert again.seen == []
    some = Counting()
    assert np.array_equal(encode_texts(some, [*TEXTS[:20], "new", "newer"])[:20], EXPECTED[:20])
    assert sorted(some.seen) == ["new", "newer"]
    assert [(one.name, one.items) for one in cache.kept()] == [("counting", 52)]


def test_what_is_there_twice_is_encoded_once():
    encoder = Counting()
    found = encode_texts(encoder, [*TEXTS, *TEXTS[::2], TEXTS[0]], cache=False)
    assert len(encoder.seen) == 50
    assert np.array_equal(found, np.concatenate([EXPECTED, EXPECTED[::2], EXPECTED[:1]]))


def test_another_revision_or_name_is_another_encoder():
    encode_texts(Counting(), TEXTS)
    newer = Counting("2", factor=2.0)
    assert np.array_equal(encode_texts(newer, TEXTS), 2 * EXPECTED)
    other = Counting(factor=3.0)
    other.name = "counting/other"
    assert np.array_equal(encode_texts(other, TEXTS), 3 * EXPECTED)
    assert np.array_equal(encode_texts(Counting(), TEXTS), EXPECTED)
    unknown = Counting("unknown")
    for _ in range(2):
        encode_texts(unknown, TEXTS)
    assert len(unknown.seen) == 100  # what has no revision is not kept


def test_without_the_cache_nothing_is_kept_or_found(place):
    encode_texts(Counting(), TEXTS, cache=False)
    assert not place.exists()
    encode_texts(Counting(), TEXTS)
    encoder = Counting()
    encode_texts(encoder, TEXTS, cache=False)
    assert len(encoder.seen) == 50


def test_pictures_are_known_by_their_pixels():
    class Means(Counting):
        takes, size, name = "images", 8, "means"

        def encode(self, batch):
            self.seen += [picture.tobytes() for picture in batch]
            return np.array(batch, np.float32).reshape(len(batch), -1)

    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8)
    first, again = Means(), Means()
    found = encode_pictures(first, ArraySource(pixels))
    assert np.array_equal(found, pixels.reshape(9, -1))
    assert np.array_equal(encode_pictures(again, ArraySource(np.concatenate([pixels[::-1], pixels]))), [*found[::-1], *found])
    assert again.seen == []
    pixels[3, 0, 0, 0] ^= 1
    encode_pictures(again, ArraySource(pixels))
    assert len(again.seen) == 1
    wide = pixels.astype(np.int16)
    wide[0, 0, 0, 0] = 1000  # the same pixels are another picture on another scale
    encode_pictures(again, ArraySource(wide[4:]))
    assert len(again.seen) == 1 + 5


@pytest.mark.parametrize("block_items", [8, 10**6])
def test_an_interrupted_encoding_goes_on(block_items, monkeypatch):
    monkeypatch.setattr(features, "BLOCK_ITEMS", block_items)
    stopped, again = Counting(stop_after=20), Counting()
    with pytest.raises(KeyboardInterrupt):
        encode_texts(stopped, TEXTS)
    assert len(stopped.seen) == 20
    assert np.array_equal(encode_texts(again, TEXTS), EXPECTED)
    assert len(again.seen) == 30
    assert not set(again.seen) & set(stopped.seen)


@pytest.mark.parametrize("damage", ["empty", "cut", "garbled", "other tensors", "other shape"])
def test_a_damaged_block_is_removed_and_made_anew(damage, place, monkeypatch):
    from safetensors.numpy import save_file

    monkeypatch.setattr(features, "BLOCK_ITEMS", 20)
    encode_texts(Counting(), TEXTS)
    assert len(blocks(place)) == 3
    block = blocks(place)[1]
    whole = block.read_bytes()
    if damage in ("empty", "cut", "garbled"):
        block.write_bytes({"empty": b"", "cut": whole[:-9], "garbled": b"\xff" * 400}[damage])
    else:
        wrong = {
            "other tensors": {"x": np.zeros(3)},
            "other shape": {"keys": np.zeros((2, 16), np.uint8), "features": np.zeros(2)},
        }
        save_file(wrong[damage], block)
    again, third = Counting(), Counting()
    assert np.array_equal(encode_texts(again, TEXTS), EXPECTED)
    assert len(again.seen) in (10, 20)
    assert not block.exists()
    encode_texts(third, TEXTS)
    assert third.seen == []


def test_where_nothing_can_be_written_one_warning_and_the_right_features(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "BLOCK_ITEMS", 8)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LABELPROOF_CACHE", str(tmp_path / "file" / "cache"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert np.array_equal(encode_texts(Counting(), TEXTS), EXPECTED)
    (only,) = told
    assert issubclass(only.category, lp.errors.LabelproofWarning)
    assert "cannot be written" in str(only.message)
    assert "LABELPROOF_CACHE" in str(only.message)
    assert cache.kept() == []
    cache.clear()


def test_a_cache_that_may_only_be_read_is_read(place, monkeypatch):
    encode_texts(Counting(), TEXTS)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("utime", "unlink"):
        monkeypatch.setattr(os, name, refused)
    blocks(place)[0].write_bytes(b"damaged")
    again = Counting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.array_equal(encode_texts(again, TEXTS), EXPECTED)
    assert len(again.seen) == 50
    with pytest.raises(lp.BadInput, match=r"cannot be removed \(Permission denied\)"):
        cache.clear()


def test_beyond_the_limit_what_was_used_longest_ago_goes_first(place, monkeypatch):
    made = [[f"{name} {i}" for i in range(20)] for name in "abc"]
    for number, texts in enumerate(made):
        encode_texts(Counting(), texts)
        newest = max(blocks(place), key=lambda block: block.stat().st_mtime_ns)
        os.utime(newest, (1000 + number, 1000 + number))
    size = blocks(place)[0].stat().st_size
    encode_texts(Counting(), made[0])  # used now, so that b is the oldest
    monkeypatch.setenv("LABELPROOF_CACHE_GB", str(3.2 * size / 1e9))
    encode_texts(Counting(), [f"d {i}" for i in range(20)])
    assert len(blocks(place)) == 3
    asked = {}
    for name, texts in zip("abc", made, strict=True):
        encoder = Counting()
        monkeypatch.setenv("LABELPROOF_CACHE_GB", "0")  # look only
        encode_texts(encoder, texts)
        asked[name] = len(encoder.seen)
    assert asked == {"a": 0, "b": 20, "c": 0}


def test_a_limit_of_nothing_keeps_nothing(place, monkeypatch):
    monkeypatch.setenv("LABELPROOF_CACHE_GB", "0")
    assert np.array_equal(encode_texts(Counting(), TEXTS), EXPECTED)
    assert blocks(place) == []


@pytest.mark.parametrize("limit", ["four", "", "inf", "nan"])
def test_a_limit_that_is_none_is_told_before_anything_is_encoded(limit, monkeypatch):
    monkeypatch.setenv("LABELPROOF_CACHE_GB", limit)
    encoder = Counting()
    with pytest.raises(lp.BadInput, match=r"LABELPROOF_CACHE_GB is '.*'\. Give a number of gigabytes"):
        encode_texts(encoder, TEXTS)
    assert encoder.seen == []


def _encode_apart(place: str, begin: int, wrong: object) -> None:
    os.environ["LABELPROOF_CACHE"], features.BLOCK_ITEMS = place, 8
    for _ in range(4):
        texts = [*TEXTS[begin:], *TEXTS[:begin]]
        if not np.array_equal(encode_texts(Counting(), texts), Counting().encode(texts)):
            wrong.set()


def test_two_processes_share_it(place):
    import multiprocessing

    wrong = multiprocessing.get_context("forkserver").Event()
    both = [start(_encode_apart, str(place), begin, wrong) for begin in (0, 25)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert not wrong.is_set()
    encoder = Counting()
    assert np.array_equal(encode_texts(encoder, TEXTS), EXPECTED)
    assert encoder.seen == []
    assert not [file for file in place.rglob("*") if file.is_file() and file.suffix != ".safetensors"]


def test_nothing_that_is_not_ours_is_removed_or_counted(place, monkeypatch):
    """Somebody keeps models and notes where the cache is."""
    encode_texts(Counting(), TEXTS)
    own = blocks(place)[0].parent
    others = [place / "bert" / "model.safetensors", place / "notes.txt", place / "bert" / "config.json", own / "model.safetensors",
              place / "weights.safetensors"]  # fmt: skip
    for file in others:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"precious " * 1000)
    (own / f".{'0' * 32}").write_bytes(b"left by a process that was killed")
    assert [(one.name, one.items) for one in cache.kept()] == [("counting", 50)]
    monkeypatch.setenv("LABELPROOF_CACHE_GB", "0.000001")
    encode_texts(Counting(), [*TEXTS, "one more"])
    cache.clear()
    assert sorted(file for file in place.rglob("*") if file.is_file()) == sorted(others)
    assert all(file.read_bytes() == b"precious " * 1000 for file in others)
    assert cache.kept() == []


def test_the_command_shows_and_clears(place, monkeypatch):
    empty = run("cache")
    assert empty.returncode == 0
    assert f"{place} holds 0 MB of features; the limit is 4,000 MB" in empty.stdout
    encode_texts(Counting(), TEXTS)
    shown = run("cache").stdout
    assert "counting" in shown
    assert " 50 " in shown
    assert time.strftime("%Y-%m-%d") in shown
    assert "labelproof cache --clear" in shown
    cleared = run("cache", "--clear")
    assert cleared.returncode == 0
    assert "Removed" in cleared.stdout
    assert blocks(place) == []
    assert not list(place.iterdir())
    monkeypatch.setenv("LABELPROOF_CACHE_GB", "lots")
    bad = run("cache")
    assert bad.returncode == 2
    assert "LABELPROOF_CACHE_GB" in bad.stderr


def test_where_it_is(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("LABELPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "labelproof"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "labelproof"
