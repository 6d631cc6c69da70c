"""The one place where a picture file is opened, so that a model, a report and a reviewer see the same."""

from __future__ import annotations

import io
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from labelproof.data.pixels import laid, reduced
from labelproof.errors import BadInput

Opened = Path | bytes | Image.Image
Picture = Path | Callable[[], Opened]  # a file, its path or URL, or a function that opens it
FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
)  # decoded in this process; EPS, for example, starts another program
MOST_PIXELS = 100_000_000
MOST_BYTES = 200_000_000  # of memory, for all pictures that are being decoded at a time
AT_A_TIME = 2
GAP, LEAST = (
    2,
    256,
)  # decoded or reduced to at least this multiple of the wanted size, and at least this many pixels, then resampled
ORIENTATION, COMPRESSION, BITS_PER_SAMPLE, ROWS_PER_STRIP, TILE_WIDTH, TILE_LENGTH = 274, 259, 258, 278, 322, 323
TURNS = dict(enumerate(
    ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"), start=2
))  # fmt: skip


class _Memory:
    """Bytes that all threads share."""

    def __init__(self, most: int) -> None:
        self._most, self._used, self._changed = most, 0, threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait until so much is free, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self._used + wanted <= self._most)
            self._used += wanted
        try:
            yield
        finally:
            with self._changed:
                self._used -= wanted
                self._changed.notify_all()


_turns, _memory = threading.BoundedSemaphore(AT_A_TIME), _Memory(MOST_BYTES)


def read_picture(file: Picture, size: int, *, square: bool = False, smooth: bool = False) -> Image.Image:
    """Open a picture as everyone sees it: RGB, upright, 8 bits a channel, its first frame.

    16-bit integers are scaled by 65,535; 32-bit integers too if they fit, otherwise by the file's own range; floats by 1 or by
    255 if they fit, otherwise by the file's own range. Transparent pixels become white, or black if nothing of the picture
    would be visible on white.

    Parameters
    ----------
    file : Path, or callable without arguments that gives a path, bytes of a file, or an opened picture
        JPEG, PNG, GIF, BMP, TIFF, WebP or PPM, PGM, PBM by its content, whatever its name.
    size : int
        Pixels. The picture is scaled down to be at most so wide and high.
    square : bool, default=False
        Scale to ``size`` x ``size`` instead, up or down; each pixel is the mean of the pixels it covers.
    smooth : bool, default=False
        With ``square``: bicubic instead, as pretrained networks know pictures; a small one is enlarged without steps.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Raises
    ------
    BadInput
        For any problem with the file. The message is the reason alone, "cannot be decoded (…)", to follow the file's name.
    """
    with _turns, warnings.catch_warnings(), ExitStack() as held:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is another
        try:
            return _read(file, size, square, smooth, held)
        except Exception as error:  # decoders raise anything: struct.error, MemoryError, IndexError, OverflowError …
            traceback.clear_frames(error.__traceback__)  # which hold the picture
            if isinstance(error, BadInput):
                raise
            raise BadInput(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, UnidentifiedImageError):
        return f"cannot be decoded (by its content it is none of {', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        return f"has over {MOST_PIXELS // 10**6} megapixels, and is not decoded"
    return f"cannot be decoded ({_one_line(error)})"


def _one_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "") or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)[:120]


def _read(file: Picture, size: int, square: bool, smooth: bool, held: ExitStack) -> Image.Image:
    source = file if isinstance(file, Path) else file()
    if isinstance(source, Path) and not source.is_file():
        raise BadInput("is not a file" if source.exists() else "does not exist")
    with closing(_opened(source)) as picture:
        width, height = _checked_size(picture)
        shrink = 1.0 if square else min(1.0, size / max(width, height))
        wanted = (size, size) if square else (max(1, round(width * shrink)), max(1, round(height * shrink)))
        least = (max(LEAST, GAP * wanted[0]), max(LEAST, GAP * wanted[1]))
        scans = _scans_bytes(picture)
        picture.draft(None, least)  # JPEGs are decoded at a half, a quarter or an eighth of their size
        needed = scans + _decoded_bytes(picture)
        if needed > MOST_BYTES:
            raise BadInput(
                f"has {width:,} x {height:,} pixels, which take {needed // 10**6:,} MB of memory to decode, "
                f"over {MOST_BYTES // 10**6}, and is not decoded"
            )
        held.enter_context(_memory.taken(needed))  # until this function is left, and the picture with it
        picture.load()
        width, height = picture.size  # of a drafted JPEG, and of a TIFF that lay on its side
        small, factors, ground = reduced(picture, least)
        turn = TURNS.get(picture.getexif().get(ORIENTATION, 1))
    kernel = Image.Resampling.BOX if square and not smooth else Image.Resampling.BICUBIC
    small = laid(small.resize(wanted, kernel, box=(0, 0, width / factors[0], height / factors[1])), ground)
    return small.transpose(Image.Transpose[turn]) if turn else small


def _checked_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise BadInput(f"has {width:,} x {height:,} pixels, over {MOST_PIXELS // 10**6} megapixels, and is not decoded")
    return width, height


def _opened(source: Opened) -> Image.Image:
    if isinstance(source, Image.Image):
        _checked_size(source)
        return source.crop((0, 0, *source.size))  # a copy, since it is closed when it was read
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as opened:
        early = MOST_BYTES if opened.read(3) == b"GIF" else 0  # its decoder fills a frame before the size is known
    with _memory.taken(early):
        return Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS)


def _decoded_bytes(picture: Image.Image) -> int:
    """About what decoding takes, by how each decoder works."""
    pixels = picture.width * picture.height
    held = pixels * {"1": 1, "L": 1, "P": 1, "I": 4, "F": 4}.get(picture.mode, 2 if picture.mode.startswith("I;16") else 4)
    match picture.format:
        case "WEBP":  # two canvases, their copy, and the picture
            return 4 * 4 * pixels
        case "GIF" if picture.dispose is not None:  # type: ignore[attr-defined]  # the start of the next frame
            return 3 * held
        case "BMP":  # rows may be unpacked before they are decoded
            return held + pixels
        case "TIFF":
            return _tiff_bytes(picture, held)
    return held


def _tiff_bytes(picture: Image.Image, held: int) -> int:
    """The picture, itself turned, and a strip or a tile."""
    tags = picture.tag_v2  # type: ignore[attr-defined]
    turned = 1 if tags.get(ORIENTATION, 1) == 1 else 2
    if tags.get(COMPRESSION, 1) == 1:
        return turned * held
    across = tags.get(TILE_WIDTH, picture.width)
    down = tags.get(TILE_LENGTH, min(tags.get(ROWS_PER_STRIP, picture.height), picture.height))
    return int(turned * held + across * down * max(4, sum(tags.get(BITS_PER_SAMPLE, (1,))) / 8))


def _scans_bytes(picture: Any) -> int:
    """The memory of a progressive JPEG at any decoded size: 2 bytes for each coefficient."""
    if picture.format not in ("JPEG", "MPO"):
        return 0
    layers = picture.layer
    place, length = picture.fp.tell(), 6 + 2 * len(layers)
    picture.fp.seek(max(0, place - length))
    in_one = picture.fp.read(3) == bytes([0, length, len(layers)])  # the header of the first scan names every layer
    picture.fp.seek(place)
    if in_one and not picture.info.get("progressive"):
        return 0
    most = max((layer[1] * layer[2] for layer in layers), default=1)
    return int(2 * picture.width * picture.height * sum(layer[1] * layer[2] for layer in layers) / max(1, most))
