"""Exports of annotation tools: their documented forms, what of another task is told, and copies that differ in labels alone."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

import labelproof as lp
import sources
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from labelproof.data.tables import form_of
from sources import GIVEN, N, frame, pictures, png


def read(path, **options):
    return open_reader(path, ReadOptions(**options)).read()


def write(data, target, changes, *, explain=False):
    given = np.array([None if name is None else str(name) for name in data.given_names], object)
    skipped = frozenset(name for name, _ in data.skipped)
    told = Audited(given, data.classes, {i: Change(name, "Ann") for i, name in changes.items()}, skipped, explain)
    reader_of(data.source).write_back(target, told, overwrite=True)
    return target.read_text()


def lines(text, other):
    return [(a, b) for a, b in zip(text.splitlines(), other.splitlines(), strict=True) if a != b]


@pytest.fixture
def tasks(tmp_path):
    sources.label_studio(tmp_path / "t.json")
    return json.loads((tmp_path / "t.json").read_text())


def saved(tmp_path, content, name="t.json"):
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_label_studio_text(tmp_path, tasks):
    path = tmp_path / "t.json"
    data = read(path)
    assert (data.kind, data.source["label"], data.source["text"]) == ("text", "kind", "text")
    assert read(path, id="id").ids.tolist() == list(range(1, N + 1))
    after = write(data, tmp_path / "o.json", {0: "dog", 3: None})
    changed = json.loads(after)
    changed[0]["annotations"][0]["result"][0]["value"]["choices"] = ["cat"]
    changed[3]["annotations"][0]["result"][0]["value"]["choices"] = ["dog"]
    assert changed == tasks


def test_label_studio_counts_the_latest_annotation_that_was_not_cancelled(tmp_path, tasks):
    first = tasks[0]["annotations"][0]
    later = json.loads(json.dumps(first)) | {"updated_at": "2024-02-01T00:00:00Z"}
    later["result"][0]["value"]["choices"] = ["dog"]
    gone = json.loads(json.dumps(later)) | {"updated_at": "2024-03-01T00:00:00Z", "was_cancelled": True}
    gone["result"][0]["value"]["choices"] = ["cow"]
    tasks[0]["annotations"] = [later, first, gone]
    tasks[1]["annotations"] = []
    with pytest.warns(UserWarning, match="1 items have several answers"):
        data = read(saved(tmp_path, tasks))
    assert data.given_names[:3].tolist() == ["dog", None, "cat"]
    changed = json.loads(write(data, tmp_path / "o.json", {0: "cat"}))
    assert changed[0]["annotations"][0]["result"][0]["value"]["choices"] == ["cat"]
    assert changed[0]["annotations"][1:] == tasks[0]["annotations"][1:]


def test_label_studio_pictures(tmp_path, tasks):
    pictures(tmp_path, [f"p/{i}.png" for i in range(N)])
    for i, task in enumerate(tasks):
        task["data"] = {"image": f"/data/local-files/?d=p/{i}.png" if i % 2 else f"/data/upload/7/p%2F{i}.png"}
    tasks[0]["data"]["image"] = "data:image/png;base64," + base64.b64encode(png(99)).decode()
    data = read(saved(tmp_path, tasks))
    assert (data.kind, len(data), data.skipped) == ("images", N, [])
    assert data.x[0, 0, 0].tolist() == [99, 99, 99]
    tasks[5]["data"]["image"] = "https://example.com/a.jpg"
    with pytest.raises(lp.BadInput, match=r"row 5 .* is a URL.*labelproof downloads nothing"):
        read(saved(tmp_path, tasks))


def test_label_studio_of_another_task_or_with_several_questions(tmp_path, tasks):
    several = json.loads(json.dumps(tasks))
    several[2]["annotations"][0]["result"][0]["value"]["choices"] = ["cat", "dog"]
    with pytest.raises(lp.BadInput, match=r"task 3 has several choices for 'kind': cat, dog.*--tags"):
        read(saved(tmp_path, several))
    boxes = json.loads(json.dumps(tasks))
    for task in boxes:
        value = {"points": [[1, 1], [2, 1], [2, 2]], "polygonlabels": ["cat"]}
        task["annotations"][0]["result"] = [{"from_name": "b", "to_name": "i", "type": "polygonlabels", "value": value}]
    with pytest.raises(lp.BadInput, match="without choices: its annotations are polygonlabels"):
        read(saved(tmp_path, boxes))
    two = json.loads(json.dumps(tasks))
    for task in two:
        result = task["annotations"][0]["result"]
        result.append({**result[0], "from_name": "mood", "value": {"choices": ["sad"] if task["id"] % 3 else ["glad"]}})
    path = saved(tmp_path, two)
    with pytest.raises(lp.BadInput, match=r"several questions: kind, mood[.] Name one with --label"):
        read(path)
    assert read(path, label="mood").classes == ("glad", "sad")
    with pytest.raises(lp.BadInput, match="Did you mean 'mood'"):
        read(path, label="moods")
    for task in two:
        task["data"] = {"title": "a", "body": task["data"]["text"]}
    with pytest.raises(lp.BadInput, match=r"has the fields title, body[.] Name the one to learn from with --text"):
        read(saved(tmp_path, two), label="kind")
    assert read(saved(tmp_path, two), label="kind", text="body").x[0] == "purr meow"


def test_argilla_takes_responses_before_suggestions(tmp_path):
    sources.argilla(tmp_path / "t.json")
    records = json.loads((tmp_path / "t.json").read_text())
    records[1]["responses"]["kind"].append({"value": "cat", "user_id": "v"})
    records[2]["responses"], records[2]["suggestions"] = {}, {}
    path = saved(tmp_path, records)
    with pytest.warns(UserWarning, match="1 items have several answers"):
        data = read(path)
    assert data.given_names[:5].tolist() == ["cat", "cat", None, "dog", "cat"]
    assert read_quiet(path, id="id").ids[0] == "r0"
    after = json.loads(write(data, tmp_path / "o.json", {0: "dog", 1: "dog"}))
    assert after[0]["suggestions"]["kind"]["value"] == "dog"
    assert [one["value"] for one in after[1]["responses"]["kind"]] == ["dog", "dog"]
    after[0], after[1] = records[0], records[1]
    assert after == records
    for record in records:
        record["suggestions"], record["responses"] = {}, {"tags": [{"value": ["a", "b"], "user_id": "u"}]}
    with pytest.raises(lp.BadInput, match=r"record r0 answers 'tags' by \['a', 'b'\].*Tags, spans and rankings"):
        read(saved(tmp_path, records))


def read_quiet(path, **options):
    with pytest.warns(UserWarning):
        return read(path, **options)


def test_prodigy_labels_that_were_accepted_or_rejected(tmp_path):
    rows = [
        {"text": body, "label": str(name).upper(), "_task_hash": i, "answer": "accept", "meta": {"source": "web"}}
        for i, (name, body) in enumerate(zip(GIVEN, frame()["body"], strict=True))
    ]
    rows[0]["answer"], rows[1]["answer"] = "reject", "ignore"
    path = saved(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")
    data = read(path)
    assert data.given_names[:4].tolist() == [None, None, "CAT", "DOG"]
    assert lines(path.read_text(), write(data, tmp_path / "o.jsonl", {2: "DOG"})) == [
        (json.dumps(rows[2]), json.dumps(rows[2] | {"label": "DOG"}))
    ]
    for i, row in enumerate(rows):
        row |= {"label": "CAT", "answer": ("accept", "reject")[i % 2]}
    rows[4]["answer"] = "ignore"
    path = saved(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")
    data = read(path)
    assert (data.classes, data.given_names[3:5].tolist()) == (("accept", "reject"), ["reject", None])
    assert json.loads(write(data, tmp_path / "o.jsonl", {3: "accept"}).splitlines()[3])["answer"] == "accept"


def test_prodigy_choices(tmp_path):
    sources.prodigy(tmp_path / "t.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    rows[0] |= {"answer": "ignore", "accept": []}
    path = saved(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")
    data = read(path)
    assert data.given_names[:3].tolist() == [None, "dog", "cat"]
    after = [json.loads(line) for line in write(data, tmp_path / "o.jsonl", {1: "cat", 2: None}).splitlines()]
    assert (after[1]["accept"], after[2]["accept"]) == (["cat"], [])
    rows[7]["accept"] = ["cat", "dog"]
    with pytest.raises(lp.BadInput, match="line 8 accepts several options"):
        read(saved(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl"))
    spans = [{"text": "a", "spans": [{"start": 0, "end": 1, "label": "X"}], "_task_hash": 1, "answer": "accept"}]
    found = read(saved(tmp_path, "\n".join(map(json.dumps, spans)), "t.jsonl"))
    assert (found.labels.kind, found.labels.classes) == ("spans", ("X",))


@pytest.fixture
def coco(tmp_path):
    sources.coco(tmp_path / "t.json")
    return json.loads((tmp_path / "t.json").read_text())


@pytest.mark.parametrize("gone", [[0], [N - 1], [N - 2, N - 1], [3, 4, 9], range(1, N), [0, 1]])
def test_coco_images_that_lose_their_label_lose_their_annotation(tmp_path, coco, gone):
    data = read(tmp_path / "t.json")
    assert (data.kind, data.ids[0]) == ("images", "00.png")
    after = json.loads(write(data, tmp_path / "o.json", dict.fromkeys(gone)))
    kept = [a for i, a in enumerate(coco["annotations"]) if i not in gone]
    assert after == {**coco, "annotations": kept}


def test_coco_changes_the_number_of_the_category_alone(tmp_path, coco):
    coco["annotations"].reverse()
    del coco["annotations"][0]
    path = saved(tmp_path, coco)
    data = read(path)
    assert data.given_names[-2:].tolist() == ["cat", None]
    after = write(data, tmp_path / "o.json", {0: "dog"})
    assert lines(path.read_text(), after) == [('      "category_id": 3', '      "category_id": 4')]
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    assert len(read(path, images=str(tmp_path / "elsewhere"))) == N
    with pytest.raises(lp.BadInput, match=r"None of the 24 pictures.*The first does not exist"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][0].update(bbox=[1, 1, 2, 2]), "annotation 1 .* has no bbox of four numbers"),
        (lambda c: c["annotations"][0].update(segmentation=[[1, 1, 2, 2, 3, 1]]), "boxes, masks or key points"),
        (lambda c: c["annotations"][0].update(caption="a cat"), "holds captions"),
        (lambda c: c["annotations"][1].update(image_id=7), "image 7 .* has several annotations.*tags"),
        (lambda c: c["annotations"][1].update(image_id=99), "of image 99, which the file does not list"),
        (lambda c: c["annotations"][1].update(category_id=9), "of category 9"),
        (lambda c: c["annotations"][1].pop("category_id"), "annotation 1 .* has no 'category_id'"),
        (lambda c: c["images"][1].pop("file_name"), "image 1 .* has no 'file_name'"),
        (lambda c: c.update(images={}), "its images are not a list"),
        (lambda c: c.update(images=[], annotations=[]), "lists no images"),
    ],
)
def test_coco_of_another_task_is_told(tmp_path, coco, change, message):
    change(coco)
    with pytest.raises(lp.BadInput, match=message):
        read(saved(tmp_path, coco))


def test_coco_boxes_of_the_whole_picture_are_labels_of_it(tmp_path, coco):
    for annotation in coco["annotations"]:
        annotation |= {"bbox": [0, 0, 8, 8], "segmentation": []}
    assert len(read(saved(tmp_path, coco))) == N


@pytest.fixture
def cvat(tmp_path):
    sources.cvat(tmp_path / "t.xml")
    return (tmp_path / "t.xml").read_text()


def test_cvat_changes_the_label_of_the_tag_alone(tmp_path, cvat):
    data = read(tmp_path / "t.xml")
    after = write(data, tmp_path / "o.xml", {1: "cat"})
    assert lines(cvat, after) == [('    <tag label="dog" source="manual">', '    <tag label="cat" source="manual">')]
    assert write(data, tmp_path / "o.xml", {}) == cvat
    emptied = write(data, tmp_path / "o.xml", {0: None})
    assert read(tmp_path / "o.xml").given_names[:2].tolist() == [None, "dog"]
    assert len(cvat) - len(emptied) == cvat.index("</tag>") + len("</tag>") - cvat.index("<tag")
    with pytest.raises(lp.BadInput, match="--explain adds columns"):
        write(data, tmp_path / "o.xml", {0: "dog"}, explain=True)


def test_cvat_names_are_escaped_and_shapes_stay(tmp_path, cvat):
    text = cvat.replace('label="dog"', "note='a \"label=\" b' label='R&amp;D &lt;é&gt;'")
    text = text.replace("</tag>", '</tag><box label="x" xtl="1"/>').replace('<image id="2"', '<image id="2" note="/>"')
    path = saved(tmp_path, text, "t.xml")
    data = read(path)
    assert data.classes == ("R&D <é>", "cat")
    after = write(data, tmp_path / "o.xml", {0: "R&D <é>", 1: "cat"})
    assert read(tmp_path / "o.xml").given_names[:2].tolist() == ["R&D <é>", "cat"]
    assert after.count("<box") == text.count("<box") == N


def test_cvat_images_without_a_tag_have_no_label(tmp_path, cvat):
    text = cvat.replace("</annotations>", '<image id="24" name="p/00.png" width="8" height="8" />\n</annotations>')
    data = read(saved(tmp_path, text.replace('"p/00.png"', '"p/01.png"', 1), "t.xml"), id="id")
    assert data.given_names[-1] is None
    assert '<image id="24" name="p/00.png" width="8" height="8" ><tag label="cat" source="manual"></tag></image>' in write(
        data, tmp_path / "o.xml", {24: "cat"}
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</tag>", '</tag><tag label="b"></tag>', "several tags: cat, b"),
        ("<tag", "<box", "line 8 is not XML"),
        ("</annotations>", "", "is not XML"),
        ("<annotations>", '<!DOCTYPE a [<!ENTITY x "y">]><annotations>', "document type"),
        ('encoding="utf-8"', 'encoding="latin-1"', "is in latin-1. Save it as UTF-8"),
        ("<meta><job/></meta>", "<track/>", "CVAT for video"),
        ("<image ", "<picture ", "is not XML|lists no images"),
    ],
)
def test_cvat_of_another_form_is_told(tmp_path, cvat, old, new, message):
    with pytest.raises(lp.BadInput, match=message):
        read(saved(tmp_path, cvat.replace(old, new), "t.xml"))
    shapes = cvat.replace("<tag", "<polygon").replace("</tag", "</polygon")
    with pytest.raises(lp.BadInput, match="holds 24 of 'polygon' but no tags of images"):
        read(saved(tmp_path, shapes, "t.xml"))


@pytest.mark.parametrize("write_it", ["label_studio", "argilla", "prodigy", "coco"])
def test_each_is_known_by_its_form_and_is_read_in_any_layout(tmp_path, write_it):
    getattr(sources, write_it)(tmp_path / "t.jsonl" if write_it == "prodigy" else tmp_path / "t.json")
    path = next(tmp_path.glob("t.json*"))
    first = type(form_of(path))
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text())))  # all on one line
        assert type(form_of(path)) is first
    plain = saved(tmp_path, [{"text": "a", "label": "b"}], "plain.json")
    assert type(form_of(plain)) is not first
    assert open_reader(path, ReadOptions()).read().given_names.tolist() == GIVEN.tolist()


@pytest.mark.parametrize("write_it", ["label_studio", "argilla", "prodigy"])
@pytest.mark.parametrize("value", [7, "x", [7], {"x": 7}, None, True])
def test_members_of_another_kind_are_told(tmp_path, write_it, value):
    path = tmp_path / ("t.jsonl" if write_it == "prodigy" else "t.json")
    getattr(sources, write_it)(path)
    rows = (
        [json.loads(line) for line in path.read_text().splitlines()] if write_it == "prodigy" else json.loads(path.read_text())
    )
    for name in rows[1]:
        wrong = [rows[0], {**rows[1], name: value}, *rows[2:]]
        path.write_text("\n".join(map(json.dumps, wrong)) if write_it == "prodigy" else json.dumps(wrong))
        try:
            assert len(read(path)) == N
        except lp.BadInput as told:
            assert str(path) in str(told) or "label" in str(told)
