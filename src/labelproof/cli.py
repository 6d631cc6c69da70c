"""The commands: thin; parse, call, print.

Heavy imports stand inside the commands, so that ``labelproof --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labelproof import __version__
from labelproof.errors import BadInput, LabelproofError

if TYPE_CHECKING:
    from labelproof.auditing.findings import Audit
    from labelproof.data.dataset import Dataset

app = typer.Typer(
    help="Proof-read the labels of a data set: find the wrong ones, see how they go wrong, repair them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that is already there.")]
Seed = Annotated[int, typer.Option(help="Random seed: the same seed gives the same result.")]


@app.command("audit")
def audit_command(
    data: Annotated[
        Path | None, typer.Argument(help="Table (.csv .tsv .parquet), picture manifest, or folder of class folders.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of given labels.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of text to learn from.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of picture paths (a manifest).")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column of unique names; row numbers otherwise.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Given labels as .npy.")] = None,
    pred_probs: Annotated[
        Path | None,
        typer.Option(help="Ready-made out-of-sample probabilities (n, k): .npy, .parquet, or a folder of .parquet."),
    ] = None,
    tags: Annotated[Path | None, typer.Option(help="Given tags (n, k) of 0/1 as .npy, with --pred-probs.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Features (n, d) or pictures (n, h, w) as .npy, or FILE.npz:NAME.")
    ] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Embeddings of the pictures (n, d), in order of their paths.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class of each probability column, comma-separated.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    ray: Annotated[str | None, typer.Option(help="Run on a Ray cluster: host:port of its head, or local.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the findings.")] = Path("audit"),
    overwrite: Overwrite = False,
    seed: Seed = 0,
) -> None:
    """Find the wrong labels of a data set, ranked, with a report.

    [bold]labelproof audit reviews.csv --label sentiment --text body --out audit/[/bold]
    """
    from labelproof.data.files import atomic_folder
    from labelproof.report.html import write_report

    with atomic_folder(folder, overwrite=overwrite) as partial:
        options = {"label": label, "text": text, "image": image, "id_": id_, "embeddings": embeddings}
        names = None if classes is None else [name.strip() for name in classes.split(",")]
        if tags is not None:
            _audit_tags(tags, pred_probs, names, partial, folder)
            return
        found = _audit(data, options, labels, pred_probs, features, names, folds, ray, seed)
        found.write_into(partial)
        write_report(found, partial / "report.html", title=f"Label audit of {(data or labels or folder).name}")
    _print_audit(found, folder)


def _audit(
    data: Path | None,
    options: dict[str, Any],
    labels: Path | None,
    pred_probs: Path | None,
    features: Path | None,
    classes: list[str] | None,
    folds: int,
    ray: str | None,
    seed: int,
) -> Audit:
    from labelproof.auditing.audit import audit
    from labelproof.auditing.out_of_sample import out_of_sample_probs
    from labelproof.auditing.sources import Ordered, open_source
    from labelproof.data.arrays import from_file, read_arrays

    if data is None and labels is None:
        raise BadInput("nothing to audit. Name a table or an image folder, or give --labels with --pred-probs or --features.")
    if data is not None and (labels is not None or features is not None):
        raise BadInput("--labels and --features stand for a data set of their own: leave out the file or folder.")
    if ray is not None:
        from labelproof.distributed import audit_on_ray, connect, ray_map

        connect(ray)
    if data is None and features is None:
        if pred_probs is None:
            raise BadInput("--labels alone is not enough. Add --pred-probs or --features.")
        given = from_file(labels, "labels")
        run = audit if ray is None else audit_on_ray
        return run(given, _probs(pred_probs), classes=_as_labels(classes))
    dataset = read_arrays(features, labels, classes=_as_labels(classes)) if data is None else _read(data, **options)
    if pred_probs is None:
        made = out_of_sample_probs(dataset, n_folds=folds, seed=seed, map_folds=map if ray is None else ray_map)
        return audit(dataset, made)
    source = open_source(_probs(pred_probs))
    return audit(dataset, source if classes is None else Ordered(source, _class_order(classes, dataset)))


def _probs(path: Path) -> Any:
    """Probabilities by path, or the array behind FILE.npz:NAME."""
    from labelproof.data.arrays import from_file

    return from_file(path, "--pred-probs") if ".npz" in path.name else path


def _audit_tags(tags: Path, pred_probs: Path | None, names: list[str] | None, partial: Path, folder: Path) -> None:
    from labelproof.auditing.tags import audit_tags
    from labelproof.data.arrays import from_file

    if pred_probs is None:
        raise BadInput("--tags needs --pred-probs, the out-of-sample probability of each tag as .npy.")
    found = audit_tags(from_file(tags, "--tags"), from_file(pred_probs, "--pred-probs"), names=names)
    found.write_into(partial)
    rate, kinds = (
        found.error_rate,
        dict(found.issues.filter(found.issues["verdict"] != "ok")["kind"].value_counts().iter_rows()),
    )
    out.print(
        f"\n[bold]{rate.estimate:.1%}[/bold] of {found.tags.size:,} entries look wrong "
        f"(95 % interval {rate.low:.1%} to {rate.high:.1%}): "
        f"{kinds.get('missing', 0):,} tags missing, {kinds.get('incorrect', 0):,} incorrect."
    )
    columns = ("id", "tag", "kind", "error_probability", "verdict")
    _print_rows(columns, [[row[c] for c in columns] for row in found.issues.head(8).iter_rows(named=True)])
    out.print(f"\nFindings: [bold]{escape(str(folder / 'issues.parquet'))}[/bold]")


def _as_labels(classes: list[str] | None) -> list[Any] | None:
    return [int(c) for c in classes] if classes is not None and all(c.lstrip("-").isdigit() for c in classes) else classes


def _class_order(classes: list[str], dataset: Dataset) -> list[int]:
    """The order that sorts the named columns as the data set's classes are."""
    known = [str(c) for c in dataset.classes]
    if sorted(classes) != sorted(known):
        raise BadInput(f"--classes is {', '.join(classes)} but the labels have {', '.join(known)}. Name each class once.")
    return [classes.index(name) for name in known]


