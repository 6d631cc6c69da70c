"""The review page with a million findings: how fast it opens, how fast a decision is acknowledged, and the memory it takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import labelproof as lp
from _table import publish

FINDINGS, CLASSES, REVIEWERS, EACH = 1_000_000, 10, 8, 50
THINK_SECONDS = 0.5  # between two decisions of a reviewer: as fast as keys can be pressed
TOKEN = "a-token-for-benchmarks-0123456789"


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        rng = np.random.default_rng(0)
        x = rng.normal(0, 1, (FINDINGS, 12)).astype(np.float32)
        y = rng.integers(0, CLASSES, FINDINGS)
        np.save(work / "x.npy", x)
        np.save(work / "y.npy", y)
        probs = rng.dirichlet(np.full(CLASSES, 0.1), FINDINGS).astype(np.float32)
        probs[np.arange(FINDINGS), y] += 3
        probs /= probs.sum(axis=1, keepdims=True)
        lp.audit(lp.read_arrays(work / "x.npy", work / "y.npy"), probs).save(work / "audit")
        del x, probs
        places = {"SQLite": None, "PostgreSQL": os.environ.get("LABELPROOF_POSTGRES")}
        rows = [measured(work, name, url) for name, url in places.items() if name == "SQLite" or url]
    note = (
        f"{FINDINGS:,} findings with features, {REVIEWERS} reviewers who decide every {THINK_SECONDS} s, clients and server on "
        "the same cores. Acknowledged: from the request to the answer, on disk. Memory: highest resident, all shared libraries included."
    )
    publish("review_speed", rows, note)


def measured(work: Path, name: str, url: str | None) -> dict[str, Any]:
    """One row: start the page, open it in a browser, let eight reviewers work."""
    started = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "labelproof.cli",
        "review",
        str(work / "audit"),
        "--budget",
        "2000",
        "--port",
        "0",
        "--no-browser",
    ]
    command += [] if url is None else ["--database", url]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "LABELPROOF_TOKEN": TOKEN, "COLUMNS": "200"}
    )
    assert process.stdout is not None
    address = next(m.group(1) for line in process.stdout if (m := re.search(r"(http://[^/\s]+)/\?token", line)))
    ready = time.perf_counter() - started
    opened = page_opens(address)
    waits: list[float] = []
    nexts: list[float] = []
    threads = [threading.Thread(target=work_through, args=(address, f"r{i}", waits, nexts)) for i in range(REVIEWERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()).group(1)) / 1024  # type: ignore[union-attr]
    process.terminate()
    process.wait()
    return {
        "store": name,
        "start_s": ready,
        "page_opens_s": opened,
        "ack_median_ms": 1000 * float(np.median(waits)),
        "ack_99_ms": 1000 * float(np.quantile(waits, 0.99)),
        "next_median_ms": 1000 * float(np.median(nexts)),
        "decisions": len(waits),
        "memory_mb": peak,
    }


def page_opens(address: str) -> float:
    """Seconds from asking for the page to the first item on the screen, in headless Chromium; the second time, as a person reloads."""
    from playwright.sync_api import sync_playwright

    flags = (
        "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags.split())
        page = browser.new_page()
        page.goto(f"{address}/?token={TOKEN}")
        page.locator("#who-name").fill("browser")
        page.keyboard.press("Enter")
        page.locator("#keep").wait_for()
        started = time.perf_counter()
        page.reload()
        page.locator("#keep").wait_for()
        took = time.perf_counter() - started
        browser.close()
    return took


def work_through(address: str, name: str, waits: list[float], nexts: list[float]) -> None:
    """One reviewer: fetch, think, decide, and look at the figures now and then as the page does."""
    http = httpx.Client(base_url=address, headers={"origin": address}, timeout=60)
    http.get("/", params={"token": TOKEN})
    http.post("/api/reviewer", json={"name": name})
    audit = http.get("/api/start").json()["fingerprint"]
    rng = np.random.default_rng(int(name[1:]))
    for _ in range(EACH):
        began = time.perf_counter()
        item = http.post("/api/next", json={"count": 5}).json()["items"][0]
        nexts.append(time.perf_counter() - began)
        time.sleep(THINK_SECONDS * (0.5 + float(rng.random())))
        body = {
            "uid": uuid.uuid4().hex,
            "audit": audit,
            "item": item["id"],
            "action": "relabel",
            "label": str(rng.integers(CLASSES)),
            "seconds": 1.0,
        }
        began = time.perf_counter()
        answer = http.post("/api/decide", content=json.dumps(body), headers={"content-type": "application/json"})
        waits.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        http.get("/api/figures")


if __name__ == "__main__":
    main()
