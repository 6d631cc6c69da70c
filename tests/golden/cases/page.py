"""The review page, asked over HTTP as its script does."""

from __future__ import annotations

import hashlib
import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import numpy as np
from keep import Keep, page_text
from PIL import Image

FRESH_SECONDS = 20.0


class Page:
    """``labelproof review`` in a process of its own; what is asked and answered is kept under a name.

    Parameters
    ----------
    keep : Keep
    name : str
    arguments : object
        Of the command.
    """

    def __init__(self, keep: Keep, name: str, *arguments: object) -> None:
        self.keep, self.name = keep, name
        self.log: list[dict[str, Any]] = []
        words = ["review", *map(str, arguments), "--no-browser", "--port", "0"]
        command = [sys.executable, "-c", "from labelproof.cli import main; main()", *words]
        self.printed = f"$ labelproof {' '.join(words)}\n"
        self.files = [Path(f"{name}.out"), Path(f"{name}.err")]  # a pipe could lose lines that come with the link
        with self.files[0].open("w") as out, self.files[1].open("w") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)
        while not (found := re.search(r"(http://[^/\s]+)/\?token=(\S+)\s", self.files[0].read_text())):
            if self.process.poll() is not None:
                raise RuntimeError(self.printed + "".join(file.read_text() for file in self.files))
            time.sleep(0.05)
        self.address, self.token = found.groups()
        self.people: dict[str, httpx.Client] = {}

    def __enter__(self) -> Page:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=60)
        ended = self.printed + "".join(file.read_text() for file in self.files) + f"[exit {status}]\n"
        self.keep.text(f"{self.name}.commands", re.sub(r"\n\s*\n", "\n", ended))
        self.keep.value(self.name, self.log)

    def enter(self, name: str) -> str:
        """A reviewer comes in by the link and says their name."""
        client = httpx.Client(base_url=self.address, headers={"origin": self.address}, timeout=60)
        page = client.get("/", params={"token": self.token})
        if not self.people:
            self.keep.text(f"{self.name}.page", page_text(page.text))
        self.people[name] = client
        self.ask(name, "POST", "reviewer", name=name)
        self.ask(name, "GET", "start")
        return name

    def ask(self, who: str, verb: str, what: str, **body: Any) -> Any:
        """A request and its answer."""
        answer = self.people[who].request(verb, f"/api/{what}", json=body or None)
        is_json = answer.headers["content-type"].startswith("application/json")
        own = answer.json() if is_json else _picture(answer.content, answer.headers["content-type"])
        asked = {k: v for k, v in body.items() if k not in ("uid", "audit")}
        self.log.append({"who": who, "asked": f"{verb} {what}", "body": asked, "status": answer.status_code, "answer": own})
        return own

    def decide(self, who: str, item: str, action: str, label: Any = None, **more: Any) -> Any:
        """A decision, its uid made of what is decided."""
        audit = self.people[who].get("/api/start").json()["fingerprint"]
        uid = hashlib.sha256(f"{self.name}{who}{item}{action}{label}{len(self.log)}".encode()).hexdigest()[:20]
        body = {"uid": uid, "audit": audit, "item": item, "action": action, "label": label, "seconds": 2.5, **more}
        return self.ask(who, "POST", "decide", **body)

    def figures(self, who: str) -> None:
        """The figures, when they have taken in the last decision."""
        ends = time.monotonic() + FRESH_SECONDS
        while not self.people[who].get("/api/figures").json()["fresh"] and time.monotonic() < ends:
            time.sleep(0.1)
        self.ask(who, "GET", "figures")
        self.ask(who, "GET", "classes")


def _picture(content: bytes, kind: str) -> dict[str, Any]:
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    return {"type": kind, "shape": pixels.shape, "mean": float(pixels.mean())}
