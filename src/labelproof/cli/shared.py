"""The application that the commands register with, and what they share: options, consoles, how errors end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from labelproof.errors import BadInput, LabelproofError, LabelproofWarning
from labelproof.extras import needed_by

CONTROL = dict.fromkeys([*range(32), *range(127, 160), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
FIND, TRAIN, TRY = "Find and repair wrong labels", "Train and predict", "Try and look up"  # sections of the help
RIGHT = ("wrong", "probability", "entropy")  # columns of numbers
PRINTED = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in CONTROL if chr(code) not in "\n\t"}


class SafeConsole(Console):
    """A console that prints the control characters of a text as ``\\x1b`` and the like.

    Ids, labels and file names are a stranger's: as they are they could rewrite the screen, or worse.
    """

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """Every text on its way to the terminal, styles apart."""
        return super()._render_buffer(
            [part if part.control else Segment(part.text.translate(PRINTED), part.style) for part in buffer]
        )


app = typer.Typer(
    help="Proofread the labels of a data set: find the wrong ones, review and repair them, and train well in spite of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = SafeConsole()
err = SafeConsole(stderr=True)


def source_of(data: Path | None, sql: str | None) -> Path | str | None:
    """What is read: a path, or the URL of a database."""
    if sql is not None and data is not None:
        raise BadInput("--sql takes the place of a file. Give one of the two.")
    return data if sql is None else sql


def words(given: str | None) -> list[str] | None:
    """The comma-separated values of an option."""
    return None if given is None else [word.strip() for word in given.split(",") if word.strip()]


def running_beside(model: Path) -> Path:
    """Where a training keeps its checkpoints until the model is whole; the same command resumes from there."""
    return model.resolve().with_name(f"{model.resolve().name}.training")


def print_rows(columns: tuple[str, ...], rows: list[list[object]]) -> None:
    """The head of a table of issues, as a user reads it."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in columns:
        heading = {"error_probability": "wrong"}.get(name, name.removesuffix("_label"))
        justify: Literal["right", "left"] = "right" if heading in RIGHT else "left"
        table.add_column(heading, max_width=40, overflow="ellipsis", no_wrap=True, justify=justify)
    for row in rows:
        table.add_row(*(f"{cell:.1%}" if isinstance(cell, float) else escape(str(cell)) for cell in row))
    out.print(table)


def print_files(folder: Path) -> None:
    """Where the findings of an audit are."""
    report, issues = (escape(str(folder / name)) for name in ("report.html", "issues.parquet"))
    out.print(f"\nReport: [bold]{report}[/bold]   Findings: [bold]{issues}[/bold]")


def print_warning(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
    """Print a note of ours about the data in one line; warnings of libraries are not shown."""
    if issubclass(category, LabelproofWarning) and category.__name__ != "DoubtWarning":  # doubts stand with the figures
        err.print(f"[yellow]note:[/yellow] {escape(str(message))}", soft_wrap=True, highlight=False)


def main() -> None:
    """Run a command; bad input exits 2 with one message, the unexpected exits 1 and says how to report it."""
    try:
        with warnings.catch_warnings(), needed_by(" ".join(["labelproof", *sys.argv[1:2]])):
            warnings.simplefilter("always", LabelproofWarning)
            warnings.showwarning = print_warning
            app(standalone_mode=True)
    except LabelproofError as error:
        err.print(f"[bold red]error:[/bold red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("stopped; no result was written")
        sys.exit(130)
    except Exception as error:
        err.print(
            f"[bold red]unexpected {type(error).__name__}:[/bold red] {escape(str(error))}\n"
            "This is a defect of labelproof. Please report it with the command you typed and the lines below.",
            soft_wrap=True,
            highlight=False,
        )
        import traceback

        frames = traceback.extract_tb(error.__traceback__)[-3:]
        err.print("\n".join(f"  {Path(f.filename).name}:{f.lineno} {f.name}" for f in frames), highlight=False)
        sys.exit(1)
