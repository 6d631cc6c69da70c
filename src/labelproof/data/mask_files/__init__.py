"""Files and folders of masks: one format per file, one line here. The last ones are tried first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.errors import BadInput
from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.mask_files.base import MaskForm, MasksAsked

MASK_FILES: Registry[type[MaskForm]] = Registry(
    "form of file with masks",
    {
        "pictures": "labelproof.data.mask_files.pictures:MaskPictures",
        "array": "labelproof.data.mask_files.array:MaskArray",
        "label studio": "labelproof.data.mask_files.label_studio:LabelStudioMasks",
        "coco": "labelproof.data.mask_files.coco:CocoMasks",
    },
)


def mask_form(path: Path, asked: MasksAsked) -> MaskForm:
    """The form in which a path holds masks.

    Raises
    ------
    BadInput
        If it has no known format.
    """
    for name in reversed(list(MASK_FILES)):
        if MASK_FILES[name].holds(path):
            return MASK_FILES[name](path, asked)
    raise BadInput(
        f"{str(path)!r} is in no known format of masks. Give a folder of PNGs, an array (n, h, w) as .npy, COCO instances (.json) or an export "
        "of Label Studio (.json)."
    )
