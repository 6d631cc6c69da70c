"""`labelproof cache`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from labelproof.cli.shared import TRY, app, out


@app.command(rich_help_panel=TRY)
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove the cached features.")] = False,
) -> None:
    """Show the cache of encoded texts and pictures, or clear it.

    [bold]LABELPROOF_CACHE[/bold] sets its folder and [bold]LABELPROOF_CACHE_GB[/bold] its limit (4 GB by default; 0 caches nothing).
    """
    from labelproof.networks.encoders import cache as features

    found, place = features.kept(), escape(str(features.folder()))
    size = sum(one.size for one in found) / 1e6
    if clear:
        features.clear()
        out.print(f"Removed {size:,.0f} MB of features from [bold]{place}[/bold].")
        return
    out.print(f"[bold]{place}[/bold] holds {size:,.0f} MB of features; the limit is {features.limit() / 1e6:,.0f} MB.")
    if found:
        table = Table(box=None, header_style="dim", pad_edge=False)
        for name in ("encoder", "items", "MB", "last used"):
            table.add_column(name, justify="left" if name in ("encoder", "last used") else "right")
        for one in found:
            day = datetime.fromtimestamp(one.used).strftime("%Y-%m-%d")
            table.add_row(escape(one.name), f"{one.items:,}", f"{one.size / 1e6:,.1f}", day)
        out.print(table)
        out.print("Remove them with [bold]labelproof cache --clear[/bold].")
