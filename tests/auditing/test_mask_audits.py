"""Audits of masks: what is planted is found with its pixels, by kind; and what must not matter does not."""

from __future__ import annotations

import weakref

import numpy as np
import polars as pl
import pytest
from scipy import ndimage

import labelproof as lp
from labelproof.labels.run_length import decode
from labelproof.noise.masks.noise import MaskNoise

K, HEIGHT, WIDTH = 4, 60, 80


def scenes(n: int, seed: int = 0) -> np.ndarray:
    """Sky over road with ellipses of two classes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    masks = np.zeros((n, HEIGHT, WIDTH), int)
    for mask in masks:
        mask[rng.integers(20, 40) :] = 1
        for _ in range(6):
            down, right = rng.integers(6, HEIGHT - 6), rng.integers(6, WIDTH - 6)
            tall, wide = rng.integers(4, 9, 2)
            mask[((y - down) / tall) ** 2 + ((x - right) / wide) ** 2 <= 1] = rng.integers(2, 4)
    return masks


def predicted(masks: np.ndarray, seed: int = 0, noise: float = 0.5) -> np.ndarray:
    """What a model may say: blurred, confused and noisy, the noise alike in pixels that are near."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter((masks[:, None] == np.arange(K)[:, None, None]).astype(float), (0, 0, 1.5, 1.5))
    field = ndimage.gaussian_filter(rng.standard_normal(soft.shape), (0, 0, 3, 3))
    logits = np.log(0.7 * soft + 0.3 / K) + noise * field / field.std()
    probs = np.exp(logits)
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


TRUE = scenes(80)
PROBS = predicted(TRUE)
NOISY = lp.simulate.masks(TRUE, 0.08, area=(40, 400), random_state=1)
GIVEN = np.stack(NOISY.labels)


@pytest.fixture(scope="module")
def found() -> lp.Audit:
    return lp.audit(lp.Masks(GIVEN), PROBS)


def shown(audit: lp.Audit) -> pl.DataFrame:
    return audit.issues.filter(pl.col("kind").is_not_null())


def test_what_was_planted_is_found(found):
    surest = found.items.sort("error_probability", descending=True)["index"].to_numpy()[: NOISY.changed.sum()]
    assert NOISY.changed[surest].mean() >= 0.85
    assert found.items["error_probability"].sum() == pytest.approx(NOISY.changed.sum(), rel=0.25)


def test_a_planted_rate_is_recovered(found):
    wrong = found.error_rate
    assert wrong.low * found.sites <= len(NOISY.errors) <= wrong.high * found.sites
    by_kind = {kind: found.noise.rate(kind) for kind in found.noise.kinds}
    assert all(rate < 0.1 for rate in by_kind.values())


def test_run_lengths_are_the_pixels_that_should_change(found):
    hits = []
    for row in shown(found).filter(pl.col("error_probability") > 0.5).iter_rows(named=True):
        pixels = decode(row["rle"], HEIGHT, WIDTH)
        y, x = np.nonzero(pixels)
        assert pixels.sum() == row["area"]
        assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (row["x1"], row["y1"], row["x2"], row["y2"])
        assert np.bincount(GIVEN[row["index"]][pixels]).argmax() == row["given_label"]
        hits.append(np.mean(TRUE[row["index"]][pixels] == row["suggested_label"]))
    assert np.mean(hits) > 0.8


def test_changes_of_a_picture_share_no_pixel(found):
    for _, rows in shown(found).group_by("index"):
        assert sum(decode(text, HEIGHT, WIDTH).astype(int) for text in rows["rle"]).max() == 1


def test_regions_without_doubt_have_no_run_lengths(found):
    quiet = found.issues.filter(pl.col("kind").is_null())
    assert (quiet["rle"] == "").all()
    assert (quiet["given_label"] == quiet["suggested_label"]).all()


@pytest.mark.parametrize("kind", ["class", "drop", "extra", "shift"])
def test_errors_are_named_by_their_kind(kind):
    noisy = lp.simulate.masks(TRUE, 0.08, kinds=[kind], area=(80, 400), random_state=2)
    audit = lp.audit(lp.Masks(noisy.labels), PROBS)
    expected = {
        "class": {"class", "missing"},
        "drop": {"missing"},
        "extra": {"extra", "border"},
        "shift": {"border", "missing"},
    }[kind]
    right = []
    for row in shown(audit).filter(pl.col("error_probability") > 0.5).iter_rows(named=True):
        changed = np.stack(noisy.labels)[row["index"]] != TRUE[row["index"]]
        if changed[decode(row["rle"], HEIGHT, WIDTH)].mean() > 0.8:
            right.append(row["kind"] in expected)
    assert len(right) >= 5
    assert np.mean(right) >= 0.8


def test_no_noise_no_finding():
    audit = lp.audit(lp.Masks(TRUE), PROBS)
    assert audit.error_rate.estimate < 0.01
    assert shown(audit).filter(pl.col("error_probability") > 0.5).height == 0


def test_the_order_of_the_pictures_does_not_matter(found):
    order = np.random.default_rng(0).permutation(len(GIVEN))
    again = lp.audit(lp.Masks(GIVEN[order]), PROBS[order])
    assert np.array_equal(again.items["error_probability"].to_numpy(), found.items["error_probability"].to_numpy()[order])


