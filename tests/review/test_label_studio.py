"""To Label Studio and back: the files, and a real server of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.review.exchange.label_studio import NONE, UNSURE, read_label_studio, write_label_studio

TOKEN = "0123456789abcdef0123456789abcdef01234567"
START_SECONDS = 180


@pytest.fixture
def text_audit(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    names = np.array(["cat", 'dog "big" & <small>', "fish; fresh"])
    given = names[np.where(rng.random(200) < 0.15, (y + 1) % 3, y)]
    pl.DataFrame(
        {"key": [f"q{i}" for i in range(200)], "body": [f"about {names[v]} number {i}" for i, v in enumerate(y)], "kind": given}
    ).write_csv(tmp_path / "t.csv")
    data = lp.read_text(tmp_path / "t.csv", "kind", "body", id="key")
    lp.audit(data, np.eye(3)[np.argsort(np.argsort(names))[y]] * 0.9 + 0.1 / 3).save(tmp_path / "audit")
    return tmp_path / "audit", names[y]


def test_the_score_of_suggested_tags_is_the_probability_that_they_are_right(tmp_path, session_of):
    rng = np.random.default_rng(0)
    true = (rng.random((200, 3)) < 0.3).astype(int)
    given = np.where(true == 1, rng.random(true.shape) > 0.2, 0)
    probs = 1 / (1 + np.exp(3 - 6 * true + rng.normal(0, 1.5, true.shape)))
    found = lp.audit(lp.Tags(given, names=["sea", "sky", "sun"]), probs, dependence=False)
    found.save(tmp_path / "audit")
    session = session_of(tmp_path / "audit", 60)
    write_label_studio(session, tmp_path / "out")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    right = np.maximum(found.error_probability, 1 - found.error_probability).prod(axis=1)
    said = {int(task["data"]["labelproof_id"]): task["predictions"][0]["score"] for task in tasks if task["predictions"]}
    assert len(said) > 20
    assert all(score == pytest.approx(right[row], abs=1e-6) for row, score in said.items())


def annotation(label=None, doubt=None, by=1, at="2026-01-02T03:04:05.678900Z", number=1, **more):
    parts = [("label", label), ("doubt", doubt)]
    result = [
        {
            "from_name": name,
            "to_name": "item",
            "type": "choices",
            "value": {"choices": choices if isinstance(choices, list) else [choices]},
        }
        for name, choices in parts
        if choices is not None
    ]
    return {
        "id": number,
        "result": result,
        "completed_by": by,
        "created_at": at,
        "updated_at": at,
        "lead_time": 3.5,
        "was_cancelled": False,
        **more,
    }


def export(session, folder, annotations):
    """An export file: the tasks with annotations by place in the queue."""
    write_label_studio(session, folder / "tasks", overwrite=True)
    tasks = json.loads((folder / "tasks" / "tasks.json").read_text())
    for place, made in annotations.items():
        tasks[place]["annotations"] = made
    (folder / "export.json").write_text(json.dumps(tasks))
    return folder / "export.json", [task["data"]["labelproof_id"] for task in tasks]


def test_tasks_and_configuration(text_audit, session_of, tmp_path):
    folder, _ = text_audit
    session = session_of(folder, 30)
    assert write_label_studio(session, tmp_path / "out") == 30
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    rank = int(session.queue.rows[0])
    first = tasks[0]
    assert first["data"]["labelproof_id"] == session.candidates.table["id"][rank]
    assert first["data"]["text"].startswith("about")
    prediction = first["predictions"][0]
    suggested = session.candidates.classes[session.candidates.table["suggested_label"][rank]]
    assert prediction["result"][0]["value"]["choices"] == [suggested]
    assert prediction["score"] == pytest.approx(float(session.candidates.table["confidence"][rank]))
    config = ET.fromstring((tmp_path / "out" / "config.xml").read_text())
    choices = [choice.get("value") for choice in config.find("Choices[@name='label']")]
    assert choices == session.candidates.classes
    with pytest.raises(lp.BadInput, match="--overwrite"):
        write_label_studio(session, tmp_path / "out")
    session.decide("ann", rank, "keep", None, "uid-1")
    assert write_label_studio(session, tmp_path / "out", overwrite=True) == 29


def test_pictures_travel_inside_the_tasks(audit_of, session_of, tmp_path):
    write_label_studio(session_of(audit_of()[0], 5), tmp_path / "out")
    task = json.loads((tmp_path / "out" / "tasks.json").read_text())[0]
    assert task["data"]["picture"].startswith("data:image/png;base64,")
    assert "$picture" in (tmp_path / "out" / "config.xml").read_text()


def test_annotations_become_decisions(text_audit, session_of, tmp_path):
    folder, _ = text_audit
    session = session_of(folder, 30)
    cat, dog = session.candidates.classes[0], session.candidates.classes[1]
    file, ids = export(
        session,
        tmp_path,
        {
            0: [annotation(cat)],
            1: [annotation(cat, number=2), annotation(dog, by={"id": 7, "email": "bo@x.org"}, number=3)],
            2: [
                annotation(cat, at="2026-01-02T03:04:05Z", number=4),
                annotation(dog, at="2026-01-02T05:04:05+01:00", number=5),
            ],
            3: [annotation(doubt=NONE, number=6)],
            4: [annotation(cat, doubt=UNSURE, number=7)],
            5: [annotation(cat, number=8, was_cancelled=True)],
            6: [annotation(number=9)],
            7: [],
        },
    )
    done = read_label_studio(session, file)
    assert (done.recorded, done.known, done.empty) == (8, 0, 24)
    found = {(d.item, d.reviewer): d for d in session.decisions}
    one = "label-studio user 1"
    assert found[ids[0], one].label == cat
    assert found[ids[0], one].decided_at == "2026-01-02T03:04:05.678900+00:00"
    assert found[ids[0], one].seconds == 3.5
    assert found[ids[1], "bo@x.org"].label == dog
    assert found[ids[2], one].label == dog  # the later one, 04:04:05 in UTC
    assert [found[ids[i], one].action for i in (3, 4, 5)] == ["none", "unsure", "skip"]
    again = read_label_studio(session, file)
    assert (again.recorded, again.known) == (0, 8)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not readable JSON"),
        ("{}", "not a list of Label Studio tasks"),
        ('[{"id": 1, "text": "min"}]', "not a list of Label Studio tasks"),
        ('[{"id": 1, "data": {"labelproof_id": "q1"}}]', "another audit"),
        ({0: [annotation("bird")]}, "not one of the classes"),
        ({0: [annotation(["cat", "fish; fresh"])]}, "2 labels in one annotation"),
        ({0: [annotation("cat", at="yesterday")]}, "is not a time"),
        ({0: [annotation("cat", lead_time="long")]}, "not a number of seconds"),
        ({0: ["text"]}, "an annotation that is not valid"),
    ],
)
def test_bad_exports_record_nothing(text_audit, session_of, tmp_path, content, problem):
    session = session_of(text_audit[0], 30)
    if isinstance(content, str):
        (tmp_path / "export.json").write_text(content)
    else:
        export(session, tmp_path, {1: [annotation("cat")], **content})
    with pytest.raises(lp.BadInput, match=problem):
        read_label_studio(session, tmp_path / "export.json")
    assert session.decisions == []


@pytest.fixture
def label_studio(absent, tmp_path):
    """A real server on loopback, its data in a temporary folder, analytics off."""
    program = os.environ.get("LABELPROOF_LABEL_STUDIO")
    if not program or not Path(program).exists():
        absent("label-studio", "LABELPROOF_LABEL_STUDIO names no label-studio program")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "LABEL_STUDIO_BASE_DATA_DIR": str(tmp_path / "ls"),
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_HOST": f"http://127.0.0.1:{port}",
    }
    for name in ("OMP_NUM_THREADS", "DJANGO_SETTINGS_MODULE"):
        environment.pop(name, None)
    command = [
        str(program),
        "start",
        "--no-browser",
        "--port",
        str(port),
        "--internal-host",
        "127.0.0.1",
        "--username",
        "ann@x.org",
        "--password",
        "a-Long-password-1",
        "--user-token",
        TOKEN,
    ]
    with (tmp_path / "ls.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Token {TOKEN}"}, timeout=60)
    ends = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, (tmp_path / "ls.log").read_text()[-2000:]
        assert time.monotonic() < ends, (tmp_path / "ls.log").read_text()[-2000:]
        try:
            if client.get("/health").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    yield client
    os.killpg(process.pid, 9)
    process.wait()


def posted(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


@pytest.mark.slow
def test_the_round_trip_through_a_real_server(label_studio, text_audit, session_of, tmp_path):
    folder, true = text_audit
    session = session_of(folder, 12)
    assert write_label_studio(session, tmp_path / "out") == 12
    config = (tmp_path / "out" / "config.xml").read_text()
    project = posted(label_studio, "/api/projects", {"title": "round trip", "label_config": config, "maximum_annotations": 2})[
        "id"
    ]
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    made = posted(label_studio, f"/api/projects/{project}/import", tasks)
    assert (made["task_count"], made["prediction_count"]) == (12, 12)
    there = label_studio.get("/api/tasks", params={"project": project, "fields": "all", "page_size": 100}).json()["tasks"]
    by_id = {task["data"]["labelproof_id"]: task["id"] for task in there}
    truth = {f"q{i}": label for i, label in enumerate(true)}
    items = [task["data"]["labelproof_id"] for task in tasks]
    expected = {}
    for number, item in enumerate(items[:8]):
        body = {"result": annotation(truth[item])["result"], "lead_time": 1.25 + number}
        if number == 5:
            body = {"result": annotation(doubt=NONE)["result"], "lead_time": 2.0}
        if number == 6:
            body |= {"was_cancelled": True}
        answer = posted(label_studio, f"/api/tasks/{by_id[item]}/annotations/", body)
        expected[item] = (
            ["relabel", "none", "skip"][(number == 5) + 2 * (number == 6)],
            answer["updated_at"],
            body["lead_time"],
        )
    second = posted(
        label_studio,
        f"/api/tasks/{by_id[items[0]]}/annotations/",
        {"result": annotation(doubt=UNSURE)["result"], "lead_time": 9.0},
    )
    expected[items[0]] = ("unsure", second["updated_at"], 9.0)

    answer = label_studio.get(f"/api/projects/{project}/export", params={"exportType": "JSON", "download_all_tasks": "true"})
    assert answer.status_code == 200
    (tmp_path / "export.json").write_bytes(answer.content)
    done = read_label_studio(session, tmp_path / "export.json")
    assert (done.recorded, done.empty) == (9, 4)
    found = {d.item: d for d in session.decisions}
    assert set(found) == set(expected)
    for item, (action, when, seconds) in expected.items():
        decision = found[item]
        wanted = (
            action
            if action != "relabel" or truth[item] != session.candidates.part.given(session.candidates.ranks_of([item])[item])
            else "keep"
        )
        assert decision.action == wanted
        assert decision.label == (truth[item] if wanted in ("keep", "relabel") else None)
        assert decision.seconds == seconds
        assert decision.decided_at[:23] == when[:23]
        assert decision.reviewer in ("label-studio user 1", "ann@x.org")
    assert read_label_studio(session, tmp_path / "export.json").recorded == 0
