"""`labelproof audit`."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from labelproof.cli import options as opt
from labelproof.cli.shared import FIND, app, out, print_files, print_rows, source_of, words
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.auditing.findings import Audit
    from labelproof.data.dataset import Dataset
    from labelproof.data.readers.base import ReadOptions
    from labelproof.validation import Json

PREDICTIONS, CELLS = "Predictions of a model of your own", "Single cells"  # sections of the help


def audited(
    data: opt.Data = None,
    label: opt.Label = None,
    text: opt.Text = None,
    image: opt.Image = None,
    images: opt.Images = None,
    sheet: opt.Sheet = None,
    sql: opt.Sql = None,
    query: opt.Query = None,
    id_: opt.Id = None,
    item: opt.Item = None,
    annotator: opt.Annotator = None,
    labels: opt.Labels = None,
    kind: opt.Kind = None,
    pred_probs: Annotated[
        Path | None,
        typer.Option(
            "--pred-probs",
            "--predictions",
            help="Out-of-sample predictions: class probabilities (n, k), or numbers (n,), as .npy, .parquet or a folder of .parquet. For boxes: "
            "COCO results, a table or text files of detections. For masks: (n, k, h, w) as .npy, or a folder of .npy.",
            rich_help_panel=PREDICTIONS,
        ),
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(
            help="Given tags (n, k) of 0 and 1 as .npy, with --pred-probs. The review shows --features.",
            rich_help_panel=PREDICTIONS,
        ),
    ] = None,
    features: opt.Features = None,
    embeddings: opt.Embeddings = None,
    ignore: opt.Ignore = None,
    keep: opt.Keep = None,
    missing: opt.Missing = None,
    encoding: opt.Encoding = None,
    void: opt.Void = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Class of each probability column (for masks: of each pixel value), comma-separated.",
            rich_help_panel=PREDICTIONS,
        ),
    ] = None,
    encoder: opt.Encoder = "auto",
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.", rich_help_panel=opt.MODEL)] = 5,
    repeats: Annotated[
        int, typer.Option(min=1, help="Cross-validations with different folds, averaged.", rich_help_panel=opt.MODEL)
    ] = 1,
    group: opt.Group = None,
    blocked: opt.Blocked = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Folds to fit in parallel; -1: one per core. Default: 1, or one per core for many sentences.",
            rich_help_panel=opt.MODEL,
        ),
    ] = None,
    ray: Annotated[str | None, typer.Option(help="Run on a Ray cluster: host:port of its head, or local.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="For cells: layer of the counts. Default: X.", rich_help_panel=CELLS)
    ] = None,
    unlabeled: Annotated[
        str | None, typer.Option(help="For cells: annotation that means unlabelled.", rich_help_panel=CELLS)
    ] = None,
    batch_key: Annotated[
        str | None, typer.Option(help="For cells, with --model mislabeled-vae: column of the batch.", rich_help_panel=CELLS)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="For cells: mislabeled-vae, a generative model for few labels. Default: logistic regression.",
            rich_help_panel=CELLS,
        ),
    ] = None,
    neighbours: Annotated[
        bool | None,
        typer.Option(
            "--neighbours/--no-neighbours",
            help="Find duplicates, outliers, and labels that differ from all their neighbours'. Default: if quick.",
        ),
    ] = None,
    seed: opt.Seed = 0,
    into: Path | None = None,
) -> Any:
    """Make the `Audit` that the options of ``labelproof audit`` describe; every command that makes one has these options.

    An audit that does not fit into memory is written into the folder ``into``.
    """
    from labelproof.auditing.folds import CrossValidation
    from labelproof.data.readers.base import ReadOptions

    _check_cells(data, layer=layer, unlabeled=unlabeled, batch_key=batch_key, model=model)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    if names is not None and "" in names:
        raise BadInput(f"--classes is {classes!r}: name {names.index('') + 1} is empty. Name every column.")
    options = ReadOptions(
        label=label, text=text, image=image, id=id_, embeddings=embeddings, ignore=ignore or (), keep=keep or (),
        missing=words(missing), encoding=encoding, layer=layer, unlabeled_category=unlabeled,
        images=images, sheet=sheet, query=query, group=group, item=item, annotator=annotator,
        label_kind=kind, classes=names, void=_values(void),
    )  # fmt: skip
    if tags is not None:
        _check_tags_alone(
            data=data, sql=sql, labels=labels, label=label, text=text, image=image, id=id_, embeddings=embeddings,
            ignore=ignore, keep=keep, missing=missing, encoding=encoding, images=images, sheet=sheet, query=query,
            group=group, item=item, annotator=annotator, kind=kind, void=void, ray=ray, neighbours=neighbours,
            blocked=blocked or None, encoder=None if encoder == "auto" else encoder,
        )  # fmt: skip
        return _audit_tags(tags, pred_probs, features, names)
    if model is not None and data is not None:
        return _audit_cells(data, options, batch_key, seed)
    how = {**vars(CrossValidation(folds, repeats, jobs, seed)), "blocked": blocked}
    return _audit(source_of(data, sql), options, labels, pred_probs, features, names, encoder, how, ray, neighbours, into)


@app.command("audit", rich_help_panel=FIND)
@opt.with_options_of(audited)
def audit_command(
    *,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the findings.")] = Path("audit"),
    overwrite: opt.Overwrite = False,
    **asked: Any,
) -> None:
    """Find the wrong labels of a data set, ranked, with a report.

    [bold]labelproof audit reviews.csv --label sentiment --text body --out audit/[/bold]
    """
    from labelproof.report.html import part_of, write_report
    from labelproof.saving.folders import atomic_folder

    with atomic_folder(folder, overwrite=overwrite) as partial:
        found: Audit = audited(**asked, into=partial)
        found.write_into(partial)
        write_report(found, partial / "report.html", title=f"{part_of(found).title} of {named(asked, folder.name)}")
    _print_audit(found, folder)


def named(asked: Json, otherwise: str = "") -> str:
    """Name of what is audited, for a title."""
    file = next((asked[name] for name in ("data", "labels", "tags") if asked[name] is not None), None)
    return "a query" if asked["sql"] is not None else otherwise if file is None else str(file.name)


def _audit(
    data: Path | str | None,
    options: ReadOptions,
    labels: Path | None,
    pred_probs: Path | None,
    features: Path | None,
    classes: list[str] | None,
    encoder: str,
    how: Json,
    ray: str | None,
    neighbours: bool | None,
    into: Path | None,
) -> Audit:
    from labelproof.auditing.audit import audit
    from labelproof.data.readers import open_reader
    from labelproof.data.readers.arrays import read_arrays

    if data is None and labels is None:
        raise BadInput(
            "There is nothing to audit. Name a table or an image folder, or give --labels with --pred-probs or --features."
        )
    if data is not None and (labels is not None or features is not None):
        raise BadInput("--labels and --features are a data set of their own. Remove the file or folder.")
    if classes is not None and data is not None and pred_probs is None:
        raise BadInput("--classes names the columns of --pred-probs. Add --pred-probs, or remove --classes.")
    if ray is not None:
        from labelproof.distributed import connect

        connect(ray)
    if data is None and features is None:
        assert labels is not None
        return _audit_arrays(labels, pred_probs, options, classes, ray, neighbours, into)
    if data is None:
        dataset = read_arrays(features, labels, classes=_as_labels(classes), missing=options.missing, kind=options.label_kind)
    else:
        reader = open_reader(data, options)
        dataset, classes = reader.read(), None if reader.takes_classes else classes
    if pred_probs is not None:
        if encoder != "auto" or options.group is not None or how["blocked"]:
            raise BadInput(
                "--encoder, --group and --blocked belong to the model that labelproof trains. Remove them, or remove --pred-probs."
            )
        return _audit_predictions(dataset, _probs(pred_probs), classes, neighbours)
    if ray is not None:
        from labelproof.distributed import ray_map

        how = how | {"map_folds": ray_map}
    return audit(dataset, encoder=encoder, neighbours=neighbours, **how)


def _audit_arrays(
    labels: Path,
    pred_probs: Path | None,
    options: ReadOptions,
    classes: list[str] | None,
    ray: str | None,
    neighbours: bool | None,
    into: Path | None,
) -> Audit:
    """Audit labels by probabilities, without the items."""
    from labelproof.auditing.audit import audit
    from labelproof.auditing.blockwise import audit_into, beyond_memory
    from labelproof.data.array_files import from_file
    from labelproof.data.readers.arrays import ArraysReader, read_arrays
    from labelproof.labels.classes import Classes

    if pred_probs is None:
        raise BadInput("--labels alone is not enough. Add --pred-probs or --features.")
    probs = _probs(pred_probs)
    named: Json = {"classes": _as_labels(classes), "missing": options.missing}
    if options.label_kind not in (None, Classes.kind):
        return audit(read_arrays(None, labels, kind=options.label_kind, **named), probs, neighbours=neighbours)
    run: Callable[..., Audit] = audit
    passes = None
    if ray is not None:
        from labelproof.distributed import OnRay, audit_on_ray

        run, passes = audit_on_ray, OnRay()
    if into is not None and ".npz" not in labels.name and beyond_memory(labels, probs):
        found: Audit = audit_into(into, labels, probs, passes=passes, **named)
    else:
        found = run(from_file(labels, "labels"), probs, **named)
    return dataclasses.replace(found, source=ArraysReader.of_files(labels=labels, missing=options.missing).to_json())


def _audit_predictions(dataset: Dataset, predictions: object, classes: list[str] | None, neighbours: bool | None) -> Audit:
    """Audit items by the user's own out-of-sample predictions, the columns of which ``classes`` may name."""
    from labelproof.auditing.audit import audit
    from labelproof.auditing.sources import Ordered, open_source
    from labelproof.labels.classes import Classes

    if classes is None:
        return audit(dataset, predictions, neighbours=neighbours)
    if dataset.labels.kind != Classes.kind:  # their auditors know what the columns are
        return audit(dataset, predictions, classes=classes, neighbours=neighbours)
    return audit(dataset, Ordered(open_source(predictions), _class_order(classes, dataset)), neighbours=neighbours)


