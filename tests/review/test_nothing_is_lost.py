"""Eight reviewers at once while the server is killed again and again: what was acknowledged is there, and nothing is twice."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter

import httpx
import numpy as np
import pytest

import labelproof as lp
from labelproof.review.candidates import open_candidates
from labelproof.review.log.store import Store

TOKEN = "a-token-for-tests-only-0123456789"
REVIEWERS, DECISIONS, KILLS = 8, 1200, 3


class Reviewer(threading.Thread):
    """Claims, decides and retries as the page does: the same uid until it is acknowledged."""

    def __init__(self, name, place, each):
        super().__init__()
        self.reviewer, self.place, self.each = name, place, each
        self.acknowledged: list[tuple[str, str]] = []
        self.http = httpx.Client(timeout=10)
        self.problems: list[str] = []

    def post(self, path, body):
        while True:
            try:
                address = self.place["address"]
                answer = self.http.post(f"{address}/api/{path}", json=body, headers={"origin": address})
                if answer.status_code == 200:
                    return answer.json()
                if answer.status_code == 403:
                    self.http.get(address, params={"token": TOKEN})
                elif answer.status_code == 409:
                    self.http.post(f"{address}/api/reviewer", json={"name": self.reviewer}, headers={"origin": address})
                else:
                    self.problems.append(f"{answer.status_code} {answer.text}")
                    return None
            except httpx.HTTPError:
                time.sleep(0.05)

    def run(self):
        rng = random.Random(self.reviewer)
        while len(self.acknowledged) < self.each:
            answer = self.post("next", {"count": 5})
            if answer is None or not answer["items"]:
                return
            for item in answer["items"]:
                if len(self.acknowledged) == self.each:
                    return
                uid = uuid.UUID(int=rng.getrandbits(128)).hex
                body = {"uid": uid, "audit": self.place["audit"], "item": item["id"], "action": "relabel", "seconds": 0.1}
                if self.post("decide", body | {"label": str(rng.randrange(10))}) is not None:
                    self.acknowledged.append((uid, item["id"]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_acknowledged_decision_is_in_the_store_once(kind, request, serve, tmp_path):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(10, 0.2), 3000)
    lp.audit(rng.integers(0, 10, 3000), probs).save(tmp_path / "audit")
    where = request.getfixturevalue("postgres_url") if kind == "postgres" else str(tmp_path / "audit.reviews.sqlite")
    options = ["--budget", 2500, *(["--database", where] if kind == "postgres" else [])]

    served = serve(tmp_path / "audit", *options, "--port", 0)
    fingerprint = open_candidates(tmp_path / "audit").fingerprint
    place = {"address": served.address, "audit": fingerprint}
    reviewers = [Reviewer(f"r{i}", place, DECISIONS // REVIEWERS) for i in range(REVIEWERS)]
    for reviewer in reviewers:
        reviewer.start()
    pause = random.Random(kind)
    kills = 0
    while any(reviewer.is_alive() for reviewer in reviewers):
        time.sleep(pause.uniform(0.4, 1.6))
        if kills < KILLS:
            served.kill()
            kills += 1
            served = serve(tmp_path / "audit", *options, "--port", served.port)
    for reviewer in reviewers:
        reviewer.join()
    assert kills == KILLS
    assert [problem for reviewer in reviewers for problem in reviewer.problems] == []
    store = Store(where)
    events = store.events(fingerprint)
    store.close()
    recorded = Counter(event["uid"] for event in events)
    acknowledged = [uid for reviewer in reviewers for uid, _ in reviewer.acknowledged]
    assert len(acknowledged) == DECISIONS
    assert set(acknowledged) <= set(recorded)
    assert max(recorded.values()) == 1
    assert len(recorded) == DECISIONS  # nothing that was not acknowledged in the end
    items = Counter(event["item"] for event in events)
    assert max(items.values()) == 1  # leases outlive the server: nobody was given another's item
