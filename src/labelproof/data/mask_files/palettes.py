"""Colours of classes in pictures of masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelproof.data.box_files.folders import decoded
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, IntArray

Colour = tuple[int, int, int]
FILES = ("class_dict.csv", "classes.csv", "label_colors.txt", "labelmap.txt")

VOC_NAMES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
CITYSCAPES: Mapping[str, Colour] = {  # the 19 classes that are trained, in the order of their trainId (Cordts et al. 2016)
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}


def voc_colour(code: int) -> Colour:
    """The colour of a class in Pascal VOC's palette: bits of its number, spread over the three channels from the highest down.

    >>> voc_colour(1), voc_colour(15)
    ((128, 0, 0), (192, 128, 128))
    """
    channels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            channels[channel] |= ((code >> (3 * place + channel)) & 1) << (7 - place)
    return channels[0], channels[1], channels[2]


class Palette(NamedTuple):
    """Names and colours of classes, by code.

    Attributes
    ----------
    names : list of k str
    colours : list of k colours
    void : sequence of colours
        Colours of pixels without a label.
    """

    names: list[str]
    colours: list[Colour]
    void: Sequence[Colour] = ()


KNOWN = (
    Palette(list(CITYSCAPES), list(CITYSCAPES.values()), [(0, 0, 0)]),
    Palette(list(VOC_NAMES), [voc_colour(i) for i in range(len(VOC_NAMES))], [(224, 224, 192)]),
)


def palette_in(folder: Path, encoding: str | None) -> Palette | None:
    """The palette that a file of a folder describes: ``class_dict.csv`` (name, r, g, b) or ``label_colors.txt`` (r g b name)."""
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if file is None:
        return None
    names, colours = [], []
    for number, line in enumerate(decoded(file, encoding).splitlines()):
        name, numbers = _entry(line)
        if len(numbers) < 3 and (number == 0 or not line.strip() or line.startswith("#")):
            continue
        if len(numbers) < 3 or not name:
            raise BadInput(f"{str(file)!r} line {number + 1} is not a class with a colour: {line[:60]!r}. Write name,r,g,b.")
        names.append(name)
        colours.append((numbers[0], numbers[1], numbers[2]))
    if not names:
        raise BadInput(f"{str(file)!r} names no class with a colour. Write a line for each: name,r,g,b.")
    return Palette(names, colours)


def _entry(line: str) -> tuple[str, list[int]]:
    """The name and the numbers of a line, in any order."""
    separators = "," if "," in line and ":" not in line else None
    parts = next(csv.reader(io.StringIO(line)), []) if separators else line.replace(":", " ").replace(",", " ").split()
    words = [part.strip() for part in parts]
    numbers = [int(word) for word in words if word.isdigit() and int(word) < 256]
    return " ".join(word for word in words if not word.isdigit()).strip(), numbers


def known_palette(colours: set[Colour]) -> Palette | None:
    """The published palette that has all of some colours."""
    return next((palette for palette in KNOWN if colours <= {*palette.colours, *palette.void}), None)


def packed(pixels: AnyArray) -> IntArray:
    """Colours, shape (..., 3), as one number each."""
    wide = pixels.astype(np.int64)
    found: IntArray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return found


def codes_of_colours(pixels: AnyArray, palette: Palette, void: int, where: str) -> IntArray:
    """The code of each pixel's class, ``void`` for none, shape (h, w).

    Raises
    ------
    BadInput
        Naming the first colour that is not in the palette.
    """
    flat = packed(pixels[..., :3])
    keys = packed(np.array([*palette.colours, *palette.void], np.int64).reshape(-1, 3))
    codes = np.r_[np.arange(len(palette.colours)), np.full(len(palette.void), void)]
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], flat), len(keys) - 1)
    wrong = keys[order][place] != flat
    if wrong.any():
        y, x = np.argwhere(wrong)[0].tolist()
        raise BadInput(
            f"{where} has the colour {tuple(pixels[y, x, :3].tolist())} at row {y}, column {x}, which belongs to no class."
        )
    found: IntArray = codes[order][place]
    return found
