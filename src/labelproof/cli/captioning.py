"""`labelproof concepts` and `labelproof caption`."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from labelproof.cli import options as opt
from labelproof.cli.shared import TRAIN, app, out, print_rows, running_beside
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.data.readers.captions import Captions
    from labelproof.estimators.captioner.concept_captioner import ConceptCaptioner
    from labelproof.estimators.captioner.concept_table import ConceptTable
    from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier

CaptionFile = Annotated[Path | None, typer.Option(help="Captions to learn from, as JSON in the form of COCO or MSR-VTT.")]
Split = Annotated[str | None, typer.Option(help="Only this split of the caption file, e.g. train.")]
LARGE = "fcn-vgg16"  # its pictures are decoded anew each epoch: they would not fit into memory


@app.command(rich_help_panel=TRAIN)
def concepts(
    data: Annotated[Path, typer.Argument(help="Folder of pictures, or of videos as folders of frames.")],
    captions: CaptionFile = None,
    split: Split = None,
    k: Annotated[int, typer.Option(min=1, help="Number of concepts: the commonest words of the captions.")] = 1000,
    words: Annotated[Path | None, typer.Option(help="Text file of words to use as concepts instead, one per line.")] = None,
    noise: Annotated[
        str, typer.Option(help="Noise model of the tags: feature-dependent, feature-independent, em or none.")
    ] = "feature-dependent",
    pooling: Annotated[str, typer.Option(help="Pooling of regions and frames: noisy-or, mean, max or none.")] = "noisy-or",
    backbone: Annotated[str, typer.Option(help="convnet, resnet18 or fcn-vgg16.")] = "convnet",
    weights: Annotated[Path | None, typer.Option(help="Published weights of VGG16 to start from.")] = None,
    size: Annotated[int, typer.Option(min=8, help="Side of the scaled pictures in pixels.")] = 64,
    frames: Annotated[int, typer.Option(min=1, help="Frames of a video, evenly spread.")] = 26,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs without the noise network.")] = 10,
    noise_epochs: Annotated[int, typer.Option(min=0, help="Epochs with the noise network.")] = 5,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float, typer.Option(help="Highest rate of the schedule.")] = 3e-3,
    model: Annotated[Path, typer.Option(help="Folder of the tagger: written with --captions, read without.")] = Path("tagger"),
    target: Annotated[Path, typer.Option("--out", help="Table to write (.parquet .csv .tsv).")] = Path("concepts.parquet"),
    overwrite: opt.Overwrite = False,
    seed: opt.Seed = 0,
) -> None:
    """Detect the concepts in each frame of each item, and write them to a table.

    With [bold]--captions[/bold] a tagger is trained first: its tags are the words of the captions, noisy as they are.

    [bold]labelproof concepts frames/ --captions videos.json --model tagger/ --out concepts.parquet[/bold]
    [bold]labelproof concepts new-frames/ --model tagger/ --out new.parquet[/bold]
    """
    from labelproof.data.readers.captions import read_captions
    from labelproof.data.readers.tagged import list_items
    from labelproof.data.targets import check_table_target
    from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier
    from labelproof.saving.folders import check_output_folder

    names, files = list_items(data)
    check_table_target(target, overwrite=overwrite, source=data)
    if captions is None:
        tagger = NoisyTagClassifier.load(model)
    else:
        check_output_folder(model, overwrite=overwrite)
        said = read_captions(captions, folder=data)
        said = said if split is None else said.split(split)
        tagger = NoisyTagClassifier(
            backbone, weights=weights, noise=None if noise == "none" else noise, pooling=pooling,
            stages=(epochs, noise_epochs), batch_size=batch_size, learning_rate=learning_rate, random_state=seed,
        )  # fmt: skip
        _train_tagger(tagger, said, dict(zip(names, files, strict=True)), (k, words), (size, frames))
        tagger.save(model, overwrite=overwrite)
    table = _concept_table(tagger, names, files, frames)
    table.write(target)
    expected = table.frames.instances.mean(axis=0)
    common = sorted(zip(table.names, expected, strict=True), key=lambda pair: -pair[1])[:8]
    out.print(
        f"\n{len(table):,} items, {len(table.numbers):,} frames, {len(table.names):,} concepts. The commonest: "
        + ", ".join(f"[bold]{escape(name)}[/bold] {value:.1%}" for name, value in common)
    )
    out.print(f"\nWritten to [bold]{escape(str(target))}[/bold]")
    if captions is not None:
        out.print(f"Next: [bold]labelproof caption {escape(str(target))} --captions {escape(str(captions))}[/bold]")


def _train_tagger(
    tagger: NoisyTagClassifier,
    said: Captions,
    files: dict[str, list[Path]],
    vocabulary: tuple[int, Path | None],
    sizes: tuple[int, int],
) -> None:
    """Fit the tagger to the words of the captions; items without a picture or a caption are skipped and reported."""
    import numpy as np

    from labelproof.data.bags import evenly
    from labelproof.estimators.captioner.concepts import Concepts, words_of

    k, words = vocabulary
    if words is None:
        different = {word for own in said.captions for text in own for word in words_of(text)}
        concepts = Concepts.of(said, min(k, len(different)))
    else:
        if not words.exists():
            raise BadInput(f"The list of words {str(words)!r} does not exist. Check the path.")
        concepts = Concepts.of(said, words=words.read_text(encoding="utf-8").split())
    kept = [row for row, name in enumerate(said.files) if name in files]
    if not kept:
        raise BadInput(f"No caption belongs to one of the {len(files)} items, e.g. {next(iter(files))!r}. Name their folder.")
    said = said.take(kept)
    size, frames = sizes
    chosen = [[own[i] for i in evenly(len(own), frames)] for own in (files[name] for name in said.files)]
    x = _instances(chosen, size, decoded=tagger.backbone != LARGE)
    tagger.fit(x, concepts.tags(said), names=list(concepts.words))
    out.print(f"Trained on {len(said):,} items with {sum(map(len, said.captions)):,} captions.")
    if said.skipped:
        name, reason = said.skipped[0]
        out.print(
            f"[yellow]{len(said.skipped):,} items of the caption file were skipped; the first, {escape(name)}: {reason}.[/yellow]"
        )
    if tagger.constant_:
        few = ", ".join(map(str, tagger.constant_[:5]))
        out.print(
            f"[yellow]{len(tagger.constant_):,} words occur always or never and were not learned: {escape(few)}.[/yellow]"
        )
    if tagger.noise is not None:
        missing, incorrect = (float(np.nanmean(rates)) for rates in (tagger.missing_, tagger.incorrect_))
        out.print(
            f"Captions omit a concept that is there in [bold]{missing:.1%}[/bold] of the items, and name one that is not in "
            f"[bold]{incorrect:.1%}[/bold] (means over concepts)."
        )


def _instances(chosen: list[list[Path]], size: int, *, decoded: bool) -> Sized:
    """Pictures, or videos, in memory; or rows that are decoded when they are needed."""
    from labelproof.data.picture_rows import PictureRows
    from labelproof.data.readers.tagged import decode_items

    if decoded:
        return decode_items(chosen, size)
    return PictureRows(chosen, size) if max(map(len, chosen)) > 1 else PictureRows([own[0] for own in chosen], size)


def _concept_table(tagger: NoisyTagClassifier, names: list[str], files: list[list[Path]], frames: int) -> ConceptTable:
    import numpy as np

    from labelproof.data.bags import Bags, evenly
    from labelproof.data.encoding import RawEncoder
    from labelproof.estimators.captioner.concept_table import ConceptTable

    numbers = [evenly(len(own), frames) for own in files]
    chosen = [[own[i] for i in at] for own, at in zip(files, numbers, strict=True)]
    sizes = np.array([len(own) for own in chosen])
    x = _instances(chosen, int(tagger.encoder_.shape[-1]), decoded=tagger.encoder_.kind != RawEncoder.kind)
    found = tagger.predict_instance_proba(x) if sizes.max() > 1 else Bags(tagger.predict_proba(x), sizes)
    return ConceptTable(tuple(names), found, np.concatenate(numbers), tuple(map(str, tagger.classes_)))


@app.command(rich_help_panel=TRAIN)
def caption(
    table: Annotated[Path, typer.Argument(help="Concepts of every frame, as written by labelproof concepts.")],
    captions: CaptionFile = None,
    split: Split = None,
    references: Annotated[
        Path | None,
        typer.Option(help="Reference captions in the same form: prints BLEU, METEOR, ROUGE-L and CIDEr."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    learning_rate: Annotated[float, typer.Option(help="Highest rate of the schedule.")] = 2e-3,
    hidden: Annotated[int, typer.Option(min=1, help="Units of both LSTMs.")] = 700,
    min_count: Annotated[int, typer.Option(min=1, help="Words in fewer captions become the unknown word.")] = 2,
    beam: Annotated[int, typer.Option(min=1, help="Width of the beam search.")] = 5,
    model: Annotated[Path, typer.Option(help="Folder of the captioner: written with --captions, read without.")] = Path(
        "captioner"
    ),
    target: Annotated[Path, typer.Option("--out", help="Table to write (.csv .tsv .parquet).")] = Path("captions.csv"),
    overwrite: opt.Overwrite = False,
    seed: opt.Seed = 0,
) -> None:
    """Write a caption of every item from the concepts in its frames.

    With [bold]--captions[/bold] the captioner is trained first; the same command resumes after an interruption.

    [bold]labelproof caption concepts.parquet --captions videos.json --model captioner/[/bold]
    [bold]labelproof caption new.parquet --model captioner/ --out captions.csv[/bold]
    """
    import polars as pl

    from labelproof.data.frames import write_frame
    from labelproof.data.readers.captions import read_captions
    from labelproof.data.targets import check_table_target
    from labelproof.estimators.captioner.concept_captioner import ConceptCaptioner
    from labelproof.estimators.captioner.concept_table import ITEM, ConceptTable
    from labelproof.saving.folders import check_output_folder, claim_running, remove_running

    check_table_target(target, overwrite=overwrite, source=table)
    of_frames = ConceptTable.read(table)
    if captions is None:
        captioner = ConceptCaptioner.load(model)
    else:
        check_output_folder(model, overwrite=overwrite)
        said = read_captions(captions)
        running = claim_running(running_beside(model))
        captioner = ConceptCaptioner(
            hidden=hidden, concept_size=hidden, min_count=min_count, epochs=epochs, batch_size=batch_size,
            learning_rate=learning_rate, random_state=seed, checkpoints=running,
        )  # fmt: skip
        frames, own, left = of_frames.with_captions(said if split is None else said.split(split))
        captioner.fit(frames, own, names=of_frames.names).save(model, overwrite=overwrite)
        remove_running(running)
        out.print(f"Trained on {len(own):,} items with {sum(map(len, own.captions)):,} captions; {left:,} items have none.")
    _check_concepts(captioner, of_frames, table)
    written = captioner.caption(of_frames.frames, beam=beam)
    write_frame(pl.DataFrame({ITEM: list(of_frames.ids), "caption": written}), target)
    print_rows((ITEM, "caption"), [list(row) for row in zip(of_frames.ids[:5], written[:5], strict=True)])
    if references is not None:
        _print_scores(of_frames, written, read_captions(references))
    out.print(f"\nWritten to [bold]{escape(str(target))}[/bold]")


def _check_concepts(captioner: ConceptCaptioner, table: ConceptTable, path: Path) -> None:
    """Compare the concepts by name: a captioner reads numbers alone and would not notice other concepts."""
    if captioner.concepts_ and captioner.concepts_ != table.names:
        pairs = zip(captioner.concepts_, table.names, strict=False)
        first = next((f"{own!r}, here {other!r}" for own, other in pairs if own != other), "")
        raise BadInput(
            f"The captioner was trained with {len(captioner.concepts_)} concepts, but {str(path)!r} has {len(table.names)}"
            f"{f', and the first that differs was {first}' if first else ''}. Write it with the same tagger."
        )


def _print_scores(table: ConceptTable, written: list[str], references: Captions) -> None:
    from labelproof.estimators.captioner.concept_table import named
    from labelproof.estimators.captioner.scores import caption_scores

    _, own, _ = table.with_captions(references)
    kept = set(named(own))
    scores = caption_scores([text for name, text in zip(table.ids, written, strict=True) if name in kept], own)
    print_rows(("score", "value"), [[name, f"{value:.3f}"] for name, value in scores.values.items()])
    for name, reason in scores.missing.items():
        out.print(f"[yellow]{name} is missing: {escape(reason)}[/yellow]")
