"""What everyone sees of a picture file: values for each mode and format, which way up, on which ground; and what is refused."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from test_damaged import mutations

import labelproof as lp
from labelproof.data import pictures
from labelproof.data.images import decode_all, thumbnail
from labelproof.data.pictures import read_picture
from labelproof.data.readers.arrays import show_array

SIDE = 16
RAMP = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)  # 0 … 255


def read(path, size=SIDE, **how):
    return np.asarray(read_picture(path, size, **how)).astype(int)


def saved(path, array, mode=None, **how):
    (array if isinstance(array, Image.Image) else Image.fromarray(array, mode)).save(path, **how)
    return path


def tiff(path, data, bits, sample_format, order="<", photometric=1):
    """An uncompressed grey TIFF of 16 x 16, written by hand: Pillow does not write them all."""
    tags = [(256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, photometric), (273, 134), (277, 1), (278, SIDE), (279, len(data)), (339, sample_format)]  # fmt: skip
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes(start + entries + b"\0" * (134 - len(start) - len(entries)) + data)
    return path


WIDE = {
    "16-bit PNG": (lambda p: saved(p, (RAMP * 257).astype(np.uint16), format="PNG"), RAMP),
    "16-bit TIFF": (lambda p: tiff(p, (RAMP * 257).astype("<u2").tobytes(), 16, 1), RAMP),
    "16-bit TIFF, big-endian": (lambda p: tiff(p, (RAMP * 257).astype(">u2").tobytes(), 16, 1, ">"), RAMP),
    "16-bit TIFF, white is zero": (lambda p: tiff(p, (RAMP * 257).astype("<u2").tobytes(), 16, 1, photometric=0), 255 - RAMP),
    "dark 16-bit TIFF": (lambda p: tiff(p, (RAMP * 25.7).astype("<u2").tobytes(), 16, 1), RAMP / 10),
    "signed 16-bit TIFF": (lambda p: tiff(p, (RAMP * 100 - 9000).astype("<i2").tobytes(), 16, 2), RAMP),
    "32-bit that fits": (lambda p: tiff(p, (RAMP * 257).astype("<i4").tobytes(), 32, 2), RAMP),
    "32-bit with its own range": (lambda p: tiff(p, (RAMP * 10_000 + 7).astype("<i4").tobytes(), 32, 2), RAMP),
    "unsigned 32-bit": (lambda p: tiff(p, (RAMP * 2**24).astype("<u4").tobytes(), 32, 1), RAMP),
    "16-bit PGM": (lambda p: p.write_bytes(b"P5 16 16 65535\n" + (RAMP * 257).astype(">u2").tobytes()) and p, RAMP),
    "float within 1": (lambda p: saved(p, (RAMP / 510).astype(np.float32), format="TIFF"), RAMP / 2),
    "float within 255": (lambda p: saved(p, (RAMP / 2).astype(np.float32), format="TIFF"), RAMP / 2),
    "float with its own range": (lambda p: saved(p, (RAMP * 3.0 - 100).astype(np.float32), format="TIFF"), RAMP),
    "float with gaps": (
        lambda p: saved(p, np.where(RAMP < 8, np.nan, RAMP / 255).astype(np.float32), format="TIFF"),
        np.where(RAMP < 8, 0, RAMP),
    ),
}


@pytest.mark.parametrize("kind", WIDE)
def test_wide_numbers_are_scaled_not_clipped(kind, tmp_path):
    make, expected = WIDE[kind]
    seen = read(make(tmp_path / "p.png"))
    assert np.abs(seen - expected[..., None]).max() <= 1
    np.testing.assert_array_equal(seen, read(tmp_path / "p.png", square=True))


RED, CLEAR = (200, 30, 40), (10, 20, 30)


def palette(transparent):
    picture = Image.new("P", (SIDE, SIDE), 1)
    picture.putpalette([*CLEAR, *RED])
    picture.paste(0, (0, 0, 8, SIDE))
    return picture, {"transparency": 0} if transparent else {}


def halves(mode, left, right):
    picture = Image.new(mode, (SIDE, SIDE), right)
    picture.paste(left, (0, 0, 8, SIDE))
    return picture


COLOURS = {  # picture, format, options, colour of the left and of the right half
    "RGB": (halves("RGB", CLEAR, RED), "PNG", {}, CLEAR, RED),
    "palette": (*[palette(False)[0], "PNG", {}], CLEAR, RED),
    "palette, transparent": (palette(True)[0], "PNG", {"transparency": 0}, (255, 255, 255), RED),
    "palette, GIF": (palette(True)[0], "GIF", {"transparency": 0}, (255, 255, 255), RED),
    "RGB with a transparent colour": (halves("RGB", CLEAR, RED), "PNG", {"transparency": CLEAR}, (255, 255, 255), RED),
    "grey with a transparent value": (halves("L", 10, 90), "PNG", {"transparency": 10}, (255,) * 3, (90,) * 3),
    "16-bit grey, one value transparent": (halves("I;16", 2570, 23130), "PNG", {"transparency": 2570}, (255,) * 3, (90,) * 3),
    "alpha": (halves("RGBA", (*CLEAR, 0), (*RED, 255)), "PNG", {}, (255, 255, 255), RED),
    "half alpha": (halves("RGBA", (0, 0, 0, 51), (*RED, 255)), "PNG", {}, (204, 204, 204), RED),
    "grey and alpha": (halves("LA", (10, 0), (90, 255)), "PNG", {}, (255,) * 3, (90,) * 3),
    "alpha, WebP": (halves("RGBA", (*CLEAR, 0), (*RED, 255)), "WEBP", {"lossless": True}, (255, 255, 255), RED),
    "alpha, TIFF": (halves("RGBA", (*CLEAR, 0), (*RED, 255)), "TIFF", {}, (255, 255, 255), RED),
    "white on nothing": (halves("RGBA", (*CLEAR, 0), (255, 255, 255, 255)), "PNG", {}, (0, 0, 0), (255, 255, 255)),
    "white on nothing, grey": (halves("LA", (10, 0), (250, 255)), "PNG", {}, (0, 0, 0), (250,) * 3),
    "nothing at all": (halves("RGBA", (*CLEAR, 0), (*RED, 0)), "PNG", {}, (255,) * 3, (255,) * 3),
    "CMYK, TIFF": (halves("CMYK", (0, 255, 255, 0), (255, 0, 0, 0)), "TIFF", {}, (255, 0, 0), (0, 255, 255)),
    "CMYK, JPEG": (halves("CMYK", (0, 255, 255, 0), (255, 0, 0, 0)), "JPEG", {"quality": 100}, (255, 0, 0), (0, 255, 255)),
    "1 bit": (halves("1", 0, 1), "PNG", {}, (0, 0, 0), (255, 255, 255)),
    "PBM": (halves("1", 0, 1), "PPM", {}, (0, 0, 0), (255, 255, 255)),
    "PPM": (halves("RGB", CLEAR, RED), "PPM", {}, CLEAR, RED),
    "BMP": (halves("RGB", CLEAR, RED), "BMP", {}, CLEAR, RED),
    "JPEG": (halves("RGB", CLEAR, RED), "JPEG", {"quality": 100, "subsampling": 0}, CLEAR, RED),
}


@pytest.mark.parametrize("kind", COLOURS)
def test_colours_and_what_is_transparent(kind, tmp_path):
    picture, format, options, left, right = COLOURS[kind]
    path = saved(tmp_path / "p.png", picture, format=format, **options)  # known by its content, not by its name
    for seen in (read(path), read(path, square=True)):
        assert np.abs(seen[4, 2] - left).max() <= 3
        assert np.abs(seen[4, 13] - right).max() <= 3
    pixels, kept, skipped = decode_all([path], ["p"], SIDE, quiet=True)
    np.testing.assert_array_equal(pixels[0], read(path))
    shown = np.asarray(Image.open(io.BytesIO(thumbnail(path))).convert("RGB")).astype(int)
    assert np.abs(shown[:, 2] - pixels[0][:, 2]).max() <= 6  # a JPEG perhaps
    assert (kept, skipped) == ([0], [])


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_is_seen(format, tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "p", format=format, save_all=True, append_images=frames[1:])
    assert np.abs(read(tmp_path / "p") - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("size", [(48, 32), (1600, 1200)])  # the larger one is decoded at a smaller size, or reduced
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation, format, size, tmp_path):
    """The corner that is marked is at the upper left for a viewer."""
    upright = Image.new("RGB", size, (30, 60, 90))
    upright.paste((250, 20, 20), (0, 0, size[0] // 4, size[1] // 2))
    turn = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # what a camera held so would store
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "p", format=format, exif=exif)
    small = read_picture(tmp_path / "p", 32)
    assert small.size == (32, round(32 * size[1] / size[0]))
    expected = np.asarray(upright.resize(small.size, Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(small).astype(int) - expected).mean() < 8
    square = np.asarray(upright.resize((16, 16), Image.Resampling.BOX)).astype(int)
    assert np.abs(read(tmp_path / "p", 16, square=True) - square).mean() < 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16", "F"])
def test_a_large_picture_is_the_mean_of_its_pixels_as_a_small_one_is(mode, tmp_path):
    """By blocks and boxes, or as a whole: the same."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    large = Image.fromarray(np.kron(coarse, np.ones((150, 110), np.uint8)))  # 1430 x 1350
    if mode == "I;16":
        large = Image.fromarray(np.asarray(large).astype(np.uint16) * 257)
    elif mode == "F":
        large = Image.fromarray(np.asarray(large).astype(np.float32) / 255)
    else:
        large = large.convert(mode, dither=Image.Dither.NONE)
    saved(tmp_path / "p", large, format="TIFF")
    expected = np.where(coarse < 128, 0, 255) if mode == "1" else coarse.astype(int)
    seen = np.asarray(read_picture(tmp_path / "p", 286))  # 286 x 270: cells of 22 x 30
    assert seen.shape == (270, 286, 3)
    assert np.abs(seen[15::30, 11::22, 0].astype(int) - expected).max() <= 2
    square = read(tmp_path / "p", 2, square=True)
    means = np.kron(expected, np.ones((150, 110))).reshape(2, 675, 2, 715).mean(axis=(1, 3))
    assert np.abs(square[..., 0] - means).max() <= 2


