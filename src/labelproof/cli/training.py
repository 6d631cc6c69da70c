"""`labelproof train`, `predict` and `methods`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from labelproof.cli import options as opt
from labelproof.cli.shared import TRAIN, app, out, print_rows, running_beside, source_of, words
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.auditing.findings import Audit
    from labelproof.data.dataset import Dataset
    from labelproof.data.readers.base import ReadOptions
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier


@app.command(rich_help_panel=TRAIN)
def train(
    data: opt.Data = None,
    label: opt.Label = None,
    text: opt.Text = None,
    image: opt.Image = None,
    images: opt.Images = None,
    sheet: opt.Sheet = None,
    sql: opt.Sql = None,
    query: opt.Query = None,
    id_: opt.Id = None,
    labels: opt.Labels = None,
    features: opt.Features = None,
    embeddings: opt.Embeddings = None,
    ignore: opt.Ignore = None,
    keep: opt.Keep = None,
    missing: opt.Missing = None,
    encoding: opt.Encoding = None,
    method: Annotated[str, typer.Option(help="How to train; see labelproof methods.")] = "elr",
    option: Annotated[list[str] | None, typer.Option(help="Option of the method as name=value; may be repeated.")] = None,
    backbone: Annotated[str, typer.Option(help="auto, mlp, convnet, resnet18, two-stage-convnet or fcn-vgg16.")] = "auto",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1)] = 128,
    learning_rate: Annotated[float, typer.Option(help="Highest rate of the schedule.")] = 3e-3,
    augment: Annotated[
        str,
        typer.Option(help="Augmentation of pictures: auto, affine (for a few hundred pictures), its strength, or none."),
    ] = "auto",
    validation: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the items kept for validation.")] = 0.1,
    patience: Annotated[int | None, typer.Option(min=1, help="Stop after this many epochs without improvement.")] = None,
    reviews: Annotated[
        Path | None,
        typer.Option(help="Verified labels: a reviewed audit folder, or a table with the columns id and label."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Where the reviews of the audit folder are kept. Default: FOLDER.reviews.sqlite.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Devices that train in parallel.")] = 1,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    logger: Annotated[str | None, typer.Option(help="Log every epoch: csv or tensorboard.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the model.")] = Path("model"),
    overwrite: opt.Overwrite = False,
    seed: opt.Seed = 0,
) -> None:
    """Train a model on noisy labels, and list the labels that training found wrong.

    The same command resumes after an interruption.

    [bold]labelproof train reviews.csv --label sentiment --text body --method joint-optimization --out model/[/bold]
    """
    from labelproof.auditing.dynamics import audit_dynamics
    from labelproof.data.readers.base import ReadOptions
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
    from labelproof.review.exchange.verified import read_verified, with_verified
    from labelproof.saving.folders import atomic_folder, claim_running, remove_running

    running = running_beside(folder)
    with atomic_folder(folder, overwrite=overwrite) as partial:
        options = ReadOptions(
            label=label, text=text, image=image, id=id_, embeddings=embeddings, ignore=ignore or (), keep=keep or (),
            missing=words(missing), encoding=encoding, images=images, sheet=sheet, query=query,
        )  # fmt: skip
        dataset = _dataset(source_of(data, sql), labels, features, options)
        for leak in dataset.leaks:
            out.print(f"[yellow]note:[/yellow] {escape(leak.text)}", highlight=False)
        dataset, verified = with_verified(dataset, {} if reviews is None else read_verified(reviews, database))
        claim_running(running)
        model = NoisyLabelClassifier(
            method, method_options=_options(option), backbone=backbone, epochs=epochs, batch_size=batch_size,
            learning_rate=learning_rate, augment=_augment(augment), validation_fraction=validation, patience=patience, random_state=seed,
            accelerator=accelerator, devices=devices, precision=precision, checkpoints=running, logger=logger,
        )  # fmt: skip
        model.fit(dataset, verified=verified if reviews is not None else None)
        seen = model.history_index_
        found = audit_dynamics(
            model.history_, dataset.given_names[seen], classes=dataset.classes, ids=dataset.ids[seen],
            reviews=[name if yes else None for name, yes in zip(dataset.given_names[seen], verified[seen], strict=True)]
            if verified.any() else None,
        )  # fmt: skip
        model.write_into(partial)
        found.issues.drop("index").write_parquet(partial / "issues.parquet")
        if logger is not None:
            _keep_logs(running, partial)
    remove_running(running)
    _print_trained(model, found, folder)


def _dataset(data: Path | str | None, labels: Path | None, features: Path | None, options: ReadOptions) -> Dataset:
    from labelproof.data.readers import open_reader
    from labelproof.data.readers.arrays import read_arrays

    if data is not None:
        if labels is not None or features is not None:
            raise BadInput("--labels and --features are a data set of their own. Remove the file or folder.")
        return open_reader(data, options).read()
    if labels is None or features is None:
        raise BadInput("There is nothing to train on. Name a table or an image folder, or give --features with --labels.")
    return read_arrays(features, labels, missing=options.missing)


def _options(given: list[str] | None) -> dict[str, object] | None:
    """``name=value`` with values as JSON where they are that, text otherwise."""
    import json

    found: dict[str, object] = {}
    for pair in given or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise BadInput(f"--option {pair!r} has no '='. Write it as name=value.")
        try:
            found[name.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            found[name.replace("-", "_")] = value
    return found or None


def _augment(given: str) -> str | float | None:
    """``none``, a number, or a name."""
    if given == "none":
        return None
    try:
        return float(given)
    except ValueError:
        return given


def _keep_logs(running: Path, partial: Path) -> None:
    from labelproof.saving.folders import LOG_FOLDER

    shutil.copytree(running / LOG_FOLDER, partial / LOG_FOLDER)


def _print_trained(model: NoisyLabelClassifier, found: Audit, folder: Path) -> None:
    rate, counts = found.error_rate, found.counts
    out.print(
        f"\nTrained with [bold]{model.method}[/bold] on {model.history_.n:,} items. Judged by the course of training, "
        f"[bold]{rate.estimate:.1%}[/bold] of their labels look wrong: [bold red]{counts['obvious']:,} obvious[/bold red], "
        f"[yellow]{counts['possible']:,} possible[/yellow].\n"
        "[dim]A training history ranks labels. For a calibrated error rate with an interval: labelproof audit.[/dim]"
    )
    columns = ("id", "given_label", "suggested_label", "error_probability", "verdict")
    print_rows(columns, [[row[c] for c in columns] for row in found.issues.head(5).iter_rows(named=True)])
    place = escape(str(folder))
    out.print(f"\nModel: [bold]{place}[/bold]   Labels: [bold]{escape(str(folder / 'issues.parquet'))}[/bold]")
    out.print(f"Next: [bold]labelproof predict {place} new.csv --out predictions.csv[/bold]")


@app.command(rich_help_panel=TRAIN)
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by labelproof train.")],
    data: Annotated[
        Path | None, typer.Argument(help="New items in the form of the training data; labels are not needed.")
    ] = None,
    target: Annotated[Path, typer.Option("--out", help="Table to write (.csv .tsv .parquet).")] = Path("predictions.parquet"),
    sure: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Predictions below this probability are marked as unknown.")
    ] = 0.5,
    encoding: opt.Encoding = None,
    sheet: opt.Sheet = None,
    sql: opt.Sql = None,
    query: opt.Query = None,
    overwrite: opt.Overwrite = False,
) -> None:
    """Predict labels with probability and entropy, and mark what the model does not know.

    [bold]labelproof predict model/ new.csv --out predictions.parquet[/bold]
    """
    from labelproof.data.frames import write_frame
    from labelproof.data.readers import for_new, reader_of
    from labelproof.data.readers.base import ReadOptions
    from labelproof.data.targets import check_table_target
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
    from labelproof.estimators.noisy_label_classifier.predictions import prediction_table

    source = source_of(data, sql)
    if source is None:
        raise BadInput("There is nothing to predict. Name a file or folder, or give --sql with --query.")
    check_table_target(target, overwrite=overwrite, source=source)
    trained = NoisyLabelClassifier.load(model)
    reader = reader_of(trained.source_)
    if reader is None:
        raise BadInput("The model was trained on arrays, not on a file, and cannot read one. Use it from Python.")
    reader, place = for_new(reader, source, ReadOptions(sheet=sheet, query=query))
    x, ids = reader.read_new(place, encoding=encoding, projection=trained.projection_)
    table = prediction_table(trained, x, ids, sure=sure)
    write_frame(table, target)
    unknown = int(table["dont_know"].sum())
    if len(trained.classes_) == 2 and sure <= 0.5:
        out.print(
            "[dim]Of two classes one always has a probability of 0.5 or more. To mark unsure predictions: --sure 0.8.[/dim]"
        )
    columns = ("id", "prediction", "probability", "entropy")
    out.print(f"{table.height:,} items; the model does not know {unknown:,} of them ({unknown / table.height:.1%}).")
    print_rows(columns, [[row[0], row[1], row[2], f"{row[3]:.2f}"] for row in table.select(columns).head(5).iter_rows()])
    out.print(f"\nWritten to [bold]{escape(str(target))}[/bold]")


@app.command(rich_help_panel=TRAIN)
def methods() -> None:
    """List the training methods: purpose, needs and cost."""
    from labelproof.methods import METHODS

    table = Table(box=None, header_style="dim", pad_edge=False, expand=out.width <= 100)
    for name, share in (("method", None), ("purpose", 5), ("needs", 3), ("cost", 2)):
        table.add_column(name, ratio=share, no_wrap=share is None)
    for name, kind in METHODS.items():
        table.add_row(f"[bold]{name}[/bold]", kind.purpose, kind.needs, kind.cost)
    out.print(table)
    out.print(
        "\nCost is in training steps of one plain network. Rank pruning of any scikit-learn model: labelproof.RankPruning."
    )
