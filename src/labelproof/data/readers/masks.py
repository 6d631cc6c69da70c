"""Pictures whose pixels have classes, from the forms of `labelproof.data.mask_files`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from labelproof.data.compressed import plain_name
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.frames import located
from labelproof.data.images import thumbnail
from labelproof.data.mask_files import MASK_FILES, mask_form
from labelproof.data.mask_files.base import MaskedPictures, MaskForm, MasksAsked
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Audited, Items, Reader, ReadOptions, check_same_ids
from labelproof.data.readers.pictures import PICTURE_PIXELS
from labelproof.data.targets import check_target, table_suffix
from labelproof.errors import BadInput
from labelproof.labels.masks import Masks
from labelproof.labels.run_length import decode
from labelproof.saving.files import existing
from labelproof.validation import check_ids


@dataclass(frozen=True)
class MasksReader(Reader):
    """A file or folder of masks; see `read_masks` for its fields."""

    kind = "masks"
    label_kinds = ("masks",)
    reads_itself = True
    takes_classes = True

    path: str
    folder: str | None = None
    classes: Sequence[str] | None = None
    void: Sequence[int] = ()
    encoding: str | None = None

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Masks are requested, or the path can hold nothing else."""
        if options.label_kind is not None or options.label is not None or options.annotator is not None:
            return options.label_kind == "masks"
        return path.exists() and any(form.is_surely(path) for form in MASK_FILES.values())

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        if options.missing is not None:
            raise BadInput(
                "--missing does not apply to masks. Omit it, and name the value of pixels without a label by --void."
            )
        named = {"--text": options.text, "--id": options.id, "--image": options.image}
        wrong = next((name for name, value in named.items() if value is not None), None)
        if wrong is not None:
            raise BadInput(f"{wrong} applies only to tables, and {str(path)!r} holds masks. Omit it.")
        existing(path, "file or folder of masks")
        folder = None if options.images is None else located(options.images)
        return cls(str(path), folder, options.classes, tuple(options.void), options.encoding)

    def form(self) -> MaskForm:
        """The file, in its form."""
        return mask_form(Path(self.path), MasksAsked(self.folder, self.classes, self.void, self.encoding))

    def read(self) -> Dataset:
        found = self.form().read()
        return Dataset(
            x=np.empty((found.labels.n, 0)),
            labels=found.labels,
            ids=check_ids(found.names, found.labels.n),
            show_item=lambda i: show(found, i),
            kind="images",
            reader=replace(self, path=located(self.path)),
        )

    def reopen(self, skipped: object = ()) -> Items:
        """The pictures and masks again."""
        found = self.form().read()
        return Items(
            "images", found.labels.n, lambda i: show(found, i), lambda rows: np.empty((len(rows), 0)), found.labels.mask
        )

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A copy in the same format that differs only in the pixels that change."""
        form = self.form()
        if not form.endings and table_suffix(target) is not None:
            raise BadInput(
                f"--out {str(target)!r} is the name of a table, but the result is a copy of the folder. Name a folder with --out."
            )
        if form.endings:
            check_target(target, overwrite=overwrite, source=self.path)
            if not plain_name(target).endswith(form.endings):
                raise BadInput(
                    f"--out {str(target)!r}: masks are written in the format of the input. Name a file that ends in {form.endings[0]}."
                )
        found = form.read()
        if found.labels.n != len(audited.given):
            raise BadInput(
                f"The data now have {found.labels.n:,} masks but had {len(audited.given):,} when they were audited. Audit them again."
            )
        check_same_ids(np.array(found.names, dtype=object), np.arange(found.labels.n), audited)
        changed = next((i for i in range(found.labels.n) if found.labels.digest(i) != audited.given[i]), None)
        if changed is not None:
            raise BadInput(
                f"mask {found.names[changed]!r} is not the one that was audited. The data have changed; audit them again."
            )
        classes = [str(name) for name in audited.classes]
        changes = {}
        for item, change in audited.changes.items():
            width, height = found.labels.sizes[item].tolist()
            patches = Masks.from_text(Masks.to_text(Masks.from_text(str(change.label)), classes))
            changes[item] = [(classes.index(name), decode(runs, height, width)) for name, runs in patches]  # type: ignore[attr-defined]
        form.write(target, changes, overwrite=overwrite)


def show(found: MaskedPictures, i: int) -> Shown:
    """A picture as people see it; ``None`` without pictures."""
    file = found.files[i]
    if file is None:
        return Shown()
    try:
        return Shown(image=thumbnail(file, PICTURE_PIXELS))
    except BadInput as reason:
        raise BadInput(f"picture {found.names[i]!r} {reason}.") from reason


def read_masks(
    path: Path_,
    *,
    images: Path_ | None = None,
    classes: Sequence[str] | None = None,
    void: Sequence[int] = (),
    encoding: str | None = None,
) -> Dataset:
    """Read pictures whose pixels have classes; they are opened one by one as needed.

    Parameters
    ----------
    path : path
        A folder of masks as PNGs (with ``masks``, ``SegmentationClass`` … inside, or Cityscapes' ``gtFine``), an array (n, h, w) as
        ``.npy``, COCO instances with polygons or run lengths, or an export of Label Studio with brushes. The stored number of
        a pixel is its class. In masks with colours, a palette maps colours to classes: that of Pascal VOC or Cityscapes, or a
        ``class_dict.csv`` (name, r, g, b) next to the masks.
    images : path, optional
        Folder of the pictures. By default next to the masks. They are shown to a person.
    classes : sequence of str, optional
        Names of the classes by number. By default those of ``classes.txt`` or of the palette, otherwise the numbers.
    void : sequence of int, optional
        Values of pixels without a label.
    encoding : str, optional
        Of a text file that is not UTF-8.

    Returns
    -------
    Dataset
        ``labels`` are `labelproof.Masks`; ``x`` is empty, because no network is trained.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> Image.fromarray(np.array([[0, 1], [1, 255]], np.uint8)).save(folder / "a.png")
    >>> data = read_masks(folder, classes=["road", "car"], void=[255])
    >>> data.labels, data.labels.mask(0).tolist()
    (Masks: 1 pictures in 2 classes, [[0, 1], [1, -1]])
    """
    options = ReadOptions(
        images=None if images is None else str(images), encoding=encoding, label_kind="masks", classes=classes, void=tuple(void)
    )
    return MasksReader.of(Path(path), options).read()