def test_a_format_that_runs_another_program_is_refused(tmp_path, monkeypatch):
    run = []
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: run.append(a))
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: run.append(a))
    (tmp_path / "p.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(lp.BadInput, match="by its content it is none of JPEG, PNG"):
        read_picture(tmp_path / "p.png", 8)
    assert not run


def claimed(width, height):
    """A PNG that says that it is so large."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((10_000, 9_000), r"^cannot be decoded \("),  # 90 megapixels: Pillow warns of it, and here its data is missing
        ((10_000, 10_001), "10,000 x 10,001 pixels, over 100 megapixels"),
        ((60_000, 60_000), "over 100 megapixels"),  # Pillow raises an error of its own
    ],
)
def test_over_100_megapixels_are_skipped_before_they_are_decoded(size, reason, tmp_path):
    (tmp_path / "p.png").write_bytes(claimed(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(lp.BadInput, match=reason):
            read_picture(tmp_path / "p.png", 8)


def test_what_takes_too_much_memory_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", 4_000_000)
    saved(tmp_path / "p.png", Image.new("RGBA", (1001, 1000)))
    with pytest.raises(lp.BadInput, match=r"1,001 x 1,000 pixels, which take 4 MB of memory to decode, over 4"):
        read_picture(tmp_path / "p.png", 8)
    saved(tmp_path / "p.jpg", Image.new("RGB", (4000, 3000), "red"))  # decoded at an eighth
    assert np.abs(read(tmp_path / "p.jpg", 8) - (254, 0, 0)).max() <= 2
    saved(tmp_path / "q.jpg", Image.new("RGB", (4000, 3000), "red"), progressive=True)  # all its coefficients are held
    with pytest.raises(lp.BadInput, match="which take 36 MB"):
        read_picture(tmp_path / "q.jpg", 8)


@pytest.mark.parametrize("raised", [struct.error("x\ny\x1b"), MemoryError(), RecursionError("deep"), IndexError(), KeyError(3)])
def test_whatever_a_decoder_raises_the_picture_is_skipped_and_the_others_are_read(raised, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for i in range(24):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        saved(tmp_path / "ab"[i % 2] / f"{i}.png", rng.integers(0, 256, (9, 9, 3)).astype(np.uint8))
    load = Image.Image.crop

    def crop(self, box=None):
        if str(getattr(self, "filename", "")).endswith("b/5.png"):
            raise raised
        return load(self, box)

    monkeypatch.setattr(Image.Image, "crop", crop)
    data = lp.read_images(tmp_path)
    assert len(data) == 23
    name, reason = data.skipped[0]
    assert name == "b/5.png"
    assert reason.startswith("cannot be decoded (") and reason.isprintable()
    assert lp.audit(data, np.full((23, 2), 0.5)).issues.height == 23


def test_what_is_no_file_is_said(tmp_path):
    for name, reason in {"none.png": "does not exist", "folder.png": "is not a file", "pipe.png": "is not a file"}.items():
        if name == "folder.png":
            (tmp_path / name).mkdir()
        elif name == "pipe.png":
            os.mkfifo(tmp_path / name)
        with pytest.raises(lp.BadInput, match=f"^{reason}$"):
            read_picture(tmp_path / name, 8)


FUZZED = {
    "jpeg": ("RGB", "JPEG", {}),
    "progressive jpeg": ("CMYK", "JPEG", {"progressive": True}),
    "png": ("RGBA", "PNG", {}),
    "png palette": ("P", "PNG", {"transparency": 3}),
    "png 16": ("I;16", "PNG", {}),
    "gif": ("P", "GIF", {"transparency": 3}),
    "bmp": ("RGB", "BMP", {}),
    "tiff": ("F", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "tiff raw": ("RGB", "TIFF", {}),
    "webp": ("RGBA", "WEBP", {}),
    "ppm": ("RGB", "PPM", {}),
    "pbm": ("1", "PPM", {}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FUZZED)
def test_a_damaged_picture_is_decoded_or_skipped_with_its_reason(kind, tmp_path):
    mode, format, options = FUZZED[kind]
    noise = np.random.default_rng(0).integers(0, 256, (20, 24)).astype(np.uint8)
    picture = Image.fromarray(noise)
    if mode == "I;16":
        picture = Image.fromarray(noise.astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    saved(tmp_path / "p", picture if mode == "I;16" else picture.convert(mode), format=format, exif=exif, **options)
    data = (tmp_path / "p").read_bytes()
    files = []
    for number, damaged in enumerate(mutations(data, 60)):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(damaged)
    _, kept, skipped = decode_all(files, [file.name for file in files], 8, quiet=True)
    assert len(kept) + len(skipped) == 60
    assert all(reason and reason.isprintable() and len(reason) < 200 for _, reason in skipped)
    assert {"0.png", "1.png", "2.png", "5.png"} <= {name for name, _ in skipped}  # empty, cut, zeros
    for file in files[::6]:
        try:
            assert thumbnail(file)
        except lp.BadInput as reason:
            assert file.name in dict(skipped), reason


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1, 1), (1, 6, 3), (4, 4, 1)])
def test_pictures_in_arrays_of_any_shape_are_shown(shape):
    item = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    item.flat[0] = np.nan
    scale = 96 // max(shape[:2])
    assert Image.open(io.BytesIO(show_array(item).image)).size == (shape[1] * scale, shape[0] * scale)
