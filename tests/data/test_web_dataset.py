"""WebDataset tars: labels in files beside the pictures, copies in which only those differ, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import numpy as np
import pytest

import labelproof as lp
import sources
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change, ReadOptions
from sources import GIVEN, N, png, tar


def members(path):
    with tarfile.open(path) as held:
        return {member.name: (held.extractfile(member).read(), member.mtime, member.mode, member.uname) for member in held}


def write(data, target, changes, *, explain=False):
    given = np.array([None if name is None else str(name) for name in data.given_names], object)
    told = Audited(given, data.classes, {i: Change(name, "") for i, name in changes.items()}, explain=explain)
    reader_of(data.source).write_back(target, told, overwrite=True)


@pytest.mark.parametrize("json_labels", [False, True])
def test_only_label_files_differ(tmp_path, json_labels):
    path, target = tmp_path / "t.tar", tmp_path / "o.tar"
    sources.web_dataset(path, json_labels=json_labels)
    data = open_reader(path, ReadOptions()).read()
    assert (len(data), data.ids[0], data.kind) == (N, "a/0000", "images")
    assert data.given_names.tolist() == GIVEN.tolist()
    assert data.x[7, 0, 0].tolist() == [7, 7, 7]
    write(data, target, {})
    assert target.read_bytes() == path.read_bytes()
    write(data, target, {3: "cat"})
    before, after = members(path), members(target)
    assert list(before) == list(after)
    name = f"a/0003.{'json' if json_labels else 'cls'}"
    assert {key for key in before if before[key] != after[key]} == {name}
    assert after[name][1:] == before[name][1:]
    assert after[name][0] == (json.dumps({"label": "cat", "n": 3}).encode() if json_labels else b"cat")
    assert target.stat().st_size == path.stat().st_size
    if not json_labels:
        write(data, target, {0: None})
        assert reader_of({**data.source, "path": str(target)}).read().given_names[:2].tolist() == [None, "dog"]
    with pytest.raises(lp.BadInput, match="--explain adds columns"):
        write(data, target, {0: "dog"}, explain=True)


def test_numbers_and_long_names_stay_what_they_are(tmp_path):
    files = []
    for i in range(6):
        key = "long/" * 30 + f"{i}"
        files += [(f"{key}.cls", b"%d\n" % (i % 2)), (f"{key}.jpg", png(i)), (f"{key}.seg.png", png(9))]
    tar(tmp_path / "t.tar", files)
    data = open_reader(tmp_path / "t.tar", ReadOptions()).read()
    assert data.classes == (0, 1)
    write(data, tmp_path / "o.tar", {0: "1"})
    after = members(tmp_path / "o.tar")
    assert after["long/" * 30 + "0.cls"][0] == b"1\n"
    assert len(after) == len(files)


def test_the_label_may_have_another_name(tmp_path):
    files = []
    for i in range(6):
        files += [
            (f"{i}.png", png()),
            (f"{i}.json", json.dumps({"kind": "ab"[i % 2]}).encode()),
            (f"{i}.txt", b"x%d" % (i % 3)),
        ]
    tar(tmp_path / "t.tar", files)
    assert open_reader(tmp_path / "t.tar", ReadOptions(label="json.kind")).read().classes == ("a", "b")
    assert open_reader(tmp_path / "t.tar", ReadOptions(label="txt")).read().classes == ("x0", "x1", "x2")
    with pytest.raises(lp.BadInput, match=r"Did you mean 'json.kind'"):
        open_reader(tmp_path / "t.tar", ReadOptions(label="json.kinds")).read()


def bad_tar(tmp_path, name, kind=tarfile.REGTYPE, target=""):
    with tarfile.open(tmp_path / "t.tar", "w") as out:
        for i in range(4):
            for ending, content in (("png", png()), ("cls", b"ab"[i % 2 : i % 2 + 1])):
                member = tarfile.TarInfo(f"{i}.{ending}")
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        out.addfile(member)
    return tmp_path / "t.tar"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("../../9.png", tarfile.REGTYPE, "points outside the tar"),
        ("/etc/9.png", tarfile.REGTYPE, "points outside the tar"),
        ("9.png", tarfile.SYMTYPE, "is a link"),
        ("9.png", tarfile.LNKTYPE, "is a link"),
        ("9.png", tarfile.CHRTYPE, "is a link"),
        ("0.png", tarfile.REGTYPE, "'0.png' twice"),
    ],
)
def test_members_that_are_no_files_of_it_are_refused(tmp_path, name, kind, message):
    with pytest.raises(lp.BadInput, match=message):
        open_reader(bad_tar(tmp_path, name, kind, "/etc/passwd"), ReadOptions()).read()


def test_damaged_tars_are_refused(tmp_path):
    sources.web_dataset(tmp_path / "t.tar")
    whole = (tmp_path / "t.tar").read_bytes()
    for content, message in (
        (whole[: len(whole) // 2 - 700], "ends within|ends without|not a readable tar"),
        (gzip.compress(whole), "is compressed. Decompress it"),
        (b"no tar at all" * 99, "not a readable tar"),
        (b"", "not a readable tar|holds no pictures"),
    ):
        (tmp_path / "bad.tar").write_bytes(content)
        with pytest.raises(lp.BadInput, match=message):
            open_reader(tmp_path / "bad.tar", ReadOptions()).read()
    for ending, content, message in (
        ("cls", b"\xff", "is not UTF-8"),
        ("json", b"{", "is not JSON"),
        ("cls", bytes(2 << 20), "too large for a label"),
    ):
        tar(tmp_path / "bad.tar", [("0.png", png()), (f"0.{ending}", content)])
        with pytest.raises(lp.BadInput, match=message):
            open_reader(tmp_path / "bad.tar", ReadOptions()).read()
    tar(tmp_path / "bad.tar", [("0.txt", b"a")])
    with pytest.raises(lp.BadInput, match="holds no pictures"):
        open_reader(tmp_path / "bad.tar", ReadOptions()).read()