def _read(
    data: Path, label: str | None, text: str | None, image: str | None, id_: str | None, embeddings: Path | None
) -> Dataset:
    from labelproof.data.images import read_images
    from labelproof.data.table import read_table
    from labelproof.data.text import read_text

    if data.is_dir() or image is not None:
        return read_images(data, label=label, image=image, id=id_, embeddings=embeddings)
    if label is None:
        from labelproof.data.files import existing

        existing(data, "file")
        raise BadInput(f"--label is missing: which column of {str(data)!r} holds the labels?")
    return read_table(data, label, id=id_) if text is None else read_text(data, label, text, id=id_)


def _print_audit(found: Audit, folder: Path) -> None:
    rate, counts = found.error_rate, found.counts
    out.print(
        f"\n[bold]{rate.estimate:.1%}[/bold] of {found.issues.height:,} labels look wrong "
        f"(95 % interval {rate.low:.1%} to {rate.high:.1%}): "
        f"[bold red]{counts['obvious']:,} obvious[/bold red], [yellow]{counts['possible']:,} possible[/yellow]."
    )
    if found.skipped:
        out.print(
            f"[yellow]{len(found.skipped):,} items could not be read[/yellow] and are listed in summary.json, e.g. {escape(found.skipped[0][0])}."
        )
    if found.n > found.issues.height:
        out.print(f"{found.n - found.issues.height:,} items have no label and were not audited.")
    columns = ("id", "given_label", "suggested_label", "error_probability", "verdict")
    _print_rows(columns, [[row[c] for c in columns] for row in found.issues.head(8).iter_rows(named=True)])
    out.print(
        f"\nFindings: [bold]{escape(str(folder / 'issues.parquet'))}[/bold]   Report: [bold]{escape(str(folder / 'report.html'))}[/bold]"
    )


def _print_rows(columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    """The head of a table of issues, as a user reads it."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in columns:
        heading = {"error_probability": "wrong"}.get(name, name.removesuffix("_label"))
        table.add_column(heading, max_width=40, overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{cell:.1%}" if isinstance(cell, float) else escape(str(cell)) for cell in row))
    out.print(table)


@app.command()
def simulate(
    data: Annotated[Path, typer.Argument(help="Clean table (.csv .tsv .parquet).")],
    label: Annotated[str, typer.Option(help="Column of clean labels.")],
    noise: Annotated[str, typer.Option(help="symmetric, pair, or instance (needs numeric columns).")] = "symmetric",
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of labels that go wrong.")] = 0.2,
    target: Annotated[Path, typer.Option("--out", help="Table to write (.csv .tsv .parquet).")] = Path("dirty.csv"),
    overwrite: Overwrite = False,
    seed: Seed = 0,
) -> None:
    """Make clean labels dirty, to try an audit where the truth is known.

    The new table has the columns of the old one with noisy labels, and "<label>_clean" with the old ones.
    """
    from labelproof.experiments.simulate_table import simulate_table

    changed, total = simulate_table(data, label, noise, rate, target, seed=seed, overwrite=overwrite)
    out.print(f"{changed:,} of {total:,} labels changed ({changed / total:.1%}). Written to [bold]{escape(str(target))}[/bold]")
    out.print(f"Next: [bold]labelproof audit {escape(str(target))} --label {escape(label)} --out audit/[/bold]")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the findings.")] = Path("labelproof-demo"),
    overwrite: Overwrite = False,
    seed: Seed = 0,
) -> None:
    """See it work: flip labels of scanned digits, find them, repair them, and compare."""
    from labelproof.experiments import demo as demonstration

    out.print("1,257 scanned digits; about 15 % of their labels are turned into the next digit. Looking for them …")
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
    out.print("\nAccuracy on 540 clean test digits of gradient boosting trained on")
    for name, value in (
        ("dirty labels", result.accuracy_dirty),
        ("repaired labels", result.accuracy_repaired),
        ("clean labels", result.accuracy_clean),
    ):
        out.print(f"  {name:<16} [bold]{value:.1%}[/bold]")
    out.print(
        f"\nReport: [bold]{escape(str(folder / 'report.html'))}[/bold]   Findings: [bold]{escape(str(folder / 'issues.parquet'))}[/bold]"
    )
    out.print("Next, on your own data: [bold]labelproof audit your.csv --label COLUMN --out audit/[/bold]")


@app.command()
def version() -> None:
    """Print the version."""
    out.print(f"labelproof {__version__}", highlight=False)


def main() -> None:
    """Run a command; bad input exits 2 with one message, the unexpected exits 1 and says how to report it."""
    try:
        app(standalone_mode=True)
    except LabelproofError as error:
        err.print(f"[bold red]error:[/bold red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("stopped; nothing was written")
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


if __name__ == "__main__":
    main()