def _values(void: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words(void) or ())
    except ValueError as error:
        raise BadInput(f"--void is {void!r}. Name whole numbers, e.g. 255.") from error


def _check_cells(data: Path | None, *, model: str | None, **named: str | None) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in {**named, "model": model}.items() if value is not None]
    if given and (data is None or data.suffix.lower() != ".h5ad"):
        raise BadInput(f"{given[0]} is for single cells only. Name an .h5ad file, or remove the option.")
    if model not in (None, "mislabeled-vae"):
        raise BadInput(f"--model is {model!r}. Give mislabeled-vae, or remove it for cross-validated logistic regression.")
    if named["batch_key"] is not None and model is None:
        raise BadInput("--batch-key needs --model mislabeled-vae.")


def _check_tags_alone(**named: object) -> None:
    given = next((name for name, value in named.items() if value is not None and value != []), None)
    if given is not None:
        what = "the file or folder" if given == "data" else f"--{given.replace('_', '-')}"
        raise BadInput(f"--tags is a data set of its own, with --pred-probs, --classes and --features. Remove {what}.")


def _audit_cells(data: Path, options: ReadOptions, batch_key: str | None, seed: int) -> Audit:
    """Audit cells by M-VAE, which learns their classes and the noise together."""
    import labelproof as lp
    from labelproof.data.readers.cells import CellsReader, read_adata

    reader = CellsReader.of(data, options)  # missing columns are reported before a large file is read
    adata = read_adata(data)
    dataset = reader.read_from(adata)
    model = lp.MislabeledVAE(random_state=seed).fit(
        adata,
        labels_key=reader.label,
        unlabeled_category=options.unlabeled_category,
        layer=options.layer,
        batch_key=batch_key,
    )
    return lp.audit_posterior(dataset, model.posterior_, model.transition_, latent=adata.obsm["X_labelproof"])


