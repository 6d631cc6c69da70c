"""Files and folders of pictures with boxes: one format per file, one line here. The last ones are tried first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.errors import BadInput
from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.box_files.base import BoxForm

BOX_FILES: Registry[type[BoxForm]] = Registry(
    "form of file with boxes",
    {
        "kitti": "labelproof.data.box_files.kitti:Kitti",
        "voc": "labelproof.data.box_files.voc:PascalVoc",
        "yolo": "labelproof.data.box_files.yolo:Yolo",
        "cvat": "labelproof.data.box_files.cvat:CvatBoxes",
        "label studio": "labelproof.data.box_files.label_studio:LabelStudioBoxes",
        "coco": "labelproof.data.box_files.coco:CocoBoxes",
    },
)


def box_form(path: Path, images: str | None = None, encoding: str | None = None) -> BoxForm:
    """The form in which a path holds boxes.

    Raises
    ------
    BadInput
        If it has no known format.
    """
    for name in reversed(list(BOX_FILES)):
        if BOX_FILES[name].holds(path):
            return BOX_FILES[name](path, images, encoding)
    raise BadInput(
        f"{str(path)!r} is in no known format of boxes. Give COCO instances (.json), YOLO's data.yaml or its folder, a folder of Pascal VOC "
        "(.xml) or KITTI (.txt) annotations, CVAT for images (.xml), or an export of Label Studio (.json)."
    )