def test_however_predictions_are_given(tmp_path):
    given, probs = GIVEN[:25], PROBS[:25]
    np.save(tmp_path / "probs.npy", probs)
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, one in enumerate(probs):
        np.save(folder / f"{i:03}.npy", one)
    names = [f"{i:03}.png" for i in range(len(given))]
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    whole = lp.audit(lp.Masks(given), probs)
    for way in (str(tmp_path / "probs.npy"), mapped, folder, list(probs), lambda i: probs[i]):
        assert lp.audit(lp.Masks(given), way).issues.equals(whole.issues)
    named = lp.audit(lp.Masks(given[::-1]), folder, ids=names[::-1])
    assert named.items["error_probability"].to_list() == whole.items["error_probability"].to_list()[::-1]


def test_sparse_predictions_say_nearly_the_same(found, tmp_path):
    for i, probs in enumerate(PROBS):
        best = np.argsort(-probs, axis=0)[:3].astype(np.uint8)
        np.savez(tmp_path / f"{i:03}.npz", classes=best, probs=np.take_along_axis(probs, best, 0).astype(np.float16))
    audit = lp.audit(lp.Masks(GIVEN), tmp_path)
    assert np.corrcoef(audit.items["error_probability"], found.items["error_probability"])[0, 1] > 0.9


def test_channels_by_name(found):
    order = [2, 0, 3, 1]
    audit = lp.audit(lp.Masks(GIVEN), PROBS[:, order], classes=order)
    assert audit.issues.equals(found.issues)


def test_a_line_of_void_through_regions_changes_little(found):
    cut = GIVEN.copy()
    cut[:, :, WIDTH // 2] = 255
    audit = lp.audit(lp.Masks(cut, void=255), PROBS)
    before, after = found.items["error_probability"].to_numpy(), audit.items["error_probability"].to_numpy()
    assert np.abs(before - after).mean() < 0.15
    assert np.corrcoef(before, after)[0, 1] > 0.8


def test_a_class_that_is_never_given_may_be_suggested():
    given = TRUE.copy()
    given[given == 3] = 2
    audit = lp.audit(lp.Masks(given), PROBS)
    assert audit.classes == (0, 1, 2, 3)


def test_few_pictures_are_enough():
    audit = lp.audit(lp.Masks(GIVEN[:6]), PROBS[:6])
    assert audit.items.height == 6
    assert np.isfinite(audit.items["error_probability"].to_numpy()).all()


def test_pictures_of_different_sizes():
    masks, probs = [GIVEN[0], GIVEN[1][:40], GIVEN[2][:, :33]], [PROBS[0], PROBS[1][:, :40], PROBS[2][:, :, :33]]
    audit = lp.audit(lp.Masks(masks), probs)
    assert audit.items["height"].to_list() == [60, 40, 60]
    assert audit.items["width"].to_list() == [80, 80, 33]


def test_few_predictions_are_held_at_a_time_however_many_pictures_there_are():
    def most(n: int) -> int:
        probs = _Watched(n)
        lp.audit(lp.Masks([GIVEN[i % len(GIVEN)] for i in range(n)]), probs)
        assert probs.alive == 0
        return probs.most

    assert most(150) <= most(75) + 2


class _Watched:
    """Predictions that know how many of them are held at a time."""

    def __init__(self, n):
        self.n, self.alive, self.most = n, 0, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        made = PROBS[i % len(PROBS)].copy()
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(made, self._gone)
        return made

    def _gone(self):
        self.alive -= 1


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (PROBS[:5], "5 pictures but there are 80 masks"),
        (PROBS[:, :3] / PROBS[:, :3].sum(1, keepdims=True), "3 channels but there are 4 classes"),
        (PROBS[:, :, :10], r"has shape \(4, 10, 80\) but its mask has 60 rows and 80 columns"),
        (np.log(PROBS), "picture .* at row 0, column 0 .*softmax"),
        (5, "pred_probs is a int"),
        ("nowhere", "nowhere"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(probs, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.audit(lp.Masks(GIVEN), probs)


def test_a_folder_with_too_few_files(tmp_path):
    np.save(tmp_path / "a.npy", PROBS[0])
    with pytest.raises(lp.BadInput, match=r"holds 1 \.npy and \.npz files but there are 80 masks"):
        lp.audit(lp.Masks(GIVEN), tmp_path)


def test_nothing_but_void_is_refused():
    with pytest.raises(lp.BadInput, match="void"):
        lp.audit(lp.Masks(np.full((2, 8, 8), 9), void=9, classes=range(2)), np.full((2, 2, 8, 8), 0.5))


def test_it_is_saved_and_comes_back(found, tmp_path):
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.labels == found.labels
    assert again.issues.equals(found.issues)
    assert again.items.equals(found.items)
    assert isinstance(again.noise, MaskNoise)
    assert again.noise.to_frame().equals(found.noise.to_frame())
    with pytest.raises(lp.BadInput, match="A loaded audit does not hold the pixels"):
        again.labels.mask(0)


def test_a_network_that_is_often_wrong_is_doubted():
    """Where it finds another class in over a fifth of the pixels, its certainty is no evidence."""
    weak = np.roll(PROBS, 14, axis=3)  # everything stands elsewhere
    with pytest.warns(lp.DoubtWarning, match="the network is wrong in whole regions"):
        audit = lp.audit(lp.Masks(GIVEN), weak)
    assert not audit.believed
    assert lp.audit(lp.Masks(GIVEN), PROBS).believed
