"""`labelproof simulate`, `demo` and `version`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from labelproof import __version__
from labelproof.cli import options as opt
from labelproof.cli.shared import TRY, app, out, print_files, words


@app.command(rich_help_panel=TRY)
def simulate(
    data: Annotated[Path, typer.Argument(help="Clean table (.csv .jsonl .parquet …).")],
    label: Annotated[str, typer.Option(help="Column of clean labels.")],
    noise: Annotated[str, typer.Option(help="symmetric, pair, instance (needs numeric columns), or numbers.")] = "symmetric",
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of labels to make wrong.")] = 0.2,
    target: Annotated[
        Path, typer.Option("--out", help="Table (.csv .tsv .parquet), or a file in the form of the input.")
    ] = Path("dirty.csv"),
    missing: opt.Missing = None,
    encoding: opt.Encoding = None,
    overwrite: opt.Overwrite = False,
    seed: opt.Seed = 0,
) -> None:
    """Add label noise to a clean table, to try an audit where the truth is known.

    The new table is a copy with noisy labels. Its last column, "<label>_clean", holds the clean ones.
    """
    from labelproof.experiments.simulate_table import NUMBERS, simulate_table

    changed, total = simulate_table(
        data, label, noise, rate, target, seed=seed, missing=words(missing), encoding=encoding, overwrite=overwrite
    )
    out.print(f"{changed:,} of {total:,} labels changed ({changed / total:.1%}). Written to [bold]{escape(str(target))}[/bold]")
    kind = f" --kind {NUMBERS}" if noise == NUMBERS else ""
    out.print(f"Next: [bold]labelproof audit {escape(str(target))} --label {escape(label)}{kind} --out audit/[/bold]")


@app.command(rich_help_panel=TRY)
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the findings.")] = Path("labelproof-demo"),
    overwrite: opt.Overwrite = False,
    seed: opt.Seed = 0,
) -> None:
    """See labelproof work: flip labels of scanned digits, find them, repair them, and compare."""
    from labelproof.experiments import demo as demonstration

    out.print("1,257 scanned digits; about 15 % of their labels become the next digit. Looking for them …")
    result = demonstration.run(folder, seed=seed, overwrite=overwrite)
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("flipped labels")
    table.add_column("count", justify="right")
    for name, count in (
        ("flipped", result.flipped),
        ("found", result.found),
        ("missed", result.missed),
        ("false alarms", result.false_alarms),
    ):
        table.add_row(name, f"{count:,}")
    out.print(table)
    rate = result.audit.error_rate
    truth = result.flipped / result.audit.n
    out.print(
        f"\nEstimated error rate [bold]{rate.estimate:.1%}[/bold] (95 % interval {rate.low:.1%} to {rate.high:.1%}); the truth is {truth:.1%}."
    )
    out.print("\nAccuracy on 540 clean test digits of logistic regression trained on")
    for name, value in (
        ("dirty labels", result.accuracy_dirty),
        ("repaired labels", result.accuracy_repaired),
        ("clean labels", result.accuracy_clean),
    ):
        out.print(f"  {name:<16} [bold]{value:.1%}[/bold]")
    print_files(folder)
    out.print("Next, on your own data: [bold]labelproof audit your.csv --label COLUMN --out audit/[/bold]")


@app.command(rich_help_panel=TRY)
def version() -> None:
    """Print the version."""
    out.print(f"labelproof {__version__}", highlight=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Proofread the labels of a data set: find the wrong ones, review and repair them, and train well in spite of them."""
