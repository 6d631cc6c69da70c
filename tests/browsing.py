"""Opening a file in a real browser, and what a reviewer does on the review page."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

SCREENSHOTS = os.environ.get("LABELPROOF_SCREENSHOTS")  # a folder: the pictures of the documentation are made here


def open_report(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> tuple[Any, list[str]]:
    """The page, and what it complained of or asked the network for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda r: problems.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.goto(path.as_uri())
    return page, problems


def until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait for an expression to be true; Playwright's own waiting is forbidden by the page's content security policy."""
    ends = time.monotonic() + 30
    while not _holds(page, expression, argument):
        assert time.monotonic() < ends, f"not within 30 s: {expression}"
        time.sleep(0.01)


def _holds(page: Any, expression: str, argument: Any) -> bool:
    try:
        return bool(page.evaluate(expression, argument))
    except Exception as error:
        loading = ("Execution context was destroyed", "Cannot read properties of null")  # the page is being loaded anew
        if any(words in str(error) for words in loading):
            return False
        raise


def shown_item(page: Any, not_this: str | None = None) -> str:
    """The id of the item on the review page, as soon as it is another than this one."""
    until(
        page, "before => { const id = document.getElementById('item-id').textContent; return id && id !== before; }", not_this
    )
    return str(page.locator("#item-id").inner_text())


def wait_until_saved(page: Any) -> None:
    """Wait until the server has acknowledged every decision."""
    until(page, "outbox.length === 0 && sending === null")


def decide_by_keyboard(page: Any, true: Any) -> str:
    """Answer one item as a person who knows would; its id."""
    item = shown_item(page)
    label = str(true[int(item)])
    if page.locator("#keep strong").inner_text() == label:
        page.keyboard.press("k")
    elif page.locator("#accept").count() and page.locator("#accept strong").inner_text() == label:
        page.keyboard.press("Enter")
    else:
        page.keyboard.press(label)
    shown_item(page, item)
    return item


def picture_of(page: Any, name: str, **options: Any) -> None:
    """Take a picture of the page for the documentation, where one is wanted."""
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), **options)


def barriers(page: Any) -> list[str]:
    """What axe-core calls serious or critical on a page, with the first element of each."""
    from axe_playwright_python.base import AXE_FILE_PATH

    page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")]