def _probs(path: Path) -> object:
    """Probabilities by path, or the array behind FILE.npz:NAME."""
    from labelproof.data.array_files import from_file

    return from_file(path, "--pred-probs") if ".npz" in path.name else path


def _audit_tags(tags: Path, pred_probs: Path | None, features: Path | None, names: list[str] | None) -> Audit:
    from labelproof.auditing.audit import audit
    from labelproof.data.array_files import from_file
    from labelproof.data.readers.tag_arrays import TagArraysReader
    from labelproof.labels.tags import Tags

    if pred_probs is None:
        raise BadInput("--tags needs --pred-probs, the out-of-sample probability of each tag as .npy.")
    given = from_file(tags, "--tags")
    if features is not None and len(from_file(features, "--features")) != len(given):
        raise BadInput("--features and --tags have different numbers of rows. Give one row of each per item.")
    found = audit(Tags(given, names=names), from_file(pred_probs, "--pred-probs"))
    return dataclasses.replace(found, source=TagArraysReader.of_files(tags=tags, features=features).to_json())


def _as_labels(classes: list[str] | None) -> list[int] | list[str] | None:
    return [int(c) for c in classes] if classes is not None and all(re.fullmatch(r"-?[0-9]+", c) for c in classes) else classes


def _class_order(classes: list[str], dataset: Dataset) -> list[int]:
    """The order that sorts the named columns as the data set's classes are."""
    known = [str(c) for c in dataset.classes]
    if sorted(classes) != sorted(known):
        raise BadInput(f"--classes is {', '.join(classes)} but the labels have {', '.join(known)}. Name each class once.")
    return [classes.index(name) for name in known]


def _print_audit(found: Audit, folder: Path) -> None:
    from labelproof.report.html import part_of

    rate, part = found.error_rate, part_of(found)
    for doubt in found.doubts:
        out.print(f"\n[bold yellow]Read this first.[/bold yellow] {escape(doubt.text)}", highlight=False)
    share = f"[bold]{rate.estimate:.1%}[/bold] of {found.sites:,} {part.units} look wrong (95 % interval {rate.low:.1%} to {rate.high:.1%})"
    if not found.believed:
        share = f"[bold]How many of {found.sites:,} {part.units} are wrong cannot be estimated[/bold] ({found.doubts[0].kind})"
    out.print(f"\n{share}: [bold]{part.counts(found)}[/bold].")
    out.print(f"[bold]Trust:[/bold] {escape(part.trust(found))}", highlight=False)
    if found.skipped:
        out.print(
            f"[yellow]{len(found.skipped):,} items could not be read[/yellow] and are listed in summary.json, e.g. {escape(found.skipped[0][0])}."
        )
    if found.model is not None:
        out.print(f"[dim]{escape(found.model.said)}[/dim]", highlight=False)
    unlabelled = found.n - found.labelled
    if unlabelled:
        out.print(f"{unlabelled:,} items have no label and were not audited.")
    names = tuple(part.columns)
    rows: list[list[object]] = [
        [part.cell(name, row[name]) for name in names] for row in found.worst.head(8).iter_rows(named=True)
    ]
    print_rows(names, rows)
    print_files(folder)
    out.print(f"Next: [bold]labelproof review {escape(shlex.quote(str(folder)))}[/bold]")
