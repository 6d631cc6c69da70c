"""Masks in files: read, and written back so that nothing else differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelproof as lp
from labelproof.data.mask_files import MASK_FILES, mask_form
from labelproof.data.mask_files.base import MasksAsked
from labelproof.data.mask_files.packed_runs import pack, unpack
from labelproof.data.mask_files.palettes import CITYSCAPES, voc_colour
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.labels.masks import Masks
from labelproof.labels.run_length import encode

SHAPE = (12, 16)
NAMES = ["a", "b"]
CLASSES = ["background", "cat", "dog"]


def masks() -> list[np.ndarray]:
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[2:7, 3:9] = 1
    first[8:11, 10:15] = 2
    second[1:5, 1:5] = 2
    return [first, second]


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        Image.new("RGB", SHAPE[::-1], (90, 120, 60)).save(folder / f"{name}.jpg")


def palette_pictures(folder: Path) -> Path:
    pictures(folder / "images")
    (folder / "masks").mkdir()
    for name, mask in zip(NAMES, masks(), strict=True):
        made = Image.fromarray(mask)
        made.putpalette([channel for code in range(256) for channel in voc_colour(code)])
        made.save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder


def array(folder: Path) -> Path:
    np.save(folder / "masks.npy", np.stack(masks()))
    return folder / "masks.npy"


def coco(folder: Path) -> Path:
    pictures(folder / "images")
    annotations = [
        {"id": 5, "image_id": 1, "category_id": 4, "segmentation": [[3, 2, 9, 2, 9, 7, 3, 7]], "area": 30, "bbox": [3, 2, 6, 5], "iscrowd": 0, "by": "me"},
        {"id": 6, "image_id": 1, "category_id": 9, "segmentation": {"size": list(SHAPE), "counts": [int(c) for c in encode(masks()[0] == 2).split()]}, "area": 15, "bbox": [10, 8, 5, 3], "iscrowd": 0},
        {"id": 7, "image_id": 2, "category_id": 9, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "area": 16, "bbox": [1, 1, 4, 4], "iscrowd": 0},
    ]  # fmt: skip
    images = [{"id": i + 1, "file_name": f"{name}.jpg", "width": SHAPE[1], "height": SHAPE[0]} for i, name in enumerate(NAMES)]
    path = folder / "instances.json"
    path.write_text(
        json.dumps(
            {"images": images, "annotations": annotations, "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "dog"}]}
        )
    )
    return path


def label_studio(folder: Path) -> Path:
    pictures(folder / "images")
    tasks = []
    for i, (name, mask) in enumerate(zip(NAMES, masks(), strict=True)):
        result = [
            {"id": f"r{i}{code}", "type": "brushlabels", "from_name": "tag", "to_name": "image", "original_width": SHAPE[1], "original_height": SHAPE[0], "image_rotation": 0,
             "value": {"format": "rle", "rle": pack(mask == code), "brushlabels": [CLASSES[code]]}}
            for code in np.unique(mask[mask > 0]).tolist()
        ]  # fmt: skip
        tasks.append({"id": i, "data": {"image": f"/data/upload/1/{name}.jpg"}, "annotations": [{"id": i, "result": result}]})
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return path


MADE = {"pictures": palette_pictures, "array": array, "coco": coco, "label studio": label_studio}


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.needs("pycocotools") if name == "coco" else ()) for name in MASK_FILES]
)
def made(request, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return MADE[request.param](folder)


def asked(path: Path) -> ReadOptions:
    return ReadOptions(label_kind="masks", classes=CLASSES if path.suffix == ".npy" else None)


def written(path: Path, target: Path, new: dict[int, list]) -> Path:
    dataset = open_reader(path, asked(path)).read()
    given = np.array([dataset.labels.digest(i) for i in range(len(dataset))], dtype=object)
    changes = {item: Change(Masks.to_text(patches, CLASSES), "") for item, patches in new.items()}
    reader_of(dataset.source).write_back(
        target, Audited(given, CLASSES, changes, ids=dataset.ids.astype(object)), overwrite=False
    )
    return target


def target_of(path: Path, tmp_path: Path) -> Path:
    return tmp_path / ("copy" if path.is_dir() else f"copy{path.suffix}")


def values_in(path: Path) -> list[list]:
    labels = mask_form(path, MasksAsked(classes=CLASSES if path.suffix == ".npy" else None)).read().labels
    return [labels.mask(i).tolist() for i in range(labels.n)]


def test_every_form_has_a_row_here():
    assert set(MADE) == set(MASK_FILES)


def test_what_is_read(made):
    data = open_reader(made, asked(made)).read()
    assert [str(name) for name in data.labels.classes] == CLASSES
    assert values_in(made) == [mask.tolist() for mask in masks()]
    assert [Path(str(name)).stem for name in data.ids] == (["0", "1"] if made.suffix == ".npy" else NAMES)
    assert bool(data.show(0).image) == (made.suffix != ".npy")


def test_a_copy_without_changes_is_the_same_byte_for_byte(made, tmp_path):
    target = written(made, target_of(made, tmp_path), {})
    if target.is_file():
        assert target.read_bytes() == made.read_bytes()
    for file in made.rglob("*") if made.is_dir() else ():
        if file.is_file():
            assert (target / file.relative_to(made)).read_bytes() == file.read_bytes()


def test_pixels_get_other_classes_and_no_others_do(made, tmp_path):
    new = masks()
    new[0][2:7, 3:9] = 2  # a whole region
    new[0][0, 0] = 1  # where there was none
    new[1][1:5, 3:5] = 0  # part of one goes
    patches = {i: [[CLASSES[code], encode((now == code) & (was != code))] for code in np.unique(now[now != was]).tolist()]
               for i, (was, now) in enumerate(zip(masks(), new, strict=True))}  # fmt: skip
    target = written(made, target_of(made, tmp_path), patches)
    assert values_in(target) == [mask.tolist() for mask in new]


def test_a_palette_stays(tmp_path):
    (tmp_path / "d").mkdir()
    path = palette_pictures(tmp_path / "d")
    everything = encode(np.ones(SHAPE, bool))
    target = written(path, tmp_path / "copy", {0: [["dog", everything]]})
    with Image.open(path / "masks" / "a.png") as before, Image.open(target / "masks" / "a.png") as after:
        assert (after.mode, after.getpalette()) == ("P", before.getpalette())
        assert np.unique(np.asarray(after)).tolist() == [2]
    assert (target / "masks" / "b.png").read_bytes() == (path / "masks" / "b.png").read_bytes()


def test_colours_are_classes_by_a_palette(tmp_path):
    folder = tmp_path / "gtFine" / "train" / "aachen"
    folder.mkdir(parents=True)
    names = list(CITYSCAPES)
    pixels = np.array([[CITYSCAPES["car"], CITYSCAPES["sky"]], [CITYSCAPES["road"], CITYSCAPES["car"]]], np.uint8)
    Image.fromarray(pixels).save(folder / "x_gtFine_color.png")
    data = lp.read_masks(tmp_path)
    assert list(data.labels.classes) == names
    assert data.labels.mask(0).tolist() == [[names.index("car"), names.index("sky")], [names.index("road"), names.index("car")]]
    pixels[0, 0] = (1, 2, 3)
    Image.fromarray(pixels).save(folder / "x_gtFine_color.png")
    with pytest.raises(lp.BadInput, match="no file names their classes"):
        lp.read_masks(tmp_path)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nthing,1,2,3\ncar,0,0,142\nsky,70,130,180\n")
    with pytest.raises(lp.BadInput, match=r"colour \(128, 64, 128\) at row 1, column 0"):
        lp.read_masks(tmp_path)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nthing,1,2,3\ncar,0,0,142\nsky,70,130,180\nroad,128,64,128\n")
    data = lp.read_masks(tmp_path)
    assert data.labels.mask(0).tolist() == [[0, 2], [3, 1]]
    copy = tmp_path.parent / "colours"
    given = np.array([data.labels.digest(0)], dtype=object)
    change = {0: Change(json.dumps([["road", encode(np.array([[True, False], [False, False]]))]]), "")}
    data.reader.write_back(copy, Audited(given, data.classes, change), overwrite=False)
    assert np.asarray(Image.open(copy / "gtFine" / "train" / "aachen" / "x_gtFine_color.png"))[0, 0].tolist() == [128, 64, 128]


def test_void_must_be_named(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(lp.BadInput, match="void=255"):
        lp.read_masks(tmp_path, classes=["x", "y"])
    assert lp.read_masks(tmp_path, classes=["x", "y"], void=[255]).labels.mask(0).tolist() == [[0, -1]]


def test_brushes_are_packed_as_label_studio_does(tmp_path):
    rng = np.random.default_rng(0)
    for pixels in (rng.random((9, 13)) < 0.3, np.ones((300, 400), bool), np.zeros((2, 2), bool)):
        assert (unpack(pack(pixels), *pixels.shape) == pixels).all()
    with pytest.raises(lp.BadInput, match="end too early"):
        unpack(pack(np.ones((3, 3), bool))[:-2], 3, 3)
    with pytest.raises(lp.BadInput, match="the picture has 8"):
        unpack(pack(np.ones((3, 3), bool)), 2, 4)
    literal = "".join(
        [f"{8:032b}", "00111", "0010001101111111"[:16], "0", "00", "111", *(f"{v:08b}" for v in (0, 0, 0, 0, 9, 9, 9, 9))]
    )
    data = [int(literal[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(literal), 8)]
    assert unpack(data, 1, 2).tolist() == [[False, True]]  # values one by one


def test_colours_of_pascal_voc():
    assert [voc_colour(i) for i in (0, 1, 2, 8, 255)] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (64, 0, 0), (224, 224, 192)]


@pytest.mark.needs("pycocotools")
def test_polygons_that_overlap_and_files_that_are_wrong(tmp_path):
    path = coco(tmp_path)
    outer = json.loads(path.read_text())
    outer["annotations"][1]["segmentation"] = [[0, 0, 16, 0, 16, 12, 0, 12]]
    path.write_text(json.dumps(outer))
    assert (lp.read_masks(path).labels.mask(0) == 2).all()  # the later one counts
    outer["annotations"][1]["segmentation"] = {"size": [3, 3], "counts": [9]}
    path.write_text(json.dumps(outer))
    with pytest.raises(lp.BadInput, match="annotation 1"):
        lp.read_masks(path)
    del outer["annotations"][1]["segmentation"]
    path.write_text(json.dumps(outer))
    with pytest.raises(lp.BadInput, match="omit --kind masks"):
        lp.read_masks(path)
