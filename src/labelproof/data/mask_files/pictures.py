"""A folder of masks as PNGs: the number that is stored for a pixel is its class, or its colour is, by a palette."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from labelproof.data.box_files.base import PicturePlaces
from labelproof.data.box_files.folders import copy_folder, decoded
from labelproof.data.mask_files.base import MaskedPictures, MaskForm, MasksAsked, Patches, patched
from labelproof.data.mask_files.palettes import Palette, codes_of_colours, known_palette, palette_in
from labelproof.errors import BadInput
from labelproof.labels.masks import INDEXED, VOID, Masks
from labelproof.saving.files import damaged
from labelproof.validation import AnyArray, IntArray

FOLDERS = ("masks", "SegmentationClass", "SegmentationClassRaw", "annotations", "labels", "gtFine", ".")
IMAGES = ("images", "JPEGImages", "leftImg8bit", "../images", "../JPEGImages", "../leftImg8bit")
CITYSCAPES = ("_labelTrainIds", "_labelIds", "_gtFine")  # of several files a picture the first counts
ENDINGS = (".png", ".tif", ".tiff", ".bmp")
NAMES_FILE = "classes.txt"
LOOKED_AT = 20  # masks that show which colours there are


class MaskPictures(MaskForm):
    """The folder is copied, with other pixels in the masks that change: in the mode and palette of the file, all others as they were."""

    @classmethod
    def holds(cls, path: Path) -> bool:
        return path.is_dir() and bool(_masks(path))

    @classmethod
    def is_surely(cls, path: Path) -> bool:
        if not path.is_dir() or not any((path / name).is_dir() for name in IMAGES[:3]):
            return False
        return any((path / name).is_dir() for name in FOLDERS[:3]) and bool(_masks(path))

    def read(self) -> MaskedPictures:
        self._files = _masks(self.path)
        held = Stored(self._files, self._palette(), self.asked)
        root = _folder(self.path)
        names = [file.relative_to(root).with_suffix("").as_posix() for file in self._files]
        places = PicturePlaces(self.asked.images)
        files = [self._picture(name, places) for name in names]
        labels = Masks(held, classes=self._names(held), void=list(self.asked.void) or None)
        return MaskedPictures(labels, names, files)

    def write(self, target: Path, changes: Mapping[int, Patches], *, overwrite: bool) -> None:
        held = Stored(self._files, self._palette(), self.asked)
        copy_folder(
            self.path, target, {self._files[row]: held.changed(row, own) for row, own in changes.items()}, overwrite=overwrite
        )

    def _names(self, held: Stored) -> list[str] | None:
        if self.asked.classes is not None:
            return list(self.asked.classes)
        if held.palette is not None:
            return held.palette.names
        for folder in (self.path, self.path.parent):
            if (folder / NAMES_FILE).is_file():
                return [line.strip() for line in decoded(folder / NAMES_FILE, self.asked.encoding).splitlines() if line.strip()]
        return None

    def _palette(self) -> Palette | None:
        for folder in (self.path, _folder(self.path), self.path.parent):
            found = palette_in(folder, self.asked.encoding)
            if found is not None:
                return found
        return None

    def _picture(self, name: str, places: PicturePlaces) -> Path | None:
        own = next((name.removesuffix(ending) for ending in CITYSCAPES if name.endswith(ending)), name).removesuffix("_gtFine")
        for candidate in (own, f"{own}_leftImg8bit"):
            found = places.find(self.path, candidate, IMAGES)
            if found.is_file():
                return found
        return None


class Stored(Sequence[AnyArray]):
    """Masks in files, opened one by one.

    Parameters
    ----------
    files : sequence of paths
    palette : Palette, optional
        Palette of files with colours; a published one is recognised.
    asked : MasksAsked
    """

    def __init__(self, files: Sequence[Path], palette: Palette | None, asked: MasksAsked) -> None:
        self.files, self.told, self.asked = files, palette, asked

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> AnyArray:  # type: ignore[override]
        """Values of the pixels of a mask, shape (h, w)."""
        with damaged(self.files[i], "picture"), Image.open(self.files[i]) as picture:
            values = np.asarray(picture)
            if picture.mode in INDEXED:
                return values.astype(np.int64) if values.dtype == bool else values
        return self._codes(values, self.files[i])

    @cached_property
    def palette(self) -> Palette | None:
        """The palette, if the files have colours."""
        with damaged(self.files[0], "picture"), Image.open(self.files[0]) as picture:
            if picture.mode in INDEXED:
                return None
        if self.told is not None:
            return self.told
        colours = {colour for file in self.files[:LOOKED_AT] for colour in _colours(file)}
        found = known_palette(colours)
        if found is None:
            raise BadInput(
                f"The masks in {str(self.files[0].parent)!r} hold colours, and no file names their classes. Add class_dict.csv next to them, with a line for each class: name,r,g,b."
            )
        return found

    def changed(self, i: int, patches: Patches) -> bytes:
        """The file with other classes in some pixels."""
        buffer = io.BytesIO()
        with damaged(self.files[i], "picture"), Image.open(self.files[i]) as picture:
            values = np.asarray(picture)
            if picture.mode in INDEXED:
                new = patched(values, patches)
            else:
                assert self.palette is not None
                new = values.copy()
                for code, pixels in patches:
                    new[pixels, :3] = self.palette.colours[code]
            made = Image.fromarray(new) if picture.mode != "1" else Image.fromarray(new).convert("1")
            if picture.mode == "P":
                made = made.convert("L")
                made.putpalette(picture.getpalette() or [])
            told = {name: picture.info[name] for name in ("transparency", "dpi", "gamma") if name in picture.info}
            made.save(buffer, format=picture.format, **told)
        return buffer.getvalue()

    def _codes(self, values: AnyArray, file: Path) -> IntArray:
        if values.ndim != 3 or values.shape[2] not in (3, 4) or values.dtype != np.uint8:
            raise BadInput(f"mask {str(file)!r} has shape {values.shape}. Give one number or one colour per pixel.")
        if self.palette is None:
            raise BadInput(f"mask {str(file)!r} holds colours, and the first one holds numbers. Give all masks in one form.")
        void = next(iter(self.asked.void), VOID)
        codes = codes_of_colours(values, self.palette, void, f"mask {str(file)!r}")
        if void == VOID and (codes == VOID).any():
            raise BadInput(f"mask {str(file)!r} has pixels in the colour of no class. If they have no label, give --void 255.")
        return codes


def _folder(path: Path) -> Path:
    """The folder of the masks."""
    return next(path / name for name in FOLDERS if (path / name).is_dir())


def _masks(path: Path) -> list[Path]:
    """The masks, by path."""
    folder = _folder(path)
    every = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and not file.name.startswith("."))
    for ending in CITYSCAPES[:2]:
        chosen = [file for file in every if file.stem.endswith(ending)]
        if chosen:
            return chosen
    beside = [file for file in every if not {"images", "JPEGImages", "leftImg8bit"} & set(file.relative_to(folder).parts)]
    return beside


def _colours(file: Path) -> set[tuple[int, int, int]]:
    with damaged(file, "picture"), Image.open(file) as picture:
        found = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    return {(r, g, b) for r, g, b in found.tolist()}
