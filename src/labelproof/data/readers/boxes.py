"""Pictures with boxes, from the forms of `labelproof.data.box_files`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from labelproof.data.box_files import BOX_FILES, box_form
from labelproof.data.box_files.base import BoxedPictures, BoxForm
from labelproof.data.compressed import plain_name
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.detections import detections_from
from labelproof.data.frames import located
from labelproof.data.images import thumbnail
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import VERSION, Audited, Items, Reader, ReadOptions, check_same, check_same_ids
from labelproof.data.readers.pictures import PICTURE_PIXELS
from labelproof.data.targets import check_target, table_suffix
from labelproof.errors import BadInput
from labelproof.labels.boxes import Boxes, sorted_json
from labelproof.saving.files import existing
from labelproof.validation import Json, check_ids


@dataclass(frozen=True)
class BoxesReader(Reader):
    """A file or folder of pictures with boxes; see `read_boxes` for its fields."""

    kind = "boxes"
    label_kinds = ("boxes",)
    reads_itself = True

    path: str
    folder: str | None = None
    encoding: str | None = None
    held: BoxedPictures | None = field(default=None, compare=False, repr=False)  # the result of reading, while it is in memory

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Boxes are requested, or the file can hold nothing else."""
        if options.label_kind is not None or options.label is not None or options.annotator is not None:
            return options.label_kind == "boxes"
        return path.exists() and any(form.is_surely(path) for form in BOX_FILES.values())

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        named = {"--missing": options.missing, "--text": options.text, "--id": options.id, "--image": options.image}
        wrong = next((name for name, value in named.items() if value is not None), None)
        if wrong is not None:
            raise BadInput(f"{wrong} applies only to tables, and {str(path)!r} holds boxes. Omit it.")
        existing(path, "file or folder of boxes")
        return cls(str(path), None if options.images is None else located(options.images), options.encoding)

    def form(self) -> BoxForm:
        """The file, in its form."""
        return box_form(Path(self.path), self.folder, self.encoding)

    def read(self) -> Dataset:
        found = self.form().read()
        return Dataset(
            x=np.empty((found.labels.n, 0)),
            labels=found.labels,
            ids=check_ids(found.names, found.labels.n),
            show_item=lambda i: show(found, i),
            kind="images",
            reader=replace(self, path=located(self.path), held=found),
        )

    def reopen(self, skipped: object = ()) -> Items:
        """The pictures again."""
        found = self.form().read()
        return Items("images", found.labels.n, lambda i: show(found, i), lambda rows: np.empty((len(rows), 0)))

    def predictions(self, path: Path_, dataset: Dataset) -> object:
        """Predictions of a detector, by picture (`labelproof.data.detections`)."""
        return detections_from(Path(path), self.form().read() if self.held is None else self.held)

    def to_json(self) -> Json:
        """All fields except the result of reading."""
        told = {"path": self.path, "folder": self.folder, "encoding": self.encoding}
        return {"kind": self.kind, "version": VERSION, **{name: value for name, value in told.items() if value is not None}}

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A copy in the same format that differs only in the boxes that change."""
        form = self.form()
        if not form.endings and table_suffix(target) is not None:
            raise BadInput(
                f"--out {str(target)!r} is the name of a table, but the result is a copy of the folder. Name a folder with --out."
            )
        if form.endings:
            check_target(target, overwrite=overwrite, source=self.path)
            if not plain_name(target).endswith(form.endings):
                raise BadInput(
                    f"--out {str(target)!r}: boxes are written in the format of the input. Name a file that ends in {form.endings[0]}."
                )
        found = form.read()
        classes = [str(name) for name in found.labels.classes]
        now = np.full(found.labels.n, None, dtype=object)
        now[:] = [sorted_json(own) for own in found.labels.given_boxes()]
        check_same(now, np.arange(len(now)), audited)
        check_same_ids(np.array(found.names, dtype=object), np.arange(len(now)), audited)
        changes = {}
        for item, change in audited.changes.items():
            boxes = Boxes.from_text(Boxes.to_text(Boxes.from_text(str(change.label)), classes))
            changes[item] = [tuple(box) for box in boxes]  # type: ignore[attr-defined]
        form.write(target, changes, overwrite=overwrite)


def show(found: BoxedPictures, i: int) -> Shown:
    """A picture, rotated by EXIF as people see it."""
    try:
        return Shown(image=thumbnail(found.files[i], PICTURE_PIXELS))
    except BadInput as reason:
        raise BadInput(f"picture {found.names[i]!r} {reason}.") from reason


def read_boxes(path: Path_, *, images: Path_ | None = None, encoding: str | None = None) -> Dataset:
    """Read pictures with boxes around objects.

    Parameters
    ----------
    path : path
        COCO instances (``.json``), YOLO's ``data.yaml`` or its folder, a folder of Pascal VOC (``.xml``) or KITTI (``.txt``)
        annotations, CVAT for images 1.1 (``.xml``), or an export of Label Studio (``.json``).
    images : path, optional
        Folder of the pictures. By default next to the annotations. They are shown to a person, and give the sizes if the
        annotations do not.
    encoding : str, optional
        Of a text file that is not UTF-8.

    Returns
    -------
    Dataset
        ``labels`` are `labelproof.Boxes`; ``x`` is empty, because no detector is trained.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "instances.json"
    >>> _ = path.write_text(json.dumps({
    ...     "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [4, 5, 20, 10]}],
    ...     "categories": [{"id": 3, "name": "cat"}]}))
    >>> data = read_boxes(path)
    >>> data.labels, data.labels.box.tolist()
    (Boxes: 1 boxes of 1 class in 1 pictures, [[4.0, 5.0, 24.0, 15.0]])
    """
    options = ReadOptions(images=None if images is None else str(images), encoding=encoding, label_kind="boxes")
    return BoxesReader.of(Path(path), options).read()
