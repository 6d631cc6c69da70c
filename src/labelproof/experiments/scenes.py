"""Scenes of several handwritten digits on a canvas, and the captions of five people for each: data with known tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from labelproof.data.bags import Bags
from labelproof.saving.files import existing

SIDE, FRAMES, CAPTIONS, MOST = 48, 6, 5, 4  # at most four digits
SIZES = (10, 20)  # pixels
MENTIONED = (0.15, 0.85)  # by one person, of the smallest and of the largest digit
STILL = 2.0  # pixels per frame: slower digits rest
TRAIL = ((0.6, 0.3), (0.3, 0.6))  # frames ago, and how bright a digit is still seen there
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOVES = ("left", "right", "up", "down")
SMALL, LARGE = 12, 18  # pixels: what people call so
ADDED = 0.5  # how often a person who mentions a digit gives its size, and one who mentions two their positions
PICTURED = {
    **dict.fromkeys(NAMES, "NN"), **dict.fromkeys(("small", "large"), "JJ"), **dict.fromkeys(("touches", "stands"), "VB"),
}  # fmt: skip
"""Words that still pictures are tagged with, and their parts of speech; one digit stands on another where it is above it."""
CONTENT = (*NAMES, "moves", "rests", *MOVES, "above", "below")  # words of captions that carry information
SPEECH = {
    **dict.fromkeys(NAMES, "NN"), **dict.fromkeys(("moves", "rests"), "VB"),
    **dict.fromkeys(MOVES, "RB"), **dict.fromkeys(("above", "below"), "IN"),
}  # fmt: skip


@dataclass(frozen=True)
class Scenes:
    """Pictures or videos of digits.

    Attributes
    ----------
    x : ndarray of uint8 (n, side, side), or Bags of such frames
    true : ndarray of 0/1, shape (n, k)
        The digits of each scene; for described pictures also the true words of `PICTURED`.
    captions : ndarray of 0/1, shape (n, 5, k)
        Which of them each of five people mentions: the larger a digit, the likelier, and at least the largest. What all omit is a
        missing tag.
    places : ndarray, shape (n, 4, 3)
        Row and column of the middle, and size, of each digit, in the middle frame; NaN for absent digits.
    sentences : tuple of length n
        Five captions each in words, ``"a three moves left above a seven"``; only for videos.
    """

    x: npt.NDArray[np.uint8] | Bags
    true: npt.NDArray[np.int8]
    captions: npt.NDArray[np.int8]
    places: npt.NDArray[np.float64]
    sentences: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class _Digit:
    """One digit of a scene."""

    label: int
    size: int
    start: npt.NDArray[np.float64]  # row and column in the middle frame
    speed: npt.NDArray[np.float64]  # pixels per frame

    @property
    def move(self) -> str:
        down, right = self.speed
        if np.hypot(down, right) < STILL:
            return "rests"
        if abs(right) >= abs(down):
            return "moves right" if right > 0 else "moves left"
        return "moves down" if down > 0 else "moves up"


def compose(data: Path, n: int, *, test: bool = False, videos: bool = False, described: bool = False, seed: int = 0) -> Scenes:
    """Scenes of one to four digits.

    Parameters
    ----------
    data : path
        The folder that holds ``mnist.npz``.
    n : int
    test : bool
        Whether to use MNIST's test digits, which no training scene has.
    videos : bool
        Six frames in which the digits move and leave a trail; most are seen in some of the frames only.
    described : bool
        Tag pictures also with sizes and relations, `PICTURED`.
    seed : int
    """
    part = "test" if test else "train"
    with np.load(existing(data / "mnist.npz", "file")) as file:
        digits, labels = file[f"x_{part}"], file[f"y_{part}"]
    rng = np.random.default_rng([seed, int(test), int(videos)])
    frames = FRAMES if videos else 1
    x = np.zeros((n, frames, SIDE, SIDE), np.uint8)
    words = tuple(PICTURED) if described else NAMES
    true, captions = np.zeros((n, len(words)), np.int8), np.zeros((n, CAPTIONS, len(words)), np.int8)
    adding = np.random.default_rng([seed, int(test), int(videos), 1])
    places, sentences = np.full((n, MOST, 3), np.nan), []
    for i in range(n):
        there: list[_Digit] = []
        for _ in range(rng.integers(1, MOST + 1)):
            which = rng.integers(len(digits))
            size = int(rng.integers(SIZES[0], SIZES[1] + 1))
            start, speed = rng.uniform(0, SIDE - size, 2), rng.normal(0, SIDE / 8, 2) if videos else np.zeros(2)
            there.append(_Digit(int(labels[which]), size, start, speed))
            small = np.asarray(Image.fromarray(digits[which]).resize((size, size), Image.Resampling.BILINEAR))
            for frame in range(frames):
                for ago, bright in (*TRAIL, (0.0, 1.0)) if videos else ((0.0, 1.0),):
                    place = np.round(start + speed * (frame - frames // 2 - ago)).astype(int)
                    _paint(x[i, frame], (small * bright).astype(np.uint8), *place)
        places[i, : len(there)] = [(*(digit.start + digit.size / 2), digit.size) for digit in there]
        there.sort(key=lambda digit: -digit.size)
        shares = np.array([(digit.size - SIZES[0]) / (SIZES[1] - SIZES[0]) for digit in there])
        said = rng.random((CAPTIONS, len(there))) < MENTIONED[0] + shares * (MENTIONED[1] - MENTIONED[0])
        said[:, 0] |= ~said.any(axis=1)
        true[i, [digit.label for digit in there]] = 1
        for person, own in enumerate(said):
            captions[i, person, [digit.label for digit, yes in zip(there, own, strict=True) if yes]] = 1
        if described:
            true[i, len(NAMES) :] = _described(there).any(axis=(0, 1))
            seen = _described(there) & said[:, :, None, None] & said[:, None, :, None]  # (people, digits, digits, words)
            captions[i, :, len(NAMES) :] = (seen & (adding.random(seen.shape) < ADDED)).any(axis=(1, 2))
        sentences.append(tuple(_sentence([digit for digit, yes in zip(there, own, strict=True) if yes]) for own in said))
    return Scenes(Bags.of(x) if videos else x[:, 0], true, captions, places, tuple(sentences) if videos else ())


def _described(digits: list[_Digit]) -> npt.NDArray[np.bool_]:
    """The further true words of `PICTURED` for each pair of digits, or for a digit and itself, shape (m, m, 4)."""
    size = np.array([digit.size for digit in digits])
    top, left = np.array([digit.start for digit in digits]).T
    own = np.eye(len(digits), dtype=bool)
    beside = (left[:, None] < (left + size)[None]) & (left[None] < (left + size)[:, None])  # their columns overlap
    over = (top[:, None] < (top + size)[None]) & (top[None] < (top + size)[:, None])
    stands = beside & ((top + size)[:, None] <= top[None])
    return np.stack([own & (size <= SMALL), own & (size >= LARGE), ~own & beside & over, stands], axis=-1)


def _sentence(digits: list[_Digit]) -> str:
    """Each second digit by its position relative to the one before."""
    parts = []
    for i, digit in enumerate(digits):
        named = f"{'an' if digit.label == 8 else 'a'} {NAMES[digit.label]}"
        if i % 2:
            parts.append(f"{'below' if digits[i - 1].start[0] > digit.start[0] else 'above'} {named}")
        else:
            parts.append(f"{'and ' if i else ''}{named} {digit.move}")
    return " ".join(parts)


def scene_network() -> nn.Sequential:
    """Feature maps (n, 64, side / 8, side / 8) of scenes: strides instead of pooling in early layers, which halves the time."""
    parts: list[nn.Module] = []
    for before, after, size, stride in ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 1), (64, 64, 3, 2)):
        convolution = nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False)
        parts += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    network = nn.Sequential(_ChannelsLast(), *parts, nn.Dropout2d(0.2))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class _ChannelsLast(nn.Module):
    """A CPU computes maps a third faster if the channels of a position are adjacent in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def _paint(canvas: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8], row: int, column: int) -> None:
    """Put a picture on the canvas, cropped to it."""
    size = len(picture)
    top, left, bottom, right = max(row, 0), max(column, 0), min(row + size, SIDE), min(column + size, SIDE)
    if top < bottom and left < right:
        there = canvas[top:bottom, left:right]
        np.maximum(there, picture[top - row : bottom - row, left - column : right - column], out=there)
