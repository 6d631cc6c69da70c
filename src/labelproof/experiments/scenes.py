"""Scenes of several handwritten digits on a canvas, and what five people would say of each: data whose tags are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelproof.data.bags import Bags
from labelproof.data.files import existing

SIDE, FRAMES, CAPTIONS = 48, 6, 5
SIZES = (10, 20)  # pixels
MENTIONED = (0.15, 0.85)  # by one person, of the smallest and of the largest digit


@dataclass(frozen=True)
class Scenes:
    """Pictures or videos of digits.

    Attributes
    ----------
    x : ndarray of uint8 (n, side, side), or Bags of such frames
    true : ndarray of 0/1, shape (n, 10)
        Which digits are there.
    captions : ndarray of 0/1, shape (n, 5, 10)
        Which of them each of five people mentions: the larger a digit, the likelier. What all forget is a missing tag.
    """

    x: npt.NDArray[np.uint8] | Bags
    true: npt.NDArray[np.int8]
    captions: npt.NDArray[np.int8]


def compose(data: Path, n: int, *, test: bool = False, videos: bool = False, seed: int = 0) -> Scenes:
    """Scenes of one to four digits.

    Parameters
    ----------
    data : path
        The folder that holds ``mnist.npz``.
    n : int
    test : bool
        Of MNIST's test digits, which no training scene has.
    videos : bool
        Six frames in which the digits move; most are seen in some of the frames only.
    seed : int
    """
    part = "test" if test else "train"
    with np.load(existing(data / "mnist.npz", "file")) as file:
        digits, labels = file[f"x_{part}"], file[f"y_{part}"]
    rng = np.random.default_rng([seed, int(test), int(videos)])
    frames = FRAMES if videos else 1
    x = np.zeros((n, frames, SIDE, SIDE), np.uint8)
    true, captions = np.zeros((n, 10), np.int8), np.zeros((n, CAPTIONS, 10), np.int8)
    for i in range(n):
        for _ in range(rng.integers(1, 5)):
            which = rng.integers(len(digits))
            size = int(rng.integers(SIZES[0], SIZES[1] + 1))
            small = np.asarray(Image.fromarray(digits[which]).resize((size, size), Image.Resampling.BILINEAR))
            start, speed = rng.uniform(0, SIDE - size, 2), rng.normal(0, SIDE / 4, 2) if videos else np.zeros(2)
            for frame in range(frames):
                _paint(x[i, frame], small, *np.round(start + speed * (frame - frames // 2)).astype(int))
            share = (size - SIZES[0]) / (SIZES[1] - SIZES[0])
            said = rng.random(CAPTIONS) < MENTIONED[0] + share * (MENTIONED[1] - MENTIONED[0])
            true[i, labels[which]] = 1
            captions[i, said, labels[which]] = 1
    return Scenes(Bags.of(x) if videos else x[:, 0], true, captions)


def _paint(canvas: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8], row: int, column: int) -> None:
    """Lay a picture on the canvas as far as it is inside."""
    size = len(picture)
    top, left, bottom, right = max(row, 0), max(column, 0), min(row + size, SIDE), min(column + size, SIDE)
    if top < bottom and left < right:
        there = canvas[top:bottom, left:right]
        np.maximum(there, picture[top - row : bottom - row, left - column : right - column], out=there)
