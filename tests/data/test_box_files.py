"""Pictures with boxes in files: read, and written back so that nothing else differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelproof as lp
from labelproof.data.box_files import BOX_FILES, box_form
from labelproof.data.box_files.base import difference
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.labels.boxes import Boxes, sorted_json

WIDTH, HEIGHT = 100, 80
GIVEN = [[(10, 10, 30, 40, "cat"), (50, 20, 90, 60, "dog")], [], [(5, 5, 25, 25, "dog")]]  # three pictures
NAMES = ["a", "b", "c"]


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 60)).save(folder / f"{name}.jpg")


def coco(folder: Path) -> Path:
    pictures(folder / "images")
    images = [
        {"id": 10 + i, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT, "flickr": "x"}
        for i, name in enumerate(NAMES)
    ]
    annotations, number = [], 100
    for i, boxes in enumerate(GIVEN):
        for x1, y1, x2, y2, name in boxes:
            annotations.append({"id": number, "image_id": 10 + i, "category_id": {"cat": 3, "dog": 7}[name],
                                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0, "by": "me"})  # fmt: skip
            number += 1
    annotations.insert(1, {"id": 999, "image_id": 10, "category_id": 3, "bbox": [92, 0, 7, 7], "iscrowd": 1})
    outer = {
        "info": {"year": 2020},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(outer, indent=2))
    return path


def yolo(folder: Path) -> Path:
    pictures(folder / "images" / "train")
    (folder / "labels" / "train").mkdir(parents=True)
    for name, boxes in zip(NAMES, GIVEN, strict=True):
        lines = [
            f"{['cat', 'dog'].index(c)} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} {(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}"
            for x1, y1, x2, y2, c in boxes
        ]
        if boxes:
            (folder / "labels" / "train" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (folder / "data.yaml").write_text("train: images/train\nnames:\n  0: cat\n  1: dog\n")
    return folder / "data.yaml"


def voc(folder: Path) -> Path:
    pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir(parents=True)
    for name, boxes in zip(NAMES, GIVEN, strict=True):
        objects = "".join(
            f"\n\t<object>\n\t\t<name>{c}</name>\n\t\t<pose>Left</pose>\n\t\t<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>\n\t</object>"
            for x1, y1, x2, y2, c in boxes
        )
        text = f"<annotation>\n\t<filename>{name}.jpg</filename>\n\t<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>{objects}\n</annotation>\n"
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    return folder


def kitti(folder: Path) -> Path:
    pictures(folder / "image_2")
    (folder / "label_2").mkdir(parents=True)
    for name, boxes in zip(NAMES, GIVEN, strict=True):
        lines = [
            f"{c} 0.00 1 1.55 {x1:.2f} {y1:.2f} {x2:.2f} {y2:.2f} 1.5 1.6 3.6 -2.1 1.6 24.0 1.46" for x1, y1, x2, y2, c in boxes
        ]
        lines.append("DontCare -1 -1 -10 1.00 1.00 9.00 9.00 -1 -1 -1 -1000 -1000 -1000 -10")
        (folder / "label_2" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def cvat(folder: Path) -> Path:
    pictures(folder / "images")
    images = []
    for i, (name, boxes) in enumerate(zip(NAMES, GIVEN, strict=True)):
        own = "".join(
            f'\n    <box label="{c}" occluded="1" xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}" z_order="2"><attribute name="a">b</attribute></box>'
            for x1, y1, x2, y2, c in boxes
        )
        head = f'  <image id="{i}" name="{name}.jpg" width="{WIDTH}" height="{HEIGHT}"'
        images.append(f"{head}>{own}\n  </image>" if boxes else f"{head}/>")
    path = folder / "annotations.xml"
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        + "\n".join(images)
        + "\n</annotations>\n"
    )
    return path


def label_studio(folder: Path) -> Path:
    pictures(folder / "images")
    tasks = []
    for i, (name, boxes) in enumerate(zip(NAMES, GIVEN, strict=True)):
        result = [
            {"id": f"r{i}{j}", "type": "rectanglelabels", "from_name": "label", "to_name": "image", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0,
             "value": {"x": 100 * x1 / WIDTH, "y": 100 * y1 / HEIGHT, "width": 100 * (x2 - x1) / WIDTH, "height": 100 * (y2 - y1) / HEIGHT, "rotation": 0, "rectanglelabels": [c]}}
            for j, (x1, y1, x2, y2, c) in enumerate(boxes)
        ]  # fmt: skip
        result.append({"id": "note", "type": "textarea", "from_name": "note", "to_name": "image", "value": {"text": ["fine"]}})
        tasks.append(
            {
                "id": 70 + i,
                "data": {"image": f"/data/upload/1/{name}.jpg"},
                "annotations": [{"id": i, "result": result, "was_cancelled": False}],
            }
        )
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return path


MADE = {"coco": coco, "yolo": yolo, "voc": voc, "kitti": kitti, "cvat": cvat, "label studio": label_studio}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.needs("yaml") if name == "yolo" else ()) for name in BOX_FILES])
def made(request, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return MADE[request.param](folder)


def written(path: Path, target: Path, new: dict[int, list], tmp_path: Path) -> Path:
    """A copy with other boxes, as `labelproof apply` makes it."""
    reader = open_reader(path, ReadOptions())
    dataset = reader.read()
    given = np.array([sorted_json(own) for own in dataset.labels.given_boxes()] + [None], dtype=object)[:-1]
    changes = {item: Change(Boxes.to_text([list(box) for box in boxes], ["cat", "dog"]), "") for item, boxes in new.items()}
    reader_of(dataset.source).write_back(
        target, Audited(given, dataset.classes, changes, ids=dataset.ids.astype(object)), overwrite=False
    )
    return target


def target_of(path: Path, tmp_path: Path) -> Path:
    return tmp_path / ("copy" if not box_form(path).endings else f"copy{path.suffix}")


def place_in(path: Path, target: Path) -> Path:
    """What the copy of a path is opened by."""
    return target / path.name if path.suffix == ".yaml" else target


def boxes_in(path: Path) -> list[list[tuple]]:
    return [
        sorted((*(round(e, 2) for e in box[:4]), box[4]) for box in own) for own in box_form(path).read().labels.given_boxes()
    ]


def test_every_form_has_a_row_here():
    assert set(MADE) == set(BOX_FILES)


def test_what_is_read(made):
    data = lp.read_boxes(made)
    assert data.labels.classes == ("cat", "dog")
    assert boxes_in(made) == [sorted(own) for own in GIVEN]
    assert data.labels.sizes.tolist() == [[WIDTH, HEIGHT]] * 3
    assert [Path(name).stem for name in data.ids] == NAMES
    assert data.show(0).image
    assert open_reader(made, ReadOptions()).kind == "boxes"  # without being told


def test_a_copy_without_changes_is_the_same_byte_for_byte(made, tmp_path):
    target = written(made, target_of(made, tmp_path), {}, tmp_path)
    root = made if made.is_dir() else made.parent
    if target.is_file():
        assert target.read_bytes() == made.read_bytes()
    else:
        for file in root.rglob("*"):
            if file.is_file():
                assert (target / file.relative_to(root)).read_bytes() == file.read_bytes()


def test_a_box_is_moved_one_goes_and_one_comes(made, tmp_path):
    new = {0: [(12, 10, 33, 40, "cat"), (60, 5, 70, 15, "cat")], 1: [(1, 2, 30, 40, "dog")], 2: []}
    target = written(made, target_of(made, tmp_path), new, tmp_path)
    assert boxes_in(place_in(made, target)) == [sorted(new[i]) for i in range(3)]


def test_another_class_keeps_the_place(made, tmp_path):
    target = written(made, target_of(made, tmp_path), {2: [(5, 5, 25, 25, "cat")]}, tmp_path)
    assert boxes_in(place_in(made, target)) == [sorted(GIVEN[0]), [], [(5, 5, 25, 25, "cat")]]


def test_what_is_unknown_to_us_stays(tmp_path):
    (tmp_path / "d").mkdir()
    path = coco(tmp_path / "d")
    target = written(path, tmp_path / "copy.json", {0: [(12, 10, 33, 40, "cat"), *GIVEN[0][1:]]}, tmp_path)
    before, after = json.loads(path.read_text()), json.loads(target.read_text())
    changed = after["annotations"][0]
    assert (changed["id"], changed["by"], changed["bbox"], changed["area"]) == (100, "me", [12, 10, 21, 30], 630)
    assert after["annotations"][1:] == before["annotations"][1:]  # the crowd among them
    assert {name: after[name] for name in ("info", "images", "categories")} == {
        name: before[name] for name in ("info", "images", "categories")
    }
    (tmp_path / "k").mkdir()
    kept = written(kitti(tmp_path / "k"), tmp_path / "k2", {0: [(12, 10, 33, 40, "cat")]}, tmp_path)
    lines = (kept / "label_2" / "a.txt").read_text().splitlines()
    assert lines == [
        "cat 0.00 1 1.55 12.00 10.00 33.00 40.00 1.5 1.6 3.6 -2.1 1.6 24.0 1.46",
        "DontCare -1 -1 -10 1.00 1.00 9.00 9.00 -1 -1 -1 -1000 -1000 -1000 -10",
    ]
    (tmp_path / "v").mkdir()
    kept = written(voc(tmp_path / "v"), tmp_path / "v2", {0: [GIVEN[0][0]]}, tmp_path)
    assert "dog" not in (kept / "Annotations" / "a.xml").read_text()
    assert (kept / "Annotations" / "a.xml").read_text().count("\t") == 10  # the white space of the object went with it


def test_a_changed_source_is_refused(made, tmp_path):
    reader = open_reader(made, ReadOptions())
    dataset = reader.read()
    given = np.array(['[[1, 1, 2, 2, "cat"]]', "[]", "[]"], dtype=object)
    with pytest.raises(lp.BadInput, match="has changed"):
        reader_of(dataset.source).write_back(target_of(made, tmp_path), Audited(given, dataset.classes, {}), overwrite=False)


def test_which_box_became_which():
    given = [(0, 0, 10, 10, "a"), (0, 0, 10, 10, "a"), (20, 20, 30, 30, "b")]
    assert difference(given, given) == difference([], [])
    assert difference(given, given[1:]).gone == {1}  # one of two equal ones goes
    found = difference(given, [(0, 0, 10, 10, "a"), (0, 0, 9, 10, "a"), (21, 20, 31, 30, "c")])
    assert found.changed == {1: (0, 0, 9, 10, "a"), 2: (21, 20, 31, 30, "c")}
    assert not found.gone
    assert not found.added


@pytest.mark.needs("yaml")
def test_bad_files_name_the_place(tmp_path):
    folder = tmp_path / "y"
    folder.mkdir()
    path = yolo(folder)
    (folder / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.1\n")
    with pytest.raises(lp.BadInput, match=r"a\.txt' line 1 is no box"):
        lp.read_boxes(path)
    (folder / "labels" / "train" / "a.txt").write_text("4 0.5 0.5 0.1 0.1\n")
    with pytest.raises(lp.BadInput, match="there are 2 classes"):
        lp.read_boxes(path)
    other = tmp_path / "c"
    other.mkdir()
    bad = coco(other)
    text = json.loads(bad.read_text())
    text["annotations"][0]["bbox"] = [1, 2, "x", 4]
    bad.write_text(json.dumps(text))
    with pytest.raises(lp.BadInput, match=r"annotation 0 .*where numbers should be"):
        lp.read_boxes(bad)
    with pytest.raises(lp.BadInput, match="in no known format of boxes"):
        lp.read_boxes(tmp_path)


def results(**more: object) -> list[dict]:
    first = {"image_id": 10, "category_id": 7, "bbox": [50, 20, 40, 40], "score": 0.9}
    return [first, {"image_id": 12, "category_id": 3, "bbox": [5, 5, 20, 20], "score": 0.4} | more]


@pytest.mark.needs("yaml")
def test_predictions_of_files(tmp_path):
    (tmp_path / "d").mkdir()
    path = coco(tmp_path / "d")
    data = lp.read_boxes(path)
    wanted = [([[50, 20, 90, 60]], ["dog"], [0.9]), ([], [], []), ([[5, 5, 25, 25]], ["cat"], [0.4])]

    def read(file: Path) -> list:
        found = data.reader.predictions(file, data)
        return [(one["boxes"].tolist(), list(one["labels"]), one["scores"].tolist()) for one in found]

    file = tmp_path / "results.json"
    file.write_text(json.dumps(results()))
    assert read(file) == wanted
    table = tmp_path / "results.csv"
    table.write_text("filename,xmin,ymin,xmax,ymax,class,confidence\na.jpg,50,20,90,60,dog,.9\nc.jpg,5,5,25,25,cat,.4\n")
    assert read(table) == wanted
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("dog -1 -1 -10 50 20 90 60 -1 -1 -1 -1000 -1000 -1000 -10 0.9\n")
    (folder / "c.txt").write_text("cat -1 -1 -10 5 5 25 25 -1 -1 -1 -1000 -1000 -1000 -10 0.4\n")
    assert read(folder) == wanted
    (folder / "a.txt").write_text("1 0.7 0.5 0.4 0.5 0.9\n")
    (folder / "c.txt").write_text("0 0.15 0.1875 0.2 0.25 0.4\n")
    (tmp_path / "y").mkdir()
    yolo_data = lp.read_boxes(yolo(tmp_path / "y"))
    found = yolo_data.reader.predictions(folder, yolo_data)
    assert [np.round(one["boxes"], 6).tolist() for one in found] == [one[0] for one in wanted]
    file.write_text(json.dumps([{**results()[0], "image_id": 5}]))
    with pytest.raises(lp.BadInput, match="picture '5', which has no label"):
        read(file)
    file.write_text(json.dumps(results(category_id=80)))
    with pytest.warns(lp.LabelproofWarning, match=r"classes that no label has, which are skipped: 80 \(1\)"):
        assert read(file)[2] == ([], [], [])
    file.write_text("{}")
    with pytest.raises(lp.BadInput, match="no list of predictions"):
        read(file)


def test_predictions_in_crowds_and_unlabelled_regions_say_nothing(tmp_path):
    (tmp_path / "c").mkdir()
    path = coco(tmp_path / "c")
    outer = json.loads(path.read_text())
    outer["annotations"][1] |= {"image_id": 11, "bbox": [40, 40, 50, 30]}  # the crowd
    path.write_text(json.dumps(outer))
    data = lp.read_boxes(path)
    one = {"image_id": 11, "category_id": 3, "score": 0.9}
    (tmp_path / "r.json").write_text(json.dumps([{**one, "bbox": [45, 45, 20, 20]}, {**one, "bbox": [2, 2, 20, 20]}]))
    assert data.reader.predictions(tmp_path / "r.json", data)[1]["boxes"].tolist() == [[2, 2, 22, 22]]
    (tmp_path / "k").mkdir()
    data = lp.read_boxes(kitti(tmp_path / "k"))
    (tmp_path / "r.csv").write_text("image,x1,y1,x2,y2,label,score\nb,2,2,8,8,cat,.9\nb,30,30,60,60,cat,.9\n")
    assert data.reader.predictions(tmp_path / "r.csv", data)[1]["boxes"].tolist() == [[30, 30, 60, 60]]


@pytest.mark.needs("yaml")
def test_another_class_alone_keeps_all_digits(tmp_path):
    (tmp_path / "c").mkdir()
    path = coco(tmp_path / "c")
    outer = json.loads(path.read_text())
    outer["annotations"][0] |= {"bbox": [17.199453155222905, 10.123456789, 20.5, 30.25], "segmentation": [[1, 2, 3, 4, 5, 6]]}
    path.write_text(json.dumps(outer))
    given = lp.read_boxes(path).labels.given_boxes()[0]
    new = [(*given[0][:4], "dog"), given[1]]
    target = written(path, tmp_path / "copy.json", {0: new}, tmp_path)
    before, after = (json.loads(file.read_text())["annotations"] for file in (path, target))
    assert after[0] == {**before[0], "category_id": 7}
    (tmp_path / "y").mkdir()
    path = yolo(tmp_path / "y")
    file = tmp_path / "y" / "labels" / "train" / "c.txt"
    file.write_text("1 0.165869 0.1875123 0.2 0.340447\r\n")
    given = lp.read_boxes(path).labels.given_boxes()[2]
    target = written(path, tmp_path / "y2", {2: [(*given[0][:4], "cat")]}, tmp_path)
    assert (target / "labels" / "train" / "c.txt").read_bytes() == b"0 0.165869 0.1875123 0.2 0.340447\r\n"
