"""`labelproof reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from labelproof.cli.shared import TRY, app, out
from labelproof.errors import BadInput


@app.command(rich_help_panel=TRY)
def reproduce(
    name: Annotated[str, typer.Argument(help="memorization, methods-benchmark, cifar10n …")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for NAME.json and NAME.png.")] = Path("results"),
    data: Annotated[
        Path | None,
        typer.Option(envvar="LABELPROOF_DATA", help="Folder of real data; studies that need it are skipped without."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", "--runs", min=1, help="Repetitions.")] = 3,
    rows: Annotated[list[str] | None, typer.Option(help="Only this row of a table; may be repeated.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs instead of those of the study.")] = None,
    filters: Annotated[
        str | None, typer.Option(help="Filters of each convolution instead of those of the study, e.g. 32,64.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small version, to try the command.")] = False,
) -> None:
    """Run a study again. An interrupted run resumes: rows in NAME.json are not measured twice.

    [bold]labelproof reproduce memorization --out results/[/bold]
    """
    from labelproof.experiments import run_experiment

    chosen = (("rows", rows), ("epochs", epochs), ("filters", filters and _numbers(filters)))
    parts = {part: value for part, value in chosen if value}
    record = run_experiment(name, folder, data=data, seeds=seeds, quick=quick, **parts)
    out.print(record.table())
    for note in record.skipped:
        out.print(f"[yellow]{escape(note)}[/yellow]")
    out.print(f"\nWritten to [bold]{escape(str(record.path))}[/bold]")


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise BadInput(f"--filters is {text!r}. Give whole numbers from 1 with commas between, as 32,64.")
    return tuple(int(part) for part in parts)
