"""The bar: it waits, shows what it is told anew after each item, and draws nothing where nobody looks."""

from __future__ import annotations

import io

from rich.console import Console

from labelproof import progress


def test_it_says_what_it_is_told_after_each_item(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    asked: list[int] = []
    assert list(progress.track(range(5), lambda: asked.append(1) or f"loss {len(asked)}.5", console=console)) == [0, 1, 2, 3, 4]
    assert len(asked) == 6  # at first, and after each item
    assert "loss 1.5" in screen.getvalue()
    assert "5/5" in screen.getvalue() or "4/5" in screen.getvalue()


def test_it_is_silent_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    screen = io.StringIO()
    assert list(progress.track([1, 2], "counting", console=Console(file=screen))) == [1, 2]
    assert screen.getvalue() == ""
